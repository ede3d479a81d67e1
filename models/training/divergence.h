// models/training/divergence.h -- is a step still sound, and what is done where it is not.
#pragma once
#include "models/settings/fields.h"

#include <cstdint>
#include <optional>
#include <string>

namespace weft::training {

enum class OnDivergence {
  stop,     // the run ends
  skip,     // the update is not made, the run goes on with the next batch
  restore,  // the run goes back to its last checkpoint and on with a lower rate
};
inline constexpr settings::Choices<OnDivergence, 3> kOnDivergence{
    {{"stop", OnDivergence::stop},
     {"skip", OnDivergence::skip},
     {"restore", OnDivergence::restore}}};

// [training] keys.
struct DivergenceSettings {
  OnDivergence action = OnDivergence::stop;
  double factor = 30;  // so many times the running mean is far above it; 0: only what is not finite
  int64_t limit = 10;  // skips without kGoodSteps sound steps between them, or restores in all
  double shrink = 0.5;  // of the rate, at each restore

  bool operator==(const DivergenceSettings&) const = default;
};
inline constexpr int64_t kGoodSteps = 100;

// Running means of the sound steps so far: of all, or with a memory of about a hundred.
struct RunningLevels {
  double loss = 0, gradient_norm = 0;
  int64_t steps = 0;

  void add(double step_loss, double step_norm);
  bool operator==(const RunningLevels&) const = default;
};

// "the loss is NaN", or how far above its mean it or the norm of the gradients (before clipping) is;
// nothing of a sound step. Means below 1 count as 1, and none count before kGoodSteps steps. A norm
// that is large but finite ends no run: clipping takes care of it.
std::optional<std::string> divergence(const DivergenceSettings& settings,
                                      const RunningLevels& levels, double loss,
                                      double gradient_norm);

// "NaN", "infinite", "-infinite": streams know a negative NaN.
std::string spelled_not_finite(double x);

}  // namespace weft::training
