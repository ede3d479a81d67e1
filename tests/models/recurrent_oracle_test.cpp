// tests/models/recurrent_oracle_test.cpp -- layers and cells against PyTorch's, packed sequences
// and all.
#include "frontend/weft.h"
#include "tests/models/oracle.h"

#include <doctest/doctest.h>

using namespace weft;
using ir::Array;
using ir::NamedArrays;
using tests::Renamed;

namespace {

void on_each_backend(const std::function<void(const ProgramOptions&, double)>& check) {
  using tests::Compared;
  check(tests::reference_options(false), tests::tolerance(ir::DType::f64, Compared::oracle));
  check(tests::reference_options(true), tests::tolerance(ir::DType::f64, Compared::oracle));
#ifdef WEFT_TEST_ONEDNN
  check(tests::onednn_options(true), tests::tolerance(ir::DType::f32, Compared::oracle));
#endif
}

Array as(const Array& a, const ProgramOptions& options) {
  return ir::is_float(a.dtype()) ? a.cast(options.real) : a;
}

// loss = sum(y * w_out) + sum(h_n * w_h) [+ sum(c_n * w_h) / 2]
ir::Graph layers_graph(CellKind kind, int64_t layers, bool bidirectional, bool given_state) {
  Model m("layers");
  const Dim b = dim("B"), t = dim("T");
  const int64_t count = layers * (bidirectional ? 2 : 1), width = 4;
  const Tensor x = m.input("x", f32, {b, t, 5}), lengths = m.input("lengths", s32, {b}),
               w_out = m.input("w_out", f32, {b, t, width * (bidirectional ? 2 : 1)}),
               w_h = m.input("w_h", f32, {count, b, width});
  RecurrentOptions options{.kind = kind, .layers = layers, .bidirectional = bidirectional};
  if (given_state) {
    const Tensor h0 = m.input("h0", f32, {count, b, width});
    const Tensor c0 = kind == CellKind::lstm ? m.input("c0", f32, {count, b, width}) : Tensor();
    for (int64_t i = 0; i < count; ++i)
      options.initial.push_back({pick(h0, 0, i), c0.valid() ? pick(c0, 0, i) : Tensor()});
  }
  const Recurrent r = recurrent(m.scope(), swap_axes(x, 0, 1), lengths, width, options);
  const Tensor y = swap_axes(r.outputs, 0, 1);
  Tensors h, c;
  for (const CellState& s : r.final) {
    h.push_back(s.h);
    if (s.c.valid()) c.push_back(s.c);
  }
  Tensor loss = sum(y * w_out) + sum(stack(h) * w_h);
  if (!c.empty()) loss = loss + 0.5 * sum(stack(c) * w_h);
  m.output("loss", loss);
  m.output("y", y);
  m.output("h_n", stack(h));
  if (!c.empty()) m.output("c_n", stack(c));
  return m.graph();
}

void check_layers(const std::string& file, CellKind kind, int64_t layers, bool bidirectional,
                  bool given_state) {
  CAPTURE(file);
  const NamedArrays arrays = tests::oracle_arrays(file);
  const ir::Graph graph = layers_graph(kind, layers, bidirectional, given_state);
  const bool lstm = kind == CellKind::lstm;
  on_each_backend([&](const ProgramOptions& options, double tolerance) {
    ParameterStore store(1, options.real);
    std::vector<Renamed> names;
    for (int64_t layer = 0; layer < layers; ++layer)
      for (const bool backward : {false, true}) {
        if (backward && !bidirectional) continue;
        const std::string end = ir::concat("_l", layer, backward ? "_reverse" : ""),
                          path = ir::concat(layer, backward ? "/backward/" : "/forward/");
        names.insert(names.end(), {{"weight_ih" + end, path + "W"},
                                   {"weight_hh" + end, path + "U"},
                                   {"bias_ih" + end, path + "b"}});
        if (!lstm) names.push_back({"bias_hh" + end, path + "bu"});
      }
    for (const Renamed& n : names) {
      Array value = tests::as_here(arrays, "param/", n).clone();
      if (lstm && n.file.starts_with("bias_ih"))  // here an LSTM has one bias: their sum
        for (int64_t i = 0; i < value.size(); ++i)
          value.set(i, value.at(i) + arrays.at("param/bias_hh" + n.file.substr(7)).at(i));
      store.set(n.path, ir::ArgumentKind::parameter, value);
    }
    NamedArrays inputs;
    for (const char* name : {"x", "w_out", "w_h", "h0", "c0"})
      if (const Array* a = arrays.find(ir::concat("in/", name))) inputs.add(name, as(*a, options));
    inputs.add("lengths", arrays.at("in/lengths").cast(ir::DType::s32));
    const NamedArrays results = tests::differentiated(graph, store, inputs, options);
    for (const char* name : {"loss", "y", "h_n", "c_n"})
      if (const Array* expected = arrays.find(ir::concat("out/", name)))
        tests::check_near(results.at(name), *expected, tolerance, name);
    for (const Renamed& n : names)
      tests::check_near(results.at(autodiff::gradient_name(graph, n.path)),
                        tests::as_here(arrays, "grad/", n), tolerance, "d" + n.path);
  });
}

}  // namespace

TEST_CASE("recurrent: GRU and LSTM layers are PyTorch's on packed sequences") {
  if (tests::oracle_folder().empty()) return;
  check_layers("gru_uni_L1", CellKind::gru_after, 1, false, false);
  check_layers("gru_bi_L1", CellKind::gru_after, 1, true, false);
  check_layers("gru_bi_L2_h0", CellKind::gru_after, 2, true, true);
  check_layers("lstm_uni_L1", CellKind::lstm, 1, false, false);
  check_layers("lstm_bi_L1", CellKind::lstm, 1, true, false);
  check_layers("lstm_bi_L2_h0", CellKind::lstm, 2, true, true);
}

TEST_CASE("recurrent: the GRU of the papers, reset before the matmul") {
  if (tests::oracle_folder().empty()) return;
  const NamedArrays arrays = tests::oracle_arrays("gru_cho_reset_before");
  Model m;
  const Dim b = dim("B"), t = dim("T");
  const Tensor x = m.input("x", f32, {b, t, 4}), lengths = m.input("lengths", s32, {b}),
               w = m.input("w", f32, {b, t, 6});
  const Recurrent r = recurrent(m.scope(), swap_axes(x, 0, 1), lengths, 6);
  // The file's outputs hold the last state where a row has ended.
  const Tensor y = where(expand(length_mask(lengths, t), -1), swap_axes(r.outputs, 0, 1),
                         expand(r.final[0].h, 1));
  m.output("loss", sum(y * w));
  m.output("y", y);
  on_each_backend([&](const ProgramOptions& options, double tolerance) {
    ParameterStore store(1, options.real);
    std::vector<Renamed> names;
    for (const std::string n : {"W", "U", "b"})
      names.push_back({n + "z", "0/forward/" + n, 0, -1, {n + "r", n}});
    for (const Renamed& n : names)
      store.set(n.path, ir::ArgumentKind::parameter, tests::as_here(arrays, "param/", n));
    const NamedArrays inputs{{"x", as(arrays.at("in/x"), options)},
                             {"w", as(arrays.at("in/w"), options)},
                             {"lengths", arrays.at("in/lengths").cast(ir::DType::s32)}};
    const NamedArrays results = tests::differentiated(m.graph(), store, inputs, options);
    tests::check_near(results.at("loss"), arrays.at("out/loss"), tolerance, "loss");
    tests::check_near(results.at("y"), arrays.at("out/y"), tolerance, "y");
    for (const Renamed& n : names)
      tests::check_near(results.at(autodiff::gradient_name(m.graph(), n.path)),
                        tests::as_here(arrays, "grad/", n), tolerance, "d" + n.path);
  });
}

TEST_CASE("attention: Bahdanau's, one query") {
  if (tests::oracle_folder().empty()) return;
  const NamedArrays arrays = tests::oracle_arrays("bahdanau_attention");
  Model m;
  const Dim b = dim("B"), s = dim("S");
  const Attended a =
      additive_attention(m / "a", m.input("s", f32, {b, 5}), m.input("h", f32, {b, s, 4}),
                         m.input("keep", pred, {b, s}), 7);
  m.output("loss", sum(a.context * m.input("w", f32, {b, 4})));
  m.output("context", a.context);
  m.output("alpha", a.weights);
  on_each_backend([&](const ProgramOptions& options, double tolerance) {
    ParameterStore store(1, options.real);
    const std::vector<Renamed> names{{"Wa", "a/W"}, {"Ua", "a/U"}, {"va", "a/v"}};
    for (const Renamed& n : names)
      store.set(n.path, ir::ArgumentKind::parameter, tests::as_here(arrays, "param/", n));
    NamedArrays inputs{{"keep", arrays.at("in/keep").cast(ir::DType::pred)}};
    for (const char* name : {"s", "h", "w"})
      inputs.add(name, as(arrays.at(ir::concat("in/", name)), options));
    const NamedArrays results = tests::differentiated(m.graph(), store, inputs, options);
    for (const char* name : {"loss", "context", "alpha"})
      tests::check_near(results.at(name), arrays.at(ir::concat("out/", name)), tolerance, name);
    for (const Renamed& n : names)
      tests::check_near(results.at(autodiff::gradient_name(m.graph(), n.path)),
                        tests::as_here(arrays, "grad/", n), tolerance, "d" + n.path);
  });
}

TEST_CASE("optimizers: SGD, Adam and Adadelta step as PyTorch's") {
  if (tests::oracle_folder().empty()) return;
  for (const OptimizerKind kind :
       {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adadelta}) {
    CAPTURE(name(kind));
    const NamedArrays arrays = tests::oracle_arrays("opt_" + std::string(name(kind)));
    Model m;
    const Tensor gw = m.input("g_w", f32, {3, 4}), gb = m.input("g_b", f32, {5});
    m.output("loss",
             sum(m.scope().parameter("w", {3, 4}) * gw) + sum(m.scope().parameter("b", {5}) * gb));
    on_each_backend([&](const ProgramOptions& options, double tolerance) {
      Program program = Program::training(m.graph(), {.kind = kind, .clip_norm = 0}, options);
      ParameterStore store(1, options.real);
      for (const char* n : {"w", "b"})
        store.set(n, ir::ArgumentKind::parameter, arrays.at(ir::concat("in/", n, "0")).clone());
      for (int64_t step = 0; step < 10; ++step) {
        NamedArrays inputs{{"lr", as(Array::of(ir::DType::f64, {},
                                               std::vector<double>{arrays.at("out/lr").at(step)}),
                                     options)}};
        for (const char* n : {"w", "b"}) {
          const Array& g = arrays.at(ir::concat("in/g_", n));
          Array one(options.real, ir::Dims(g.dims().begin() + 1, g.dims().end()));
          for (int64_t i = 0; i < one.size(); ++i) one.set(i, g.at(step * one.size() + i));
          inputs.add(ir::concat("g_", n), one);
        }
        program.run(store, inputs);
        for (const char* n : {"w", "b"}) {
          const Array& all = arrays.at(ir::concat("out/", n));
          Array expected(ir::DType::f64, store.at(n).dims());
          for (int64_t i = 0; i < expected.size(); ++i)
            expected.set(i, all.at(step * expected.size() + i));
          tests::check_near(store.at(n), expected, tolerance,
                            ir::concat(n, " after step ", step + 1));
        }
      }
    });
  }
}
