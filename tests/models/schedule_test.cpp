// tests/models/schedule_test.cpp -- rates of steps against PyTorch, Hugging Face, fairseq and papers.
#include "models/training/schedule.h"

#include "frontend/formats/npz.h"
#include "models/training/schedule_end.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/small_training.h"
#include "tests/support/oracle_cases.h"

#include <doctest/doctest.h>

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
  CHECK(found_end({.epochs = 3}, {.done = 50, .epochs_done = 1, .batches_in_epoch = 50}, {}) ==
        150);
  // 60 s, of which 2 are kept back and 8 are spent: 50 s of 0.4 + 0.1 s each
  const Pace pace{.step = 0.4, .validation = 1, .spent = 7};
  CHECK(found_end({.minutes = 1, .validate_every = 10}, {}, pace) == 100);
  CHECK(found_end({.epochs = 1, .minutes = 1, .validate_every = 10}, {.batches_in_epoch = 20},
                  pace) == 20);
  CHECK(found_end({.minutes = 0.01}, {.done = 7}, pace) == 8);
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

TEST_CASE("schedule: a run over minutes ends where its schedule does, and says how to repeat it") {
  Seq2seqRun s = tests::small_setup(0);
  s.limits = {.minutes = 0.005};
  s.rate = {.learning_rate = 0.01, .schedule = Schedule::linear};
  Trainer trainer(s);
  std::string note, why;
  double last = 1;
  CHECK(trainer.run([&](const Event& e) {
    if (e.kind == Event::Kind::note && note.empty()) note = e.why;
    if (e.kind == Event::Kind::step) last = e.rate;
    if (e.kind == Event::Kind::finished) why = e.why;
  }) != Ended::stopped);
  const int64_t end = trainer.progress().schedule_end;
  CHECK(end > 0);
  CHECK(note.find("optimizer.schedule_steps = " + std::to_string(end)) != note.npos);
  // Under a sanitizer, or beside other work, the time may be up before.
  if (why == "all steps are done") {
    CHECK(trainer.progress().step == end);
    CHECK(last == 0);
  } else {
    CHECK(why.starts_with("the time is up"));
  }
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
