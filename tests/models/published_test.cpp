// tests/models/published_test.cpp -- reading a hub's folders: what is refused, what the tensors
// decide, where settings come from.
#include "ir/error.h"
#include "models/search/beam_search.h"
#include "tests/models/oracle.h"
#include "tests/models/published_folder.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using namespace weft;
using ir::Array;
using ir::NamedArrays;
using published::Folder;
using tests::message_of;
using tests::PublishedFolder;

namespace {

std::string with(std::string config, const std::string& from, const std::string& to) {
  const size_t at = config.find(from);
  REQUIRE(at != config.npos);
  return config.replace(at, from.size(), to);
}

// What opening and loading say of it; empty: nothing.
std::string fault_of(const PublishedFolder& f) {
  return message_of<ir::GraphError>([&] { Folder(f.path()).load(); });
}

bool says(const std::string& message, const std::vector<std::string>& parts) {
  INFO(message);
  bool all = message.find('\n') == message.npos;
  for (const std::string& part : parts) {
    CHECK(message.find(part) != message.npos);
    all = all && message.find(part) != message.npos;
  }
  return all;
}

}  // namespace

TEST_CASE("published: a folder is a model of our family, its tensors the parameters") {
  const PublishedFolder f(tests::kSmallT5);
  CHECK(Folder::is_one(f.path()));
  const Folder folder(f.path());
  CHECK(folder.architecture().model_type == "t5");
  CHECK(folder.remarks().empty());
  const ParameterStore store = folder.load();
  const Array &wi = f.tensors().at("encoder.block.0.layer.1.DenseReluDense.wi.weight"),
              &here = store.at("encoder/0/feed_forward/in");
  REQUIRE(here.dims() == ir::Dims{16, 32});
  CHECK(here.at(3 * 32 + 5) == wi.at(5 * 16 + 3));
  CHECK(folder.settings().as<transformer::Config>().output_scale == doctest::Approx(0.25));
}

TEST_CASE("published: weights of half precision and of several files are the same parameters") {
  const PublishedFolder f(tests::kSmallMarian);
  const ParameterStore whole = Folder(f.path()).load();
  for (const ir::DType half : {ir::DType::f16, ir::DType::bf16}) {
    NamedArrays tensors;
    for (const ir::NamedArray& t : f.tensors()) tensors.add(t.name, t.array.cast(half));
    f.write_tensors(tensors);
    const ParameterStore store = Folder(f.path()).load();
    for (const ir::NamedArray& p : whole.parameters())
      CHECK(store.at(p.name).same_bytes(p.array.cast(half).cast(ir::DType::f32)));
  }
  nlohmann::json map;
  NamedArrays parts[2];
  for (const ir::NamedArray& t : f.tensors()) {
    const size_t part = map.size() % 2;
    map[t.name] = ir::concat("model-", part, ".safetensors");
    parts[part].add(t.name, t.array);
  }
  for (const int part : {0, 1})
    formats::write_safetensors(ir::concat(f.path(), "model-", part, ".safetensors"), parts[part]);
  f.write("model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
  std::filesystem::remove(f.path() + "model.safetensors");
  const ParameterStore store = Folder(f.path()).load();
  for (const ir::NamedArray& p : whole.parameters()) CHECK(store.at(p.name).same_bytes(p.array));
}

TEST_CASE("published: a missing, a strange and a misshapen tensor are named, with what is needed") {
  const PublishedFolder f(tests::kSmallT5);
  const std::string name = "decoder.block.0.layer.1.EncDecAttention.k.weight";
  f.write_tensors(f.without(name));
  CHECK(says(fault_of(f), {"model.safetensors: error: lacks '" + name + " [8,16]'"}));
  NamedArrays more = f.tensors();
  more.add("decoder.extra", Array(ir::DType::f32, {3}));
  f.write_tensors(more);
  CHECK(says(fault_of(f), {"holds beside what is needed 'decoder.extra f32[3]'"}));
  NamedArrays other = f.without(name);
  other.add(name, Array(ir::DType::f32, {8, 15}));
  f.write_tensors(other);
  CHECK(says(fault_of(f), {"has of another shape '" + name + " f32[8,15], needed [8,16]'"}));
}

TEST_CASE("published: pipes, devices, folders and links to nothing are no files of a model") {
  const PublishedFolder f(tests::kSmallT5);
  const std::string weights = f.path() + "model.safetensors", config = f.path() + "config.json";
  const auto fault_with = [&](const std::string& file, const auto& make) {
    const std::string kept = file + ".kept";
    std::filesystem::rename(file, kept);
    make(file);
    const std::string fault = fault_of(f);
    std::filesystem::remove(file);
    std::filesystem::rename(kept, file);
    return fault;
  };
  for (const std::string& file : {weights, config}) {
    CHECK(says(fault_with(file, [](const auto& p) { mkfifo(p.c_str(), 0600); }),
               {file + ": is a pipe, a file is needed"}));
    CHECK(says(
        fault_with(file, [](const auto& p) { std::filesystem::create_symlink("/dev/zero", p); }),
        {file + ": is a device, a file is needed"}));
    CHECK(says(fault_with(file, [](const auto& p) { std::filesystem::create_directory(p); }),
               {file + ": is a folder, a file is needed"}));
  }
  CHECK(says(
      fault_with(weights, [](const auto& p) { std::filesystem::create_symlink("nowhere", p); }),
      {weights + ": is a link to what is not there"}));
  const nlohmann::json map{{"shared.weight", "part"}};
  f.write("model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
  std::filesystem::remove(weights);
  mkfifo((f.path() + "part").c_str(), 0600);
  CHECK(says(fault_of(f), {"part: is a pipe, a file is needed"}));
}

TEST_CASE("published: which tables are tied is told by the tensors that are there") {
  const Array other(ir::DType::f32, {24, 16});
  const PublishedFolder tied(tests::kSmallT5);
  CHECK(Folder(tied.path()).imported().config.tied_output);
  NamedArrays twice = tied.tensors();
  twice.add("lm_head.weight", tied.tensors().at("shared.weight"));
  twice.add("encoder.embed_tokens.weight", tied.tensors().at("shared.weight"));
  tied.write_tensors(twice);
  CHECK(Folder(tied.path()).imported().config.tied_output);
  CHECK(fault_of(tied).empty());

  // The configuration says that they are tied, the tensors that they are not.
  const PublishedFolder untied(
      tests::kSmallT5,
      {{"lm_head.weight", other}, {"shared.weight", Array(ir::DType::f32, {24, 15})}});
  NamedArrays tensors = untied.tensors();
  const Folder folder(untied.path());
  CHECK_FALSE(folder.imported().config.tied_output);
  REQUIRE(folder.remarks().size() == 1);
  CHECK(says(folder.remarks().front(), {"lm_head.weight"}));
  CHECK(fault_of(untied).empty());

  const PublishedFolder two(tests::kSmallMarian, {{"model.encoder.embed_tokens.weight", other},
                                                  {"model.decoder.embed_tokens.weight",
                                                   Array(ir::DType::f32, {24, 15})}});
  CHECK_FALSE(Folder(two.path()).imported().config.shared_embedding);
  CHECK(fault_of(two).empty());
}

TEST_CASE("published: tables of sinusoids must be the sinusoids that are computed") {
  const PublishedFolder f(tests::kSmallMarian);
  NamedArrays tensors = f.tensors();
  Array table(ir::DType::f32, {32, 16});
  for (int64_t p = 0; p < 32; ++p)
    for (int64_t i = 0; i < 16; ++i) {
      const double angle =
          static_cast<double>(p) * std::pow(10000.0, -static_cast<double>(i % 8) / 8);
      table.set(p * 16 + i, i < 8 ? std::sin(angle) : std::cos(angle));
    }
  tensors.add("model.encoder.embed_positions.weight", table.clone());
  f.write_tensors(tensors);
  CHECK(fault_of(f).empty());
  table.set(5 * 16 + 2, 0.5);
  tensors.add("model.decoder.embed_positions.weight", table);
  f.write_tensors(tensors);
  CHECK(says(fault_of(f), {"model.decoder.embed_positions.weight[5,2] is 0.5"}));
}

TEST_CASE("published: configurations that cannot be are refused at their line") {
  const auto refused = [](const std::string& from, const std::string& to,
                          const std::vector<std::string>& parts) {
    PublishedFolder f(tests::kSmallT5);
    f.write("config.json", with(tests::kSmallT5, from, to));
    CHECK(says(fault_of(f), parts));
  };
  refused("\"d_model\": 16", "\"d_model\": 16.5",
          {"config.json:4: error: \"d_model\" is 16.5, needed is a whole number from 1 to 65536"});
  refused("\"num_heads\": 2", "\"num_heads\": 0", {"config.json:8: error", "\"num_heads\" is 0"});
  refused("\"t5\"", "\"gpt2\"", {"config.json:2: error", "gpt2"});
  refused("\"relu\"", "\"mish\"", {"config.json:9: error", "'mish'", "relu"});
  refused("\"vocab_size\": 24,\n", "", {"\"vocab_size\" is missing"});
  refused("\"pad_token_id\": 0", "\"pad_token_id\": 24", {"config.json:10: error", "from 0 to 23"});
  refused("\"eos_token_id\": 1,\n", "", {"\"eos_token_id\" is missing"});
  refused("\"num_layers\": 1", "\"num_layers\": 1099511627776", {"\"num_layers\""});
  refused("{", "[", {"config.json:", "no JSON"});
}

TEST_CASE("published: settings come from generation_config.json, else config.json, else defaults") {
  const PublishedFolder f(with(tests::kSmallT5, "\"pad_token_id\"",
                               "\"num_beams\": 4, \"max_length\": 30, \"pad_token_id\""));
  f.write("generation_config.json",
          R"({"max_length": 11, "min_length": 3, "length_penalty": 0.6, "early_stopping": "never",
              "no_repeat_ngram_size": 2, "bad_words_ids": [[5], [7, 8], [1]], "forced_eos_token_id": 1})");
  const published::Generation g = Folder(f.path()).generation();
  CHECK(g.beam == 4);
  CHECK(g.search.max_length == search::LengthLimit{.per_token = 0, .plus = 10});
  CHECK(g.search.min_length == 2);
  CHECK(g.search.length_penalty == 0.6);
  CHECK(g.search.early_stopping == search::EarlyStopping::never);
  CHECK(g.search.bad_words == std::vector<search::Phrase>{{5}, {7, 8}});
  CHECK(g.search.rules.forced_last == 1);
  CHECK(g.ids.begin == 0);
  CHECK(g.ids.end == 1);
  const auto origin = [&](const std::string& name) {
    for (const published::SettingOrigin& o : g.origins)
      if (o.name == name) return o.value + " " + o.origin;
    return std::string();
  };
  CHECK(origin("num_beams") == "4 config.json");
  CHECK(origin("max_length") == "11 generation_config.json");
  CHECK(origin("repetition_penalty") == "1 default");
}

#ifdef WEFT_TEST_ONEDNN
TEST_CASE("published: forced, suppressed and several last tokens are as the folder says") {
  const PublishedFolder f(tests::kSmallT5);
  const auto found = [&](const std::string& settings) {
    f.write("generation_config.json", settings);
    const Folder folder(f.path());
    const published::Generation& g = folder.generation();
    const search::SearchOptions options = g.search;
    ParameterStore store = folder.load();
    search::Decoder decoder =
        seq2seq::decoder(folder.settings(),
                         {.beam = g.beam,
                          .log_probabilities = search::need_distribution(options),
                          .normalizer = search::need_normalizer(options, g.beam),
                          .ids = g.ids},
                         tests::onednn_options());
    return search::search(decoder, store,
                          Array::of(ir::DType::s32, {1, 3}, std::vector<int64_t>{5, 9, 1}),
                          Array::of(ir::DType::s32, {1}, std::vector<int64_t>{3}), options)
        .front();
  };
  for (const char* beam : {"1", "3"}) {
    const std::string start = ir::concat("{\"num_beams\": ", beam, ", \"max_length\": 6");
    const search::Hypothesis forced =
        found(start +
              ", \"forced_bos_token_id\": 7, \"forced_eos_token_id\": 1, "
              "\"min_length\": 6}")
            .front();
    CHECK(forced.ended);
    REQUIRE(forced.tokens.size() == 4);  // 7, three more, and the end at the limit
    CHECK(forced.tokens.front() == 7);
    const std::string longer = start + ", \"min_length\": 3";  // two tokens and the end
    const search::Hypothesis free = found(longer + "}").front();
    REQUIRE(!free.tokens.empty());
    const int32_t first = free.tokens.front();
    const search::Hypothesis other =
        found(ir::concat(longer, ", \"begin_suppress_tokens\": [", first, "]}")).front();
    CHECK(other.tokens.front() != first);
    const search::Hypothesis without =
        found(ir::concat(longer, ", \"suppress_tokens\": [", first, "]}")).front();
    for (const int32_t id : without.tokens) CHECK(id != first);
    if (std::string(beam) == "1")  // the likeliest token ends it, whichever of the two it is
      CHECK(found(ir::concat(start, ", \"eos_token_id\": [1, ", first, "]}")).front().ended);
  }
}
#endif

TEST_CASE("published: of a bad corpus, configurations are refused or accepted as expected") {
  if (tests::oracle_folder().empty()) return;
  const std::filesystem::path oracle = tests::oracle_folder().parent_path(),
                              model = oracle / "hf" / "t5_relu_tied" / "model.safetensors";
  std::ifstream file(oracle / "bad" / "expect.json");
  int files = 0;
  const nlohmann::json expected = nlohmann::json::parse(file);
  for (const auto& entry : expected["files"]) {
    const std::string name = entry["file"], expect = entry["expect"], why = entry["why"];
    if (!name.starts_with("config/")) continue;
    ++files;
    const tests::TemporaryFolder f;
    std::filesystem::copy_file(oracle / "bad" / name, f / "config.json");
    std::filesystem::create_symlink(model, f / "model.safetensors");
    const std::string error = message_of<ir::GraphError>([&] { Folder(f / "").load(); });
    INFO(name << " (" << why << "): " << (error.empty() ? "accepted" : error));
    CHECK(error.find('\n') == error.npos);
    CHECK(error.size() < 1000);
    if (expect == "reject") CHECK(!error.empty());
    if (expect == "accept") CHECK(error.empty());
  }
  CHECK(files > 10);
}
