// models/families/seq2seq.cpp -- each question is put to the family at hand.
#include "models/families/seq2seq.h"

namespace weft::seq2seq {

Config family_named(std::string_view name) {
  if (name == "rnn") return rnn::Config();
  if (name == "transformer") return transformer::Config();
  throw ir::GraphError(ir::concat("there is no family '", name, "'; there are rnn, transformer"));
}

std::string_view family(const Config& config) {
  return std::holds_alternative<rnn::Config>(config) ? "rnn" : "transformer";
}

int64_t source_vocabulary(const Config& config) {
  return std::visit([](const auto& c) { return c.source_vocabulary; }, config);
}

int64_t target_vocabulary(const Config& config) {
  return std::visit([](const auto& c) { return c.target_vocabulary; }, config);
}

void set_vocabularies(Config& config, int64_t source, int64_t target) {
  std::visit([&](auto& c) { c.source_vocabulary = source, c.target_vocabulary = target; }, config);
}

void set_seed(Config& config, uint64_t seed) {
  std::visit([&](auto& c) { c.seed = seed; }, config);
}

uint64_t seed(const Config& config) {
  return std::visit([](const auto& c) { return c.seed; }, config);
}

bool has_attention(const Config& config) {
  const auto* c = std::get_if<rnn::Config>(&config);
  return c == nullptr || c->attention != rnn::AttentionKind::none;
}

int64_t most_positions(const Config& config) {
  const auto* c = std::get_if<transformer::Config>(&config);
  return c != nullptr && c->positions == transformer::PositionKind::learned ? c->max_positions : 0;
}

void check(const Config& config) {
  std::visit([](const auto& c) { check(c); }, config);
}

ir::Graph loss_graph(const Config& config, bool training) {
  return std::visit([&](const auto& c) { return loss_graph(c, training); }, config);
}

ir::Graph encode_graph(const Config& config) {
  return std::visit([](const auto& c) { return encode_graph(c); }, config);
}

ir::Graph step_graph(const Config& config, const search::StepOptions& options) {
  return std::visit([&](const auto& c) { return step_graph(c, options); }, config);
}

search::Decoder decoder(const Config& config, const search::StepOptions& options,
                        const ProgramOptions& program) {
  return std::visit([&](const auto& c) { return decoder(c, options, program); }, config);
}

ir::Graph attention_graph(const Config& config) {
  return std::visit([](const auto& c) { return attention_graph(c); }, config);
}

}  // namespace weft::seq2seq
