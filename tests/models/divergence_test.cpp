// tests/models/divergence_test.cpp -- steps that are not sound: told, left out, gone back from.
#include "models/training/divergence.h"

#include "tests/formats/temporary_folder.h"
#include "tests/models/own_graph.h"

#include <doctest/doctest.h>

#include <filesystem>

using namespace weft;
using namespace weft::training;
using tests::own_setup;
using tests::TemporaryFolder;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> notes_of(Trainer& trainer) {
  std::vector<std::string> notes;
  trainer.run([&](const Event& e) {
    if (e.kind == Event::Kind::note) notes.push_back(e.why);
  });
  return notes;
}

bool same_parameters(Trainer& a, Trainer& b) {
  for (const auto& p : a.store().parameters())
    for (int64_t i = 0; i < p.array.size(); ++i)
      if (p.array.at(i) != b.store().at(p.name).at(i)) return false;
  return true;
}

// At a rate that is far too high: the loss explodes at once.
TrainerSetup exploding(int64_t steps, const std::string& folder) {
  TrainerSetup s = own_setup(steps, folder);
  s.rate.learning_rate = 40;
  s.divergence = {.action = OnDivergence::restore, .factor = 3, .limit = 20, .shrink = 0.25};
  s.limits.validate_every = 150;
  return s;
}

}  // namespace

TEST_CASE("divergence: what is not finite, and what is far above its mean, is told") {
  RunningLevels levels;
  DivergenceSettings s{.action = OnDivergence::skip};
  CHECK(divergence(s, levels, kNaN, 1) == "the loss is NaN");
  CHECK(divergence(s, levels, 1, INFINITY) == "the norm of the gradients is infinite");
  CHECK_FALSE(divergence(s, levels, 1e6, 1e6));  // nothing is known yet
  for (int i = 0; i < 200; ++i) levels.add(0.01, 2);
  CHECK(levels.gradient_norm == doctest::Approx(2));
  CHECK_FALSE(divergence(s, levels, 29, 59));  // means below 1 count as 1
  CHECK(divergence(s, levels, 31, 2) == "the loss is 31, its running mean 0.01");
  CHECK(divergence(s, levels, 1, 61) == "the norm of the gradients is 61, its running mean 2");
  s.action = OnDivergence::stop;  // clipping takes care of a norm
  CHECK_FALSE(divergence(s, levels, 1, 61));
  CHECK(divergence(s, levels, 1, kNaN));
  s.factor = 0;
  CHECK_FALSE(divergence(s, levels, 1e9, 1));
}

TEST_CASE("training: graphs and batches of one's own train, validate, and go on bit for bit") {
  const TemporaryFolder folder;
  Trainer whole(own_setup(40, folder / "whole"));
  const EvaluationBatches valid = tests::OwnBatches().validation();
  const double before = whole.evaluate(valid);
  CHECK(whole.run() == Ended::steps);
  CHECK(whole.evaluate(valid) < before);
  CHECK(whole.progress().position.epoch == 4);
  CHECK(whole.progress().best_step > 0);
  Trainer(own_setup(17, folder / "parts")).run();
  Trainer second(own_setup(40, folder / "parts"));
  CHECK(second.resume().empty());
  second.run();
  CHECK(tests::bytes_of(folder / "whole/last.safetensors") ==
        tests::bytes_of(folder / "parts/last.safetensors"));
}

TEST_CASE(
    "divergence: a skipped update leaves parameters and state as if its batch were not there") {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam}) {
    const auto setup = [&](int64_t steps) {
      TrainerSetup s = own_setup(steps);
      s.optimizer.kind = kind;
      s.divergence.action = OnDivergence::skip;
      return s;
    };
    TrainerSetup with = setup(30), without = setup(28);
    const auto poisoned = std::make_shared<tests::OwnBatches>(),
               left_out = std::make_shared<tests::OwnBatches>();
    poisoned->poisoned = left_out->left_out = {7, 21};
    with.batches = poisoned, without.batches = left_out;
    Trainer a(with), b(without);
    const std::vector<std::string> notes = notes_of(a);
    REQUIRE(notes.size() == 2);
    CHECK(notes[0] == "the update is skipped: the loss is NaN (1 of 10)");
    CHECK(notes[1] == "the update is skipped: the loss is NaN (2 of 10)");
    b.run();
    CHECK(same_parameters(a, b));
  }
}

TEST_CASE("divergence: skips are limited, and counted across a stop") {
  const TemporaryFolder folder;
  const auto setup = [&](int64_t steps, const char* name) {
    TrainerSetup s = own_setup(steps, folder / name);
    s.divergence = {.action = OnDivergence::skip, .limit = 2};
    const auto batches = std::make_shared<tests::OwnBatches>();
    batches->poisoned = {3, 4, 14};
    s.batches = batches;
    return s;
  };
  const auto end_of = [](Trainer& trainer) {
    return tests::message_of<Diverged>([&] { trainer.run(); });
  };
  Trainer whole(setup(30, "whole"));
  const std::string end = end_of(whole);
  CHECK(end.find("diverged at step 15: the loss is NaN, after 2 updates that were skipped") !=
        end.npos);
  Trainer(setup(8, "parts")).run();
  Trainer second(setup(30, "parts"));
  CHECK(second.resume().empty());
  CHECK(second.progress().skips == 2);
  CHECK(end_of(second).find("diverged at step 15: the loss is NaN, after 2 updates") !=
        std::string::npos);
  CHECK(second.progress().step == whole.progress().step);
}

TEST_CASE(
    "divergence: a run goes back to its last checkpoint with a lower rate until it is sound") {
  const TemporaryFolder folder;
  Trainer trainer(exploding(300, folder / "model"));
  const std::vector<std::string> notes = notes_of(trainer);
  REQUIRE(!notes.empty());
  CHECK(notes[0].find("diverged: the loss is ") == 0);
  CHECK(notes[0].find("; going on from step 0 at 0.25 times the rate (1 of 20)") != notes[0].npos);
  CHECK(trainer.progress().restores == std::ssize(notes));
  CHECK(trainer.progress().step == 300);
  CHECK(std::isfinite(trainer.progress().best_score));
}

TEST_CASE("divergence: where a run was stopped changes nothing of what it goes back to") {
  const TemporaryFolder folder;
  Trainer whole(exploding(300, folder / "whole"));
  whole.run();
  {  // stopped where nothing is due, before it diverges for the first time
    Trainer first(exploding(300, folder / "parts"));
    CHECK(first.run({}, [&] { return first.progress().step == 2; }) == Ended::stopped);
  }
  {  // and once it has gone back
    Trainer next(exploding(300, folder / "parts"));
    CHECK(next.resume().empty());
    CHECK(next.run({}, [&] { return next.progress().restores == 1; }) == Ended::stopped);
  }
  Trainer last(exploding(300, folder / "parts"));
  CHECK(last.resume().empty());
  last.run();
  CHECK(last.progress() == whole.progress());
  for (const char* name : {"/last.safetensors", "/best.safetensors", "/good.safetensors"})
    CHECK_MESSAGE(
        tests::bytes_of((folder / "whole") + name) == tests::bytes_of((folder / "parts") + name),
        name);
}

TEST_CASE(
    "divergence: the step right behind a checkpoint is the same at any rate, so the run ends") {
  const TemporaryFolder folder;
  TrainerSetup s = own_setup(30, folder / "model");
  s.divergence = {.action = OnDivergence::restore, .limit = 3};
  s.limits.save_every = 6;
  const auto batches = std::make_shared<tests::OwnBatches>();
  batches->poisoned = {6};  // counted from 0
  s.batches = batches;
  Trainer trainer(s);
  std::vector<std::string> notes;
  const std::string end = tests::message_of<Diverged>([&] {
    trainer.run([&](const Event& e) {
      if (e.kind == Event::Kind::note) notes.push_back(e.why);
    });
  });
  CHECK(end.find("diverged at step 7: the loss is NaN") != end.npos);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0] ==
        "diverged: the loss is NaN, right behind the checkpoint of step 6: a lower rate does not "
        "change that step");
  CHECK(trainer.progress().restores == 0);
}

TEST_CASE("divergence: what a lower rate does not cure ends, and restoring needs a folder") {
  const TemporaryFolder folder;
  TrainerSetup s = own_setup(30, folder / "model");
  s.divergence = {.action = OnDivergence::restore, .limit = 3};
  const auto batches = std::make_shared<tests::OwnBatches>();
  batches->poisoned = {7};
  s.batches = batches;
  Trainer trainer(s);
  CHECK(tests::message_of<Diverged>([&] { trainer.run(); }).find("the loss is NaN") !=
        std::string::npos);
  CHECK(trainer.progress().restores == 3);
  s.folder.reset();
  CHECK(tests::message_of<ir::GraphError>([&] { Trainer{s}; }).find("needs a folder") !=
        std::string::npos);
}
