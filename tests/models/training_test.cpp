// tests/models/training_test.cpp -- learning, limits, batches in parts.
#include "models/search/beam_search.h"
#include "models/training/batches/example_batches.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/small_training.h"

#include <doctest/doctest.h>

#include <cmath>

#ifdef WEFT_TEST_ONEDNN
#include "backends/onednn/kernels/isa.h"

#include <omp.h>
#endif

using namespace weft;
using namespace weft::training;
using tests::small_setup;
using tests::small_vocabulary;
using tests::TemporaryFolder;

namespace {

// Sanitizers look at each step alike: hundreds of them take minutes and show no more.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

}  // namespace

TEST_CASE("training: a small RNNsearch learns to reverse sequences, and greedy search shows it" *
          doctest::skip(kSanitized)) {
  Seq2seqRun s;
  s.config = tests::small_config(32);
  s.limits.steps = 500;
  s.rate.learning_rate = 0.01;
  s.batch = {.max_rows = 32};
  s.train = tests::reversals(1000, 6, 1);
  s.program = tests::fast_options();
  Trainer trainer(s);
  const std::vector<data::EncodedExample> unseen = tests::reversals(100, 6, 99);
  CHECK(trainer.evaluate(batches_of(unseen, s.batch)) > 1.5);
  CHECK(trainer.run() == Ended::steps);
  const double loss = trainer.evaluate(batches_of(unseen, s.batch));
  MESSAGE("loss after 500 steps: " << loss);
  CHECK(loss < 0.1);
  search::Decoder decoder = seq2seq::decoder(s.config, {}, s.program);
  const auto found = search::search(decoder, trainer.store(), unseen, s.batch);
  int right = 0;
  for (size_t i = 0; i < unseen.size(); ++i)
    right += found[i].front().tokens == unseen[i].target ? 1 : 0;
  CHECK(right >= 90);
}

TEST_CASE("training: a small transformer learns to reverse sequences, and decodes with caches" *
          doctest::skip(kSanitized)) {
  Seq2seqRun s;
  s.config = tests::small_transformer(32);
  s.limits.steps = 1800;
  s.rate = {.learning_rate = 0.002, .warmup = 50};
  s.batch = {.max_rows = 32};
  s.train = tests::reversals(1000, 6, 1);
  s.program = tests::fast_options();
  Trainer trainer(s);
  const std::vector<data::EncodedExample> unseen = tests::reversals(100, 6, 99);
  CHECK(trainer.run() == Ended::steps);
  const double loss = trainer.evaluate(batches_of(unseen, s.batch));
  MESSAGE("loss after 1800 steps: " << loss);
  CHECK(loss < 0.2);
  search::Decoder decoder = seq2seq::decoder(s.config, {}, s.program);
  const auto found = search::search(decoder, trainer.store(), unseen, s.batch);
  int right = 0;
  for (size_t i = 0; i < unseen.size(); ++i)
    right += found[i].front().tokens == unseen[i].target ? 1 : 0;
  CHECK(right >= 80);
}

#ifdef WEFT_TEST_ONEDNN
// oneDNN's products, which AVX2 takes, round by the number of threads: docs/determinism.md.
TEST_CASE("training: with AVX-512 any number of threads gives the same bytes" *
          doctest::skip(!onednn::kernels::info(onednn::kernels::isa()).gemm_beats_onednn)) {
  const int before = omp_get_max_threads();
  const seq2seq::Settings configs[] = {tests::small_config(192), tests::small_transformer(192)};
  for (const seq2seq::Settings& config : configs) {
    const TemporaryFolder folder;
    for (const int threads : {1, 2, 3}) {
      omp_set_num_threads(threads);
      Seq2seqRun setup = small_setup(3);
      setup.config = config;
      setup.batch = {.max_rows = 32};
      setup.folder = ModelFolder(folder / std::to_string(threads));
      setup.folder->create(config, {small_vocabulary("source"), small_vocabulary("target")});
      Trainer(setup).run();
    }
    const auto bytes = [&](int threads) {
      return tests::bytes_of(folder / std::to_string(threads) + "/state-3.safetensors");
    };
    CHECK(bytes(2) == bytes(1));
    CHECK(bytes(3) == bytes(1));
  }
  omp_set_num_threads(before);
}
#endif

TEST_CASE("training: limits and observers") {
  Seq2seqRun s = small_setup(0);
  s.limits = {.epochs = 2};
  Trainer trainer(s);
  int validations = 0, steps = 0;
  CHECK(trainer.run([&](const Event& e) {
    validations += e.kind == Event::Kind::validation ? 1 : 0;
    steps += e.kind == Event::Kind::step ? 1 : 0;
  }) == Ended::epochs);
  CHECK(validations == 2);
  CHECK(steps == trainer.progress().step);
  CHECK(trainer.progress().position.epoch == 2);
}

TEST_CASE("training: padding goes no further than there are positions") {
  Seq2seqRun s = small_setup(4);
  transformer::Config config = tests::small_transformer(8);
  config.positions = transformer::PositionKind::learned;
  config.max_positions = 6;  // targets of 5 with </s>: not a multiple of 4
  s.config = config;
  Trainer trainer(s);
  CHECK(trainer.run() == Ended::steps);
  config.max_positions = 5;
  s.config = config;
  CHECK(tests::message_of<ir::GraphError>([&] {
          Trainer{s};
        }).find("and </s>, max_positions is 5") != std::string::npos);
}

TEST_CASE("training: a batch in parts trains as the whole one does, but for rounding") {
  for (const bool transformer : {false, true}) {
    const auto setup = [&](int64_t accumulate) {
      Seq2seqRun s = small_setup(6);
      if (transformer) s.config = tests::small_transformer(16);
      s.optimizer = {.kind = OptimizerKind::sgd, .clip_norm = 0.5};
      s.rate = {.learning_rate = 0.1};
      s.batch.accumulate = accumulate;
      return s;
    };
    Trainer whole(setup(1)), parts(setup(3)), rows(setup(8));
    for (Trainer* trainer : {&whole, &parts, &rows}) CHECK(trainer->run() == Ended::steps);
    for (const ir::NamedArray& p : whole.store().parameters())
      for (int64_t i = 0; i < p.array.size(); ++i) {
        INFO(p.name);
        CHECK(std::abs(p.array.at(i) - parts.store().at(p.name).at(i)) < 2e-5);
        CHECK(std::abs(p.array.at(i) - rows.store().at(p.name).at(i)) < 2e-5);
      }
  }
}
