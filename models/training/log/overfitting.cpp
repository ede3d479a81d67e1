// models/training/log/overfitting.cpp -- the mean loss of training between validations, beside theirs.
#include "models/training/log/overfitting.h"

#include <fmt/format.h>

#include <memory>

namespace weft::training {
namespace {

constexpr int kInARow = 3;
constexpr double kAbove = 1.01;

class Watch {
 public:
  explicit Watch(std::function<void(const std::string&)> say) : say_(std::move(say)) {}

  void hear(const Event& e) {
    if (e.kind == Event::Kind::step) {
      if (e.loss_name != "loss") return;  // it falls while the loss of validation may rise
      sum_ += e.batch_loss;
      ++count_;
    } else if (e.kind == Event::Kind::validation && count_ > 0) {
      judge(e, sum_ / count_);
      sum_ = 0, count_ = 0;
    }
  }

 private:
  void judge(const Event& e, double training) {
    if (lowest_step_ == 0 || e.loss <= lowest_) {
      lowest_ = before_ = e.loss, lowest_step_ = e.step, training_then_ = training;
      rises_ = 0, said_ = false;
      return;
    }
    rises_ = e.loss >= kAbove * lowest_ && e.loss >= before_ ? rises_ + 1 : 0;
    before_ = e.loss;
    if (rises_ < kInARow || said_ || training >= training_then_) return;
    said_ = true;
    say_(
        fmt::format("step {}: validation and training part: since step {} the loss of validation "
                    "rose from {:.4f} to {:.4f}, that of training fell from {:.4f} to {:.4f}; more "
                    "data or dropout, a smaller model or training.patience may help",
                    e.step, lowest_step_, lowest_, e.loss, training_then_, training));
  }

  std::function<void(const std::string&)> say_;
  double sum_ = 0;  // of batches since the last validation
  int64_t count_ = 0;
  double lowest_ = 0, before_ = 0, training_then_ = 0;  // before: of the validation before this one
  int64_t lowest_step_ = 0;
  int rises_ = 0;
  bool said_ = false;
};

}  // namespace

Trainer::Observer overfitting_watch(std::function<void(const std::string&)> say) {
  const auto watch = std::make_shared<Watch>(std::move(say));
  return [watch](const Event& e) { watch->hear(e); };
}

}  // namespace weft::training
