// tests/frontend/training_program_test.cpp -- batches in parts: the same update, but for rounding.
#include "frontend/compile/training_program.h"

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

// y = tanh(x W + b) V, loss = mean (y - t)^2; tokens: how many terms the mean has
ir::Graph regression() {
  Model m("regression");
  const Tensor x = m.input("x", f32, {dim("B"), 3}), t = m.input("t", f32, {dim("B"), 2});
  const Tensor d = linear(m / "out", tanh(linear(m / "hidden", x, 4)), 2) - t;
  m.output("loss", mean(d * d));
  m.output("tokens", sum(d * 0.0 + 1.0));
  return m.graph();
}

// Rows first, first + 1, ... of endless data.
NamedArrays rows(int64_t first, int64_t count) {
  Array x(f64, {count, 3}), t(f64, {count, 2});
  for (int64_t i = 0; i < 3 * count; ++i)
    x.set(i, std::sin(1.7 * static_cast<double>(3 * first + i)));
  for (int64_t i = 0; i < 2 * count; ++i)
    t.set(i, std::cos(0.9 * static_cast<double>(2 * first + i)));
  return {{"x", x}, {"t", t}};
}

void check_same(const ParameterStore& a, const ParameterStore& b, double tolerance) {
  for (const auto& [name, array] : a.parameters())
    for (int64_t i = 0; i < array.size(); ++i)
      CHECK(std::abs(array.at(i) - b.at(name).at(i)) <= tolerance);
}

}  // namespace

TEST_CASE("training program: a batch in parts is the update of the whole, whatever the optimiser") {
  for (const OptimizerSettings& settings :
       {OptimizerSettings{.kind = OptimizerKind::sgd, .clip_norm = 0},
        OptimizerSettings{.kind = OptimizerKind::sgd, .clip_norm = 0.05},
        OptimizerSettings{.kind = OptimizerKind::adam, .clip_norm = 0.05, .decay = 0.1},
        OptimizerSettings{.kind = OptimizerKind::adadelta, .clip_norm = 0.05},
        OptimizerSettings{.kind = OptimizerKind::sgd, .momentum = 0.9, .nesterov = true},
        OptimizerSettings{.kind = OptimizerKind::adagrad, .clip_norm = 0.05, .decay = 0.1},
        OptimizerSettings{.kind = OptimizerKind::lion, .beta2 = 0.99, .decay = 0.1},
        OptimizerSettings{.kind = OptimizerKind::adafactor, .average_decay = 0.9}}) {
    TrainingProgram whole(regression(), {.optimizer = settings}, options());
    TrainingProgram parts(regression(), {.optimizer = settings, .in_parts = true}, options());
    ParameterStore one(1, f64), other(1, f64);
    for (int step = 0; step < 5; ++step) {
      const NamedArrays batch = rows(12 * step, 12);
      const NamedArrays cut[] = {rows(12 * step, 7), rows(12 * step + 7, 1),
                                 rows(12 * step + 8, 4)};
      const auto a = whole.update(one, std::span(&batch, 1), 0.1);
      const auto b = parts.update(other, cut, 0.1);
      CHECK(std::abs(a.loss - b.loss) < 1e-12);
      CHECK(std::abs(a.gradient_norm - b.gradient_norm) < 1e-12);
      CHECK(b.weight == 24);
    }
    check_same(one, other, 1e-12);
  }
}

TEST_CASE("training program: what an update that was broken off has summed is forgotten") {
  const TrainingOptions in_parts{.in_parts = true};
  TrainingProgram program(regression(), in_parts, options());
  ParameterStore fresh(1, f64), used(1, f64);
  program.accumulate(used, rows(50, 9), true);
  const NamedArrays cut[] = {rows(0, 3), rows(3, 5)};
  program.update(fresh, cut, 0.1);
  program.update(used, cut, 0.1);
  check_same(fresh, used, 0);
}

TEST_CASE(
    "training program: parts, their weight and their number are named where they do not fit") {
  TrainingProgram whole(regression(), {}, options());
  ParameterStore store(1, f64);
  const NamedArrays cut[] = {rows(0, 3), rows(3, 5)};
  CHECK(has(error_of([&] { whole.update(store, cut, 0.1); }), "a batch of 2 parts was given"));
  CHECK(has(error_of([&] { whole.accumulate(store, cut[0], true); }),
            "not made for batches in parts"));
  CHECK(has(error_of([&] {
              TrainingProgram(regression(), {.in_parts = true, .weight = "terms"}, options());
            }),
            "has no output 'terms' to weigh the gradients"));
}

TEST_CASE("training program: both entries are graphs that can be read") {
  const TrainingProgram program(regression(), {.in_parts = true}, options());
  CHECK(program.step().graph().find_output("accumulated.out.W") >= 0);
  CHECK(program.step().graph().find_output("out.W") < 0);
  CHECK(is_accumulator("accumulated/out/W"));
}

TEST_CASE(
    "training program: an update that is declined changes nothing, its norm is known before") {
  for (const bool in_parts : {false, true}) {
    TrainingProgram program(regression(), {.in_parts = in_parts, .conditional = true}, options());
    ParameterStore store(1, f64);
    const NamedArrays cut[] = {rows(0, 7), rows(7, 5)};
    const auto parts = std::span<const NamedArrays>(cut).first(in_parts ? 2 : 1);
    program.update(store, parts, 0.1);
    const ParameterStore before = store.clone();
    double norm = 0;
    const auto with = [&](bool accepted) {
      return program.update(store, parts, 0.1, [&](const TrainingProgram::Result& r) {
        norm = r.gradient_norm;
        return accepted;
      });
    };
    const auto declined = with(false);
    CHECK_FALSE(declined.applied);
    CHECK(declined.gradient_norm == norm);
    check_same(before, store, 0);
    for (const auto& [name, array] : before.states())
      for (int64_t i = 0; i < array.size() && !is_accumulator(name); ++i)
        CHECK(array.at(i) == store.at(name).at(i));
    const auto accepted = with(true);
    CHECK(accepted.applied);
    CHECK(std::abs(accepted.gradient_norm - norm) < 1e-12);
    CHECK(accepted.loss == declined.loss);
  }
}
