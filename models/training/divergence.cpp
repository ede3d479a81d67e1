// models/training/divergence.cpp -- losses and norms against what they were.
#include "models/training/divergence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace weft::training {

void RunningLevels::add(double step_loss, double step_norm) {
  const double share = 1 / static_cast<double>(std::min<int64_t>(++steps, kGoodSteps));
  loss += share * (step_loss - loss);
  gradient_norm += share * (step_norm - gradient_norm);
}

std::string spelled_not_finite(double x) {
  return std::isnan(x) ? "NaN" : x > 0 ? "infinite" : "-infinite";
}

std::optional<std::string> divergence(const DivergenceSettings& s, const RunningLevels& levels,
                                      double loss, double gradient_norm) {
  struct Quantity {
    const char* name;
    double value, level;
    bool bounded;
  };
  for (const Quantity& q : {Quantity{"the loss", loss, levels.loss, true},
                            {"the norm of the gradients", gradient_norm, levels.gradient_norm,
                             s.action != OnDivergence::stop}}) {
    if (!std::isfinite(q.value))
      return fmt::format("{} is {}", q.name, spelled_not_finite(q.value));
    if (q.bounded && s.factor > 0 && levels.steps >= kGoodSteps &&
        q.value > s.factor * std::max(1.0, q.level))
      return fmt::format("{} is {:.4g}, its running mean {:.4g}", q.name, q.value, q.level);
  }
  return std::nullopt;
}

}  // namespace weft::training
