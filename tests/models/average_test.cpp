// tests/models/average_test.cpp -- moving averages as models, and means of checkpoints.
#include "models/training/folder/average.h"

#include "tests/formats/temporary_folder.h"
#include "tests/models/small_training.h"

#include <doctest/doctest.h>

#include <filesystem>

using namespace weft;
using namespace weft::training;
using tests::small_setup;
using tests::TemporaryFolder;

namespace {

Seq2seqRun averaged(int64_t steps, const std::string& folder) {
  Seq2seqRun s = small_setup(steps, folder);
  s.optimizer.average_decay = 0.9;
  return s;
}

void check_equal(const ir::Array& a, const ir::Array& b) {
  REQUIRE(a.dims() == b.dims());
  for (int64_t i = 0; i < a.size(); ++i) CHECK(a.at(i) == b.at(i));
}

}  // namespace

TEST_CASE("average: the moving average is what is validated, saved and loaded") {
  const TemporaryFolder folder;
  Trainer trainer(averaged(14, folder / "m"));
  trainer.run();
  const ParameterStore model = trainer.model();
  const std::string path = trainer.store().parameters().begin()->name;
  CHECK(trainer.store().at(path).at(0) != model.at(path).at(0));
  check_equal(model.at(path), trainer.store().at(average_path(path)));
  REQUIRE(trainer.progress().best_step == 14);
  const ModelFolder saved(folder / "m");
  check_equal(saved.load(ir::DType::f32, Which::best).at(path), model.at(path));
  check_equal(saved.load(ir::DType::f32, Which::last).at(path), model.at(path));
}

TEST_CASE("average: a run with a moving average goes on bit for bit") {
  const TemporaryFolder folder;
  Trainer whole(averaged(12, folder / "whole"));
  whole.run();
  Trainer(averaged(5, folder / "parts")).run();
  Trainer second(averaged(12, folder / "parts"));
  second.resume();
  second.run();
  for (const char* name : {"/last.safetensors", "/state-12.safetensors", "/best.safetensors"})
    CHECK_MESSAGE(
        tests::bytes_of((folder / "whole") + name) == tests::bytes_of((folder / "parts") + name),
        name);
}

TEST_CASE("average: so many checkpoints stay, and their mean is a model of its own") {
  const TemporaryFolder folder;
  Seq2seqRun s = small_setup(10, folder / "run");
  s.limits.save_every = 2;
  s.limits.keep = 3;
  Trainer(s).run();
  const ModelFolder run(folder / "run");
  const std::vector<std::string> kept = run.kept();
  REQUIRE(kept.size() == 3);
  CHECK(kept[0].ends_with("checkpoint-7.safetensors"));  // validated there
  CHECK(kept[2].ends_with("checkpoint-10.safetensors"));
  const ModelFolder mean(folder / "mean");
  average(run, kept, mean);
  const ParameterStore found = mean.load();
  const std::string path = found.parameters().begin()->name;
  for (int64_t i = 0; i < found.at(path).size(); ++i) {
    double sum = 0;
    for (const std::string& file : kept) sum += run.load(file).at(path).at(i);
    CHECK(found.at(path).at(i) == doctest::Approx(sum / 3).epsilon(1e-6));
  }
  CHECK(tests::bytes_of(folder / "mean/target.vocab") ==
        tests::bytes_of(folder / "run/target.vocab"));
  CHECK(tests::message_of<ir::GraphError>([&] {
          average(run, kept, mean);
        }).find("holds a model already") != std::string::npos);
  CHECK(tests::message_of<ir::GraphError>([&] {
          average(run, {}, ModelFolder(folder / "x"));
        }).find("no checkpoints to average; training.keep") != std::string::npos);
  const std::string other = tests::message_of<ir::GraphError>(
      [&] { average(run, {run.path() + "/state-10.safetensors"}, ModelFolder(folder / "x")); });
  CHECK_MESSAGE(other.find("lacks 'source_embedding") != std::string::npos, other);
  CHECK(!std::filesystem::exists(folder / "x"));
}
