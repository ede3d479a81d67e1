// tests/models/training_test.cpp -- learning, stopping, resuming.
#include "models/search/beam_search.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/small_data.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#ifdef WEFT_TEST_ONEDNN
#include "backends/onednn/kernels/isa.h"

#include <omp.h>
#endif

using namespace weft;
using namespace weft::training;
using tests::TemporaryFolder;

namespace {

data::Vocabulary small_vocabulary(const std::string& name) {
  std::vector<std::string> tokens{"<pad>", "<s>", "</s>", "<unk>"};
  for (char c = 'a'; static_cast<int64_t>(tokens.size()) < tests::kSmallVocabulary; ++c)
    tokens.emplace_back(1, c);
  return data::Vocabulary::from_tokens(tokens, name);
}

TrainerSetup small_setup(int64_t steps, const std::string& folder = {}) {
  TrainerSetup s;
  rnn::Config config = tests::small_config(8);
  config.dropout = 0.1;
  config.seed = 3;
  s.config = config;
  s.limits = {.steps = steps, .validate_every = 7};
  s.rate = {.learning_rate = 0.01, .shrink = 0.9};
  s.batch = {.max_rows = 8};
  s.seed = 3;
  s.train = tests::reversals(60, 5, 1);
  s.valid = tests::reversals(12, 5, 2);
  s.program = tests::fast_options();
  if (!folder.empty()) {
    s.folder = ModelFolder(folder);
    if (!s.folder->has_model())
      s.folder->create(s.config, {small_vocabulary("source"), small_vocabulary("target")});
  }
  return s;
}

// Sanitizers look at each step alike: hundreds of them take minutes and show no more.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

}  // namespace

TEST_CASE("training: a small RNNsearch learns to reverse sequences, and greedy search shows it" *
          doctest::skip(kSanitized)) {
  TrainerSetup s;
  s.config = tests::small_config(32);
  s.limits.steps = 500;
  s.rate.learning_rate = 0.01;
  s.batch = {.max_rows = 32};
  s.train = tests::reversals(1000, 6, 1);
  s.program = tests::fast_options();
  Trainer trainer(s);
  const std::vector<data::EncodedExample> unseen = tests::reversals(100, 6, 99);
  CHECK(trainer.evaluate(unseen) > 1.5);
  CHECK(trainer.run() == Ended::steps);
  const double loss = trainer.evaluate(unseen);
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
  TrainerSetup s;
  s.config = tests::small_transformer(32);
  s.limits.steps = 1800;
  s.rate = {.learning_rate = 0.002, .warmup = 50};
  s.batch = {.max_rows = 32};
  s.train = tests::reversals(1000, 6, 1);
  s.program = tests::fast_options();
  Trainer trainer(s);
  const std::vector<data::EncodedExample> unseen = tests::reversals(100, 6, 99);
  CHECK(trainer.run() == Ended::steps);
  const double loss = trainer.evaluate(unseen);
  MESSAGE("loss after 1800 steps: " << loss);
  CHECK(loss < 0.2);
  search::Decoder decoder = seq2seq::decoder(s.config, {}, s.program);
  const auto found = search::search(decoder, trainer.store(), unseen, s.batch);
  int right = 0;
  for (size_t i = 0; i < unseen.size(); ++i)
    right += found[i].front().tokens == unseen[i].target ? 1 : 0;
  CHECK(right >= 80);
}

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

#ifdef WEFT_TEST_ONEDNN
// oneDNN's products, which AVX2 takes, round by the number of threads: docs/determinism.md.
TEST_CASE("training: with AVX-512 any number of threads gives the same bytes" *
          doctest::skip(onednn::kernels::isa() != onednn::kernels::Isa::avx512)) {
  const int before = omp_get_max_threads();
  const seq2seq::Config configs[] = {tests::small_config(192), tests::small_transformer(192)};
  for (const seq2seq::Config& config : configs) {
    const TemporaryFolder folder;
    for (const int threads : {1, 2, 3}) {
      omp_set_num_threads(threads);
      TrainerSetup setup = small_setup(3);
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

TEST_CASE("training: a stop finishes the step, saves, and can go on") {
  const TemporaryFolder folder;
  Trainer trainer(small_setup(100, folder / "model"));
  int asked = 0;
  CHECK(trainer.run({}, [&] { return ++asked == 5; }) == Ended::stopped);
  CHECK(trainer.progress().step == 5);
  Trainer next(small_setup(100, folder / "model"));
  next.resume();
  CHECK(next.progress().step == 5);
  CHECK(next.progress() == trainer.progress());
}

TEST_CASE("training: limits and observers") {
  TrainerSetup s = small_setup(0);
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

TEST_CASE("model folder: what is missing, foreign or damaged is one clear line") {
  using tests::message_of;
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  Trainer(small_setup(3, path)).run();
  CHECK(ModelFolder(path).load().parameter_count() > 0);
  CHECK(ModelFolder(path).vocabularies().source.size() == tests::kSmallVocabulary);
  CHECK(message_of<ir::GraphError>([&] {
          ModelFolder(folder / "none").load();
        }).find("is no model folder") != std::string::npos);
  CHECK(message_of<ir::GraphError>([&] {
          ModelFolder(path).create(rnn::Config(), {});
        }).find("holds a model already") != std::string::npos);

  std::string toml = tests::bytes_of(path + "/model.toml");
  toml.replace(toml.find("hidden = 8"), 10, "hidden = 9");
  folder.file("model/model.toml", toml);
  CHECK(message_of<ir::GraphError>([&] {
          ModelFolder(path).load();
        }).find("model.toml: error: is damaged or was changed since ") != std::string::npos);
  folder.file("model/model.toml", toml + "depth = 3\n");
  CHECK(message_of<ir::GraphError>([&] {
          ModelFolder(path).config();
        }).find("model.toml:21: error: there is no 'model.depth'") != std::string::npos);
}

TEST_CASE("recipe: every key is read, faults name file and line") {
  using tests::message_of;
  const TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    return read_recipe(folder.file("r.toml", text));
  };
  const std::string data = "[data]\ntrain = \"a.tsv\"\nvalid = \"b.tsv\"\n";
  const Recipe r = read(data +
                        "[model]\nattention = \"general\"\ncell = \"lstm\"\nlayers = "
                        "2\n[optimizer]\nkind = \"adadelta\"\n[training]\nsteps = 9\nseed = 5\n");
  CHECK(r.data.train == folder / "a.tsv");
  CHECK(std::get<rnn::Config>(r.model).attention == rnn::AttentionKind::general);
  CHECK(r.optimizer.kind == OptimizerKind::adadelta);
  CHECK(r.rate.learning_rate == 1);
  CHECK(r.limits.steps == 9);
  CHECK(r.batch.seed == 5);
  const auto error = [&](const std::string& text) {
    return message_of<ir::GraphError>([&] { read(text); });
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(has(error(""), "r.toml: error: 'data.train' must name a TSV file"));
  CHECK(has(error(data + "[model]\nhiden = 3\n"),
            "r.toml:5: error: there is no 'model.hiden'; known are "));
  CHECK(has(error(data + "[model]\nhidden = \"x\"\n"),
            "r.toml:5: error: 'model.hidden' must be a whole number from 1 to 65536"));
  CHECK(has(error(data + "[model]\nattention = \"dots\"\n"),
            "r.toml:5: error: 'model.attention': there is no attention 'dots'; there are none, "
            "additive"));
  CHECK(has(error(data + "[model]\nattention = \"dot\"\n"),
            "r.toml:4: error: attention dot compares"));
  CHECK(has(error(data + "[optimizer]\nschedule = \"linear\"\n"),
            "r.toml:5: error: schedule linear needs training.steps"));
  CHECK(has(error(data + "[modle]\n"), "r.toml:4: error: there is no 'modle'"));
  CHECK(has(error(data + "[model\n"), "r.toml:4: error: "));

  const Recipe t =
      read(data + "[model]\nfamily = \"transformer\"\nwidth = 64\nactivation = \"swiglu\"\n");
  CHECK(std::get<transformer::Config>(t.model).width == 64);
  CHECK(std::get<transformer::Config>(t.model).activation == FeedForwardKind::swiglu);
  CHECK(has(
      error(data + "[model]\nfamily = \"lstm\"\n"),
      "r.toml:5: error: 'model.family': there is no family 'lstm'; there are rnn, transformer"));
  CHECK(has(error(data + "[model]\nfamily = \"transformer\"\nheads = 3\n"),
            "r.toml:4: error: a width of 256 is not divided by 3 heads"));
}

TEST_CASE("recipe: a setting that cannot work is refused at its line, with what was found") {
  const TemporaryFolder folder;
  const std::string data = "[data]\ntrain = \"a.tsv\"\nvalid = \"b.tsv\"\n";
  const auto error = [&](const std::string& table, const std::string& line) {
    return tests::message_of<ir::GraphError>(
        [&] { read_recipe(folder.file("r.toml", data + "[" + table + "]\n" + line + "\n")); });
  };
  struct Case {
    const char *table, *line, *says;
  };
  const Case refused[] = {
      {"optimizer", "beta1 = 1", "'optimizer.beta1' must be a number from 0 to below 1, found 1"},
      {"optimizer", "beta2 = 1.0", "from 0 to below 1, found 1"},
      {"optimizer", "beta2 = 0.99999999", "found 0.99999999, which is 1 in single precision"},
      {"optimizer", "beta1 = -0.1", "from 0 to below 1, found -0.1"},
      {"optimizer", "beta1 = nan", "found nan"},
      {"optimizer", "beta1 = -nan", "found nan"},
      {"optimizer", "rho = 1", "from 0 to below 1, found 1"},
      {"optimizer", "eps = 0", "must be a number above 0 and at most 1, found 0"},
      {"optimizer", "eps = 1e-60", "found 1e-60, which is 0 in single precision"},
      {"optimizer", "adadelta_eps = 0", "above 0 and at most 1, found 0"},
      {"optimizer", "learning_rate = 0", "above 0 and at most 1000000, found 0"},
      {"optimizer", "learning_rate = inf", "found inf"},
      {"optimizer", "learning_rate = 1e-60", "is 0 in single precision"},
      {"optimizer", "shrink = 0", "above 0 and at most 1, found 0"},
      {"optimizer", "clip_norm = -1", "from 0 to 1e+30, found -1"},
      {"optimizer", "clip_norm = 1e-60", "is 0 in single precision"},
      {"optimizer", "clip_norm = nan", "found nan"},
      {"optimizer", "kind = \"sgd\"\ndecay = 0.1", ":6: error: 'optimizer.decay' is taken by adam"},
      {"optimizer", "decay = 2000\ndecoupled = true", "take off more than the parameters"},
      {"optimizer", "schedule = \"linear\"\nwarmup = 9\n[training]\nsteps = 9",
       ":6: error: warmup is 9, needed is less than training.steps, 9"},
      {"model", "dropout = 1", "'model.dropout' must be a number from 0 to below 1, found 1"},
      {"model", "dropout = 0.99999999", "which is 1 in single precision"},
      {"model", "family = \"transformer\"\nlabel_smoothing = 1", "from 0 to below 1, found 1"},
      {"model", "hidden = 0", "must be a whole number from 1 to 65536, found 0"},
      {"model", "hidden = 8.0", "found 8"},
      {"batch", "max_rows = 0", "found 0"},
      {"batch", "max_tokens = 3", ":5: error: 'batch.max_tokens' is 3, but one row is padded to"},
      {"training", "steps = -1", "found -1"},
      {"training", "minutes = inf", "found inf"},
  };
  for (const Case& c : refused) {
    const std::string message = error(c.table, c.line);
    INFO(c.table << " " << c.line << ": " << message);
    CHECK(message.find(c.says) != message.npos);
    CHECK(message.find("r.toml:") != message.npos);
    CHECK(message.find("-nan") == message.npos);
  }
  CHECK(
      tests::message_of<ir::GraphError>(
          [&] { read_recipe(folder.file("r.toml", data + "source_max_size = 4\n")); })
          .find("r.toml:4: error: 'data.source_max_size' must be 0, for no limit, or more than the "
                "4 special tokens take, found 4") != std::string::npos);
  for (const std::string works : {"beta1 = 0", "beta2 = 0.9999999", "eps = 1e-30", "clip_norm = 0",
                                  "learning_rate = 1e6", "shrink = 1"})
    CHECK_NOTHROW(read_recipe(folder.file("r.toml", data + "[optimizer]\n" + works + "\n")));
}

TEST_CASE("training: padding goes no further than there are positions") {
  TrainerSetup s = small_setup(4);
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

TEST_CASE("training: what diverges ends with the step, and no NaN is saved or counts as best") {
  const TemporaryFolder folder;
  TrainerSetup s = small_setup(50, folder / "model");
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
  CHECK(std::isfinite(trainer.progress().best_loss));
}

TEST_CASE("checkpoint: what is not finite is not written, and a flipped bit is found") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  formats::NamedArrays arrays;
  arrays.add("x", ir::Array::of(ir::DType::f32, {3}, std::vector<float>{1, 2, 3}));
  const std::string checksum = write_checkpoint(path, arrays, {{"step", "20"}});
  formats::Metadata metadata;
  CHECK(read_checkpoint(path, &metadata).at("x").at(2) == 3);
  CHECK(metadata.at("step") == "20");
  CHECK(metadata.at(kChecksumKey) == checksum);
  const std::string whole = tests::bytes_of(path);
  // Bits of spaces and of the JSON's own signs may change nothing that is read.
  int accepted = 0;
  for (size_t byte = 0; byte < whole.size(); ++byte)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
      folder.file("a.safetensors", flipped);
      try {
        formats::Metadata m;
        const formats::NamedArrays read = read_checkpoint(path, &m);
        CHECK(m == metadata);
        CHECK(checksum_of(read, m) == checksum);
        ++accepted;
      } catch (const ir::GraphError&) {
      }
    }
  CHECK(accepted < 200);
  folder.file("a.safetensors", whole);
  formats::NamedArrays poisoned;
  poisoned.add("x", ir::Array::of(ir::DType::f32, {2},
                                  std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}));
  CHECK(tests::message_of<ir::RuntimeError>([&] {
          write_checkpoint(path, poisoned, {});
        }).find("'x' is no longer finite") != std::string::npos);
  CHECK(tests::bytes_of(path) == whole);
}

TEST_CASE("model folder: any flipped bit of any of its files is found") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  Trainer(small_setup(3, path)).run();
  for (const std::string name : {"model.toml", "source.vocab", "target.vocab", "best.safetensors",
                                 "last.safetensors", "state-3.safetensors"}) {
    const std::string whole = tests::bytes_of(path + "/" + name);
    for (const size_t at : {whole.size() / 2, whole.size() - 2}) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ 1);
      folder.file("model/" + name, flipped);
      ParameterStore store;
      const std::string message = tests::message_of<std::runtime_error>([&] {
        ModelFolder(path).vocabularies();
        ModelFolder(path).resume(store);
      });
      INFO(name << " at " << at << ": " << message);
      CHECK(message.find(name) != message.npos);
    }
    folder.file("model/" + name, whole);
  }
  ParameterStore store;
  CHECK(ModelFolder(path).resume(store).step == 3);
}

TEST_CASE("model folder: a run begins anew where nothing was learnt yet, whatever is there") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  Trainer(small_setup(7, folder / "whole")).run();
  {  // killed before its first step
    Trainer first(small_setup(7, path));
    CHECK(first.run({}, [] { return true; }) == Ended::stopped);
  }
  CHECK(ModelFolder(path).is_trained());
  std::filesystem::remove_all(path);
  const auto begin = [&] {
    ModelFolder(path).create(tests::small_config(4),
                             {small_vocabulary("source"), small_vocabulary("target")});
  };
  begin();  // no weights at all
  CHECK_FALSE(ModelFolder(path).is_trained());
  TrainerSetup s = small_setup(7, folder / "model");
  s.folder->create(s.config, {small_vocabulary("source"), small_vocabulary("target")});
  struct Killed {};
  Trainer second(s);
  CHECK_THROWS_AS(second.run([](const Event& e) {
    if (e.kind == Event::Kind::saved) throw Killed();
  }),
                  Killed);  // after the parameters of step 0
  CHECK(std::filesystem::exists(path + "/last.safetensors"));
  CHECK_FALSE(ModelFolder(path).is_trained());
  CHECK(tests::message_of<ir::GraphError>([&] {
          ModelFolder(path).load();
        }).find("holds no trained parameters yet") != std::string::npos);
  {
    Trainer resumed(s);
    CHECK(resumed.resume().empty());
    resumed.run();
    CHECK(tests::bytes_of(path + "/last.safetensors") ==
          tests::bytes_of((folder / "whole") + "/last.safetensors"));
  }
  CHECK(tests::message_of<ir::GraphError>(begin).find("holds a model already") !=
        std::string::npos);
}

TEST_CASE("model folder: one run at a time trains into it") {
  const TemporaryFolder folder;
  const ModelFolder first(folder / "model"), second(folder / "model");
  {
    const auto held = first.lock();
    CHECK(ModelFolder(first).lock() == held);
    CHECK(tests::message_of<ir::GraphError>([&] {
            second.lock();
          }).find("model: error: another run is training into it") != std::string::npos);
  }
  CHECK_NOTHROW(second.lock());
  CHECK_FALSE(std::filesystem::exists(folder / "model/.lock"));
}

TEST_CASE("training: a run goes on as it was, or what is different is refused or said by key") {
  const TemporaryFolder folder;
  Trainer(small_setup(7, folder / "model")).run();
  const auto resumed = [&](const std::function<void(TrainerSetup&)>& change) {
    TrainerSetup s = small_setup(20, folder / "model");
    change(s);
    Trainer trainer(s);
    std::string text;
    for (const SettingChange& c : trainer.resume()) text += c.str() + "; ";
    return text;
  };
  const auto refusal = [&](const std::function<void(TrainerSetup&)>& change) {
    return tests::message_of<OtherRun>([&] { resumed(change); });
  };
  const auto has = [](const std::string& text, const char* part) {
    INFO(text);
    CHECK(text.find(part) != text.npos);
  };
  CHECK(resumed([](TrainerSetup&) {}) == "");
  has(refusal([](TrainerSetup& s) { s.optimizer.kind = OptimizerKind::sgd; }),
      "optimizer.kind was adam, is sgd");
  has(refusal([](TrainerSetup& s) { s.train.pop_back(); }),
      "data.train holds other examples than before");
  has(refusal([](TrainerSetup& s) { s.seed = 4; }), "training.seed was 3, is 4");
  has(refusal([](TrainerSetup& s) { s.batch.max_rows = 4; }), "batch.max_rows was 8, is 4");
  has(refusal([](TrainerSetup& s) { s.config = tests::small_config(9); }),
      "model.hidden was 8, is 9");
  has(resumed([](TrainerSetup& s) { s.rate.learning_rate = 0.02; }),
      "optimizer.learning_rate was 0.01, is 0.02");
  has(resumed([](TrainerSetup& s) { s.valid.pop_back(); }),
      "data.valid holds other examples than before");
  has(resumed([](TrainerSetup& s) { s.optimizer.beta1 = 0.8; }), "optimizer.beta1 was 0.9, is 0.8");
}

TEST_CASE("training: validating the last model leaves no trace in a run that goes on") {
  const TemporaryFolder folder;
  const auto setup = [&](int64_t steps, const char* name) {
    TrainerSetup s = small_setup(steps, folder / name);
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

TEST_CASE("training: a batch in parts trains as the whole one does, but for rounding") {
  for (const bool transformer : {false, true}) {
    const auto setup = [&](int64_t accumulate) {
      TrainerSetup s = small_setup(6);
      if (transformer) s.config = tests::small_transformer(16);
      s.optimizer = {.kind = OptimizerKind::sgd, .clip_norm = 0.5};
      s.rate = {.learning_rate = 0.1};
      s.batch.accumulate = accumulate;
      return s;
    };
    Trainer whole(setup(1)), parts(setup(3)), rows(setup(8));
    for (Trainer* trainer : {&whole, &parts, &rows}) CHECK(trainer->run() == Ended::steps);
    for (const formats::NamedArray& p : whole.store().parameters())
      for (int64_t i = 0; i < p.array.size(); ++i) {
        INFO(p.name);
        CHECK(std::abs(p.array.at(i) - parts.store().at(p.name).at(i)) < 2e-5);
        CHECK(std::abs(p.array.at(i) - rows.store().at(p.name).at(i)) < 2e-5);
      }
  }
}

TEST_CASE(
    "training: with batches in parts, too, stopping and resuming gives the bytes of one run") {
  const TemporaryFolder folder;
  const auto setup = [&](int64_t steps, const char* name) {
    TrainerSetup s = small_setup(steps, folder / name);
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
