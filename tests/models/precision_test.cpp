// tests/models/precision_test.cpp -- training and decoding whose products read bf16.
//
// On the backend that small trainings run on: onednn where it is built and the processor has
// products of bf16, else the reference, which computes what the casts say.
#include "models/search/beam_search.h"
#include "models/training/batches/example_batches.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/small_training.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#ifdef WEFT_TEST_ONEDNN
#include <omp.h>
#endif

using namespace weft;
using namespace weft::training;
using tests::TemporaryFolder;

namespace {

ProgramOptions bf16_options() {
  ProgramOptions options = tests::fast_options();
  if (const std::string lack = options.backend->lacks(ir::Precision::bf16); !lack.empty()) {
    MESSAGE("on the reference backend: " << lack);
    options = tests::reference_options();
  }
  options.precision = ir::Precision::bf16;
  return options;
}

std::vector<seq2seq::Settings> models(int64_t width = 48) {
  return {tests::small_config(width), tests::small_transformer(width)};
}

Seq2seqRun setup_of(const seq2seq::Settings& config, int64_t steps,
                    const std::string& folder = {}) {
  Seq2seqRun s = tests::small_setup(steps);
  s.config = config;
  s.seed = seq2seq::seed(config);
  s.program = bf16_options();
  if (folder.empty()) return s;
  s.folder = ModelFolder(folder);
  if (!s.folder->has_model())
    s.folder->create(s.config,
                     {tests::small_vocabulary("source"), tests::small_vocabulary("target")});
  return s;
}

// A step of gradient descent with rate 1 from the same parameters: what it took off them.
std::map<std::string, ir::Array> gradients(const seq2seq::Settings& config,
                                           ir::Precision precision) {
  ProgramOptions options = tests::reference_options();
  options.precision = precision;
  Program step = Program::training(seq2seq::loss_graph(config, false),
                                   {.kind = OptimizerKind::sgd, .clip_norm = 0}, options);
  ParameterStore store(7, ir::DType::f64);
  store.prepare(step.graph());
  std::map<std::string, ir::Array> found;
  for (const auto& p : store.parameters()) found.emplace(p.name, p.array.clone());
  const auto examples = tests::reversals(4, 5, 3);
  ir::NamedArrays batch =
      inputs_of(data::make_batch(examples, std::vector<int64_t>{0, 1, 2, 3}, {}));
  batch.add("lr", ir::Array::of<double>(ir::DType::f64, {}, {1}));
  step.run(store, batch);
  for (const auto& p : store.parameters())
    for (int64_t i = 0; i < p.array.size(); ++i)
      found.at(p.name).set(i, found.at(p.name).at(i) - p.array.at(i));
  return found;
}

}  // namespace

// Every product rounds its factors by 2^-9 at most. Between a parameter and the loss lie some
// twenty, whose errors go up and down: a few times 2^-9 * sqrt(2 * 20) of the whole gradient, 4 %.
TEST_CASE("bf16: gradients are those of f32 within what rounding explains, and not the same") {
  for (const seq2seq::Settings& config : models()) {
    const auto exact = gradients(config, ir::Precision::f32),
               rounded = gradients(config, ir::Precision::bf16);
    double apart = 0, all = 0;
    for (const auto& [name, g] : exact)
      for (int64_t i = 0; i < g.size(); ++i) {
        apart += std::pow(g.at(i) - rounded.at(name).at(i), 2);
        all += g.at(i) * g.at(i);
      }
    const double share = std::sqrt(apart / all);
    INFO(share);
    CHECK(share > 1e-4);
    CHECK(share < 0.04);
  }
}

TEST_CASE("bf16: N + M steps are the same bytes as N, stop, resume, M") {
  const TemporaryFolder folder;
  int model = 0;
  for (const seq2seq::Settings& config : models()) {
    const std::string whole = folder / ("whole" + std::to_string(++model)),
                      parts = folder / ("parts" + std::to_string(model));
    Trainer(setup_of(config, 5, whole)).run();
    Trainer(setup_of(config, 2, parts)).run();
    Trainer second(setup_of(config, 5, parts));
    CHECK(second.resume().empty());
    second.run();
    for (const char* name : {"/last.safetensors", "/state-5.safetensors"})
      CHECK_MESSAGE(tests::bytes_of(whole + name) == tests::bytes_of(parts + name), name);
  }
}

TEST_CASE("bf16: a checkpoint goes on in either precision, and that is said") {
  const TemporaryFolder folder;
  const seq2seq::Settings config = tests::small_config(48);
  Trainer(setup_of(config, 2, folder / "model")).run();
  Seq2seqRun in_f32 = setup_of(config, 4, folder / "model");
  in_f32.program.precision = ir::Precision::f32;
  Trainer other(in_f32);
  const auto changed = other.resume();
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].str() == "training.precision was bf16, is not used");
  CHECK(other.run() == Ended::steps);
  Trainer back(setup_of(config, 6, folder / "model"));
  const auto again = back.resume();
  REQUIRE(again.size() == 1);
  CHECK(again[0].str() == "training.precision was not used, is bf16");
  CHECK(back.run() == Ended::steps);
}

TEST_CASE("bf16: a sentence's result does not depend on its batch, bit for bit") {
  for (const seq2seq::Settings& config : models())
    for (const int64_t beam : {1, 3}) {
      const ProgramOptions options = bf16_options();
      search::Decoder d = seq2seq::decoder(config, {.beam = beam}, options);
      ParameterStore store(15, options.real);
      const auto sources = tests::reversals(13, 9, 16);
      const auto together = search::search(d, store, sources, {});
      for (size_t begin = 0, count = 1; begin < sources.size(); begin += count++) {
        count = std::min(count, sources.size() - begin);
        const auto apart = search::search(d, store, std::span(&sources[begin], count), {});
        for (size_t i = 0; i < count; ++i) {
          CHECK(apart[i][0].tokens == together[begin + i][0].tokens);
          CHECK(apart[i][0].log_probability == together[begin + i][0].log_probability);
        }
      }
    }
}

#ifdef WEFT_TEST_ONEDNN
TEST_CASE("bf16: any number of threads gives the same bytes") {
  const ProgramOptions options = bf16_options();
  if (options.backend->name() != "onednn") return;
  const int before = omp_get_max_threads();
  const TemporaryFolder folder;
  for (const seq2seq::Settings& config : models(192)) {
    std::string one;
    for (const int threads : {1, 2, 3}) {
      omp_set_num_threads(threads);
      const std::string name =
          folder / (std::string(config.family().name) + std::to_string(threads));
      Seq2seqRun run = setup_of(config, 3, name);
      run.batch = {.max_rows = 32};
      Trainer(run).run();
      const std::string bytes = tests::bytes_of(name + "/state-3.safetensors");
      if (threads == 1) one = bytes;
      CHECK(bytes == one);
    }
  }
  omp_set_num_threads(before);
}
#endif
