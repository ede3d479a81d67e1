// ir/passes/fuse/cells/cells.h -- one cell recognised at the node that makes its state.
#pragma once
#include "ir/passes/pass.h"
#include "ir/rewrite/pattern.h"

namespace weft::ir {

// At a sum or difference, the update of a GRU's state.
std::optional<Replacement> find_gru(const GraphUses& readers, const Node& root, int index,
                                    PassContext& context);
// At a product, the output of an LSTM. `carries`: how many of the graph's first arguments a loop
// carries, which tells the hidden state where there is a choice.
std::optional<Replacement> find_lstm(const GraphUses& readers, const Node& root, int index,
                                     int carries, PassContext& context);

// Nothing, and a note why.
std::optional<Replacement> nearly_a_cell(const GraphUses& readers, const Node& root,
                                         std::string_view cell, const std::string& why,
                                         PassContext& context);

}  // namespace weft::ir
