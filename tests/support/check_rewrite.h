// tests/support/check_rewrite.h -- passes tested as text: before, after, and where they hold back.
#pragma once
#include "ir/passes/pipeline.h"

#include <string_view>

namespace weft::test {

// Runs passes one after the other ("canonicalize fuse_attention") and compares by structure; runs
// them again, which must change nothing; checks that all graphs verify. Prints both on a mismatch.
void check_rewrite(std::string_view passes, std::string_view before, std::string_view after);
void check_unchanged(std::string_view passes, std::string_view text);

// The graph after these passes, verified after each, and what they noted.
ir::Graph run(std::string_view passes, const ir::Graph& graph, ir::PassContext* context = nullptr);

// Evaluates both on the reference backend, on the same random arguments, and compares to 1e-12 of
// the largest value. Integer arguments are drawn from [0, 4), preds evenly; sizes are bound to
// small numbers.
void check_same_values(const ir::Graph& a, const ir::Graph& b, const ir::Bindings& sizes = {});
// ... of a graph before and after passes.
void check_keeps_values(std::string_view passes, std::string_view text,
                        const ir::Bindings& sizes = {});

// True where a note of that kind contains `text`.
bool noted(const ir::PassContext& context, ir::Note::Kind kind, std::string_view text);

}  // namespace weft::test
