// tests/models/model_folder_test.cpp -- files that notice damage, folders that are whole at any moment.
#include "models/training/folder/model_folder.h"

#include "tests/formats/temporary_folder.h"
#include "tests/models/small_training.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <limits>

using namespace weft;
using namespace weft::training;
using tests::small_setup;
using tests::small_vocabulary;
using tests::TemporaryFolder;

TEST_CASE("model folder: what is missing, foreign or damaged is one clear line") {
  using tests::message_of;
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  Trainer(small_setup(3, path)).run();
  CHECK(ModelFolder(path).load().parameter_count() > 0);
  CHECK(ModelFolder(path).tokenizers().source.size() == tests::kSmallVocabulary);
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
  const auto line = std::to_string(std::count(toml.begin(), toml.end(), '\n') + 1);
  CHECK(message_of<ir::GraphError>([&] {
          ModelFolder(path).config();
        }).find("model.toml:" + line + ": error: there is no 'model.depth'") != std::string::npos);
}

TEST_CASE("checkpoint: what is not finite is not written, and a flipped bit is found") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  ir::NamedArrays arrays;
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
        const ir::NamedArrays read = read_checkpoint(path, &m);
        CHECK(m == metadata);
        CHECK(checksum_of(read, m) == checksum);
        ++accepted;
      } catch (const ir::GraphError&) {
      }
    }
  CHECK(accepted < 200);
  folder.file("a.safetensors", whole);
  ir::NamedArrays poisoned;
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
        ModelFolder(path).tokenizers();
        ModelFolder(path).resume(store, seq2seq::loss_graph(ModelFolder(path).config(), false));
      });
      INFO(name << " at " << at << ": " << message);
      CHECK(message.find(name) != message.npos);
    }
    folder.file("model/" + name, whole);
  }
  ParameterStore store;
  CHECK(ModelFolder(path)
            .resume(store, seq2seq::loss_graph(ModelFolder(path).config(), false))
            .step == 3);
}

TEST_CASE("model folder: a run begins anew where nothing was learnt yet, whatever is there") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  Trainer(small_setup(7, folder / "whole")).run();
  {  // stopped before its first step
    Trainer first(small_setup(7, path));
    CHECK(first.run({}, [] { return true; }) == Ended::stopped);
    CHECK(first.progress().step == 0);
  }
  CHECK_FALSE(ModelFolder(path).is_trained());
  const auto begin = [&] {
    ModelFolder(path).create(tests::small_config(4),
                             {small_vocabulary("source"), small_vocabulary("target")});
  };
  begin();  // no weights at all
  CHECK_FALSE(ModelFolder(path).is_trained());
  Seq2seqRun s = small_setup(7, folder / "model");
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
  folder.file("model/.state-20.safetensors.tmp", "half of a file that a killed run left");
  CHECK_NOTHROW(second.lock());
  CHECK_FALSE(std::filesystem::exists(folder / "model/.state-20.safetensors.tmp"));
  CHECK_FALSE(std::filesystem::exists(folder / "model/.lock"));
}

TEST_CASE("model folder: files of the format before, without checksums and settings, are read") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  Trainer(small_setup(7, path)).run();
  for (const std::string name : {"best.safetensors", "last.safetensors", "state-7.safetensors"}) {
    formats::Metadata metadata;
    const ir::NamedArrays arrays = formats::read_safetensors(path + "/" + name, &metadata);
    metadata["format"] = "weft 1";
    std::erase_if(metadata, [](const auto& entry) {
      const std::string& key = entry.first;
      return key == "checksum" || key == "state" || key.starts_with("recipe: ") ||
             key.starts_with("mark_") || key.ends_with(".vocab") || key == "model.toml";
    });
    formats::write_safetensors(path + "/" + name, arrays, metadata);
  }
  CHECK(ModelFolder(path).load().parameter_count() > 0);
  Trainer resumed(small_setup(20, path));
  CHECK(resumed.resume().empty());
  CHECK(resumed.progress().step == 7);
  CHECK(resumed.run() == Ended::steps);
}
