// A program of somebody else's that trains a graph of its own on batches of its own: with
// checkpoints, validation, patience and a run that can be stopped and gone on with.
//
//   own_graph FOLDER     trains FOLDER/model, which it makes anew
#include <weft/models.h>
#include <weft/weft.h>

#include <cmath>
#include <filesystem>
#include <iostream>

using namespace weft;

namespace {

// y = W2 tanh(W1 x + b1) + b2, loss = mean (y - t)^2
ir::Graph loss_graph() {
  Model m("sine");
  const Tensor x = m.input("x", f32, {dim("B"), 1}), t = m.input("t", f32, {dim("B"), 1});
  const Tensor y = linear(m / "out", tanh(linear(m / "hidden", x, 32)), 1);
  m.output("loss", mean((y - t) * (y - t)));
  return m.graph();
}

// t = sin x: 50 batches of 32 an epoch, each a function of its number.
class Sines final : public training::BatchMaker {
 public:
  training::TrainingBatch next() override {
    const int64_t number = 50 * position_.epoch + position_.index;
    if (++position_.index == 50) position_ = {position_.epoch + 1, 0};
    return {.parts = {batch(number)}, .examples = 32, .tokens = 32};
  }
  Position position() const override { return position_; }
  void seek(Position position) override { position_ = position; }
  training::EvaluationBatches validation() const override {
    return {.count = 1, .make = [](int64_t) { return batch(-1); }};
  }

 private:
  static decltype(training::TrainingBatch::parts)::value_type batch(int64_t number) {
    Array x(f32, {32, 1}), t(f32, {32, 1});
    for (int64_t i = 0; i < 32; ++i) {
      const double at = 3 * std::sin(12.9898 * static_cast<double>(32 * number + i));
      x.set(i, at), t.set(i, std::sin(at));
    }
    return {{"x", x}, {"t", t}};
  }

  Position position_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: own_graph FOLDER\n", 2;
  const std::string here = std::string(argv[1]) + "/model";
  std::filesystem::remove_all(here);
  const training::TrainerSetup setup{.training = loss_graph(),
                                     .batches = std::make_shared<Sines>(),
                                     .optimizer = {.kind = OptimizerKind::adam},
                                     .rate = {.learning_rate = 1e-2},
                                     .limits = {.steps = 1000, .patience = 5},
                                     .program = {.backend = onednn_backend()},
                                     .folder = training::ModelFolder(here)};
  training::Trainer trainer(setup);
  trainer.run({}, [&] { return trainer.progress().step == 300; });  // stopped: Ctrl-C, say

  training::Trainer again(setup);
  again.resume();  // to the bit where the first one was
  again.run([](const training::Event& e) {
    if (e.kind == training::Event::Kind::validation)
      std::cerr << "step " << e.step << ": validation loss " << e.loss << (e.best ? " (best)\n" : "\n");
  });
  std::cout << again.progress().best_score << "\n";
  return again.progress().best_score < 0.01 ? 0 : 1;
}
