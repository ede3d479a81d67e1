// models/families/rnn/graphs.cpp -- whole graphs: the loss, the encoder, a step of a search, attention.
#include "models/families/rnn/parts.h"

namespace weft::rnn {
namespace {

int64_t keys_width(const Config& c) {
  if (c.attention == AttentionKind::general) return c.hidden;
  const bool chunks = c.attention == AttentionKind::monotonic && c.monotonic.chunk > 1;
  return attention_width(c) * (chunks ? 2 : 1);
}

// "state.0.h", ... in the order of `flat`.
std::vector<std::string> state_names(const Config& c) {
  std::vector<std::string> names;
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    names.push_back(ir::concat("state.", layer, ".h"));
    if (c.cell == CellKind::lstm) names.push_back(ir::concat("state.", layer, ".c"));
  }
  if (c.input_feeding) names.emplace_back("state.fed");
  if (c.coverage != Coverage::none) names.emplace_back("state.coverage");
  if (c.attention == AttentionKind::monotonic) names.emplace_back("state.alignment");
  return names;
}

// f32[], rising from 0.
Tensor sampling_probability(const Config& c, const Tensor& step) {
  const Tensor most = full(step, c.scheduled_sampling, {}, f32);
  if (c.scheduled_sampling_steps == 0) return most;
  return most * minimum(cast(step, f32) / static_cast<double>(c.scheduled_sampling_steps), 1.0);
}

}  // namespace

ir::Graph loss_graph(const Config& c, bool training) {
  check(c);
  Model m("loss");
  const bool random = c.dropout > 0 || c.scheduled_sampling > 0 ||
                      c.attention == AttentionKind::monotonic;  // or depends on the step
  const seq2seq::LossInputs in = seq2seq::loss_inputs(m, c, training, random);
  const Scope p = m.scope();
  const Encoded encoded = encode_source(p, c, in.source.source, in.source.lengths, in.noise);
  const Tensor y = embed_target(p, c, swap_axes(in.target.in, 0, 1), in.noise);
  const Tensor sampling =
      training && c.scheduled_sampling > 0 ? sampling_probability(c, in.noise.step) : Tensor();
  const bool repeats = training && c.coverage_loss > 0;
  const Decoded decoded = decode(p, c, encoded, y, in.target.lengths,
                                 in.guided.on() || c.copy || repeats, in.noise, sampling);
  const Scope loss = p / "loss";
  const auto within = loss.enter();
  const Tensor labels = swap_axes(in.target.out, 0, 1);
  Tensor nll =
      c.copy ? mixture_losses(decoded.logits, decoded.weights, decoded.generate, in.source.source,
                              labels)
             : smoothed_cross_entropy(decoded.logits, labels, training ? c.label_smoothing : 0);
  if (repeats) nll = nll + decoded.repeated * c.coverage_loss;
  seq2seq::set_training_loss(m, c, training, in, nll, decoded.weights, true);
  return m.graph();
}

ir::Graph encode_graph(const Config& c) {
  check(c);
  Model m("encode");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const Encoded e = encode_source(m.scope(), c, source, source_lengths);
  if (has_attention(c)) {
    m.output("h", e.memory.h);
    if (const Tensor keys = memory_keys(m.scope(), c, e.memory.h); keys.valid())
      m.output("keys", keys);
    if (e.memory.fertility.valid()) m.output("fertility", e.memory.fertility);
    if (e.memory.tokens.valid()) m.output("source_tokens", e.memory.tokens);
  }
  const Tensors start = flat(e.start);
  const std::vector<std::string> names = state_names(c);
  for (size_t i = 0; i < start.size(); ++i) m.output(names[i], start[i]);
  return m.graph();
}

ir::Graph step_graph(const Config& c, const search::StepOptions& options) {
  check(c);
  search::StepGraph graph("step", options);
  const Dim s = dim("S");
  Memory memory;
  if (has_attention(c)) {
    Tensor lengths = graph.memory("source_lengths", s32, {});
    if (c.pyramid > 0) lengths = (lengths + (reduction(c) - 1)) / reduction(c);
    memory.mask = length_mask(lengths, s);
    memory.h = graph.memory("h", f32, {s, c.hidden * (c.bidirectional ? 2 : 1)});
    if (c.attention != AttentionKind::dot)
      memory.keys = graph.memory("keys", f32, {s, keys_width(c)});
    if (c.coverage == Coverage::fertility) memory.fertility = graph.memory("fertility", f32, {s});
    if (c.copy) memory.tokens = graph.memory("source_tokens", s32, {s});
  }
  const std::vector<std::string> names = state_names(c);
  Tensors carries;
  for (const std::string& name : names)
    carries.push_back(graph.state(
        name, {name == "state.coverage" || name == "state.alignment" ? s : Dim(c.hidden)}));
  State shape;
  for (int64_t layer = 0; layer < c.layers; ++layer)
    shape.layers.push_back({carries[0], c.cell == CellKind::lstm ? carries[0] : Tensor()});
  if (c.input_feeding) shape.fed = carries[0];
  if (c.coverage != Coverage::none) shape.coverage = carries[0];
  if (c.attention == AttentionKind::monotonic) shape.alignment = carries[0];
  const Step step = decode_step(graph.scope(), c, memory, like(shape, carries),
                                embed_target(graph.scope(), c, graph.token(), {}));
  const Tensors next = flat(step.state);
  for (size_t i = 0; i < next.size(); ++i) graph.next(names[i], next[i]);
  if (!c.copy) return graph.finish(step.logits, step.weights);
  const Tensor tokens = graph.beam() == 1 ? memory.tokens : repeated(memory.tokens, graph.beams());
  return graph.finish(log_mixture(step.logits, by_row(step.weights), step.generate, tokens),
                      step.weights);
}

ir::Graph attention_graph(const Config& c) {
  check(c);
  if (!has_attention(c)) throw ir::GraphError("a model without attention has no attention weights");
  Model m("attention");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const auto [target_in, target_out, target_lengths] = seq2seq::target_inputs(m, false);
  const Encoded encoded = encode_source(m.scope(), c, source, source_lengths);
  const Tensor y = embed_target(m.scope(), c, swap_axes(target_in, 0, 1), {});
  m.output("weights",
           swap_axes(decode(m.scope(), c, encoded, y, target_lengths, true).weights, 0, 1));
  return m.graph();
}

}  // namespace weft::rnn
