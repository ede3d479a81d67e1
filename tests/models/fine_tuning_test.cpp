// tests/models/fine_tuning_test.cpp -- published models trained further, written back, adapted.
#include "frontend/formats/checkpoint.h"
#include "ir/error.h"
#include "models/families/low_rank.h"
#include "models/published/peft.h"
#include "models/translator/opened_model.h"
#include "tests/formats/pytorch_file.h"
#include "tests/models/oracle.h"
#include "tests/models/published_folder.h"
#include "tests/models/published_oracle.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

using namespace weft;
using ir::Array;
using ir::NamedArrays;
using published::Folder;
using tests::message_of;
using tests::published_arrays;
using tests::PublishedFolder;

namespace {

// Every parameter a little further on.
ParameterStore moved(const ParameterStore& store) {
  ParameterStore other = store.clone();
  for (const ir::NamedArray& p : other.parameters()) {
    Array a = p.array.clone();
    for (int64_t i = 0; i < a.size(); ++i)
      a.set(i, a.at(i) + 0.01 * std::sin(static_cast<double>(i)));
    other.set(p.name, ir::ArgumentKind::parameter, a);
  }
  return other;
}

// A folder written with other parameters is read back as those, under the names, types and shapes of
// the original.
void check_written_back(const std::string& from) {
  CAPTURE(from);
  const Folder folder(from);
  const ParameterStore store = moved(folder.load());
  const tests::TemporaryFolder files;
  folder.write(files / "out", store);
  const Folder back(files / "out");
  CHECK(back.settings() == folder.settings());
  const ParameterStore read = back.load();
  for (const ir::NamedArray& p : store.parameters()) CHECK(read.at(p.name).same_bytes(p.array));
  const auto then = formats::open_checkpoint(
                 (std::filesystem::path(from) / "model.safetensors").string()),
             now = formats::open_checkpoint(files / "out/model.safetensors");
  REQUIRE(now->entries().size() == then->entries().size());
  for (const formats::TensorInfo& t : then->entries()) {
    CAPTURE(t.name);
    REQUIRE(now->find(t.name) != nullptr);
    CHECK(now->find(t.name)->dtype == t.dtype);
    CHECK(now->find(t.name)->dims == t.dims);
  }
  CHECK(now->metadata().at("format") == "pt");
  const auto text = [](const std::string& path) {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  for (const char* name : {"config.json", "generation_config.json"})
    if (const auto path = std::filesystem::path(from) / name; std::filesystem::exists(path))
      CHECK(text(files / ("out/" + std::string(name))) == text(path.string()));
}

}  // namespace

TEST_CASE("fine-tuning: a model is written back under the names, types and shapes it came in") {
  const PublishedFolder t5(tests::kSmallT5);
  NamedArrays twice = t5.tensors();
  twice.add("lm_head.weight", t5.tensors().at("shared.weight"));
  twice.add("encoder.embed_tokens.weight", t5.tensors().at("shared.weight"));
  t5.write_tensors(twice);
  check_written_back(t5.path());
  const PublishedFolder marian(tests::kSmallMarian);
  check_written_back(marian.path());
  if (tests::published_oracle().empty()) return;
  for (const std::string& model : tests::kPublished)
    check_written_back((tests::published_oracle() / model).string());
}

TEST_CASE(
    "fine-tuning: copies of a table hold what it holds now, half precision is rounded again") {
  const PublishedFolder f(tests::kSmallT5);
  NamedArrays tensors;
  for (const ir::NamedArray& t : f.tensors()) tensors.add(t.name, t.array.cast(ir::DType::bf16));
  tensors.add("lm_head.weight", tensors.at("shared.weight"));
  f.write_tensors(tensors);
  const Folder folder(f.path());
  const ParameterStore store = moved(folder.load());
  const tests::TemporaryFolder files;
  folder.write(files / "out", store);
  const auto now = formats::open_checkpoint(files / "out/model.safetensors");
  CHECK(now->read("lm_head.weight").same_bytes(now->read("shared.weight")));
  CHECK(now->read("shared.weight").same_bytes(store.at("embedding").cast(ir::DType::bf16)));
}

TEST_CASE("low rank: which matrices can be adapted, and which a pattern chooses") {
  const PublishedFolder f(tests::kSmallMarian);
  const Folder folder(f.path());
  const auto all = low_rank::modules(seq2seq::loss_graph(folder.settings(), false));
  std::set<std::string> paths;
  for (const low_rank::Module& m : all) paths.insert(m.path);
  CHECK(paths.contains("encoder/0/self/q"));
  CHECK(paths.contains("decoder/0/cross/o"));
  CHECK(paths.contains("decoder/0/feed_forward/in"));
  CHECK_FALSE(paths.contains("embedding"));
  const auto chosen = [&](std::vector<std::string> targets) {
    return low_rank::chosen(all, {.rank = 2, .targets = std::move(targets)},
                            [&](const low_rank::Module& m) {
                              return published::module_name(m, &folder.imported());
                            })
        .size();
  };
  CHECK(chosen({}) == 6);               // q and v of three attentions
  CHECK(chosen({"q_proj"}) == 3);       // as the model calls them
  CHECK(chosen({"decoder/*/q"}) == 2);  // as they are called here
  CHECK(chosen({"fc1", "fc2"}) == 4);
  CHECK(message_of<ir::GraphError>([&] { chosen({"query"}); }).find("matches 'query'") !=
        std::string::npos);
}

TEST_CASE("low rank: a fresh adapter changes nothing, and it alone is trained") {
  const PublishedFolder f(tests::kSmallT5);
  const Folder folder(f.path());
  const ir::Graph loss = seq2seq::loss_graph(folder.settings(), false);
  const low_rank::Settings settings{.rank = 3, .dropout = 0.1, .targets = {"q", "v", "wo"}};
  const auto modules = low_rank::chosen(
      low_rank::modules(loss), settings,
      [&](const low_rank::Module& m) { return published::module_name(m, &folder.imported()); });
  CHECK(modules.size() == 8);
  const ir::Graph adapted = low_rank::adapted(loss, modules, settings, true);
  CHECK(trainable_parameters(adapted).size() == 16);
  for (const std::string& path : trainable_parameters(adapted)) CHECK(low_rank::is_adapter(path));
  CHECK(adapted.find_argument("step") >= 0);
  ParameterStore store = folder.load();
  store.prepare(adapted);
  const ParameterStore merged = low_rank::merged(store, settings.scale());
  for (const ir::NamedArray& p : folder.load().parameters())
    CHECK(merged.at(p.name).same_bytes(p.array));
}

namespace {

NamedArrays inputs_of(const std::string& model) {
  const NamedArrays a = published_arrays(model, "inputs.npz");
  Array out = a.at("labels").cast(ir::DType::s32);
  for (int64_t i = 0; i < out.size(); ++i)
    out.set_integer(i, std::max<int64_t>(out.integer_at(i), 0));
  return {{"source", a.at("input_ids").cast(ir::DType::s32)},
          {"source_lengths", tests::lengths_of(a.at("attention_mask"))},
          {"target_in", a.at("decoder_input_ids").cast(ir::DType::s32)},
          {"target_out", out},
          {"target_lengths", tests::lengths_of(a.at("decoder_attention_mask"))}};
}

double greatest_difference(const Array& a, const Array& b) {
  REQUIRE(a.dims() == b.dims());
  double most = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double d = std::fabs(a.at(i) - b.at(i));
    most = d > most || d != d ? d : most;
  }
  return most;
}

// Loss and gradients of A and B of oracle/hf/lora_t5, which has the tolerances of oracle/hf.
void check_adapter(const ProgramOptions& options, double loss_tolerance,
                   double gradient_tolerance) {
  const auto shared = tests::published_oracle();
  const published::Adapter adapter((shared / "lora_t5").string());
  CHECK(std::filesystem::equivalent(adapter.base(), shared / "t5_relu_tied"));
  CHECK(adapter.settings().scale() == 2);
  const Folder folder(adapter.base());
  const ir::Graph loss = seq2seq::loss_graph(folder.settings(), false);
  low_rank::Settings settings = adapter.settings();
  settings.targets = {"q", "v"};
  const auto modules = low_rank::chosen(low_rank::modules(loss), settings);
  REQUIRE(modules.size() == 12);
  const ir::Graph adapted = low_rank::adapted(loss, modules, settings, false);
  ParameterStore store = folder.load(options.real);
  adapter.add_to(store, modules, &folder.imported());
  const NamedArrays found =
      tests::differentiated(adapted, store, inputs_of("t5_relu_tied"), options);
  const double expected = published_arrays("lora_t5", "forward_f64.npz").at("loss").at(0);
  CHECK(found.at("loss").at(0) == doctest::Approx(expected).epsilon(loss_tolerance));
  const NamedArrays gradients = published_arrays("lora_t5", "grads_f64.npz");
  CHECK(gradients.size() == 2 * modules.size());
  for (const low_rank::Module& m : modules)
    for (const bool first : {true, false}) {
      CAPTURE(m.path);
      const std::string name = "base_model.model." + published::module_name(m, &folder.imported()) +
                               (first ? ".lora_A.weight" : ".lora_B.weight");
      const Array e = tests::as_parameter(gradients.at(name), published::Layout::transposed);
      double greatest = 1e-3;
      for (int64_t i = 0; i < e.size(); ++i) greatest = std::max(greatest, std::fabs(e.at(i)));
      const std::string path = first ? low_rank::a_path(m) : low_rank::b_path(m);
      const Array& x = found.at(autodiff::gradient_name(adapted, path));
      CHECK(greatest_difference(x, e) <= gradient_tolerance * greatest);
    }
}

}  // namespace

TEST_CASE("low rank: loss and gradients of an adapter are PEFT's, and so are the merged weights") {
  if (tests::published_oracle().empty()) return;
  for (const bool optimize : {false, true})
    check_adapter(tests::reference_options(optimize), 1e-9, 1e-8);
#ifdef WEFT_TEST_ONEDNN
  check_adapter(tests::onednn_options(), 1e-5, 5e-4);
#endif
  const std::string adapter = (tests::published_oracle() / "lora_t5").string();
  const OpenedModel merged = open_model(adapter, training::Which::either, ir::DType::f32);
  const NamedArrays expected = published_arrays("lora_t5", "merged.safetensors");
  const Folder folder(place_of(adapter).model);
  for (const ir::NamedArray& t : published::tensors_of(merged.parameters, folder.imported())) {
    CAPTURE(t.name);
    CHECK(greatest_difference(t.array, expected.at(t.name)) <= 1e-6);
  }
}

TEST_CASE("low rank: an adapter is written as PEFT has it, and read back") {
  const PublishedFolder f(tests::kSmallMarian);
  const Folder folder(f.path());
  const ir::Graph loss = seq2seq::loss_graph(folder.settings(), false);
  const low_rank::Settings settings{.rank = 2, .alpha = 3, .rslora = true, .targets = {"q", "fc1"}};
  const auto modules = low_rank::chosen(
      low_rank::modules(loss), settings,
      [&](const low_rank::Module& m) { return published::module_name(m, &folder.imported()); });
  ParameterStore store(5);
  store.prepare(low_rank::adapted(loss, modules, settings, false));
  const tests::TemporaryFolder files;
  published::write_adapter(files / "a", {f.path(), folder.digest()}, settings, modules, store,
                           &folder.imported());
  const published::Adapter back(files / "a");
  CHECK(back.base_digest() == folder.digest());
  CHECK(back.settings().scale() == doctest::Approx(settings.scale()));
  CHECK(std::filesystem::equivalent(back.base(), f.path()));
  const auto file = formats::open_checkpoint(files / "a/adapter_model.safetensors");
  const auto* a = file->find("base_model.model.model.encoder.layers.0.fc1.lora_A.weight");
  REQUIRE(a != nullptr);
  CHECK(a->dims == ir::Dims{2, 16});
  ParameterStore read = folder.load();
  back.add_to(read, low_rank::modules(loss), &folder.imported());
  for (const low_rank::Module& m : modules)
    for (const std::string& path : {low_rank::a_path(m), low_rank::b_path(m)})
      CHECK(read.at(path).same_bytes(store.at(path)));
}

TEST_CASE("low rank: an adapter is read from PyTorch's file too") {
  const PublishedFolder f(tests::kSmallMarian);
  const Folder folder(f.path());
  const auto modules = low_rank::modules(seq2seq::loss_graph(folder.settings(), false));
  const auto q = std::find_if(modules.begin(), modules.end(), [](const low_rank::Module& m) {
    return m.path == "encoder/0/self/q";
  });
  REQUIRE(q != modules.end());
  const tests::TemporaryFolder files;
  std::ofstream(files / "adapter_config.json") << R"({"peft_type": "LORA", "r": 1})";
  std::string ones, twos;
  for (int i = 0; i < 16; ++i)
    ones += tests::little(0x3F800000, 4), twos += tests::little(0x40000000, 4);
  namespace pickle = tests::pickle;
  const std::string name = "base_model.model." + published::module_name(*q, &folder.imported());
  tests::ZipMaker zip;
  zip.entries = {
      {"archive/data.pkl",
       pickle::dict(
           {{name + ".lora_A.weight",
             pickle::tensor(pickle::storage("FloatStorage", "0", 16), 0, {1, 16}, {16, 1})},
            {name + ".lora_B.weight",
             pickle::tensor(pickle::storage("FloatStorage", "1", 16), 0, {16, 1}, {1, 1})}})},
      {"archive/data/0", ones},
      {"archive/data/1", twos}};
  std::ofstream(files / "adapter_model.bin", std::ios::binary) << zip.make();
  ParameterStore store = folder.load();
  const published::Adapter adapter(files / "");
  adapter.add_to(store, modules, &folder.imported());
  CHECK(adapter.base_digest().empty());
  CHECK(store.at(low_rank::a_path(*q)).at(3) == 1);
  CHECK(store.at(low_rank::b_path(*q)).at(3) == 2);
}

TEST_CASE("low rank: an adapter that asks for more than is done here is refused by name") {
  const tests::TemporaryFolder files;
  const auto fault = [&](const std::string& key, const std::string& value) {
    nlohmann::json config{{"peft_type", "LORA"}, {"r", 4}, {"lora_alpha", 8}};
    config[key] = nlohmann::json::parse(value);
    std::ofstream(files / "adapter_config.json") << config.dump(1);
    return message_of<ir::GraphError>([&] { published::Adapter adapter(files / ""); });
  };
  CHECK(fault("bias", "\"none\"").empty());
  for (const auto& [name, value] : {std::pair{"bias", "\"all\""},
                                    {"use_dora", "true"},
                                    {"peft_type", "\"IA3\""},
                                    {"modules_to_save", "[\"lm_head\"]"},
                                    {"alpha_pattern", "{\"q\": 4}"},
                                    {"rank_pattern", "{\"q\": 4}"},
                                    {"r", "0"}}) {
    const std::string key = name;
    CAPTURE(key);
    CHECK(fault(key, value).find(key) != std::string::npos);
  }
}
