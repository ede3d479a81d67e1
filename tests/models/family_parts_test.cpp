// tests/models/family_parts_test.cpp -- what holds for every part that a model of a family may have.
#include "ir/text/text.h"
#include "models/families/seq2seq.h"
#include "models/search/beam_search.h"
#include "models/training/batches/example_batches.h"
#include "tests/models/every_model.h"
#include "tests/models/oracle.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace weft;
using ir::Array;
using ir::NamedArrays;

namespace {

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Does all attention of a graph end in one op each?
void check_fused(const ir::Graph& built, bool has_attention) {
  ir::PassContext context;
  const ir::Graph fused = ir::run_passes(built, ir::recognise_passes(), context).graph;
  const std::string text = ir::print(fused);
  CHECK((count(text, "= attention(") + count(text, " = packed_attention(") > 0) == has_attention);
  for (const ir::Note& n : context.notes) {
    const bool missed = n.kind == ir::Note::Kind::near_miss && n.pass == "fuse_attention" &&
                        n.text.find("is not fused") != std::string::npos;
    CHECK_MESSAGE(!missed, n.text);
  }
}

// Monotonic attention has no softmax over the source, so there is nothing to fuse.
bool weighs_by_softmax(const seq2seq::Settings& s) {
  return seq2seq::has_attention(s) &&
         (&s.family() != &rnn::kFamily ||
          s.as<rnn::Config>().attention != rnn::AttentionKind::monotonic);
}

void check_all_fused(const tests::NamedModels& models) {
  for (const tests::NamedModel& model : models) {
    CAPTURE(model.first);
    const seq2seq::Settings& s = model.second;
    const bool attends = weighs_by_softmax(s);
    check_fused(seq2seq::loss_graph(tests::with_dropout(s, 0.1)), attends);
    check_fused(seq2seq::step_graph(s, {.beam = 1}), attends);
    check_fused(seq2seq::step_graph(s, {.beam = 4, .weights = true}), attends);
  }
}

// The same targets behind frames of their sources' lengths and more, which are random.
std::vector<data::EncodedExample> heard(std::vector<data::EncodedExample> examples) {
  data::Random random(17);
  for (data::EncodedExample& e : examples) {
    e.positions = 2 * std::ssize(e.source) + 1;
    e.features = Array(ir::DType::f32, {e.positions, 3});
    for (int64_t i = 0; i < e.features.size(); ++i) e.features.set(i, random.uniform() - 0.5);
    e.source.clear();
  }
  return examples;
}

NamedArrays small_batch(bool frames) {
  auto examples = tests::reversals(2, 4, 8);
  if (frames) examples = heard(std::move(examples));
  NamedArrays inputs =
      training::inputs_of(data::make_batch(examples, std::vector<int64_t>{0, 1}, {}));
  inputs.add("step", Array::of(ir::DType::s64, {}, std::vector<int64_t>{1}));
  return inputs;
}

// Sums of products over all trained parameters.
double along(const ir::Graph& graph, const NamedArrays& gradients, const NamedArrays& direction) {
  double sum = 0;
  for (const auto& d : direction) {
    const Array& g = gradients.at(autodiff::gradient_name(graph, d.name));
    for (int64_t i = 0; i < g.size(); ++i) sum += g.at(i) * d.array.at(i);
  }
  return sum;
}

// Gradients of what the passes made, against those of the graph as it was written, and against
// central differences of its loss along a random direction.
void check_gradients(const ir::Graph& built, const NamedArrays& inputs) {
  ParameterStore store(7, ir::DType::f64);
  store.prepare(built);
  const NamedArrays plain = tests::differentiated(built, store, inputs,
                                                  tests::reference_options(false)),
                    fused =
                        tests::differentiated(built, store, inputs, tests::reference_options(true));
  NamedArrays direction;
  data::Random random(3);
  for (const std::string& path : trainable_parameters(built)) {
    const std::string name = autodiff::gradient_name(built, path);
    tests::check_near(fused.at(name), plain.at(name), 1e-10, name);
    Array d(ir::DType::f64, plain.at(name).dims());
    for (int64_t i = 0; i < d.size(); ++i) d.set(i, random.uniform() - 0.5);
    direction.add(path, d);
  }
  Program loss = Program::inference(built, tests::reference_options(false));
  const auto moved = [&](double by) {
    ParameterStore there(7, ir::DType::f64);
    there.prepare(built);
    for (const auto& d : direction) {
      Array x = there.at(d.name).clone();
      for (int64_t i = 0; i < x.size(); ++i) x.set(i, x.at(i) + by * d.array.at(i));
      there.set(d.name, ir::ArgumentKind::parameter, x);
    }
    return loss.run(there, inputs).at("loss").at(0);
  };
  const double h = tests::kFiniteStep, found = along(built, plain, direction);
  CHECK((moved(h) - moved(-h)) / (2 * h) ==
        doctest::Approx(found).epsilon(
            tests::tolerance(ir::DType::f64, tests::Compared::finite_difference)));
}

}  // namespace

TEST_CASE("families: all attention of recurrent models, in training and searches, is one op each") {
  check_all_fused(tests::recurrent_models());
  check_all_fused(tests::pyramids());
}

TEST_CASE("families: all attention of parts of recurrent models is one op each") {
  check_all_fused(tests::recurrent_variants());
}

TEST_CASE("families: all attention of transformers and convolutional models is one op each") {
  check_all_fused(tests::transformer_models());
  check_all_fused(tests::transformer_variants());
  check_all_fused(tests::convolutional_variants());
  check_all_fused(tests::hybrid_variants());
}

TEST_CASE("families: gradients of every part of recurrent models are those of its equations") {
  for (const tests::NamedModel& model : tests::recurrent_variants(4)) {
    CAPTURE(model.first);
    check_gradients(seq2seq::loss_graph(model.second), small_batch(false));
  }
}

TEST_CASE("families: gradients of parts of transformers, and of convolutional models, likewise") {
  for (const tests::NamedModels& models :
       {tests::transformer_variants(4), tests::convolutional_variants(4),
        tests::hybrid_variants(4)})
    for (const tests::NamedModel& model : models) {
      CAPTURE(model.first);
      check_gradients(seq2seq::loss_graph(model.second), small_batch(false));
    }
}

TEST_CASE("pyramids: gradients are those of the equations") {
  for (const tests::NamedModel& model : tests::pyramids(4)) {
    CAPTURE(model.first);
    check_gradients(seq2seq::loss_graph(model.second), small_batch(true));
  }
}

TEST_CASE(
    "images: gradients through convolutions are those of the equations, patches their places") {
  for (const tests::NamedModel& model : tests::convolved_images(4)) {
    check_all_fused({model});
    data::Random random(5);
    std::vector<data::EncodedExample> seen = tests::reversals(2, 4, 8);
    for (data::EncodedExample& e : seen) {
      e.features = Array(ir::DType::f32, {4, 6, 1});
      for (int64_t i = 0; i < e.features.size(); ++i) e.features.set(i, random.uniform());
      e.positions = 6;
      e.source.clear();
    }
    check_gradients(seq2seq::loss_graph(model.second),
                    training::inputs_of(data::make_batch(seen, std::vector<int64_t>{0, 1}, {})));
  }
}

TEST_CASE("pyramids: a search follows teacher forcing, and each sentence is alone in its batch") {
  for (const tests::NamedModel& model : tests::pyramids()) {
    CAPTURE(model.first);
    const seq2seq::Settings& c = model.second;
    search::Decoder d =
        seq2seq::decoder(c, {.beam = 3, .weights = true}, tests::reference_options());
    Program loss = Program::inference(seq2seq::loss_graph(c, false), tests::reference_options()),
            attention = Program::inference(seq2seq::attention_graph(c), tests::reference_options());
    ParameterStore store(4, ir::DType::f64);
    const auto examples = heard(tests::reversals(6, 6, 12));
    const auto found = search::search(d, store, examples, {}, {.n_best = 3, .max_length = {0, 6}});
    int ended = 0;
    for (size_t i = 0; i < found.size(); ++i)
      for (const search::Hypothesis& h : found[i]) {
        if (!h.ended) continue;
        ++ended;
        std::vector<data::EncodedExample> one{examples[i]};
        one[0].target = h.tokens;
        const NamedArrays inputs =
            training::inputs_of(data::make_batch(one, std::vector<int64_t>{0}, {}));
        const auto r = loss.run(store, inputs);
        CHECK(-h.log_probability ==
              doctest::Approx(r.at("loss").at(0) * r.at("tokens").at(0)).epsilon(1e-9));
        const Array forced = attention.run(store, inputs).at("weights");
        const int64_t reduced =
            (one[0].positions + seq2seq::reduction(c) - 1) / seq2seq::reduction(c);
        for (size_t t = 0; t < h.weights.size(); ++t)
          for (int64_t s = 0; s < reduced; ++s)
            CHECK(h.weights[t][static_cast<size_t>(s)] ==
                  doctest::Approx(forced.at(static_cast<int64_t>(t) * forced.dim(2) + s))
                      .epsilon(1e-6));
      }
    CHECK(ended > 0);
  }
}

TEST_CASE("copying: probabilities are a mixture of words and of the source's positions") {
  Model m("mixture");
  const Tensor logits = m.input("logits", f32, {1, 4}), weights = m.input("weights", f32, {1, 3}),
               generate = m.input("generate", f32, {1}), tokens = m.input("tokens", s32, {1, 3});
  m.output("p", exp(rnn::log_mixture(logits, weights, generate, tokens)));
  ParameterStore store(1, ir::DType::f64);
  const Array p =
      Program::inference(m.graph(), tests::reference_options())
          .run(store,
               {{"logits", Array::of(ir::DType::f64, {1, 4}, std::vector<double>{0, 0, 0, 0})},
                {"weights", Array::of(ir::DType::f64, {1, 3}, std::vector<double>{0.5, 0.3, 0.2})},
                {"generate", Array::of(ir::DType::f64, {1}, std::vector<double>{0.6})},
                {"tokens", Array::of(ir::DType::s32, {1, 3}, std::vector<int32_t>{2, 1, 2})}})
          .at("p");
  // 0.6 / 4 each, and 0.4 of what attention gives a token's places.
  const std::vector<double> expected{0.15, 0.15 + 0.4 * 0.3, 0.15 + 0.4 * 0.7, 0.15};
  for (int64_t i = 0; i < 4; ++i)
    CHECK(p.at(i) == doctest::Approx(expected[static_cast<size_t>(i)]).epsilon(1e-12));
}

TEST_CASE("coverage: what was looked at enters the next score, and fertility divides it") {
  // Attention to two annotations that differ in coverage alone: their scores are v . tanh(V C_j).
  Model m("coverage");
  rnn::Config c = tests::config_of(rnn::AttentionKind::additive, 1);
  c.coverage = rnn::Coverage::sum;
  c.bidirectional = false;
  rnn::Memory memory;
  memory.h = m.input("h", f32, {1, 2, 1});
  memory.mask = length_mask(m.input("lengths", s32, {1}), 2);
  rnn::State state;
  state.layers.push_back({m.input("s", f32, {1, 1}), {}});
  state.coverage = m.input("covered", f32, {1, 2});
  const rnn::Step step = rnn::decode_step(m.scope(), c, memory, state, m.input("y", f32, {1, 1}));
  m.output("weights", step.weights);
  m.output("after", step.state.coverage);
  m.output("repeated", step.repeated);
  ParameterStore store(1, ir::DType::f64);
  store.prepare(m.graph());
  const auto set = [&](const char* path, ir::Dims dims, double x) {
    store.set(path, ir::ArgumentKind::parameter,
              Array::of(ir::DType::f64, dims, std::vector<double>{x}));
  };
  set("decoder/attention/W", {1, 1}, 0), set("decoder/attention/U", {1, 1}, 0);
  set("decoder/attention/v", {1}, 2), set("decoder/attention/V", {1}, -1);
  const auto one = [](double x) {
    return Array::of(ir::DType::f64, {1, 1}, std::vector<double>{x});
  };
  const NamedArrays r =
      Program::inference(m.graph(), tests::reference_options())
          .run(store,
               {{"h", Array::of(ir::DType::f64, {1, 2, 1}, std::vector<double>{1, 1})},
                {"lengths", Array::of(ir::DType::s32, {1}, std::vector<int32_t>{2})},
                {"s", one(0.3)},
                {"y", one(0.7)},
                {"covered", Array::of(ir::DType::f64, {1, 2}, std::vector<double>{0.9, 0.1})}});
  const double a = std::exp(2 * std::tanh(-0.9)), b = std::exp(2 * std::tanh(-0.1)),
               w0 = a / (a + b), w1 = b / (a + b);
  CHECK(r.at("weights").at(0) == doctest::Approx(w0).epsilon(1e-12));
  CHECK(r.at("after").at(0) == doctest::Approx(0.9 + w0).epsilon(1e-12));
  CHECK(r.at("after").at(1) == doctest::Approx(0.1 + w1).epsilon(1e-12));
  CHECK(r.at("repeated").at(0) ==
        doctest::Approx(std::min(w0, 0.9) + std::min(w1, 0.1)).epsilon(1e-12));
}

TEST_CASE("rotary positions: products depend on distances alone") {
  Model m("rotary");
  const Tensor x = m.input("x", f32, {1, 6, 1, 4});
  const auto products = [&](int64_t start) {
    const Tensor at = iota(x, 6) + start;
    const Tensor y = reshape(rotated(x, rotation_at(at, 4)), {6, 4});
    return matmul(y, y, {.transpose_b = true});
  };
  m.output("here", products(0));
  m.output("there", products(41));
  // One pair of channels turned by a position's angle: (1, 0) becomes (cos p, sin p).
  Array given(ir::DType::f64, {1, 6, 1, 4});
  for (int64_t i = 0; i < given.size(); ++i) given.set(i, std::sin(1.3 * static_cast<double>(i)));
  m.output("turned", rotated(x, rotation_at(iota(x, 6), 4)));
  ParameterStore store(1, ir::DType::f64);
  const NamedArrays r =
      Program::inference(m.graph(), tests::reference_options()).run(store, {{"x", given}});
  tests::check_near(r.at("there"), r.at("here"), 1e-10, "products");
  const double x0 = given.at(12), x2 = given.at(14);  // position 3, the first pair: channels 0, 2
  CHECK(r.at("turned").at(12) ==
        doctest::Approx(x0 * std::cos(3.0) - x2 * std::sin(3.0)).epsilon(1e-12));
  CHECK(r.at("turned").at(14) ==
        doctest::Approx(x0 * std::sin(3.0) + x2 * std::cos(3.0)).epsilon(1e-12));
}

TEST_CASE("alibi: the bias falls with distance, by slopes of 2^(-8 h / heads)") {
  Model m("alibi");
  const Tensor at = m.input("at", s32, {3});
  m.output("bias", linear_position_bias(at, at, 4));
  ParameterStore store(1, ir::DType::f64);
  const Array bias =
      Program::inference(m.graph(), tests::reference_options())
          .run(store, {{"at", Array::of(ir::DType::s32, {3}, std::vector<int32_t>{0, 1, 5})}})
          .at("bias");
  REQUIRE(bias.dims() == ir::Dims{4, 3, 3});
  CHECK(bias.at(2) == doctest::Approx(-5 * 0.25));           // first head, 0 to 5
  CHECK(bias.at(3 * 9 + 5) == doctest::Approx(-4 / 256.0));  // last head, 1 to 5
  CHECK(bias.at(4) == 0);
}

TEST_CASE("positions: a bias of distances is that of the pairs at them") {
  Model m("distances");
  const Tensor x = m.input("x", f32, {5});
  const Tensor t = iota(x, 3), j = iota(x, 5);
  const Scope p = m.scope() / "bias";
  for (const bool both : {true, false}) {
    const RelativeBuckets buckets{.buckets = 6, .max_distance = 4, .bidirectional = both};
    const std::string name = both ? "both" : "behind";
    m.output(name, relative_position_bias(p, x, 3, 5, 2, buckets));
    m.output(name + ".pairs", relative_position_bias(p, t, j, 2, buckets));
  }
  m.output("square", linear_position_bias(x, 5, 5, 3));
  m.output("square.pairs", linear_position_bias(j, j, 3));
  m.output("linear", linear_position_bias(x, 3, 5, 4));
  m.output("linear.pairs", linear_position_bias(t, j, 4));
  ParameterStore store(1, ir::DType::f64);
  store.prepare(m.graph());
  const NamedArrays r = Program::inference(m.graph(), tests::reference_options())
                            .run(store, {{"x", Array(ir::DType::f64, {5})}});
  for (const std::string name : {"both", "behind", "square", "linear"})
    tests::check_near(r.at(name), r.at(name + ".pairs"), 0, name);
}

TEST_CASE("light convolutions: a position is its window weighted by a softmax, head by head") {
  for (const bool causal : {false, true}) {
    CAPTURE(causal);
    Model m("light");
    const Tensor x = m.input("x", f32, {1, 4, 2});
    const LightOptions options{.heads = 2, .width = 3, .causal = causal, .bias = false};
    m.output("y", light_convolution(m.scope(), x, {}, options));
    ParameterStore store(1, ir::DType::f64);
    const auto set = [&](const char* path, ir::Dims dims, const std::vector<double>& values) {
      store.set(path, ir::ArgumentKind::parameter, Array::of(ir::DType::f64, dims, values));
    };
    // glu(x, 0) is x / 2, the product behind it the identity.
    set("in", {2, 4}, {1, 0, 0, 0, 0, 1, 0, 0});
    set("out", {2, 2}, {1, 0, 0, 1});
    const double k0 = std::log(2.0);
    set("kernel", {2, 3}, {k0, 0, 0, 0, 0, k0});  // weights 1/2 1/4 1/4, and 1/4 1/4 1/2
    const Array given =
        Array::of(ir::DType::f64, {1, 4, 2}, std::vector<double>{1, 10, 2, 20, 3, 30, 4, 40});
    const Array y = Program::inference(m.graph(), tests::reference_options())
                        .run(store, {{"x", given}})
                        .at("y");
    const int64_t before = causal ? 2 : 1;
    for (int64_t t = 0; t < 4; ++t)
      for (int64_t head = 0; head < 2; ++head) {
        double expected = 0;
        for (int64_t k = 0; k < 3; ++k) {
          const int64_t from = t + k - before;
          if (from < 0 || from > 3) continue;
          const double w = (k == 0 && head == 0) || (k == 2 && head == 1) ? 0.5 : 0.25;
          expected += w * given.at(from * 2 + head) / 2;
        }
        CHECK(y.at(t * 2 + head) == doctest::Approx(expected).epsilon(1e-12));
      }
  }
}

TEST_CASE("families: parts that do not go together are refused, each in its own words") {
  const auto refused = [](const auto& change) -> std::string {
    rnn::Config c = tests::config_of(rnn::AttentionKind::additive, 4);
    change(c);
    try {
      rnn::check(c);
    } catch (const ir::GraphError& e) {
      return e.what();
    }
    return "";
  };
  using enum rnn::AttentionKind;
  CHECK(refused([](rnn::Config& c) { c.local_window = 2; }) ==
        "local_window goes with attention dot, general or concat, not with attention additive");
  CHECK(refused([](rnn::Config& c) { c.attention = general, c.conditional = true; }) ==
        "conditional goes with attention additive, not with attention general");
  CHECK(refused([](rnn::Config& c) { c.attention = none, c.coverage = rnn::Coverage::sum; }) ==
        "coverage goes with attention additive or concat, not with attention none");
  CHECK(refused([](rnn::Config& c) { c.coverage_loss = 1; }) ==
        "coverage_loss needs coverage, sum or fertility");
  CHECK(refused([](rnn::Config& c) { c.copy = true, c.target_vocabulary = 11; }) ==
        "copy needs one vocabulary for both sides, found 10 and 11 tokens");
  CHECK(refused([](rnn::Config& c) { c.attention = monotonic, c.copy = true; }) ==
        "copy goes with attention whose weights add up to 1, not with attention monotonic");
  CHECK(refused([](rnn::Config& c) { c.copy = true, c.label_smoothing = 0.1; }) ==
        "copy has neither label_smoothing nor scheduled_sampling");
  CHECK(refused([](rnn::Config&) {}).empty());
  transformer::Config t = tests::small_transformer(6);
  t.positions = transformer::PositionKind::rotary;
  CHECK_THROWS_WITH(transformer::check(t), "rotary positions need heads of an even width, found 3");
  t = tests::small_transformer(8);
  t.encoder_self = transformer::Mixing::light;
  t.kernel = 4;
  CHECK_THROWS_WITH(
      transformer::check(t),
      "a kernel of the encoder has 4 positions, needed is an odd number from 3 to 255");
  t.encoder_kernels = {3};
  CHECK_THROWS_WITH(transformer::check(t), "encoder_kernels has 1 numbers for 2 layers");
}

TEST_CASE(
    "SpecAugment: bands of features and of a row's own frames become zeros, rows one by one") {
  Model m("spec");
  const Tensor x = m.input("x", f32, {dim("B"), dim("S"), 6}),
               lengths = m.input("lengths", s32, {dim("B")});
  const Noise noise{m.input("step", s64, {}), m.input("rows", s64, {dim("B")}), 5};
  const seq2seq::SpecAugment spec{1, 3, 1, 4};
  m.output("y", seq2seq::augmented(m.scope(), x, lengths, spec, noise));
  Program program = Program::inference(m.graph(), tests::reference_options());
  ParameterStore store(1, ir::DType::f64);
  const auto masked = [&](int64_t step, const std::vector<int64_t>& rows, int64_t width) {
    const auto n = static_cast<int64_t>(rows.size());
    Array ones(ir::DType::f64, {n, width, 6}), lengths(ir::DType::s32, {n});
    for (int64_t i = 0; i < ones.size(); ++i) ones.set(i, 1);
    for (int64_t i = 0; i < n; ++i) lengths.set_integer(i, 5);
    return program
        .run(store, {{"x", ones},
                     {"lengths", lengths},
                     {"step", Array::of(ir::DType::s64, {}, std::vector<int64_t>{step})},
                     {"rows", Array::of(ir::DType::s64, {n}, rows)}})
        .at("y");
  };
  std::vector<int> widths(4);
  for (int64_t step = 0; step < 40; ++step) {
    const Array y = masked(step, {3, 9}, 5);
    const Array alone = masked(step, {9}, 7);  // with padding of its own
    for (int64_t s = 0; s < 5; ++s)
      for (int64_t f = 0; f < 6; ++f) CHECK(y.at((5 + s) * 6 + f) == alone.at(s * 6 + f));
    // A feature is masked where all its frames are zero; a frame likewise. Both stand side by side.
    std::string features, frames;
    for (int64_t f = 0; f < 6; ++f) {
      double sum = 0;
      for (int64_t s = 0; s < 5; ++s) sum += y.at(s * 6 + f);
      features += sum == 0 ? 'x' : '.';
    }
    for (int64_t s = 0; s < 5; ++s) {
      double sum = 0;
      for (int64_t f = 0; f < 6; ++f) sum += y.at(s * 6 + f);
      frames += sum == 0 ? 'x' : '.';
    }
    for (const std::string& line : {features, frames}) {
      const size_t from = line.find('x'), to = line.rfind('x');
      if (from != std::string::npos)
        CHECK(line.substr(from, to - from + 1) == std::string(to - from + 1, 'x'));
    }
    const auto wide = static_cast<size_t>(std::count(features.begin(), features.end(), 'x'));
    REQUIRE(wide <= 3);
    ++widths[wide];
    CHECK(std::count(frames.begin(), frames.end(), 'x') <= 4);
  }
  for (const int n : widths) CHECK(n > 2);  // 0 to 3 features, about ten times each
}
