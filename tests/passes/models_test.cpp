// tests/passes/models_test.cpp -- whole training steps keep their values through all passes.
#include "autodiff/gradient.h"
#include "backends/reference/reference.h"
#include "frontend/compile/optimizer.h"
#include "ir/passes/padding/ended_rows.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/distinct_axes.h"
#include "ir/text/text.h"
#include "models/families/rnn/rnn.h"
#include "models/families/transformer/transformer.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <sstream>

using namespace weft;

namespace {

rnn::Config small(std::string_view cell, std::string_view attention, bool feeding) {
  rnn::Config c;
  c.source.vocabulary = 5, c.target_vocabulary = 6;
  c.embedding = 3, c.hidden = 2, c.attention_width = 3;
  c.cell = rnn::cell_named(cell), c.attention = rnn::attention_named(attention),
  c.input_feeding = feeding;
  c.bidirectional = attention != "dot";
  c.dropout = feeding ? 0.0 : 0.3;
  return c;
}

// Random parameters and states, tokens below 4, one row that is empty and one that ends early.
std::vector<ir::Array> arguments_of(const ir::Graph& graph, const ir::Bindings& sizes) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  std::vector<ir::Array> arguments;
  for (const ir::Argument& a : graph.arguments()) {
    const ir::TensorType& type = graph.type(a.value);
    const std::string& name = graph.info(a.value).name;
    ir::Array x(ir::is_float(type.dtype) ? ir::DType::f64 : type.dtype,
                ir::values(type.shape, sizes));
    for (int64_t i = 0; i < x.size(); ++i) {
      const double value = normal(random);
      if (ir::is_float(type.dtype))
        x.set(i, a.kind == ir::ArgumentKind::state ? std::fabs(value) : value);  // second moments
      else if (name == "source_lengths")
        x.set_integer(i, std::min<int64_t>(i == 1 ? 2 : 4, sizes.at("S")));
      else if (name == "target_lengths")
        x.set_integer(i, std::min<int64_t>(i == 0 ? 5 : i == 1 ? 0 : 3, sizes.at("T")));
      else
        x.set_integer(i, static_cast<int64_t>(random() % 4) + (type.rank() == 0 ? 1 : 0));
    }
    arguments.push_back(std::move(x));
  }
  return arguments;
}

int count(const std::string& text, std::string_view what) {
  int n = 0;
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; ++at) ++n;
  return n;
}

// The text of the step after all passes; its values are those of the step as it was written.
std::string check_training_step(const ir::Graph& graph, OptimizerKind kind) {
  const auto paths = trainable_parameters(graph);
  const auto with_update = [&](const ir::Graph& g) {
    return append_optimizer(autodiff::gradient(g, "loss", paths), paths, {.kind = kind});
  };
  const ir::Graph plain = with_update(graph);
  const ir::Graph fused = test::run("optimise", with_update(test::run("recognise", graph)));
  const std::string text = ir::print(fused);
  const ir::Bindings sizes{{"B", 3}, {"S", 4}, {"T", 5}};
  const auto arguments = arguments_of(plain, sizes);
  const auto a = backends::reference::evaluate(plain, arguments, sizes),
             b = backends::reference::evaluate(fused, arguments, sizes);
  REQUIRE(a.size() == b.size());
  for (size_t o = 0; o < a.size(); ++o) {
    double top = 1;
    for (int64_t i = 0; i < a[o].size(); ++i) top = std::max(top, std::fabs(a[o].at(i)));
    for (int64_t i = 0; i < a[o].size(); ++i)
      if (!(std::fabs(a[o].at(i) - b[o].at(i)) <= 1e-12 * top))
        FAIL_CHECK(plain.outputs()[o].name << " was " << a[o].at(i) << ", is " << b[o].at(i));
  }
  return text;
}

// Loss and gradients of the model built with these sizes, as its training step has them after all
// passes, are those of the model built with symbols.
void check_sizes(const ir::Graph& symbolic, const ir::Bindings& sizes, const ir::Bindings& written,
                 std::string_view one_symbol = {}) {
  const auto paths = trainable_parameters(symbolic);
  const ir::Graph built = ir::with_sizes(symbolic, [&](const ir::Dim& d) {
    std::map<std::string, ir::Dim, std::less<>> known;
    for (const auto& [symbol, size] : written)
      known[symbol] = one_symbol.empty() ? ir::Dim(size) : ir::Dim::symbol(one_symbol);
    return d.substitute(known);
  });
  CHECK(ir::DistinctAxes(built).apart());
  const ir::Graph plain = autodiff::gradient(symbolic, "loss", paths);
  const auto arguments = arguments_of(plain, sizes);
  const auto want = backends::reference::evaluate(plain, arguments, sizes);
  ir::Bindings left = sizes;
  if (!one_symbol.empty()) left[std::string(one_symbol)] = written.begin()->second;
  for (const bool optimised : {false, true}) {
    const ir::Graph graph =
        optimised ? test::run("optimise",
                              autodiff::gradient(test::run("recognise", built), "loss", paths))
                  : autodiff::gradient(built, "loss", paths);
    const auto got = backends::reference::evaluate(graph, arguments, left);
    for (size_t o = 0; o < want.size(); ++o) {
      double top = 1;
      for (int64_t i = 0; i < want[o].size(); ++i) top = std::max(top, std::fabs(want[o].at(i)));
      for (int64_t i = 0; i < want[o].size(); ++i)
        if (!(std::fabs(want[o].at(i) - got[o].at(i)) <= 1e-12 * top))
          FAIL_CHECK(plain.outputs()[o].name << (optimised ? " optimised" : "") << " was "
                                             << want[o].at(i) << ", is " << got[o].at(i));
    }
  }
}

// Batch, source, target and all widths alike: as numbers, as one symbol, and the batch alone.
void check_coinciding(const ir::Graph& graph, int64_t size) {
  const ir::Bindings all{{"B", size}, {"S", size}, {"T", size}};
  CHECK(!ir::DistinctAxes(graph).changed());
  check_sizes(graph, all, all);
  check_sizes(graph, all, all, "N");
  check_sizes(graph, {{"B", size}, {"S", 4}, {"T", 5}}, {{"B", size}});
}

// No loop needs its masks written out to be differentiated.
void check_rows_apart(const ir::Graph& graph) {
  for (const ir::Node& node : graph.nodes())
    if (node.op == &ir::ops::scan && node.group_sizes.back() > 0) {
      const ir::OpView op(graph, node);
      CHECK(ir::mixes_ended_rows(op.region(), op.operand("lengths").dim(0),
                                 op.region().arguments().back().value) == nullptr);
    }
}

void check_rnn(const rnn::Config& config, OptimizerKind kind) {
  const std::string text = check_training_step(rnn::loss_graph(config), kind);
  CHECK(count(text, "= attention(") == (config.attention == rnn::AttentionKind::none ? 0 : 1));
  CHECK(count(text, "_cell(") == (config.bidirectional ? 3 : 2));
  CHECK(count(text, "= softmax(") + count(text, "= log_softmax(") == 0);
  CHECK(count(text, "_update(") == 1);
  CHECK(count(text, "= squared_norm(") == 1);
}

}  // namespace

TEST_CASE(
    "models: training steps of every cell and attention are fused whole and keep their values") {
  for (const char* cell : {"gru", "gru_after", "lstm"})
    for (const char* attention : {"additive", "dot", "general", "concat", "none"})
      for (const bool feeding : {false, true}) {
        const rnn::Config config = small(cell, attention, feeding);
        if (feeding && (config.attention == rnn::AttentionKind::additive ||
                        config.attention == rnn::AttentionKind::none))
          continue;
        INFO(std::string(cell) << " " << std::string(attention) << (feeding ? " feeding" : ""));
        check_rnn(config, feeding ? OptimizerKind::adadelta : OptimizerKind::adam);
      }
}

TEST_CASE("models: a transformer's windows are bands of packed attention") {
  transformer::Config c;
  c.source.vocabulary = 5, c.target_vocabulary = 6;
  c.width = 4, c.heads = 2, c.feed_forward = 6;
  c.encoder_layers = 2, c.decoder_layers = 2;
  c.window = 3, c.dropout = c.attention_dropout = 0.2;
  const std::string text = check_training_step(transformer::loss_graph(c), OptimizerKind::adam);
  CHECK(count(text, "= packed_attention(") == 6);
  CHECK(count(text, "band=[2, 2]") == 4);  // of the encoder, and of its adjoints
  CHECK(count(text, "band=[2, 0]") == 4);
  CHECK(count(text, "= iota(") <= 2);  // of the positions themselves
}

TEST_CASE("models: a transformer's training step works on the real tokens and keeps its values") {
  using enum transformer::PositionKind;
  for (const auto positions : {sinusoidal, learned, relative})
    for (const bool pre_norm : {true, false})
      for (const double dropout : {0.0, 0.3}) {
        transformer::Config c;
        c.source.vocabulary = 5, c.target_vocabulary = 6;
        c.width = 4, c.heads = 2, c.feed_forward = 6;
        c.encoder_layers = 2, c.decoder_layers = 2;
        c.positions = positions, c.max_positions = 8, c.pre_norm = pre_norm;
        c.norm = pre_norm ? transformer::Config().norm : NormKind::rms;
        c.dropout = dropout, c.attention_dropout = dropout;
        c.shared_embedding = false, c.tied_output = pre_norm;
        CAPTURE(static_cast<int>(positions));
        CAPTURE(pre_norm);
        CAPTURE(dropout);
        const std::string text =
            check_training_step(transformer::loss_graph(c), OptimizerKind::adam);
        CHECK(count(text, "= packed_attention(") == 6);
        // Gradients of learned positions are sums over the batch.
        CHECK(count(text, "unpack(") == (positions == learned ? 2 : 0));
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
          const bool product = count(line, "= linear(") + count(line, "= matmul(") > 0;
          if (product && count(line, " : f32[B,") > 0) FAIL_CHECK("padded: " << line);
        }
      }
}

TEST_CASE("models: RNNs built with sizes that coincide have the loss and gradients of symbols") {
  for (const char* cell : {"gru", "gru_after", "lstm"})
    for (const char* attention : {"additive", "dot", "general", "concat", "none"})
      for (const bool feeding : {false, true}) {
        rnn::Config c = small(cell, attention, feeding);
        if (feeding && (c.attention == rnn::AttentionKind::additive ||
                        c.attention == rnn::AttentionKind::none))
          continue;
        INFO(std::string(cell) << " " << std::string(attention) << (feeding ? " feeding" : ""));
        c.source.vocabulary = c.target_vocabulary = 4;
        c.embedding = c.hidden = c.attention_width = 4;
        const ir::Graph graph = rnn::loss_graph(c);
        check_coinciding(graph, 4);
        check_rows_apart(graph);
        check_rows_apart(test::run("recognise", graph));
      }
}

TEST_CASE("models: transformers built with sizes that coincide have those of symbols") {
  using enum transformer::PositionKind;
  for (const auto positions : {sinusoidal, learned, relative})
    for (const double dropout : {0.0, 0.3}) {
      transformer::Config c;
      c.source.vocabulary = c.target_vocabulary = 4;
      c.width = c.feed_forward = 4, c.heads = 2;
      c.encoder_layers = c.decoder_layers = 2;
      c.max_positions = 8;
      c.positions = positions;
      c.dropout = c.attention_dropout = dropout;
      INFO(std::string(name(positions)) << " dropout " << dropout);
      check_coinciding(transformer::loss_graph(c), 4);
    }
}
