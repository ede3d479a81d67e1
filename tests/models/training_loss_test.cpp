// tests/models/training_loss_test.cpp -- what training adds to the loss of the words.
#include "models/families/training_loss.h"

#include "autodiff/gradient.h"
#include "ir/text/text.h"
#include "models/data/alignments.h"
#include "models/training/batches/aligned_batches.h"
#include "models/training/batches/example_batches.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/small_training.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;
using ir::Array;
using ir::NamedArrays;
using tests::TemporaryFolder;

namespace {

seq2seq::Settings model(bool transformer, const seq2seq::GuidedAlignment& guided = {},
                        bool weighted = false) {
  if (transformer) {
    transformer::Config c = tests::small_transformer(8);
    c.guided = guided, c.weighted = weighted;
    return c;
  }
  rnn::Config c = tests::small_config(6);
  c.guided = guided, c.weighted = weighted;
  return c;
}

// Three examples in a padded batch, each target token aligned to its source token (reversed), but
// for the first of each.
NamedArrays batch_inputs(int64_t step = 0) {
  const auto examples = tests::reversals(3, 5, 4);
  const data::Batch batch =
      data::make_batch(examples, std::vector<int64_t>{0, 1, 2}, {.round_source = 6});
  NamedArrays inputs = training::inputs_of(batch);
  Array alignment(ir::DType::f32, {3, batch.target_width(), batch.source_width()});
  for (int64_t i = 0; i < alignment.size(); ++i) alignment.set(i, 0);
  for (int64_t b = 0; b < 3; ++b) {
    const int64_t n = batch.source_lengths.integer_at(b);
    for (int64_t t = 1; t < n; ++t)
      alignment.set((b * batch.target_width() + t) * batch.source_width() + n - 1 - t, 1);
  }
  inputs.add("alignment", alignment);
  inputs.add("step", Array::of(ir::DType::s64, {}, std::vector<int64_t>{step}));
  inputs.add("row_weights", Array::of(ir::DType::f64, {3}, std::vector<double>{1, -2, 0.5}));
  return inputs;
}

double loss_of(const seq2seq::Settings& s, ParameterStore& store, const NamedArrays& inputs,
               bool training = true) {
  Program p = Program::inference(seq2seq::loss_graph(s, training), tests::reference_options());
  return p.run(store, inputs).at("loss").at(0);
}

// Gradients of every parameter, through fusion or without it.
NamedArrays gradients(const seq2seq::Settings& s, ParameterStore& store, const NamedArrays& inputs,
                      bool optimize) {
  const ir::Graph built = seq2seq::loss_graph(s, true);
  ir::PassContext context;
  ir::Graph g = optimize ? ir::run_passes(built, ir::recognise_passes(), context).graph : built;
  g = autodiff::gradient(g, "loss", trainable_parameters(built));
  if (optimize) g = ir::run_passes(g, ir::optimise_passes(), context).graph;
  return Program::inference(g, tests::reference_options(false)).run(store, inputs);
}

// Of the loss by every parameter, along the direction of the sines.
void check_gradients(const seq2seq::Settings& s, const NamedArrays& inputs) {
  ParameterStore store(3, ir::DType::f64);
  const NamedArrays plain = gradients(s, store, inputs, false),
                    fused = gradients(s, store, inputs, true);
  const std::vector<std::string> paths = trainable_parameters(seq2seq::loss_graph(s, true));
  const auto moved = [&](double by) {
    ParameterStore other = store.clone();
    double k = 0;
    for (const std::string& path : paths) {
      Array a = other.at(path);
      for (int64_t i = 0; i < a.size(); ++i) a.set(i, a.at(i) + by * std::sin(k++));
      other.set(path, ir::ArgumentKind::parameter, a);
    }
    return loss_of(s, other, inputs);
  };
  double along = 0, k = 0;
  const size_t first = plain.size() - paths.size();
  for (size_t p = 0; p < paths.size(); ++p) {
    const Array &a = (plain.begin() + static_cast<int64_t>(first + p))->array,
                &b = (fused.begin() + static_cast<int64_t>(first + p))->array;
    for (int64_t i = 0; i < a.size(); ++i) {
      along += a.at(i) * std::sin(k++);
      CHECK(std::fabs(a.at(i) - b.at(i)) < 1e-10);
    }
  }
  const double difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
  CHECK(along == doctest::Approx(difference).epsilon(1e-6));
}

}  // namespace

TEST_CASE(
    "training loss: guided alignment adds the cross-entropy of attention, and lets go of it") {
  const NamedArrays inputs = batch_inputs();
  for (const bool transformer : {false, true}) {
    CAPTURE(transformer);
    ParameterStore store(3, ir::DType::f64);
    const double words = loss_of(model(transformer), store, inputs);
    const Array weights =
        Program::inference(seq2seq::attention_graph(model(transformer)), tests::reference_options())
            .run(store, inputs)
            .at("weights");
    const Array& wanted = inputs.at("alignment");
    double nll = 0, tokens = 0;
    for (int64_t i = 0; i < wanted.size(); ++i)
      if (wanted.at(i) > 0) nll -= std::log(weights.at(i));
    for (int64_t b = 0; b < 3; ++b) tokens += inputs.at("target_lengths").at(b);
    CHECK(loss_of(model(transformer, {.weight = 2}), store, inputs) ==
          doctest::Approx(words + 2 * nll / tokens).epsilon(1e-9));
    CHECK(loss_of(model(transformer, {.weight = 2, .decay = 0.5}), store, batch_inputs(3)) ==
          doctest::Approx(words + 0.25 * nll / tokens).epsilon(1e-9));
    CHECK(loss_of(model(transformer, {.weight = 2}), store, inputs, false) ==
          doctest::Approx(words).epsilon(1e-12));
  }
}

TEST_CASE("training loss: gradients of guided alignment and of weighed rows are right") {
  for (const bool transformer : {false, true}) {
    CAPTURE(transformer);
    check_gradients(model(transformer, {.weight = 0.7, .decay = 0.9}, true), batch_inputs(2));
  }
}

TEST_CASE("training loss: guided attention stays one op, forward and backward") {
  for (const bool transformer : {false, true}) {
    CAPTURE(transformer);
    const Program p =
        Program::training(seq2seq::loss_graph(model(transformer, {.weight = 1}), true), {},
                          tests::reference_options(), "loss");
    const std::string text = ir::print(p.graph());
    CHECK(text.find("attention(") != text.npos);
    CHECK(text.find("attention_grad(") != text.npos);
    CHECK(text.find("softmax(") == text.npos);
    CHECK(text.find("linear_cross_entropy(") != text.npos);
  }
}

TEST_CASE("training loss: rows count by their weights") {
  const NamedArrays inputs = batch_inputs();
  for (const bool transformer : {false, true}) {
    ParameterStore store(3, ir::DType::f64);
    const auto weighed = [&](double a, double b, double c) {
      NamedArrays with;
      for (const auto& entry : inputs)
        if (entry.name != "row_weights") with.add(entry.name, entry.array);
      with.add("row_weights", Array::of(ir::DType::f64, {3}, std::vector<double>{a, b, c}));
      return loss_of(model(transformer, {}, true), store, with);
    };
    const double all = weighed(1, 1, 1);
    CHECK(all == doctest::Approx(loss_of(model(transformer), store, inputs)).epsilon(1e-12));
    CHECK(weighed(1, -2, 0.5) ==
          doctest::Approx(weighed(1, 0, 0) - 2 * weighed(0, 1, 0) + 0.5 * weighed(0, 0, 1))
              .epsilon(1e-12));
  }
}

TEST_CASE("training loss: scheduled sampling gives the decoder its own words, ever more of them") {
  ParameterStore store(3, ir::DType::f64);
  const auto loss = [&](double probability, int64_t steps, int64_t step) {
    rnn::Config c = tests::small_config(6);
    c.scheduled_sampling = probability;
    c.scheduled_sampling_steps = steps;
    return loss_of(c, store, batch_inputs(step));
  };
  const double forced = loss(0, 0, 0), own = loss(1, 0, 5);
  CHECK(loss(1, 10, 0) == doctest::Approx(forced).epsilon(1e-12));
  CHECK(own != doctest::Approx(forced).epsilon(1e-6));
  CHECK(loss(1, 5, 5) == doctest::Approx(own).epsilon(1e-12));
  CHECK(loss(1, 5, 50) == doctest::Approx(own).epsilon(1e-12));
  // What it is given with certainty is what it finds likeliest: its greedy search, step by step.
  NamedArrays inputs = batch_inputs();
  rnn::Config forced_to_own = tests::small_config(6);
  Program decode =
      Program::inference(rnn::loss_graph(forced_to_own, false), tests::reference_options());
  const int64_t rows = 3, width = inputs.at("target_in").dim(1);
  for (int64_t t = 1; t < width; ++t)
    for (int64_t b = 0; b < rows; ++b) {
      double least = 1e30;
      int64_t best = 0;
      for (int64_t word = 0; word < tests::kSmallVocabulary; ++word) {
        // The loss of one word: that of row b up to t with the word, less that up to t - 1.
        const auto up_to = [&](int64_t length) {
          NamedArrays one;
          for (const auto& entry : inputs)
            if (entry.name != "target_out" && entry.name != "target_lengths")
              one.add(entry.name, entry.array);
          Array out = inputs.at("target_out").clone(), lengths(ir::DType::s32, {rows});
          for (int64_t i = 0; i < rows; ++i) lengths.set_integer(i, i == b ? length : 0);
          out.set_integer(b * width + t - 1, word);
          one.add("target_out", out);
          one.add("target_lengths", lengths);
          const NamedArrays found = decode.run(store, one);
          return found.at("loss").at(0) * found.at("tokens").at(0);
        };
        const double nll = up_to(t) - (t > 1 ? up_to(t - 1) : 0);
        if (nll < least - 1e-12) least = nll, best = word;
      }
      Array in = inputs.at("target_in").clone();
      in.set_integer(b * width + t, best);
      NamedArrays with;
      for (const auto& entry : inputs)
        with.add(entry.name, entry.name == "target_in" ? in : entry.array);
      inputs = with;
    }
  CHECK(loss_of(forced_to_own, store, inputs) == doctest::Approx(own).epsilon(1e-9));
}

TEST_CASE("training loss: gradients with scheduled sampling are those of the words it chose") {
  rnn::Config c = tests::small_config(5);
  c.scheduled_sampling = 0.5;
  check_gradients(c, batch_inputs(3));
}

TEST_CASE("alignments: pairs of a file are shares of each target token") {
  const TemporaryFolder folder;
  const std::string path = folder.file("train.align", "0-0 1-1 2-1\n\n0-1 1-0 0-1\r\n");
  const data::Alignments a = data::Alignments::read(path);
  REQUIRE(a.lines() == 3);
  const auto lengths = [](std::vector<int64_t> n) {
    return Array::of(ir::DType::s32, {static_cast<int64_t>(n.size())}, n);
  };
  const Array ids = Array::of(ir::DType::s64, {2}, std::vector<int64_t>{3, 1});
  const Array found = a.of(ids, lengths({2, 3}), lengths({3, 4}), 4, 4);
  CHECK(found.dims() == ir::Dims{2, 4, 4});
  const auto at = [&](int64_t b, int64_t t, int64_t s) { return found.at((b * 4 + t) * 4 + s); };
  CHECK(at(0, 0, 1) == 1);
  CHECK(at(0, 1, 0) == 1);
  CHECK(at(1, 0, 0) == 1);
  CHECK(at(1, 1, 1) == 0.5);
  CHECK(at(1, 1, 2) == 0.5);
  double total = 0;
  for (int64_t i = 0; i < found.size(); ++i) total += found.at(i);
  CHECK(total == 4);
  const auto fault = [&](const std::function<void()>& f) {
    return tests::message_of<ir::GraphError>(f);
  };
  CHECK(fault([&] {
          a.of(ids, lengths({2, 2}), lengths({3, 4}), 4, 4);
        }) == path + ":1: error: aligns 2-1, the example has 2 and 3 tokens");
  CHECK(fault([&] {
          a.of(Array::of(ir::DType::s64, {1}, std::vector<int64_t>{4}), lengths({1}), lengths({2}),
               4, 4);
        }) == path + ": error: has 3 lines, none for example 4");
  CHECK(fault([&] { a.check(tests::reversals(1, 1, 1)); }).find(path + ":1: error: aligns 1-1") !=
        std::string::npos);
  for (const char* bad : {"0", "0-", "-1-0", "0-0x", "a-b", "0:1"})
    CHECK(fault([&] {
            data::Alignments::read(folder.file("bad", std::string("0-0\n") + bad));
          }).find("bad:2: error: '" + std::string(bad) + "' is no pair of places") !=
          std::string::npos);
  CHECK(fault([&] {
          data::Alignments::read(folder.file("bad", "0-0\n\xFF\x1B[2J\n"));
        }).find("bad:2: is not UTF-8 at byte 1 of the line") != std::string::npos);
}

TEST_CASE("alignments: attention learns them with the words") {
  const TemporaryFolder folder;
  training::Seq2seqRun s = tests::small_setup(60);
  rnn::Config c = tests::small_config(12);
  c.guided.weight = 1;
  s.config = c;
  s.rate = {.learning_rate = 0.01};
  std::string lines;
  const std::vector<data::EncodedExample> examples = s.train.all();
  for (const data::EncodedExample& e : examples) {
    const auto n = static_cast<int64_t>(e.source.size());
    for (int64_t i = 0; i < n; ++i)
      lines += std::to_string(i) + "-" + std::to_string(n - 1 - i) + " ";
    lines += "\n";
  }
  s.alignments = data::Alignments::read(folder.file("train.align", lines));
  training::Trainer trainer(s);
  double first = 0, last = 0;
  trainer.run([&](const training::Event& e) {
    if (e.kind != training::Event::Kind::step) return;
    if (e.step == 1) first = e.batch_loss;
    last = e.loss;
  });
  CHECK(last < 0.8 * first);
  const NamedArrays inputs =
      training::inputs_of(data::make_batch(examples, std::vector<int64_t>{0, 1, 2, 3}, s.batch));
  ParameterStore store = trainer.model();
  const Array weights = Program::inference(seq2seq::attention_graph(s.config), s.program)
                            .run(store, inputs)
                            .at("weights");
  double right = 0, count = 0;
  for (int64_t b = 0; b < 4; ++b) {
    const int64_t n = inputs.at("source_lengths").integer_at(b);
    for (int64_t t = 0; t < n; ++t) {
      const int64_t at = (b * weights.dim(1) + t) * weights.dim(2) + n - 1 - t;
      right += weights.at(at), count += 1;
    }
  }
  CHECK(right / count > 0.5);
}
