// models/training/trainer.cpp -- steps, validations, checkpoints, limits.
#include "models/training/trainer.h"

#include "ir/error.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace weft::training {
namespace {

using ir::Array;
using ir::concat;

// Streams know a negative NaN.
std::string spelled(double x) { return std::isnan(x) ? "NaN" : x > 0 ? "infinite" : "-infinite"; }

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string_view why(Ended ended) {
  switch (ended) {
    case Ended::epochs:
      return "all epochs are done";
    case Ended::steps:
      return "all steps are done";
    case Ended::minutes:
      return "the time is up";
    case Ended::patience:
      return "validation no longer improves";
    case Ended::stopped:
      return "stopped";
  }
  return {};
}

data::BatchOptions seeded(data::BatchOptions options, uint64_t seed) {
  options.seed = seed;
  return options;
}

seq2seq::Settings seeded(seq2seq::Settings config, uint64_t seed) {
  seq2seq::set_seed(config, seed);
  return config;
}

// A model has so many positions and no more.
void check_positions(const std::vector<data::EncodedExample>& examples, int64_t most) {
  for (const data::EncodedExample& e : examples)
    if (most > 0 &&
        std::max(e.source_length(), static_cast<int64_t>(std::ssize(e.target)) + 1) > most)
      throw ir::GraphError(concat("example ", e.id, " has a source of ", e.source_length(),
                                  " tokens and a target of ", e.target.size(),
                                  " and </s>, max_positions is ", most));
}

TrainerSetup checked(TrainerSetup s) {
  s.batch = seeded(s.batch, s.seed);
  s.config = seeded(s.config, s.seed);
  s.batch.widest = seq2seq::most_positions(s.config);
  check_positions(s.train, s.batch.widest);
  check_positions(s.valid, s.batch.widest);
  if (s.train.empty()) throw ir::GraphError("there are no examples to train on");
  check(s.rate, s.limits);
  if (s.limits.patience > 0 && s.valid.empty())
    throw ir::GraphError("patience needs examples to validate on");
  return s;
}

}  // namespace

formats::NamedArrays inputs_of(const data::Batch& b) {
  return {{"source", b.source},
          {"source_lengths", b.source_lengths},
          {"target_in", b.target_in},
          {"target_out", b.target_out},
          {"target_lengths", b.target_lengths},
          {"row_ids", b.row_ids}};
}

Trainer::Trainer(TrainerSetup setup)
    : setup_(checked(std::move(setup))),
      store_(setup_.seed, setup_.program.real),
      training_(seq2seq::loss_graph(setup_.config, true),
                {.optimizer = setup_.optimizer, .in_parts = setup_.batch.accumulate > 1},
                setup_.program),
      evaluation_(Program::inference(seq2seq::loss_graph(setup_.config, false), setup_.program)),
      stream_(setup_.train, setup_.batch) {
  progress_.seed = setup_.seed;
  progress_.settings = settings_of(setup_.optimizer, setup_.rate, setup_.limits, setup_.batch,
                                   setup_.train, setup_.valid);
  training_.prepare(store_);
}

std::vector<SettingChange> Trainer::resume() {
  if (!setup_.folder) throw ir::GraphError("there is no model folder to resume from");
  const auto allow = [&](std::vector<SettingChange> changed) {
    std::vector<SettingChange> fixed;
    for (const SettingChange& c : changed)
      if (is_fixed(c.key)) fixed.push_back(c);
    if (!fixed.empty()) throw OtherRun(setup_.folder->path(), std::move(fixed));
    return changed;
  };
  allow(changes(settings_of(setup_.folder->config()), settings_of(setup_.config)));
  Progress before = setup_.folder->resume(store_);
  RunSettings now = std::move(progress_.settings);
  // Files of earlier versions know no settings.
  const auto changed =
      before.settings.empty() ? std::vector<SettingChange>() : allow(changes(before.settings, now));
  progress_ = std::move(before);
  progress_.settings = std::move(now);
  training_.prepare(store_);
  stream_.seek(progress_.position);
  saved_step_ = progress_.step;
  resumed_ = true;
  return changed;
}

double Trainer::rate() const {
  return rate_of(setup_.rate, setup_.limits, progress_.step, progress_.shrinks);
}

void Trainer::diverged(const std::string& what) const {
  throw ir::RuntimeError(
      concat("the run diverged at step ", progress_.step, ": ", what,
             "; a lower learning rate or clip_norm may help",
             setup_.folder && saved_step_ > 0
                 ? concat("; ", setup_.folder->path(), " holds step ", saved_step_)
                 : std::string()));
}

void Trainer::check_finite() const {
  for (const formats::NamedArrays& arrays : {store_.parameters(), store_.states()})
    if (const auto name = first_not_finite(arrays))
      diverged(concat("'", *name, "' is no longer finite"));
}

// Nothing is saved between the parts of a batch: a run goes on from whole updates.
double Trainer::step(std::span<const data::Batch> parts) {
  std::vector<formats::NamedArrays> inputs;
  for (const data::Batch& part : parts) {
    inputs.push_back(inputs_of(part));
    inputs.back().add("step", Array::of(ir::DType::s64, {}, std::vector<int64_t>{progress_.step}));
  }
  const auto [loss, weight, gradient_norm] = training_.update(store_, inputs, rate());
  gradient_norm_ = gradient_norm;
  ++progress_.step;
  progress_.position = stream_.position();
  if (!std::isfinite(loss)) diverged(concat("the loss is ", spelled(loss)));
  if (!std::isfinite(gradient_norm_))
    diverged(concat("the norm of the gradients is ", spelled(gradient_norm_)));
  return loss;
}

std::optional<double> Trainer::evaluate(const std::vector<data::EncodedExample>& examples,
                                        const Stop& stop) {
  double loss = 0, tokens = 0;
  for (const auto& rows : data::plan_in_order(examples, setup_.batch)) {
    if (stop && stop()) return std::nullopt;
    const formats::NamedArrays results =
        evaluation_.run(store_, inputs_of(data::make_batch(examples, rows, setup_.batch)));
    const double n = results.at("tokens").at(0);
    loss += results.at("loss").at(0) * n;
    tokens += n;
  }
  return loss / tokens;
}

bool Trainer::validate(const Observer& observe, const Stop& stop, double seconds, bool ending) {
  if (setup_.valid.empty() || validated_step_ == progress_.step) return true;
  const auto found = evaluate(setup_.valid, stop);
  if (!found) return false;
  const double loss = *found;
  validated_step_ = progress_.step;
  if (!std::isfinite(loss)) diverged(concat("the validation loss is ", spelled(loss)));
  // Equal counts as better, so that a validation done again after a crash says the same.
  const bool best = progress_.best_step == 0 || loss <= progress_.best_loss;
  if (!ending) {
    const bool better = progress_.mark_step == 0 || loss <= progress_.mark_loss;
    if (better) progress_.mark_step = progress_.step, progress_.mark_loss = loss;
    progress_.since_best = better ? 0 : progress_.since_best + 1;
    progress_.shrinks += better ? 0 : 1;
  }
  if (best) {
    progress_.best_loss = loss;
    progress_.best_step = progress_.step;
    if (setup_.folder) {
      check_finite();
      setup_.folder->save_best(store_, progress_);
    }
  }
  if (observe)
    observe({.kind = Event::Kind::validation,
             .step = progress_.step,
             .epoch = progress_.position.epoch,
             .loss = loss,
             .best = best,
             .seconds = seconds});
  return true;
}

// A validation that is stopped is still due when the run goes on.
void Trainer::validate_and_save(const Observer& observe, const Stop& stop, double seconds) {
  progress_.validation_due = !validate(observe, stop, seconds, false);
  saved_step_ = -1;
  save(observe);
}

void Trainer::save(const Observer& observe) {
  if (!setup_.folder || saved_step_ == progress_.step) return;
  check_finite();
  setup_.folder->save_last(store_, progress_);
  saved_step_ = progress_.step;
  if (observe) observe({.kind = Event::Kind::saved, .step = progress_.step});
}

std::optional<Ended> Trainer::limit(double seconds) const {
  const Limits& l = setup_.limits;
  if (l.steps > 0 && progress_.step >= l.steps) return Ended::steps;
  if (l.epochs > 0 && progress_.position.epoch >= l.epochs) return Ended::epochs;
  if (l.patience > 0 && progress_.since_best >= l.patience) return Ended::patience;
  if (l.minutes > 0 && seconds >= l.minutes * 60) return Ended::minutes;
  return std::nullopt;
}

// Until the first of the limits; 0 where there is none.
double Trainer::seconds_left(double seconds, double per_step) const {
  const Limits& limits = setup_.limits;
  std::vector<double> left;
  if (limits.minutes > 0) left.push_back(std::max(0.0, limits.minutes * 60 - seconds));
  if (limits.steps > 0)
    left.push_back(static_cast<double>(limits.steps - progress_.step) * per_step);
  if (limits.epochs > 0) {
    const auto batches = static_cast<double>(stream_.batches_in_epoch());
    left.push_back((static_cast<double>(limits.epochs - progress_.position.epoch) * batches -
                    static_cast<double>(progress_.position.index)) *
                   per_step);
  }
  return left.empty() ? 0 : *std::min_element(left.begin(), left.end());
}

Ended Trainer::run(const Observer& observe, const Stop& stop) {
  const Limits& limits = setup_.limits;
  const auto held = setup_.folder ? setup_.folder->lock() : nullptr;
  if (setup_.folder && !resumed_ && saved_step_ < 0) {
    setup_.folder->check_free();
    save(observe);  // what a run goes on from that ends before the first validation
  }
  const auto start = std::chrono::steady_clock::now();
  const int64_t first = progress_.step;
  double smoothed = 0, examples = 0;
  bool asked = false;  // a stop that was asked for stays so
  const Stop stopped = [&] { return asked = asked || (stop && stop()); };
  if (progress_.validation_due) validate_and_save(observe, stopped, 0);
  std::optional<Ended> ended = limit(0);
  if (!ended && stopped()) ended = Ended::stopped;
  while (!ended) {
    const int64_t epoch = progress_.position.epoch;
    const std::vector<data::Batch> parts = stream_.next_parts();
    const double loss = step(parts);
    // A stream stands at the first batch of an epoch when it has finished the one before.
    const bool epoch_over = progress_.position.epoch != epoch;
    smoothed = progress_.step == first + 1 ? loss : 0.98 * smoothed + 0.02 * loss;
    for (const data::Batch& part : parts) examples += static_cast<double>(part.rows());
    const bool due =
        limits.validate_every > 0 ? progress_.step % limits.validate_every == 0 : epoch_over;
    double seconds = seconds_since(start);
    if (due) validate_and_save(observe, stopped, seconds);
    if (limits.save_every > 0 && progress_.step % limits.save_every == 0) save(observe);
    ended = limit(seconds);
    if (!ended && stopped()) ended = Ended::stopped;
    if (!observe) continue;
    const double per_step = seconds / static_cast<double>(progress_.step - first);
    observe({.step = progress_.step,
             .epoch = epoch,
             .loss = smoothed,
             .batch_loss = loss,
             .gradient_norm = gradient_norm_,
             .rate = rate(),
             .examples_per_second = examples / std::max(seconds, 1e-9),
             .seconds = seconds,
             .seconds_left = seconds_left(seconds, per_step)});
  }
  // The last model may be the best. This validation leaves no trace in what resuming goes on from.
  if (*ended != Ended::stopped) validate(observe, stopped, seconds_since(start), true);
  save(observe);
  if (observe)
    observe({.kind = Event::Kind::finished,
             .step = progress_.step,
             .epoch = progress_.position.epoch,
             .seconds = seconds_since(start),
             .why = std::string(why(*ended))});
  return *ended;
}

}  // namespace weft::training
