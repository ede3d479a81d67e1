// tests/models/padding_test.cpp -- a padded batch is each sentence alone: losses, gradients,
// dropout.
#include "autodiff/gradient.h"
#include "models/training/batches/example_batches.h"
#include "tests/models/every_model.h"

#include <doctest/doctest.h>

using namespace weft;
using ir::Array;
using ir::NamedArrays;

namespace {

struct Totals {
  double loss = 0, tokens = 0;
  std::vector<Array> gradients;  // of the summed loss
};

// Adds loss and gradients, times the number of tokens they are means over.
void add(Totals& totals, Program& program, size_t parameters, ParameterStore& store,
         const data::Batch& batch) {
  NamedArrays inputs = training::inputs_of(batch);
  inputs.add("step", Array::of(ir::DType::s64, {}, std::vector<int64_t>{4}));
  const NamedArrays results = program.run(store, inputs);
  const double n = results.at("tokens").at(0);
  totals.tokens += n;
  totals.loss += results.at("loss").at(0) * n;
  size_t i = 0, first = results.size() - parameters;
  for (const auto& entry : results) {
    if (i++ < first) continue;
    if (totals.gradients.size() < parameters)
      totals.gradients.emplace_back(ir::DType::f64, entry.array.dims());
    Array& sum = totals.gradients[i - 1 - first];
    for (int64_t k = 0; k < sum.size(); ++k) sum.set(k, sum.at(k) + n * entry.array.at(k));
  }
}

void check_model(const seq2seq::Settings& config, bool optimize, int64_t sentences = 5) {
  const ir::Graph built = seq2seq::loss_graph(config, true);
  const std::vector<std::string> paths = trainable_parameters(built);
  ir::PassContext context;
  ir::Graph graph = optimize ? ir::run_passes(built, ir::recognise_passes(), context).graph : built;
  graph = autodiff::gradient(graph, "loss", paths);
  if (optimize) graph = ir::run_passes(graph, ir::optimise_passes(), context).graph;
  Program program = Program::inference(graph, tests::reference_options(false));
  ParameterStore store(5, ir::DType::f64);
  const auto examples = tests::reversals(sentences, 6, 8);
  const data::BatchOptions padded{.round_source = 8, .round_target = 5},
      exact{.round_source = 1, .round_target = 1};
  Totals together, alone;
  std::vector<int64_t> all;
  for (int64_t i = 0; i < sentences; ++i) all.push_back(i);
  add(together, program, paths.size(), store, data::make_batch(examples, all, padded));
  for (const int64_t row : all)
    add(alone, program, paths.size(), store,
        data::make_batch(examples, std::vector<int64_t>{row}, exact));
  CHECK(together.tokens == alone.tokens);
  CHECK(together.loss == doctest::Approx(alone.loss).epsilon(1e-12));
  for (size_t i = 0; i < paths.size(); ++i) {
    double greatest = 1e-3, worst = 0;
    for (int64_t k = 0; k < alone.gradients[i].size(); ++k) {
      greatest = std::max(greatest, std::fabs(alone.gradients[i].at(k)));
      worst = std::max(worst, std::fabs(alone.gradients[i].at(k) - together.gradients[i].at(k)));
    }
    CHECK_MESSAGE(worst <= 1e-11 * greatest, paths[i], ": off by ", worst, " of ", greatest);
  }
}

}  // namespace

TEST_CASE("padding: a batch is each sentence alone, dropout included, for every family") {
  using enum rnn::AttentionKind;
  for (const bool optimize : {false, true})
    for (const rnn::AttentionKind kind : {none, additive, dot, general, concat})
      for (const CellKind cell : {CellKind::gru, CellKind::gru_after, CellKind::lstm}) {
        rnn::Config c = tests::small_config(4);
        c.cell = cell;
        c.attention = kind;
        c.layers = kind == general ? 2 : 1;
        c.bidirectional = kind != dot;
        c.input_feeding = kind == dot || kind == concat;
        c.readout = kind == general  ? rnn::Readout::plain
                    : kind == concat ? rnn::Readout::tanh
                                     : rnn::Readout::maxout;
        c.dropout = 0.3;
        c.variational_dropout = kind == general;
        c.source_word_dropout = c.target_word_dropout = 0.2;
        c.label_smoothing = 0.1;
        CAPTURE(rnn::name(kind));
        CAPTURE(rnn::name(cell));
        CAPTURE(optimize);
        check_model(c, optimize);
      }
}

TEST_CASE("padding: a batch is each sentence alone for transformers, dropout of weights included") {
  for (const bool optimize : {false, true})
    for (const bool pre_norm : {false, true})
      for (const auto positions :
           {transformer::PositionKind::sinusoidal, transformer::PositionKind::relative}) {
        transformer::Config c = tests::small_transformer(4);
        c.pre_norm = pre_norm;
        c.positions = positions;
        c.dropout = 0.3;
        c.attention_dropout = 0.3;
        c.encoder_layer_dropout = c.decoder_layer_dropout = 0.4;
        c.source_word_dropout = c.target_word_dropout = 0.2;
        c.label_smoothing = 0.1;
        CAPTURE(transformer::name(positions));
        CAPTURE(pre_norm);
        CAPTURE(optimize);
        check_model(c, optimize);
      }
}

TEST_CASE("padding: a batch is each sentence alone for every part of recurrent models") {
  for (const tests::NamedModel& model : tests::recurrent_variants(4)) {
    CAPTURE(model.first);
    check_model(tests::with_dropout(model.second, 0.3), true, 3);
  }
}

TEST_CASE("padding: ... of transformers, and for convolutional models") {
  for (const tests::NamedModels& models :
       {tests::transformer_variants(4), tests::convolutional_variants(4),
        tests::hybrid_variants(4)})
    for (const tests::NamedModel& model : models) {
      CAPTURE(model.first);
      check_model(tests::with_dropout(model.second, 0.3), true, 3);
    }
}

TEST_CASE("decoding: the step's executable follows teacher forcing") {
  const rnn::Config c = tests::small_config(4);
  ParameterStore store(5, ir::DType::f64);
  Program encode = Program::inference(rnn::encode_graph(c), tests::reference_options()),
          step =
              Program::inference(rnn::step_graph(c, {.weights = true}), tests::reference_options()),
          attention = Program::inference(rnn::attention_graph(c), tests::reference_options());
  const auto examples = tests::reversals(3, 4, 8);
  const data::Batch b = data::make_batch(examples, std::vector<int64_t>{0, 1, 2}, {});
  const Array forced = attention.run(store, training::inputs_of(b)).at("weights");
  const NamedArrays memory = encode.run(store, training::inputs_of(b));
  NamedArrays state = memory;
  for (int64_t t = 0; t < b.target_width(); ++t) {
    Array token(ir::DType::s32, {b.rows(), 1}), score(ir::DType::f64, {b.rows(), 1});
    const Array& before = state.at("state.0.h");
    for (int64_t r = 0; r < b.rows(); ++r)
      token.set_integer(r, b.target_in.integer_at(r * b.target_width() + t));
    state = step.run(store, {{"token", token},
                             {"score", score},
                             {"source_lengths", b.source_lengths},
                             {"h", memory.at("h")},
                             {"keys", memory.at("keys")},
                             {"state.0.h", before.reshaped({b.rows(), 1, c.hidden})}});
    const Array& weights = state.at("weights");
    for (int64_t r = 0; r < b.rows(); ++r) {
      if (t >= b.target_lengths.integer_at(r)) continue;
      for (int64_t s = 0; s < b.source_width(); ++s)
        CHECK(weights.at(r * b.source_width() + s) ==
              doctest::Approx(forced.at((r * b.target_width() + t) * b.source_width() + s))
                  .epsilon(1e-12));
    }
  }
}
