// models/cli/models/info.cpp -- weft info: what a model is, and what it takes to run it.
#include "backends/backend.h"
#include "backends/report.h"
#include "frontend/inspect/memory.h"
#include "ir/error.h"
#include "models/cli/command.h"
#include "models/families/seq2seq.h"
#include "models/translator/opened_model.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <memory>

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTokens = 64;  // of the sentences that memory is told for

struct Line {
  std::string name, value;
};
using Lines = std::vector<Line>;

std::string table(const Lines& lines) {
  size_t width = 0;
  for (const Line& l : lines) width = std::max(width, l.name.size());
  std::string text;
  for (const Line& l : lines)
    text += fmt::format("{}{}{}\n", l.name, std::string(width - l.name.size() + 2, ' '), l.value);
  return text;
}

// "74410496 (74.4 million)"
std::string counted(int64_t n) {
  return n < 1'000'000 ? std::to_string(n)
                       : fmt::format("{} ({:.1f} million)", n, static_cast<double>(n) * 1e-6);
}

// The files of parameters with their sizes, and what their numbers are.
std::string weights_text(const std::string& folder) {
  for (const char* name :
       {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
        "pytorch_model.bin.index.json", "best.safetensors", "last.safetensors"}) {
    const std::string path = (fs::path(folder) / name).string();
    if (!fs::exists(path)) continue;
    std::map<std::string_view, int64_t> types;
    int64_t bytes = 0;
    const auto checkpoint = formats::open_checkpoint(path);
    for (const formats::TensorInfo& t : checkpoint->entries()) {
      ++types[ir::name(t.dtype)];
      bytes += ir::element_count(t.dims) * ir::bytes(t.dtype);
    }
    std::string of;
    for (const auto& [type, count] : types)
      of += fmt::format("{}{} {}", of.empty() ? "" : ", ", count, type);
    return fmt::format("{}, {} (tensors: {})", name, inspect::megabytes(bytes), of);
  }
  return "none";
}

std::string side_text(const char* side, const data::Tokenizer& t) {
  return fmt::format("{} tokens of the {}", t.size(), side);
}

void add_tokenizers(Lines& lines, const std::string& folder, const seq2seq::Settings& config) {
  if (published::Folder::is_one(folder)) {
    const PublishedFacts facts = published_facts(folder);
    lines.push_back({"tokeniser",
                     facts.tokenizer.empty() ? "none: ids, separated by spaces" : facts.tokenizer});
    if (!facts.languages.empty())
      lines.push_back({"languages", fmt::format("{}", facts.languages.size())});
    lines.push_back({"vocabulary", fmt::format("{} ids of the source, {} of the target",
                                               seq2seq::source_vocabulary(config),
                                               seq2seq::target_vocabulary(config))});
    return;
  }
  const training::Tokenizers t = training::ModelFolder(folder).tokenizers();
  std::string text;
  if (seq2seq::ends(config).source.kind == data::SourceKind::tokens)
    text = fmt::format("{}, {}; ", data::name(t.source.kind()), side_text("source", t.source));
  lines.push_back({"tokeniser", text + fmt::format("{}, {}", data::name(t.target.kind()),
                                                   side_text("target", t.target))});
}

// "attention 18, linear 73, ..." of a graph as it is run
std::string fused_text(const ir::Graph& graph) {
  std::map<std::string_view, int64_t> counts;
  for (const ir::Node& node : graph.nodes())
    if (node.op->expand != nullptr) ++counts[node.op->name];
  std::string text;
  for (const auto& [name, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
  return text.empty() ? "nothing" : text;
}

int64_t bytes_of(const ir::Graph& graph, ir::ArgumentKind kind, const ir::Bindings& sizes) {
  int64_t bytes = 0;
  for (const ir::Argument& a : graph.arguments()) {
    const ir::TensorType& type = graph.type(a.value);
    if (a.kind == kind)
      bytes += ir::element_count(ir::values(type.shape, sizes)) * ir::bytes(type.dtype);
  }
  return bytes;
}

int64_t arena_of(const ir::Graph& graph, const ir::Bindings& sizes, backends::Backend& backend) {
  return backend.compile(graph, sizes)->report().memory.arena_bytes;
}

// Of translating `rows` sentences greedily, and of a training step with Adam.
struct Memory {
  int64_t parameters = 0, decoding = 0, training = 0;
};
Memory memory_of(const Program& encode, const Program& step, const Program& training, int64_t rows,
                 backends::Backend& backend) {
  const ir::Bindings sizes{{"B", rows}, {"S", kTokens}, {"T", kTokens}, {"C", kTokens}};
  Memory m;
  m.parameters = bytes_of(training.graph(), ir::ArgumentKind::parameter, sizes);
  m.decoding =
      m.parameters +
      std::max(arena_of(encode.graph(), sizes, backend), arena_of(step.graph(), sizes, backend)) +
      bytes_of(step.graph(), ir::ArgumentKind::input, sizes);
  m.training = m.parameters + bytes_of(training.graph(), ir::ArgumentKind::state, sizes) +
               arena_of(training.graph(), sizes, backend);
  return m;
}

void info(const std::string& named) {
  const ModelPlace place = place_of(named);
  const seq2seq::Settings config = settings_of_folder(named);
  Lines lines{{"model", place.model}};
  if (!place.adapter.empty()) lines.push_back({"adapter", place.adapter});
  if (published::Folder::is_one(place.model)) {
    const published::Folder folder(place.model);
    lines.push_back(
        {"architecture", fmt::format("{} ({}), of the family {}", folder.architecture().model_type,
                                     folder.architecture().doc, config.family().name)});
  } else {
    lines.push_back({"architecture", std::string(config.family().name)});
  }
  for (const settings::FieldValue& f : settings::values(settings::fields_of(config)))
    for (const char* key : {"width", "hidden", "heads", "feed_forward", "encoder_layers",
                            "decoder_layers", "layers", "max_positions", "activation", "positions"})
      if (f.key == key) lines.push_back({"  " + f.key, f.value});
  lines.push_back({"parameters", counted(seq2seq::parameter_count(config))});
  lines.push_back({"weights", weights_text(place.model)});
  add_tokenizers(lines, place.model, config);
  const std::shared_ptr<backends::Backend> backend = backends::make_onednn();
  const ProgramOptions options{.backend = backend};
  const Program encode = Program::inference(seq2seq::encode_graph(config), options),
                step = Program::inference(seq2seq::step_graph(config), options),
                training = Program::training(seq2seq::loss_graph(config), {}, options);
  lines.push_back({"fused, encoder", fused_text(encode.graph())});
  lines.push_back({"fused, step of decoding", fused_text(step.graph())});
  lines.push_back({"fused, step of training", fused_text(training.graph())});
  for (const int64_t rows : {1, 32}) {
    const Memory m = memory_of(encode, step, training, rows, *backend);
    lines.push_back(
        {fmt::format("memory, {} x {} tokens", rows, kTokens),
         fmt::format("{} to translate, {} to train with Adam; {} of either are parameters",
                     inspect::megabytes(m.decoding), inspect::megabytes(m.training),
                     inspect::megabytes(m.parameters))});
  }
  for (const std::string& remark : published_remarks(named)) lines.push_back({"remark", remark});
  put(table(lines));
}

}  // namespace

void add_info(Command& program) {
  Command* command = program.add_command(
      "info",
      "What a model is: architecture, parameters, tokeniser, what is fused, the memory it takes",
      "weft info opus-mt-en-de");
  const auto model = std::make_shared<std::string>();
  command->add_option("MODEL", *model, "A model's folder, a published one's, or an adapter's")
      ->required();
  command->callback([model] { info(*model); });
}

}  // namespace weft::cli
