// models/training/trainer.cpp -- steps, and between them what is due.
#include "models/training/trainer.h"

#include "ir/error.h"
#include "models/data/batch_names.h"
#include "models/families/low_rank.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace weft::training {
namespace {

using ir::Array;
using ir::concat;

constexpr int64_t kNotMeasured = 3;  // steps of a process that make what the others find made

TrainerSetup checked(TrainerSetup s) {
  if (s.batches == nullptr) throw ir::GraphError("a trainer needs a batch maker");
  check(s.rate, s.limits);
  if (s.evaluation.outputs().empty()) s.evaluation = s.training;
  if (s.limits.patience > 0 && s.batches->validation().count == 0)
    throw ir::GraphError("patience needs examples to validate on");
  if (s.divergence.action == OnDivergence::restore && !s.folder)
    throw ir::GraphError("on_divergence is restore, which needs a folder to restore from");
  return s;
}

std::string frozen_parameters(const ir::Graph& graph) {
  std::string names;
  // Where a model is adapted, all else is frozen.
  const bool adapted = std::any_of(graph.arguments().begin(), graph.arguments().end(),
                                   [](const auto& a) { return low_rank::is_adapter(a.path); });
  for (const ir::Argument& a : graph.arguments())
    if (a.kind == ir::ArgumentKind::parameter && !a.trainable && !adapted)
      names += (names.empty() ? "" : ", ") + a.path;
  return names;
}

}  // namespace

Trainer::Trainer(TrainerSetup setup)
    : setup_(checked(std::move(setup))),
      store_(setup_.seed, setup_.program.real),
      training_(setup_.training,
                {.optimizer = setup_.optimizer,
                 .in_parts = setup_.in_parts,
                 .conditional = setup_.divergence.action == OnDivergence::skip,
                 .loss = setup_.loss,
                 .weight = setup_.weight},
                setup_.program),
      validation_({.graph = setup_.evaluation,
                   .loss = setup_.loss,
                   .weight = setup_.weight,
                   .batches = setup_.batches->validation(),
                   .settings = setup_.validation,
                   .decoded = setup_.decoded,
                   .program = setup_.program}) {
  progress_.seed = setup_.seed;
  progress_.settings = settings_of(setup_.optimizer, setup_.rate, setup_.limits);
  progress_.settings.merge(settings_of(setup_.validation));
  progress_.settings.merge(settings_of(setup_.divergence));
  progress_.settings.merge(settings_of(setup_.program.precision));
  progress_.settings.merge(setup_.batches->settings());
  progress_.settings.merge(setup_.more);
  if (const std::string frozen = frozen_parameters(setup_.training); !frozen.empty())
    progress_.settings["training.freeze"] = frozen;
  for (const ir::NamedArray& p : setup_.parameters)
    store_.set(p.name, ir::ArgumentKind::parameter, p.array);
  setup_.parameters = {};
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
  if (setup_.folder->has_model())
    allow(changes(settings_of(setup_.folder->config()), setup_.model));
  Progress before = setup_.folder->resume(store_, setup_.evaluation);
  RunSettings now = std::move(progress_.settings);
  // Files of earlier versions know no settings.
  const auto changed =
      before.settings.empty() ? std::vector<SettingChange>() : allow(changes(before.settings, now));
  progress_ = std::move(before);
  progress_.settings = std::move(now);
  if (!timed()) progress_.fall = {};
  // What was best by another score says nothing.
  if (std::any_of(changed.begin(), changed.end(),
                  [](const SettingChange& c) { return c.key == "training.patience_on"; }))
    progress_.best_step = progress_.mark_step = progress_.since_best = 0;
  training_.prepare(store_);
  // An average that was given up for some steps begins anew.
  for (const SettingChange& c : changed)
    if (c.key == "optimizer.average_decay" && c.before.empty())
      store_.set("average_updates", ir::ArgumentKind::state,
                 Array::of(ir::DType::s64, {}, std::vector<int64_t>{0}));
  setup_.batches->seek(progress_.position);
  saved_step_ = progress_.step;
  resumed_ = true;
  return changed;
}

Moment Trainer::moment() const {
  const int64_t end = end_of(setup_.rate, setup_.limits);
  return {.done = progress_.step,
          .epoch = progress_.position.epoch,
          .shrinks = progress_.shrinks,
          .end = end > 0 ? end : progress_.schedule_end,
          .from = timed() ? progress_.fall.from : 0,
          .share = timed() ? progress_.fall.share : 0};
}

double Trainer::rate() const {
  return rate_of(setup_.rate, moment()) *
         std::pow(setup_.divergence.shrink, static_cast<double>(progress_.restores));
}

Counts Trainer::counts() const {
  return {.done = progress_.step,
          .epochs_done = progress_.position.epoch,
          .in_epoch = progress_.position.index,
          .batches_in_epoch = setup_.batches->batches_in_epoch()};
}

// Where the recipe says epochs and not steps.
void Trainer::find_schedule_end(const Observer& observe) {
  if (!has_end(setup_.rate) || moment().end > 0 || timed()) return;
  if (counts().batches_in_epoch == 0)
    throw ir::GraphError(concat("schedule ", name(setup_.rate.schedule),
                                " needs training.steps: how many an epoch has is not known"));
  progress_.schedule_end = end_of_epochs(setup_.limits, counts());
  if (observe)
    observe({.kind = Event::Kind::note,
             .step = progress_.step,
             .why = concat(
                 "schedule ", name(setup_.rate.schedule), " ends at step ", progress_.schedule_end,
                 "; optimizer.schedule_steps = ", progress_.schedule_end, " repeats this run")});
}

// Behind a step or a validation, where the schedule ends with the minutes.
void Trainer::follow_time(const Tally& tally, bool validated, const Observer& observe) {
  TimedFall& fall = progress_.fall;
  fall.seconds = seconds_before_ + tally.seconds();
  if (progress_.schedule_end > 0 && share_done(setup_.rate, moment()) >= 1) return;
  if (!estimate_due(fall, setup_.limits, progress_.schedule_end) &&
      !(validated && progress_.schedule_end > 0))
    return;
  const int64_t before = progress_.schedule_end;
  fall.share = share_done(setup_.rate, moment());
  fall.from = progress_.step;
  fall.estimated_at = fall.seconds;
  progress_.schedule_end = estimated_end(fall, setup_.limits, counts());
  say_schedule_end(before, observe);
}

// The first estimate, and those that differ from what was said by more than a tenth of the run.
void Trainer::say_schedule_end(int64_t before, const Observer& observe) {
  const int64_t end = progress_.schedule_end;
  const double lost =
      progress_.fall.share < 0.95 && end == progress_.step + 1 ? 1 - progress_.fall.share : 0;
  if (said_end_ == 0 && before > 0) said_end_ = before;  // by a run before
  if (!observe || (lost == 0 && said_end_ > 0 && std::abs(end - said_end_) * 10 <= end)) return;
  std::string why = concat("schedule ", name(setup_.rate.schedule),
                           " ends with the minutes: by the pace so far at step ", end);
  if (said_end_ > 0) why += concat(", no longer ", said_end_);
  if (end <= setup_.rate.warmup)
    why += concat(", before the warmup of ", setup_.rate.warmup, " steps is over");
  else if (lost > 0)
    why += concat("; the time is up: ", std::lround(lost * 100), " % of the fall is left out");
  said_end_ = end;
  observe({.kind = Event::Kind::note, .step = progress_.step, .why = why});
}

ParameterStore Trainer::model() const {
  ParameterStore model = store_;
  if (setup_.optimizer.average_decay == 0 || progress_.step == 0) return model;
  for (const auto& p : store_.parameters())
    if (const std::string average = average_path(p.name); store_.contains(average))
      model.set(p.name, ir::ArgumentKind::parameter, store_.at(average));
  return model;
}

void Trainer::diverged(const std::string& what) const {
  throw Diverged(concat("the run diverged at step ", progress_.step, ": ", what,
                        "; a lower learning rate or clip_norm may help",
                        setup_.folder && saved_step_ > 0
                            ? concat("; ", setup_.folder->path(), " holds step ", saved_step_)
                            : std::string()),
                 what);
}

void Trainer::check_finite() const {
  ir::NamedArrays arrays = store_.parameters();
  for (const auto& state : store_.states())
    if (!is_accumulator(state.name)) arrays.add(state.name, state.array);
  if (const auto name = first_not_finite(arrays))
    diverged(concat("'", *name, "' is no longer finite"));
}

// The batch's parts as the graph takes them at this step.
std::vector<ir::NamedArrays> Trainer::step_inputs(std::span<const ir::NamedArrays> parts) const {
  std::vector<ir::NamedArrays> inputs(parts.begin(), parts.end());
  for (ir::NamedArrays& part : inputs)
    part.add(data::kStep, Array::of(ir::DType::s64, {}, std::vector<int64_t>{progress_.step}));
  return inputs;
}

// Nothing is saved between the parts of a batch: a run goes on from whole updates.
double Trainer::step(std::span<const ir::NamedArrays> parts, const Observer& observe) {
  const DivergenceSettings& d = setup_.divergence;
  std::optional<std::string> fault;
  const auto sound = [&](const TrainingProgram::Result& r) {
    fault = divergence(d, progress_.levels, r.loss, r.gradient_norm);
    return !fault;
  };
  const auto result = training_.update(store_, step_inputs(parts), rate(), sound);
  gradient_norm_ = result.gradient_norm;
  ++progress_.step;
  progress_.position = setup_.batches->position();
  if (result.applied) sound(result);
  if (!fault) {
    progress_.levels.add(result.loss, result.gradient_norm);
    if (progress_.skips > 0 && ++progress_.since_skip >= kGoodSteps)
      progress_.skips = progress_.since_skip = 0;
  } else if (result.applied) {
    diverged(*fault);
  } else {
    note_skip(*fault, observe);
  }
  return result.loss;
}

void Trainer::note_skip(const std::string& what, const Observer& observe) {
  if (progress_.skips >= setup_.divergence.limit)
    diverged(concat(what, ", after ", progress_.skips, " updates that were skipped"));
  ++progress_.skips;
  progress_.since_skip = 0;
  if (observe)
    observe({.kind = Event::Kind::note,
             .step = progress_.step,
             .epoch = progress_.position.epoch,
             .why = concat("the update is skipped: ", what, " (", progress_.skips, " of ",
                           setup_.divergence.limit, ")")});
}

// Back to the last checkpoint that was due, with a lower rate; false where that may not be, or does
// not help: what the first step behind a checkpoint computes does not depend on the rate.
bool Trainer::restore(const std::string& what, bool in_step, const Observer& observe) {
  const DivergenceSettings& d = setup_.divergence;
  if (!restores() || !setup_.folder->has_good() || progress_.restores >= d.limit) return false;
  Progress before = setup_.folder->restore_good(store_, setup_.evaluation);
  before.settings = std::move(progress_.settings);
  before.restores = progress_.restores + 1;
  const int64_t diverged_at = progress_.step;
  const bool again = in_step && before.step + 1 == diverged_at;
  const TimedFall now = progress_.fall;  // what time there is does not come back
  before.fall.seconds = now.seconds, before.fall.validation = now.validation;
  before.fall.step = now.step, before.fall.measured = now.measured;
  progress_ = std::move(before);
  setup_.batches->seek(progress_.position);
  validated_step_ = -1;
  changed_ = true;
  if (again) {
    --progress_.restores;
    if (observe)
      observe({.kind = Event::Kind::note,
               .step = diverged_at,
               .epoch = progress_.position.epoch,
               .why = concat("diverged: ", what, ", right behind the checkpoint of step ",
                             progress_.step, ": a lower rate does not change that step")});
    return false;
  }
  if (observe)
    observe({.kind = Event::Kind::note,
             .step = diverged_at,
             .epoch = progress_.position.epoch,
             .why = concat("diverged: ", what, "; going on from step ", progress_.step, " at ",
                           std::pow(d.shrink, static_cast<double>(progress_.restores)),
                           " times the rate (", progress_.restores, " of ", d.limit, ")")});
  save(observe);  // a run that ends here goes on with the lower rate
  return true;
}

bool Trainer::validate(const Observer& observe, const Stop& stop, double seconds, bool ending) {
  if (!validation_.possible() || validated_step_ == progress_.step) return true;
  ParameterStore model = this->model();
  const auto scores = validation_.run(model, stop);
  if (!scores) return false;
  const double loss = scores->front().value;
  validated_step_ = progress_.step;
  if (!std::isfinite(loss)) diverged(concat("the validation loss is ", spelled_not_finite(loss)));
  const double score = find(*scores, validation_.judge().name)->value;
  if (!ending) note_due_score(progress_, validation_.judge(), score, setup_.rate.shrink_patience);
  const bool best = note_best_score(progress_, validation_.judge(), score);
  if (best && setup_.folder) {
    check_finite();
    setup_.folder->save_best(model, progress_, validation_.judge().name);
  }
  if (observe)
    observe({.kind = Event::Kind::validation,
             .step = progress_.step,
             .epoch = progress_.position.epoch,
             .loss = loss,
             .scores = *scores,
             .judge = validation_.judge().name,
             .best = best,
             .seconds = seconds});
  return true;
}

// A validation that is stopped is still due when the run goes on.
void Trainer::validate_and_save(const Tally& tally, const Observer& observe, const Stop& stop) {
  const double seconds = tally.seconds();
  progress_.validation_due = !validate(observe, stop, seconds, false);
  if (timed() && !progress_.validation_due && validation_.possible()) {
    progress_.fall.validation = tally.seconds() - seconds;
    follow_time(tally, true, observe);
  }
  changed_ = true;
  save_due(observe);
}

// What a run that diverges goes back to does not depend on where it was stopped.
void Trainer::save_due(const Observer& observe) {
  save(observe);
  if (restores()) setup_.folder->save_good(store_, progress_);
}

void Trainer::save(const Observer& observe) {
  if (!setup_.folder || (saved_step_ == progress_.step && !changed_)) return;
  check_finite();
  setup_.folder->save_last(store_, progress_);
  if (setup_.limits.keep > 0 && progress_.step > 0)
    setup_.folder->keep(model(), progress_.step, setup_.limits.keep);
  saved_step_ = progress_.step;
  changed_ = false;
  if (observe) observe({.kind = Event::Kind::saved, .step = progress_.step});
}

// A run whose rate comes down to 0 ends there.
Limits Trainer::limits() const {
  Limits limits = setup_.limits;
  const int64_t end = moment().end;
  const bool at_zero = has_end(setup_.rate) && setup_.rate.floor == 0;
  if (at_zero && end > 0 && (limits.steps == 0 || end < limits.steps)) limits.steps = end;
  return limits;
}

std::string Trainer::left_of_schedule(Ended ended) const {
  if (ended == Ended::steps && timed())
    return concat(" that the minutes allow; optimizer.schedule_steps = ", progress_.schedule_end,
                  " gives a fall of this length without a clock");
  const double share = share_left(setup_.rate, moment());
  if (ended != Ended::minutes || share < 0.01) return {};
  return concat(", with ", std::lround(share * 100), " % of the schedule's fall left");
}

// A batch, and what is due behind it. A step that is not sound, where the run goes back, is no step.
void Trainer::advance(Tally& tally, const Observer& observe, const Stop& stop) {
  const Limits& limits = setup_.limits;
  const int64_t epoch = progress_.position.epoch;
  const double begin = tally.seconds();
  bool in_step = true;
  try {
    const TrainingBatch batch = setup_.batches->next();
    const double graph_loss = step(batch.parts, observe), loss = batch.loss.value_or(graph_loss);
    in_step = false;
    // A stream stands at the first batch of an epoch when it has finished the one before.
    const bool epoch_over = progress_.position.epoch != epoch;
    tally.add(batch, loss);
    const double seconds = tally.seconds();
    if (timed()) {
      if (tally.steps() > kNotMeasured) progress_.fall.add_step(seconds - begin);
      follow_time(tally, false, observe);
    }
    const bool due =
        limits.validate_every > 0 ? progress_.step % limits.validate_every == 0 : epoch_over;
    if (due) validate_and_save(tally, observe, stop);
    if (limits.save_every > 0 && progress_.step % limits.save_every == 0) save_due(observe);
    const double away = tally.seconds() - seconds;
    if (observe) say_step(tally, epoch, loss, batch.loss_name, seconds, observe);
    tally.add_away(away);
  } catch (const Diverged& e) {
    if (!restore(e.reason, in_step, observe)) throw;
  }
}

void Trainer::say_step(const Tally& tally, int64_t epoch, double loss, std::string_view loss_name,
                       double seconds, const Observer& observe) {
  const double per_step = tally.seconds_per_step(seconds);
  const Limits limits = this->limits();
  if (!warned_ && limits.minutes > 0 && !timed() &&
      seconds > limits.minutes * 6) {  // a tenth of them
    warned_ = true;
    if (const auto text = time_warning(setup_.rate, limits, moment(), seconds, per_step))
      observe({.kind = Event::Kind::note, .step = progress_.step, .why = *text});
  }
  observe({.step = progress_.step,
           .epoch = epoch,
           .loss = tally.smoothed_loss(),
           .batch_loss = loss,
           .loss_name = loss_name,
           .gradient_norm = gradient_norm_,
           .rate = rate(),
           .examples_per_second = tally.examples_per_second(seconds),
           .tokens_per_second = tally.tokens_per_second(seconds),
           .seconds = seconds,
           .seconds_left = seconds_left(limits, progress_, setup_.batches->batches_in_epoch(),
                                        seconds, per_step)});
}

Ended Trainer::run(const Observer& observe, const Stop& stop) {
  const auto held = setup_.folder ? setup_.folder->lock() : nullptr;
  Tally tally(setup_.clock);
  seconds_before_ = progress_.fall.seconds;
  bool asked = false;  // a stop that was asked for stays so
  const Stop stopped = [&] { return asked = asked || (stop && stop()); };
  setup_.batches->follow(store_);
  find_schedule_end(observe);
  const bool begins = setup_.folder && !resumed_ && saved_step_ < 0;
  if (begins) {
    setup_.folder->check_free();
    save(observe);  // what a run goes on from that ends before the first validation
  }
  if (restores() && (begins || !setup_.folder->has_good()))
    setup_.folder->save_good(store_, progress_);
  tally.begin_steps();
  if (progress_.validation_due) validate_and_save(tally, observe, stopped);
  std::optional<Ended> ended = limit_reached(limits(), progress_, 0);
  if (!ended && stopped()) ended = Ended::stopped;
  while (!ended) {
    advance(tally, observe, stopped);
    ended = limit_reached(limits(), progress_, tally.seconds());
    if (!ended && stopped()) ended = Ended::stopped;
  }
  // The last model may be the best. This validation leaves no trace in what resuming goes on from.
  if (*ended != Ended::stopped) validate(observe, stopped, tally.seconds(), true);
  save(observe);
  if (observe)
    observe({.kind = Event::Kind::finished,
             .step = progress_.step,
             .epoch = progress_.position.epoch,
             .seconds = tally.seconds(),
             .why = concat(why(*ended), left_of_schedule(*ended))});
  return *ended;
}

}  // namespace weft::training
