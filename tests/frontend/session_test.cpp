// tests/frontend/session_test.cpp -- programs: stages, executables by sizes, parameters in place.
#include "frontend/compile/session.h"

#include "tests/frontend/graph_text.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;
using ir::Array;
using ir::NamedArrays;
using weft::tests::error_of;
using weft::tests::has;

namespace {

ProgramOptions options() {
  return {.backend = std::shared_ptr<backends::Backend>(backends::make_reference()), .real = f64};
}

// y = x W, loss = mean (y - t)^2
ir::Graph regression() {
  Model m("regression");
  const Tensor x = m.input("x", f32, {dim("B"), 3}), t = m.input("t", f32, {dim("B"), 1});
  const Tensor d = linear(m / "out", x, 1) - t;
  m.output("loss", mean(d * d));
  return m.graph();
}

Array filled(ir::Dims dims, double value) {
  Array a(f64, std::move(dims));
  for (int64_t i = 0; i < a.size(); ++i) a.set(i, value);
  return a;
}

NamedArrays batch(int64_t rows) {
  return {{"x", filled({rows, 3}, 1)}, {"t", filled({rows, 1}, 2)}, {"lr", filled({}, 0.1)}};
}

}  // namespace

TEST_CASE(
    "program: training goes through all stages and lowers the loss, parameters updated in place") {
  Program p =
      Program::training(regression(), {.kind = OptimizerKind::sgd, .clip_norm = 0}, options());
  std::string names;
  for (const Stage& s : p.stages()) names += s.name + " ";
  CHECK(names == "built fused differentiated optimised ");
  CHECK(p.stage("differentiated").outputs().size() == 3);
  CHECK(has(error_of([&] { p.stage("planed"); }),
            "there is no stage 'planed'; there are built, fused"));
  ParameterStore store(1, f64);
  const double first = p.run(store, batch(4)).at("loss").at(0);
  const void* buffer = store.at("out/W").raw();
  double last = first;
  for (int i = 0; i < 20; ++i) last = p.run(store, batch(4)).at("loss").at(0);
  CHECK(last < first * 1e-3);
  CHECK(store.at("out/W").raw() == buffer);
}

TEST_CASE("program: batch_norm's statistics start as they should and are kept from step to step") {
  Model m("normed");
  const Tensor x = m.input("x", f32, {dim("B"), 3}), t = m.input("t", f32, {dim("B"), 1});
  const Tensor d = linear(m / "out", batch_norm(m, m / "n", x), 1) - t;
  m.output("loss", mean(d * d));
  Program p = Program::training(m.graph(), {.kind = OptimizerKind::sgd, .clip_norm = 0}, options());
  ParameterStore store(1, f64);
  Array rows(f64, {4, 3});
  for (int64_t i = 0; i < 12; ++i)
    rows.set(i, static_cast<double>(i));  // of column c: mean 4.5 + c
  for (int step = 1; step <= 2; ++step) {
    p.run(store, {{"x", rows}, {"t", filled({4, 1}, 2)}, {"lr", filled({}, 0.1)}});
    const double kept = std::pow(0.9, step);
    for (int64_t c = 0; c < 3; ++c) {
      CHECK(store.at("n/mean").at(c) ==
            doctest::Approx((1 - kept) * (4.5 + static_cast<double>(c))));
      CHECK(store.at("n/variance").at(c) == doctest::Approx(kept + (1 - kept) * 15));
    }
  }
}

TEST_CASE("program: executables are kept by sizes, the least recently used goes first") {
  ProgramOptions o = options();
  o.cache_bytes = 1;
  Program p = Program::inference(regression(), o);
  ParameterStore store(1, f64);
  for (const int64_t rows : {2, 2, 3, 2}) p.run(store, batch(rows));
  CHECK(p.statistics().runs == 4);
  CHECK(p.statistics().compiled == 3);
  CHECK(p.statistics().evicted == 2);
  CHECK(p.statistics().entries == 1);

  Program roomy = Program::inference(regression(), options());
  for (const int64_t rows : {2, 3, 2, 3}) roomy.run(store, batch(rows));
  CHECK(roomy.statistics().compiled == 2);
}

TEST_CASE("program: inputs that are missing, of another dtype or size are named") {
  Program p = Program::inference(regression(), options());
  ParameterStore store(1, f64);
  CHECK(has(error_of([&] { p.run(store, {{"x", filled({2, 3}, 0)}}); }), "no array named 't'"));
  CHECK(has(error_of([&] {
              p.run(store, {{"x", Array(s32, {2, 3})}, {"t", filled({2, 1}, 0)}});
            }),
            "input 'x' is f32[B,3], found s32[2,3]"));
  CHECK(has(error_of([&] {
              p.run(store, {{"x", filled({2, 3}, 0)}, {"t", filled({4, 1}, 0)}});
            }),
            "%t"));
}

TEST_CASE("parameter store: initialisers are functions of seed and path alone") {
  const auto draw = [](const char* init, ir::Dims dims, uint64_t seed = 1, const char* path = "p") {
    return initial_value(init, f64, dims, seed, path);
  };
  CHECK(draw("normal(1)", {50}).same_bytes(draw("normal(1)", {50})));
  CHECK(!draw("normal(1)", {50}).same_bytes(draw("normal(1)", {50}, 2)));
  CHECK(!draw("normal(1)", {50}).same_bytes(draw("normal(1)", {50}, 1, "q")));
  CHECK(draw("zeros", {3}).at(2) == 0);
  CHECK(draw("constant(2.5)", {3}).at(2) == 2.5);
  double mean = 0, square = 0;
  const Array n = draw("normal(0.5)", {20000});
  for (int64_t i = 0; i < n.size(); ++i)
    mean += n.at(i) / 20000, square += n.at(i) * n.at(i) / 20000;
  CHECK(std::fabs(mean) < 0.02);
  CHECK(square == doctest::Approx(0.25).epsilon(0.05));
  const Array g = draw("glorot_uniform", {30, 20});
  double most = 0;
  for (int64_t i = 0; i < g.size(); ++i) most = std::max(most, std::fabs(g.at(i)));
  CHECK(most <= std::sqrt(6.0 / 50));
  CHECK(most > 0.9 * std::sqrt(6.0 / 50));
  CHECK(has(error_of([&] { draw("norml(1)", {2}); }), "no initializer 'norml(1)'"));
  CHECK(has(error_of([&] { draw("normal", {2}); }), "needs a number"));
}

TEST_CASE("parameter store: orthogonal blocks are orthogonal") {
  const Array u = initial_value("orthogonal", f64, {6, 12}, 1, "U");
  for (int64_t i = 0; i < 6; ++i)
    for (int64_t j = 0; j < 6; ++j) {
      double dot = 0;
      for (int64_t k = 0; k < 6; ++k) dot += u.at(i * 12 + 6 + k) * u.at(j * 12 + 6 + k);
      CHECK(dot == doctest::Approx(i == j ? 1 : 0).epsilon(1e-12));
    }
}

TEST_CASE("parameter store: what is there with another shape is refused") {
  ParameterStore store(1, f64);
  store.set("out/W", ir::ArgumentKind::parameter, Array(f64, {2, 1}));
  CHECK(has(error_of([&] { store.prepare(regression()); }),
            "'out/W' is f64[2,1] where the graph needs f64[3,1]"));
}

TEST_CASE("program: what is run again and again follows the store") {
  Program p = Program::inference(regression(), options());
  ParameterStore store(1, f64);
  const uint64_t empty = store.version();
  RepeatedRun first = p.repeated(store, batch(4));
  CHECK(store.version() != empty);
  first.run();
  const uint64_t version = store.version();
  RepeatedRun same = p.repeated(store, batch(2));
  same.run();
  CHECK(store.version() == version);
  CHECK(same.result("loss").at(0) == doctest::Approx(first.result("loss").at(0)));
  store.set("out/W", ir::ArgumentKind::parameter, filled({3, 1}, 0.5));
  store.set("out/b", ir::ArgumentKind::parameter, filled({1}, 0));
  CHECK(store.version() != version);
  RepeatedRun changed = p.repeated(store, batch(4));
  changed.run();
  CHECK(changed.result("loss").at(0) == doctest::Approx(0.25));  // (1.5 - 2)^2
}

TEST_CASE("parameter store: a matrix is there in both orders, whichever it was set in") {
  ParameterStore store(1, f64);
  Array a(f64, {2, 3});
  for (int64_t i = 0; i < 6; ++i) a.set(i, static_cast<double>(i));
  store.set("a", ir::ArgumentKind::parameter, a);
  store.set_transposed("b", ir::ArgumentKind::parameter, a);
  CHECK_FALSE(store.is_transposed("a"));
  CHECK(store.is_transposed("b"));
  CHECK(store.clone().at("b").same_bytes(a.transposed()));
  CHECK(store.at("b^T").same_bytes(a));
  CHECK(store.at("b").same_bytes(a.transposed()));
  CHECK(store.transposed("a").same_bytes(store.at("b")));
  CHECK(store.at("a^T").same_bytes(store.at("b")));
  CHECK(store.parameter_count() == 12);
  CHECK(store.clone().at("b").same_bytes(store.at("b")));
  store.set("b", ir::ArgumentKind::parameter, a);
  CHECK(store.at("b^T").same_bytes(a.transposed()));
}

TEST_CASE("program: what is run again and again reads matrices as they lie") {
  Program p = Program::inference(regression(), options());
  ParameterStore upright(1, f64), turned(1, f64);
  Array w(f64, {3, 1});
  for (int64_t i = 0; i < 3; ++i) w.set(i, static_cast<double>(i) + 0.5);
  upright.set("out/W", ir::ArgumentKind::parameter, w);
  turned.set_transposed("out/W", ir::ArgumentKind::parameter, w.transposed());
  const auto loss = [&](Program& program, ParameterStore& store) {
    RepeatedRun run = program.repeated(store, batch(4));
    run.run();
    return run.result("loss").at(0);
  };
  Program q = Program::inference(regression(), options());
  CHECK(loss(p, upright) == loss(q, turned));
  turned.set("out/W", ir::ArgumentKind::parameter, filled({3, 1}, 0.5));
  turned.set("out/b", ir::ArgumentKind::parameter, filled({1}, 0));
  CHECK(loss(q, turned) == doctest::Approx(0.25));  // (1.5 - 2)^2
}
