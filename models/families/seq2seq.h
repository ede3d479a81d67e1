// models/families/seq2seq.h -- any family of encoder-decoders, by its configuration.
//
// What training, search and the program need of a model are four graphs, whatever is inside; each
// family has functions of these names.
#pragma once
#include "models/families/rnn/rnn.h"
#include "models/families/transformer/transformer.h"

#include <string_view>
#include <variant>

namespace weft::seq2seq {

using Config = std::variant<rnn::Config, transformer::Config>;

// The names of recipes: "rnn", "transformer"; GraphError listing them for any other.
Config family_named(std::string_view name);
std::string_view family(const Config& config);

int64_t source_vocabulary(const Config& config);
int64_t target_vocabulary(const Config& config);
void set_vocabularies(Config& config, int64_t source, int64_t target);
void set_seed(Config& config, uint64_t seed);
uint64_t seed(const Config& config);
bool has_attention(const Config& config);
// How many tokens of a source, or of a target with </s>, the model has positions for; 0: no limit.
int64_t most_positions(const Config& config);

void check(const Config& config);
ir::Graph loss_graph(const Config& config, bool training = true);
ir::Graph encode_graph(const Config& config);
ir::Graph step_graph(const Config& config, const search::StepOptions& options = {});
search::Decoder decoder(const Config& config, const search::StepOptions& options,
                        const ProgramOptions& program);
ir::Graph attention_graph(const Config& config);

}  // namespace weft::seq2seq
