// tests/models/resume_test.cpp -- stopping, going on to the bit, and what must stay as it was.
#include "tests/formats/temporary_folder.h"
#include "tests/models/small_training.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <functional>

using namespace weft;
using namespace weft::training;
using tests::small_setup;
using tests::TemporaryFolder;

namespace {

std::vector<data::EncodedExample> without_last(const data::ExampleStore& examples) {
  auto all = examples.all();
  all.pop_back();
  return all;
}

}  // namespace

TEST_CASE("training: N + M steps are the same bytes as N, stop, resume, M") {
  const TemporaryFolder folder;
  Trainer whole(small_setup(23, folder / "whole"));
  whole.run();
  {
    Trainer first(small_setup(10, folder / "parts"));
    CHECK(first.run() == Ended::steps);
  }
  Trainer second(small_setup(23, folder / "parts"));
  second.resume();
  CHECK(second.progress().step == 10);
  second.run();
  for (const char* name : {"/last.safetensors", "/state-23.safetensors", "/model.toml"})
    CHECK_MESSAGE(
        tests::bytes_of((folder / "whole") + name) == tests::bytes_of((folder / "parts") + name),
        name);
}

TEST_CASE("training: a file that is larger than what is shuffled together goes on to the bit") {
  const TemporaryFolder folder;
  const std::string key(16, 'k');
  Seq2seqRun run = small_setup(23, folder / "whole");
  {
    data::ExampleWriter writer(folder / "examples", {.key = key, .block_bytes = 500});
    for (const data::EncodedExample& e : run.train.all()) writer.add(e);
    writer.commit();
  }
  run.train = *data::ExampleStore::open(folder / "examples", key);
  run.batch.shuffle_bytes = 1500;
  REQUIRE(run.train.blocks().size() > 3);
  Trainer(run).run();
  run.folder = small_setup(10, folder / "parts").folder;
  run.limits.steps = 10;
  Trainer(run).run();
  run.limits.steps = 23;
  Trainer second(run);
  second.resume();
  second.run();
  CHECK(tests::bytes_of(folder / "whole/last.safetensors") ==
        tests::bytes_of(folder / "parts/last.safetensors"));
  run.batch.shuffle_bytes = 3000;
  CHECK(tests::message_of<OtherRun>([&] {
          Trainer(run).resume();
        }).find("batch.shuffle_bytes was 1500, is 3000") != std::string::npos);
}

TEST_CASE("training: a stop finishes the step, saves, and can go on") {
  const TemporaryFolder folder;
  Trainer trainer(small_setup(100, folder / "model"));
  int asked = 0;
  CHECK(trainer.run({}, [&] { return ++asked == 6; }) == Ended::stopped);
  CHECK(trainer.progress().step == 5);
  Trainer next(small_setup(100, folder / "model"));
  next.resume();
  CHECK(next.progress().step == 5);
  CHECK(next.progress() == trainer.progress());
}

TEST_CASE("training: what diverges ends with the step, and no NaN is saved or counts as best") {
  const TemporaryFolder folder;
  Seq2seqRun s = small_setup(50, folder / "model");
  s.rate = {.learning_rate = 1e6};
  s.limits = {.steps = 50, .validate_every = 1};
  s.optimizer = {.kind = OptimizerKind::sgd, .clip_norm = 0};
  Trainer trainer(s);
  const std::string message = tests::message_of<ir::RuntimeError>([&] { trainer.run(); });
  INFO(message);
  CHECK(message.find("diverged at step ") != message.npos);
  CHECK(message.find("nan") == message.npos);
  for (const char* name : {"/last.safetensors", "/best.safetensors"})
    if (std::filesystem::exists((folder / "model") + name))
      CHECK_FALSE(first_not_finite(formats::read_safetensors((folder / "model") + name)));
  CHECK(std::isfinite(trainer.progress().best_score));
}

TEST_CASE("training: a run goes on as it was, or what is different is refused or said by key") {
  const TemporaryFolder folder;
  Trainer(small_setup(7, folder / "model")).run();
  const auto resumed = [&](const std::function<void(Seq2seqRun&)>& change) {
    Seq2seqRun s = small_setup(20, folder / "model");
    change(s);
    Trainer trainer(s);
    std::string text;
    for (const SettingChange& c : trainer.resume()) text += c.str() + "; ";
    return text;
  };
  const auto refusal = [&](const std::function<void(Seq2seqRun&)>& change) {
    return tests::message_of<OtherRun>([&] { resumed(change); });
  };
  const auto has = [](const std::string& text, const char* part) {
    INFO(text);
    CHECK(text.find(part) != text.npos);
  };
  CHECK(resumed([](Seq2seqRun&) {}) == "");
  has(refusal([](Seq2seqRun& s) { s.optimizer.kind = OptimizerKind::sgd; }),
      "optimizer.kind was adam, is sgd");
  has(refusal([](Seq2seqRun& s) { s.train = without_last(s.train); }),
      "data.train holds other examples than before");
  has(refusal([](Seq2seqRun& s) { s.seed = 4; }), "training.seed was 3, is 4");
  has(refusal([](Seq2seqRun& s) { s.batch.max_rows = 4; }), "batch.max_rows was 8, is 4");
  has(refusal([](Seq2seqRun& s) { s.config = tests::small_config(9); }),
      "model.hidden was 8, is 9");
  has(resumed([](Seq2seqRun& s) { s.rate.learning_rate = 0.02; }),
      "optimizer.learning_rate was 0.01, is 0.02");
  has(resumed([](Seq2seqRun& s) { s.valid = without_last(s.valid); }),
      "data.valid holds other examples than before");
  has(resumed([](Seq2seqRun& s) { s.optimizer.beta1 = 0.8; }), "optimizer.beta1 was 0.9, is 0.8");
}

TEST_CASE("training: validating the last model leaves no trace in a run that goes on") {
  const TemporaryFolder folder;
  const auto setup = [&](int64_t steps, const char* name) {
    Seq2seqRun s = small_setup(steps, folder / name);
    s.limits.validate_every = 4;
    s.rate = {.learning_rate = 0.3, .shrink = 0.5};  // restless: the best changes
    return s;
  };
  Trainer(setup(40, "whole")).run();
  for (const int64_t steps : {6, 11, 18, 27, 33, 40}) {
    Trainer part(setup(steps, "parts"));
    if (steps > 6) part.resume();
    part.run();
  }
  CHECK(tests::bytes_of((folder / "whole") + "/last.safetensors") ==
        tests::bytes_of((folder / "parts") + "/last.safetensors"));
}

TEST_CASE(
    "training: with batches in parts, too, stopping and resuming gives the bytes of one run") {
  const TemporaryFolder folder;
  const auto setup = [&](int64_t steps, const char* name) {
    Seq2seqRun s = small_setup(steps, folder / name);
    s.batch.accumulate = 3;
    return s;
  };
  Trainer(setup(13, "whole")).run();
  Trainer(setup(5, "parts")).run();
  Trainer second(setup(13, "parts"));
  CHECK(second.resume().empty());
  second.run();
  for (const char* name : {"/last.safetensors", "/state-13.safetensors"})
    CHECK(tests::bytes_of((folder / "whole") + name) == tests::bytes_of((folder / "parts") + name));
  for (const auto& entry : formats::read_safetensors((folder / "whole") + "/state-13.safetensors"))
    CHECK_FALSE(is_accumulator(entry.name));
}

TEST_CASE("training: a run that does not go on never takes the place of what was learnt") {
  const TemporaryFolder folder;
  Trainer(small_setup(3, folder / "model")).run();
  const std::string before = tests::bytes_of(folder / "model/last.safetensors");
  Trainer again(small_setup(3, folder / "model"));
  CHECK(tests::message_of<ir::GraphError>([&] { again.run(); }).find("holds a model already") !=
        std::string::npos);
  CHECK(tests::bytes_of(folder / "model/last.safetensors") == before);
}

TEST_CASE("training: a validation that is stopped is made up for when the run goes on") {
  const TemporaryFolder folder;
  Trainer(small_setup(21, folder / "whole")).run();
  Trainer first(small_setup(21, folder / "parts"));
  int64_t validations = 0;
  const auto stop = [&] { return first.progress().step == 14; };  // first asked while it validates
  CHECK(first.run([&](const Event& e) { validations += e.kind == Event::Kind::validation ? 1 : 0; },
                  stop) == Ended::stopped);
  CHECK(first.progress().step == 14);
  CHECK(first.progress().validation_due);
  CHECK(validations == 1);
  Trainer second(small_setup(21, folder / "parts"));
  CHECK(second.resume().empty());
  CHECK(second.run() == Ended::steps);
  for (const char* name : {"/last.safetensors", "/best.safetensors", "/state-21.safetensors"})
    CHECK(tests::bytes_of((folder / "whole") + name) == tests::bytes_of((folder / "parts") + name));
}
