// models/training/trainer.cpp -- steps, validations, checkpoints, limits.
#include "models/training/trainer.h"

#include "ir/error.h"

#include <chrono>
#include <cmath>

namespace weft::training {
namespace {

using ir::Array;
using ir::concat;

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

seq2seq::Config seeded(seq2seq::Config config, uint64_t seed) {
  seq2seq::set_seed(config, seed);
  return config;
}

// A model has so many positions and no more.
void check_positions(const std::vector<data::EncodedExample>& examples, int64_t most) {
  for (const data::EncodedExample& e : examples)
    if (most > 0 && std::max(std::ssize(e.source), std::ssize(e.target) + 1) > most)
      throw ir::GraphError(concat("example ", e.id, " has a source of ", e.source.size(),
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
  if (s.rate.schedule == Schedule::linear && s.limits.steps == 0)
    throw ir::GraphError("schedule linear needs a limit of steps, where the rate reaches 0");
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
      training_(Program::training(seq2seq::loss_graph(setup_.config, true), setup_.optimizer,
                                  setup_.program)),
      evaluation_(Program::inference(seq2seq::loss_graph(setup_.config, false), setup_.program)),
      stream_(setup_.train, setup_.batch) {
  progress_.seed = setup_.seed;
  store_.prepare(training_.graph());
}

void Trainer::resume() {
  if (!setup_.folder) throw ir::GraphError("there is no model folder to resume from");
  if (!(setup_.folder->config() == setup_.config))
    throw ir::GraphError(concat(setup_.folder->path(),
                                ": error: holds a model of another configuration than this run's"));
  progress_ = setup_.folder->resume(store_);
  if (progress_.seed != setup_.seed)
    throw ir::GraphError(concat(setup_.folder->path(), ": error: was trained with seed ",
                                progress_.seed, ", this run has ", setup_.seed));
  store_.prepare(training_.graph());
  stream_.seek(progress_.position);
  saved_step_ = progress_.step;
}

double Trainer::rate() const {
  const Rate& r = setup_.rate;
  const auto t = static_cast<double>(progress_.step + 1);
  double rate = r.learning_rate * std::pow(r.shrink, static_cast<double>(progress_.shrinks));
  if (r.warmup > 0) rate *= std::min(1.0, t / static_cast<double>(r.warmup));
  if (r.schedule == Schedule::linear)
    rate *= std::max(
        0.0, 1 - static_cast<double>(progress_.step) / static_cast<double>(setup_.limits.steps));
  if (r.schedule == Schedule::inverse_sqrt) {
    const double warmup = std::max<double>(1, static_cast<double>(r.warmup));
    if (t > warmup) rate *= std::sqrt(warmup / t);
  }
  return rate;
}

double Trainer::step(const data::Batch& batch) {
  formats::NamedArrays inputs = inputs_of(batch);
  inputs.add("step", Array::of(ir::DType::s64, {}, std::vector<int64_t>{progress_.step}));
  inputs.add("lr", Array::of(setup_.program.real, {}, std::vector<double>{rate()}));
  const formats::NamedArrays results = training_.run(store_, inputs);
  gradient_norm_ = results.at("gradient_norm").at(0);
  const double loss = results.at("loss").at(0);
  ++progress_.step;
  progress_.position = stream_.position();
  if (!std::isfinite(loss))
    throw ir::RuntimeError(concat("the loss is ", loss, " at step ", progress_.step,
                                  "; a lower learning rate or clip_norm may help"));
  return loss;
}

double Trainer::evaluate(const std::vector<data::EncodedExample>& examples) {
  double loss = 0, tokens = 0;
  for (const auto& rows : data::plan_in_order(examples, setup_.batch)) {
    const formats::NamedArrays results =
        evaluation_.run(store_, inputs_of(data::make_batch(examples, rows, setup_.batch)));
    const double n = results.at("tokens").at(0);
    loss += results.at("loss").at(0) * n;
    tokens += n;
  }
  return loss / tokens;
}

void Trainer::validate(const Observer& observe, double seconds, bool tail) {
  if (setup_.valid.empty() || validated_step_ == progress_.step) return;
  validated_step_ = progress_.step;
  const double loss = evaluate(setup_.valid);
  // Equal counts as better, so that a validation done again after a crash says the same.
  const bool best = progress_.best_step == 0 || loss <= progress_.best_loss;
  if (!tail) progress_.since_best = best ? 0 : progress_.since_best + 1;
  if (!tail && !best) ++progress_.shrinks;
  if (best) {
    progress_.best_loss = loss;
    progress_.best_step = progress_.step;
    if (setup_.folder) setup_.folder->save_best(store_, progress_);
  }
  if (observe)
    observe({.kind = Event::Kind::validation,
             .step = progress_.step,
             .epoch = progress_.position.epoch,
             .loss = loss,
             .best = best,
             .seconds = seconds});
}

void Trainer::save(const Observer& observe) {
  if (!setup_.folder || saved_step_ == progress_.step) return;
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

Ended Trainer::run(const Observer& observe, const Stop& stop) {
  const Limits& limits = setup_.limits;
  const auto start = std::chrono::steady_clock::now();
  const int64_t first = progress_.step;
  double smoothed = 0, examples = 0;
  std::optional<Ended> ended = limit(0);
  while (!ended) {
    const int64_t epoch = progress_.position.epoch;
    const data::Batch batch = stream_.next();
    const double loss = step(batch);
    // A stream stands at the first batch of an epoch when it has finished the one before.
    const bool epoch_over = progress_.position.epoch != epoch;
    smoothed = progress_.step == first + 1 ? loss : 0.98 * smoothed + 0.02 * loss;
    examples += static_cast<double>(batch.rows());
    const bool due =
        limits.validate_every > 0 ? progress_.step % limits.validate_every == 0 : epoch_over;
    double seconds = seconds_since(start);
    if (due) {
      validate(observe, seconds, false);
      save(observe);
    }
    if (limits.save_every > 0 && progress_.step % limits.save_every == 0) save(observe);
    ended = limit(seconds);
    if (!ended && stop && stop()) ended = Ended::stopped;
    if (!observe) continue;
    Event e{.step = progress_.step,
            .epoch = epoch,
            .loss = smoothed,
            .gradient_norm = gradient_norm_,
            .rate = rate(),
            .examples_per_second = examples / std::max(seconds, 1e-9),
            .seconds = seconds};
    const auto least = [&](double left) {
      e.seconds_left = e.seconds_left == 0 ? left : std::min(e.seconds_left, left);
    };
    const double per_step = seconds / static_cast<double>(progress_.step - first);
    if (limits.minutes > 0) least(std::max(0.0, limits.minutes * 60 - seconds));
    if (limits.steps > 0) least(static_cast<double>(limits.steps - progress_.step) * per_step);
    if (limits.epochs > 0) {
      const auto batches = static_cast<double>(stream_.batches_in_epoch());
      least((static_cast<double>(limits.epochs - progress_.position.epoch) * batches -
             static_cast<double>(progress_.position.index)) *
            per_step);
    }
    observe(e);
  }
  // The last model may be the best. This validation leaves no trace in what resuming goes on from.
  if (*ended != Ended::stopped) validate(observe, seconds_since(start), true);
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
