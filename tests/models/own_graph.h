// tests/models/own_graph.h -- a regression of one's own and batches of its own for a trainer.
#pragma once
#include "frontend/weft.h"
#include "models/training/trainer.h"
#include "tests/models/backends.h"

#include <cmath>
#include <limits>
#include <set>

namespace weft::tests {

// y = tanh(x W + b) V, loss = mean (y - t)^2, tokens: how many terms the mean has.
inline ir::Graph own_loss() {
  Model m("own");
  const Tensor x = m.input("x", f32, {dim("B"), 3}), t = m.input("t", f32, {dim("B"), 2});
  const Tensor d = linear(m / "out", tanh(linear(m / "hidden", x, 4)), 2) - t;
  m.output("loss", mean(d * d));
  m.output("tokens", sum(d * 0.0 + 1.0));
  return m.graph();
}

// Four rows a batch, ten batches an epoch. Batches of `poisoned` hold a NaN.
class OwnBatches final : public training::BatchMaker {
 public:
  std::set<int64_t> poisoned, left_out;

  training::TrainingBatch next() override {
    while (left_out.contains(number())) advance();
    ir::NamedArrays inputs = batch(number());
    if (poisoned.contains(number())) {
      ir::Array x = inputs.at("x");
      x.set(5, std::numeric_limits<double>::quiet_NaN());
    }
    advance();
    return {.parts = {inputs}, .examples = 4, .tokens = 20};
  }
  Position position() const override { return position_; }
  void seek(Position position) override { position_ = position; }
  int64_t batches_in_epoch() const override { return kBatches; }
  training::EvaluationBatches validation() const override {
    return {.count = 2, .make = [](int64_t i) { return batch(1000 + i); }};
  }

 private:
  static constexpr int64_t kBatches = 10;

  int64_t number() const { return kBatches * position_.epoch + position_.index; }
  void advance() {
    if (++position_.index == kBatches) position_ = {position_.epoch + 1, 0};
  }
  static ir::NamedArrays batch(int64_t n) {
    ir::Array x(ir::DType::f64, {4, 3}), t(ir::DType::f64, {4, 2});
    for (int64_t i = 0; i < 12; ++i) x.set(i, std::sin(1.7 * static_cast<double>(12 * n + i)));
    for (int64_t i = 0; i < 8; ++i) t.set(i, x.at(i) * x.at(i + 1));
    return {{"x", x}, {"t", t}};
  }

  Position position_;
};

inline training::TrainerSetup own_setup(int64_t steps, const std::string& folder = {}) {
  training::TrainerSetup s{.training = own_loss(),
                           .batches = std::make_shared<OwnBatches>(),
                           .optimizer = {.kind = OptimizerKind::sgd, .clip_norm = 0},
                           .rate = {.learning_rate = 0.1},
                           .limits = {.steps = steps, .validate_every = 5},
                           .program = reference_options()};
  if (!folder.empty()) s.folder = training::ModelFolder(folder);
  return s;
}

}  // namespace weft::tests
