// models/search/greedy.cpp -- the host loop.
#include "models/search/greedy.h"

#include <algorithm>

namespace weft::search {

using formats::NamedArrays;
using ir::Array;

Decoder::Decoder(const rnn::Config& config, const ProgramOptions& options)
    : encode(Program::inference(rnn::encode_graph(config), options)),
      step(Program::inference(rnn::step_graph(config), options)) {}

std::vector<std::vector<int32_t>> greedy(Decoder& decoder, ParameterStore& store,
                                         const Array& source, const Array& source_lengths,
                                         const GreedyOptions& options) {
  const int64_t rows = source.dim(0);
  int64_t longest = 0;
  for (int64_t b = 0; b < rows; ++b) longest = std::max(longest, source_lengths.integer_at(b));
  const int64_t limit = options.max_length > 0 ? options.max_length : 2 * longest + 10;

  const NamedArrays memory =
      decoder.encode.run(store, {{"source", source}, {"source_lengths", source_lengths}});
  NamedArrays state = memory;  // what the encoder and then each step say of state.*
  Array token(ir::DType::s32, {rows});
  for (int64_t b = 0; b < rows; ++b) token.set_integer(b, data::kBos);
  std::vector<std::vector<int32_t>> found(static_cast<size_t>(rows));
  std::vector<bool> ended(static_cast<size_t>(rows));
  for (int64_t t = 0, live = rows; t < limit && live > 0; ++t) {
    NamedArrays inputs{{"token", token}, {"source_lengths", source_lengths}};
    for (const auto& entry : memory)
      if (!entry.name.starts_with("state.")) inputs.add(entry.name, entry.array);
    for (const auto& entry : state)
      if (entry.name.starts_with("state.")) inputs.add(entry.name, entry.array);
    state = decoder.step.run(store, inputs);
    const Array& best = state.at("best");
    token = Array(ir::DType::s32, {rows});
    for (int64_t b = 0; b < rows; ++b) {
      const auto id = static_cast<int32_t>(best.integer_at(b));
      token.set_integer(b, id);
      if (ended[static_cast<size_t>(b)]) continue;
      if (id == data::kEos) {
        ended[static_cast<size_t>(b)] = true;
        --live;
      } else {
        found[static_cast<size_t>(b)].push_back(id);
      }
    }
  }
  return found;
}

std::vector<std::vector<int32_t>> greedy(Decoder& decoder, ParameterStore& store,
                                         std::span<const data::EncodedExample> examples,
                                         const data::BatchOptions& batch,
                                         const GreedyOptions& options) {
  std::vector<std::vector<int32_t>> all(examples.size());
  for (const std::vector<int64_t>& rows : data::plan_in_order(examples, batch)) {
    const data::Batch b = data::make_batch(examples, rows, batch);
    auto found = greedy(decoder, store, b.source, b.source_lengths, options);
    for (size_t i = 0; i < rows.size(); ++i)
      all[static_cast<size_t>(rows[i])] = std::move(found[i]);
  }
  return all;
}

}  // namespace weft::search
