// models/training/folder/progress.cpp -- numbers as text, and back.
#include "models/training/folder/progress.h"

#include "ir/error.h"

#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace weft::training {
namespace {

using formats::Metadata;
using ir::concat;
using ir::GraphError;

// Doubles as their bits: they come back the same.
uint64_t bits(double x) {
  uint64_t b = 0;
  std::memcpy(&b, &x, sizeof b);
  return b;
}
double real(uint64_t b) {
  double x = 0;
  std::memcpy(&x, &b, sizeof x);
  return x;
}

// By the keys they have in metadata.
template <typename Fall>
auto reals_of(Fall& f) {
  return std::array{
      std::pair{"fall_share_bits", &f.share}, std::pair{"fall_seconds_bits", &f.seconds},
      std::pair{"fall_estimated_bits", &f.estimated_at}, std::pair{"fall_step_bits", &f.step},
      std::pair{"fall_validation_bits", &f.validation}};
}

const std::string kSetting = "recipe: ";  // before the keys of settings

template <typename T>
T number(const Metadata& m, const std::string& key, const std::string& file) {
  const auto found = m.find(key);
  T value{};
  if (found != m.end()) {
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  throw GraphError(concat(file, ": error: needs the number '", key, "' in its metadata"));
}

// Earlier versions knew losses only.
std::string either(const Metadata& m, const std::string& key, const std::string& before) {
  return m.contains(key) ? key : before;
}

}  // namespace

// What the best model was stands with the best model: a validation after the last step must not
// make last.safetensors another file than the one a longer run writes at that step.
Metadata metadata_of_last(const Progress& p) {
  Metadata m{{"step", std::to_string(p.step)},
             {"epoch", std::to_string(p.position.epoch)},
             {"batch", std::to_string(p.position.index)},
             {"mark_step", std::to_string(p.mark_step)},
             {"mark_score_bits", std::to_string(bits(p.mark_score))},
             {"since_best", std::to_string(p.since_best)},
             {"shrinks", std::to_string(p.shrinks)},
             {"seed", std::to_string(p.seed)}};
  if (p.validation_due) m["validation"] = "due";
  if (p.schedule_end > 0) m["schedule_end"] = std::to_string(p.schedule_end);
  if (p.fall.seconds > 0) {
    m["fall_from"] = std::to_string(p.fall.from);
    m["fall_measured"] = std::to_string(p.fall.measured);
    for (const auto& [key, value] : reals_of(p.fall)) m[key] = std::to_string(bits(*value));
  }
  if (p.levels.steps > 0) {
    m["level_steps"] = std::to_string(p.levels.steps);
    m["loss_level_bits"] = std::to_string(bits(p.levels.loss));
    m["gradient_norm_level_bits"] = std::to_string(bits(p.levels.gradient_norm));
  }
  if (p.skips > 0) {
    m["skips"] = std::to_string(p.skips);
    m["since_skip"] = std::to_string(p.since_skip);
  }
  if (p.restores > 0) m["restores"] = std::to_string(p.restores);
  for (const auto& [key, value] : p.settings) m[kSetting + key] = value;
  return m;
}

Metadata metadata_of_best(const Progress& p, const std::string& score) {
  return {{"step", std::to_string(p.best_step)},
          {score, ir::str(ir::Attr(p.best_score))},
          {"score_bits", std::to_string(bits(p.best_score))}};
}

Progress progress_of(const Metadata& m, const std::string& file) {
  Progress p;
  p.step = number<int64_t>(m, "step", file);
  p.position = {number<int64_t>(m, "epoch", file), number<int64_t>(m, "batch", file)};
  if (m.contains("mark_step")) {  // files of earlier versions do not know it
    p.mark_step = number<int64_t>(m, "mark_step", file);
    p.mark_score = real(number<uint64_t>(m, either(m, "mark_score_bits", "mark_loss_bits"), file));
  }
  p.since_best = number<int64_t>(m, "since_best", file);
  p.shrinks = number<int64_t>(m, "shrinks", file);
  p.seed = number<uint64_t>(m, "seed", file);
  p.validation_due = m.contains("validation");
  if (m.contains("schedule_end")) p.schedule_end = number<int64_t>(m, "schedule_end", file);
  if (m.contains("fall_from")) {
    p.fall.from = number<int64_t>(m, "fall_from", file);
    p.fall.measured = number<int64_t>(m, "fall_measured", file);
    for (const auto& [key, value] : reals_of(p.fall)) *value = real(number<uint64_t>(m, key, file));
  }
  if (m.contains("level_steps"))
    p.levels = {.loss = real(number<uint64_t>(m, "loss_level_bits", file)),
                .gradient_norm = real(number<uint64_t>(m, "gradient_norm_level_bits", file)),
                .steps = number<int64_t>(m, "level_steps", file)};
  if (m.contains("skips")) {
    p.skips = number<int64_t>(m, "skips", file);
    p.since_skip = number<int64_t>(m, "since_skip", file);
  }
  if (m.contains("restores")) p.restores = number<int64_t>(m, "restores", file);
  for (const auto& [key, value] : m)
    if (key.starts_with(kSetting)) p.settings[key.substr(kSetting.size())] = value;
  return p;
}

bool has_average(const Metadata& last) {
  return last.contains(kSetting + "optimizer.average_decay");
}

int64_t step_of(const Metadata& m, const std::string& file) {
  return number<int64_t>(m, "step", file);
}

void set_best(Progress& p, const Metadata& m, const std::string& file) {
  p.best_step = step_of(m, file);
  p.best_score = real(number<uint64_t>(m, either(m, "score_bits", "loss_bits"), file));
}

}  // namespace weft::training
