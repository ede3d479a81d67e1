// tests/models/schedule_test.cpp -- rates of steps against PyTorch, Hugging Face, fairseq and papers.
#include "models/training/schedule.h"

#include "frontend/formats/npz.h"
#include "models/training/schedule_end.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/own_graph.h"
#include "tests/models/small_training.h"
#include "tests/support/oracle_cases.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <memory>

using namespace weft;
using namespace weft::training;

namespace {

// The rate of each of the first `n` steps.
std::vector<double> rates(const Rate& r, int64_t n, int64_t end = 0) {
  std::vector<double> all;
  for (int64_t done = 0; done < n; ++done) all.push_back(rate_of(r, {.done = done, .end = end}));
  return all;
}

struct Column {
  const char* name;
  Rate rate;
  int64_t end = 0, from = 0, to = 200;  // the steps compared
};

void check_columns(const std::string& file, const std::vector<Column>& columns) {
  const ir::NamedArrays oracle = formats::read_npz(file);
  for (const Column& c : columns) {
    CAPTURE(c.name);
    const ir::Array& expected = oracle.at(c.name);
    const std::vector<double> found = rates(c.rate, c.to, c.end);
    for (int64_t i = c.from; i < c.to; ++i) {
      CAPTURE(i);
      CHECK(found[static_cast<size_t>(i)] ==
            doctest::Approx(expected.at(i)).epsilon(1e-9).scale(0.1));
    }
  }
}

}  // namespace

TEST_CASE(
    "schedule: rates are those of PyTorch, Hugging Face, fairseq and the transformer's paper") {
  if (tests::oracle_folder().empty()) return;
  using enum Schedule;
  // While they warm up, Hugging Face's first step has rate 0, ours that of their second.
  check_columns(
      (tests::oracle_folder() / "lr_schedules.npz").string(),
      {{"out/hf_linear_warmup20_total200_lr.1",
        {.learning_rate = 0.1, .schedule = linear, .warmup = 20},
        200,
        20},
       {"out/hf_cosine_warmup20_total200_lr.1",
        {.learning_rate = 0.1, .schedule = cosine, .warmup = 20},
        200,
        20},
       {"out/torch_CosineAnnealingLR_T50_eta.001_lr.1",
        {.learning_rate = 0.1, .schedule = cosine, .floor = 0.001},
        50,
        0,
        51},
       {"out/torch_CosineWarmRestarts_T20_mult2_lr.1",
        {.learning_rate = 0.1, .schedule = cosine, .restart_every = 20, .restart_stretch = 2}},
       {"out/torch_StepLR_30_.5_lr.1",
        {.learning_rate = 0.1,
         .schedule = halving,
         .halving_start = 30,
         .halving_every = 30,
         .halving_unit = Unit::steps}},
       {"out/noam_d512_w4000",
        {.learning_rate = 1, .schedule = noam, .warmup = 4000, .width = 512}},
       {"out/noam_d64_w40_f2", {.learning_rate = 2, .schedule = noam, .warmup = 40, .width = 64}},
       {"out/fairseq_inverse_sqrt_w40_init1e-7_lr5e-4",
        {.learning_rate = 5e-4, .schedule = inverse_sqrt, .warmup = 40, .warmup_from = 1e-7}}});
}

TEST_CASE("schedule: polynomial falls by its power, and stays at the floor") {
  const Rate r{.learning_rate = 1, .schedule = Schedule::polynomial, .floor = 0.2, .power = 2};
  CHECK(rate_of(r, {.done = 0, .end = 10}) == 1);
  CHECK(rate_of(r, {.done = 5, .end = 10}) == doctest::Approx(0.2 + 0.8 * 0.25));
  CHECK(rate_of(r, {.done = 10, .end = 10}) == doctest::Approx(0.2));
  CHECK(rate_of(r, {.done = 99, .end = 10}) == doctest::Approx(0.2));
}

TEST_CASE("schedule: Luong's halving begins after the fifth epoch, and the floor ends it") {
  const Rate r{.learning_rate = 1,
               .schedule = Schedule::halving,
               .floor = 0.2,
               .halving_start = 5,
               .halving_every = 1};
  const auto at = [&](int64_t epoch) { return rate_of(r, {.done = 1000, .epoch = epoch}); };
  CHECK(at(0) == 1);
  CHECK(at(4) == 1);
  CHECK(at(5) == 0.5);
  CHECK(at(6) == 0.25);
  CHECK(at(7) == 0.2);
}

TEST_CASE("schedule: shrinking multiplies any schedule, down to the floor") {
  const Rate r{.learning_rate = 1, .floor = 0.3, .shrink = 0.5};
  CHECK(rate_of(r, {.shrinks = 0}) == 1);
  CHECK(rate_of(r, {.shrinks = 1}) == 0.5);
  CHECK(rate_of(r, {.shrinks = 2}) == 0.3);
}

TEST_CASE("schedule: an end that the recipe does not say comes from epochs, or from minutes") {
  CHECK(end_of_epochs({.epochs = 3}, {.done = 50, .epochs_done = 1, .batches_in_epoch = 50}) ==
        150);
  CHECK(end_of_epochs({.epochs = 3},
                      {.done = 60, .epochs_done = 1, .in_epoch = 10, .batches_in_epoch = 50}) ==
        150);
  // 60 s, of which 0.3 are kept back and 1 is for the last validation: 11 times 10 steps and a
  // validation take 55 s, nine more steps 3.6.
  TimedFall fall{.step = 0.4, .validation = 1};
  const Limits l{.minutes = 1, .validate_every = 10};
  CHECK(estimated_end(fall, l, {}) == 119);
  CHECK(estimated_end(fall, l, {.done = 5}) == 121);  // a validation is nearer
  CHECK(estimated_end(fall, {.epochs = 1, .minutes = 1, .validate_every = 10},
                      {.batches_in_epoch = 20}) == 20);
  fall.seconds = 58;  // 0.7 s are left
  CHECK(estimated_end(fall, l, {.done = 200}) == 201);
  fall.seconds = 70;
  CHECK(estimated_end(fall, l, {.done = 200}) == 201);
  CHECK(is_timed({.schedule = Schedule::linear}, {.minutes = 1}));
  CHECK_FALSE(is_timed({.schedule = Schedule::linear}, {.steps = 9, .minutes = 1}));
  CHECK_FALSE(is_timed({.schedule = Schedule::linear, .schedule_steps = 9}, {.minutes = 1}));
  CHECK_FALSE(is_timed({}, {.minutes = 1}));
}

TEST_CASE("schedule: from an estimate on it goes evenly from where it is to its end") {
  const Rate r{.learning_rate = 1, .schedule = Schedule::linear, .warmup = 10};
  CHECK(rate_of(r, {.done = 50}) == 1);  // no end is known
  CHECK(rate_of(r, {.done = 50, .end = 90}) == doctest::Approx(0.5));
  CHECK(rate_of(r, {.done = 50, .end = 70, .from = 50, .share = 0.4}) == doctest::Approx(0.6));
  CHECK(rate_of(r, {.done = 60, .end = 70, .from = 50, .share = 0.4}) == doctest::Approx(0.3));
  CHECK(rate_of(r, {.done = 70, .end = 70, .from = 50, .share = 0.4}) == doctest::Approx(0));
  CHECK(rate_of(r, {.done = 10, .end = 30, .from = 5}) == 1);  // it begins behind the warmup
}

TEST_CASE("schedule: it is said where the time will be up before the schedule is") {
  const Rate r{.schedule = Schedule::linear};
  const Limits l{.steps = 1000, .minutes = 1};
  const Moment m{.done = 60, .end = 1000};
  CHECK(time_warning(r, l, m, 6, 0.1)
            ->starts_with("at this speed the time is up at step 600, but the schedule ends at step "
                          "1000: 40 % of its fall would be left"));
  CHECK(!time_warning(r, l, m, 6, 0.05));
  CHECK(!time_warning({}, l, m, 6, 0.1));
}

namespace {

// A clock that stands still but for what steps and validations are said to take.
struct FakeTime {
  double now = 0;
  std::function<double(double now)> step = [](double) { return 0.25; };
  std::function<double(double now)> validation = [](double) { return 1.0; };
};

class TimedBatches final : public BatchMaker {
 public:
  explicit TimedBatches(std::shared_ptr<FakeTime> time) : time_(std::move(time)) {}

  TrainingBatch next() override {
    time_->now += time_->step(time_->now);
    return batches_.next();
  }
  Position position() const override { return batches_.position(); }
  void seek(Position position) override { batches_.seek(position); }
  int64_t batches_in_epoch() const override { return batches_.batches_in_epoch(); }
  EvaluationBatches validation() const override {
    return {.count = 1, .make = [time = time_, all = batches_.validation()](int64_t i) {
              time->now += time->validation(time->now);
              return all.make(i);
            }};
  }

 private:
  tests::OwnBatches batches_;
  std::shared_ptr<FakeTime> time_;
};

TrainerSetup timed_setup(const std::shared_ptr<FakeTime>& time, const std::string& folder = {}) {
  TrainerSetup s = tests::own_setup(0, folder);
  s.batches = std::make_shared<TimedBatches>(time);
  s.limits = {.minutes = 1, .validate_every = 20};
  s.rate = {.learning_rate = 0.1, .schedule = Schedule::linear, .warmup = 4};
  s.clock = [time] { return time->now; };
  return s;
}

struct TimedRun {
  Ended ended;
  std::vector<double> rates;
  std::vector<std::string> notes;
  std::string why;
};

TimedRun run_timed(Trainer& trainer, int64_t stop_after = 0) {
  TimedRun r;
  r.ended = trainer.run(
      [&](const Event& e) {
        if (e.kind == Event::Kind::step) r.rates.push_back(e.rate);
        if (e.kind == Event::Kind::note) r.notes.push_back(e.why);
        if (e.kind == Event::Kind::finished) r.why = e.why;
      },
      [&] { return stop_after > 0 && std::ssize(r.rates) >= stop_after; });
  return r;
}

}  // namespace

TEST_CASE("schedule: by time it falls to its end in time, whatever becomes slower or faster") {
  const auto time = std::make_shared<FakeTime>();
  SUBCASE("all goes evenly") {}
  SUBCASE("an untrained model is validated slowly") {
    time->validation = [](double now) { return now < 10 ? 8.0 : 0.5; };
  }
  SUBCASE("the machine slows down in the middle") {
    time->step = [](double now) { return now < 30 ? 0.125 : 0.5; };
  }
  SUBCASE("the machine speeds up") {
    time->step = [](double now) { return now < 20 ? 0.5 : 0.125; };
  }
  SUBCASE("steps differ") {
    time->step = [](double now) { return 0.2 + 0.15 * std::sin(7 * now); };
  }
  Trainer trainer(timed_setup(time));
  const TimedRun r = run_timed(trainer);
  CHECK(r.ended == Ended::steps);
  CHECK(trainer.progress().step == trainer.progress().schedule_end);
  CHECK(time->now <= 61);  // the last step may begin just before
  CHECK(time->now >= 57);
  REQUIRE(r.rates.size() > 50);
  CHECK(r.rates.back() == 0);  // of the step that is no more
  for (size_t i = 5; i < r.rates.size(); ++i) {
    CHECK(r.rates[i] <= r.rates[i - 1]);
    CHECK(r.rates[i - 1] - r.rates[i] < 0.1 * 0.05);  // nothing is left out
  }
  REQUIRE_FALSE(r.notes.empty());
  CHECK(
      r.notes[0].starts_with("schedule linear ends with the minutes: by the pace so far at step"));
  CHECK(r.why == "all steps are done that the minutes allow; optimizer.schedule_steps = " +
                     std::to_string(trainer.progress().step) +
                     " gives a fall of this length without a clock");
}

TEST_CASE(
    "schedule: a run by time that goes on has the minutes that are left, and the same rates") {
  const tests::TemporaryFolder folder;
  const auto trainer = [&](const std::string& name, const std::shared_ptr<FakeTime>& time) {
    return Trainer(timed_setup(time, folder / name));
  };
  Trainer whole = trainer("whole", std::make_shared<FakeTime>());
  run_timed(whole);
  for (const int64_t stop : {30, 63, 61}) {
    const auto time = std::make_shared<FakeTime>();
    time->now = 1000;  // another process, another clock
    Trainer part = trainer("parts", time);
    if (stop != 30) part.resume();
    CHECK(run_timed(part, stop).ended == Ended::stopped);
  }
  Trainer last = trainer("parts", std::make_shared<FakeTime>());
  CHECK(last.resume().empty());
  CHECK(run_timed(last).ended == Ended::steps);
  CHECK(tests::bytes_of(folder / "whole/last.safetensors") ==
        tests::bytes_of(folder / "parts/last.safetensors"));
  TrainerSetup other = timed_setup(std::make_shared<FakeTime>(), folder / "parts");
  other.limits.minutes = 2;
  Trainer longer(other);
  const auto changes = longer.resume();
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].str() == "training.minutes was 1, is 2");
}

TEST_CASE("schedule: what could not be foreseen is said") {
  const auto time = std::make_shared<FakeTime>();
  time->step = [](double now) { return now > 20 && now < 21 ? 39.0 : 0.25; };  // it was suspended
  Trainer trainer(timed_setup(time));
  const TimedRun r = run_timed(trainer);
  CHECK(r.notes.back().find("the time is up: ") != std::string::npos);
  const auto slow = std::make_shared<FakeTime>();
  TrainerSetup s = timed_setup(slow);
  s.rate.warmup = 1000;
  Trainer warm(s);
  CHECK(run_timed(warm).notes[0].ends_with("before the warmup of 1000 steps is over"));
}

TEST_CASE("schedule: what a run found goes with it, and the rates go on") {
  const tests::TemporaryFolder folder;
  const auto setup = [&](const std::string& name, int64_t epochs) {
    Seq2seqRun s = tests::small_setup(0, folder / name);
    s.limits = {.epochs = epochs};
    s.rate = {.learning_rate = 0.01, .schedule = Schedule::cosine, .warmup = 2};
    return s;
  };
  Trainer whole(setup("whole", 3));
  whole.run();
  CHECK(whole.progress().schedule_end == 24);
  int64_t steps = 0;
  Trainer first(setup("parts", 3));
  CHECK(first.run([&](const Event& e) { steps += e.kind == Event::Kind::step ? 1 : 0; },
                  [&] { return steps == 5; }) == Ended::stopped);
  Trainer second(setup("parts", 3));
  second.resume();
  CHECK(second.progress().schedule_end == 24);
  second.run();
  CHECK(tests::bytes_of(folder / "whole/last.safetensors") ==
        tests::bytes_of(folder / "parts/last.safetensors"));
}

TEST_CASE("schedule: plateau shrinks after so many validations in a row without a better one") {
  Seq2seqRun s = tests::small_setup(12);
  s.limits.validate_every = 2;
  s.rate = {.learning_rate = 1e-30, .shrink = 0.5, .shrink_patience = 2};  // nothing improves
  s.optimizer.kind = OptimizerKind::sgd;
  Trainer trainer(s);
  trainer.run();
  // Equal losses count as better.
  CHECK(trainer.progress().shrinks == 0);
  s.rate.learning_rate = 1;
  s.optimizer.clip_norm = 0;
  for (const int64_t patience : {1, 2}) {
    s.rate.shrink_patience = patience;
    Trainer wild(s);
    int64_t bad = 0, row = 0, expected = 0;
    double best = 1e30;
    wild.run([&](const Event& e) {
      if (e.kind != Event::Kind::validation) return;
      row = e.loss <= best ? 0 : row + 1;
      best = std::min(best, e.loss);
      bad += row > 0 ? 1 : 0;
      expected += row > 0 && row % patience == 0 ? 1 : 0;
    });
    CHECK(wild.progress().shrinks == expected);
  }
}
