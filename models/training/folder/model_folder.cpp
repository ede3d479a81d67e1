// models/training/folder/model_folder.cpp -- writing and reading model folders.
#include "models/training/folder/model_folder.h"

#include "frontend/formats/atomic_file.h"
#include "frontend/formats/checkpoint.h"
#include "frontend/formats/digest.h"
#include "frontend/formats/input_file.h"
#include "ir/error.h"
#include "models/families/low_rank.h"
#include "models/settings/toml_fields.h"
#include "models/training/recipe/recipe.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

namespace weft::training {
namespace {

namespace fs = std::filesystem;
using formats::Metadata;
using ir::concat;
using ir::GraphError;
using ir::NamedArrays;
using settings::toml_string;
using settings::TomlTable;

const std::string kTokenizerFiles[] = {"source.spm", "source.vocab", "source.tokens",
                                       "target.spm", "target.vocab", "target.tokens"};
std::string tokenizer_file(std::string_view side, data::TokenizerKind kind) {
  return concat(side, data::Tokenizer::file_ending(kind));
}

std::string bytes_of(const std::string& path) {
  const formats::InputFile input(path);
  return input.read_text(0, input.size());
}

std::string state_file(int64_t step) { return concat("state-", step, ".safetensors"); }

bool is_adapted(const ir::Graph& graph) {
  return std::any_of(graph.arguments().begin(), graph.arguments().end(),
                     [](const ir::Argument& a) { return low_rank::is_adapter(a.path); });
}

// What files hold: where a model is adapted, that alone; the model is another folder's.
NamedArrays kept_parameters(const ParameterStore& store) {
  NamedArrays all = store.parameters(), adapters;
  for (const ir::NamedArray& p : all)
    if (low_rank::is_adapter(p.name)) adapters.add(p.name, p.array);
  return adapters.empty() ? all : adapters;
}

// The parameters that the model has, no more and no less, each of its shape.
void load_parameters(ParameterStore& store, const NamedArrays& arrays, const ir::Graph& graph,
                     const std::string& file) {
  std::vector<formats::WantedTensor> wanted;
  const bool adapted = is_adapted(graph);
  for (const ir::Argument& a : graph.arguments())
    if (a.kind == ir::ArgumentKind::parameter && (!adapted || low_rank::is_adapter(a.path)))
      wanted.push_back({a.path, ir::values(graph.type(a.value).shape, {})});
  formats::check_entries(file + ": error", formats::entries_of(arrays), wanted);
  for (const formats::WantedTensor& w : wanted)
    store.set(w.name, ir::ArgumentKind::parameter, arrays.at(w.name));
}

// Files that a killed run was about to write, under their hidden names. Not all of them would be
// taken over: ".state-20.safetensors.tmp" is not when the next state is that of step 30.
void remove_leftovers(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".") && name.find(".safetensors.tmp") != name.npos)
      // The lock that is given up at once removes the file.
      formats::FileLock::try_lock(entry.path().string(), name);
  }
}

}  // namespace

bool ModelFolder::has_model() const { return fs::exists(file("model.toml")); }

bool ModelFolder::is_trained() const {
  if (fs::exists(file("best.safetensors"))) return true;
  const std::string last = file("last.safetensors");
  if (!fs::exists(last)) return false;
  try {
    return step_of(formats::open_checkpoint(last)->metadata(), last) > 0;
  } catch (const std::runtime_error&) {
    return true;
  }
}

void ModelFolder::check_free() const {
  if (is_trained())
    throw GraphError(concat(path_,
                            ": error: holds a model already; --resume goes on with it, "
                            "another folder takes another one"));
}

std::shared_ptr<const formats::FileLock> ModelFolder::lock() const {
  if (auto held = lock_->lock()) return held;
  std::error_code error;
  if (fs::is_symlink(path_, error) && !fs::exists(path_, error))
    throw ir::RuntimeError(
        concat(path_, ": is a link to ", fs::read_symlink(path_).string(), ", which is not there"));
  fs::create_directories(path_, error);
  if (error) throw ir::RuntimeError(concat(path_, ": cannot be made: ", error.message()));
  auto taken = formats::FileLock::try_lock(file(".lock"), path_);
  if (!taken) throw GraphError(concat(path_, ": error: another run is training into it"));
  remove_leftovers(path_);
  auto held = std::make_shared<const formats::FileLock>(std::move(*taken));
  *lock_ = held;
  return held;
}

void ModelFolder::create(const seq2seq::Settings& c, const Tokenizers& t,
                         int64_t longest_source) const {
  const auto held = lock();
  check_free();
  // Whatever happens from here on: as long as there is no last.safetensors, a run begins anew.
  for (const char* name : {"last.safetensors", "good.safetensors"}) fs::remove(file(name));
  for (const std::string& name : kTokenizerFiles) fs::remove(file(name));
  Header header{.config = c, .source = t.source.kind(), .target = t.target.kind()};
  const bool tokens = seq2seq::ends(c).source.kind == data::SourceKind::tokens;
  if (tokens) t.source.save(file(tokenizer_file("source", header.source)));
  t.target.save(file(tokenizer_file("target", header.target)));
  formats::write_file_atomically(
      file("model.toml"),
      concat("format = 1\nfamily = ", toml_string(c.family().name), "\n",
             tokens ? concat("source_tokens = ", toml_string(data::name(header.source)), "\n") : "",
             "target_tokens = ", toml_string(data::name(header.target)), "\n",
             longest_source > 0 ? concat("longest_source = ", longest_source, "\n") : "",
             settings::toml(settings::fields_of(seq2seq::ends(c))), "\n[model]\n", config_toml(c)));
}

ModelFolder::Header ModelFolder::header() const {
  if (!has_model())
    throw GraphError(concat(path_, ": error: is no model folder, it has no model.toml"));
  TomlTable t = TomlTable::parse_file(file("model.toml"));
  Header header;
  seq2seq::Settings& c = header.config;
  int64_t format = 0;
  t.take("format", format, {1, 1});
  t.take_word("family", [&](const std::string& w) { c = seq2seq::family_named(w).defaults(); });
  if (c.empty()) t.fail("family", "'family' is missing");
  for (const auto& [key, kind] :
       {std::pair{"source_tokens", &header.source}, {"target_tokens", &header.target}})
    t.take_word(key, [&, kind = kind](const std::string& w) {
      *kind = settings::named(data::kTokenizerKinds, "kind of tokens", w);
    });
  t.take("longest_source", header.longest_source, {0, int64_t{1} << 40});
  seq2seq::Ends ends;
  settings::read(t, ends);
  seq2seq::set_ends(c, ends);
  TomlTable model = t.table("model");
  t.finish();
  read_config(model, c);
  model.finish();
  try {
    seq2seq::check(c);
  } catch (const GraphError& e) {
    t.fail("model", e.what());
  }
  return header;
}

seq2seq::Settings ModelFolder::config() const { return header().config; }
int64_t ModelFolder::longest_source() const { return header().longest_source; }

Tokenizers ModelFolder::tokenizers() const {
  const Header h = header();
  const auto load = [&](std::string_view side, data::TokenizerKind kind, int64_t needed) {
    const std::string path = file(tokenizer_file(side, kind));
    data::Tokenizer tokenizer = data::Tokenizer::load(kind, path);
    if (tokenizer.size() != needed)
      throw GraphError(
          concat(path, ": error: has ", tokenizer.size(), " tokens, the model needs ", needed));
    return tokenizer;
  };
  Tokenizers t;
  if (seq2seq::ends(h.config).source.kind == data::SourceKind::tokens)
    t.source = load("source", h.source, seq2seq::source_vocabulary(h.config));
  t.target = load("target", h.target, seq2seq::target_vocabulary(h.config));
  return t;
}

// Digests of what the parameters belong to.
Metadata ModelFolder::belongings() const {
  Metadata digests;
  const auto add = [&](const std::string& name) {
    if (fs::exists(file(name))) digests[name] = formats::digest_of(bytes_of(file(name)));
  };
  add("model.toml");
  for (const std::string& name : kTokenizerFiles) add(name);
  return digests;
}

// A checkpoint of this folder, with what belongs to it as it was.
NamedArrays ModelFolder::read(const std::string& path, Metadata& metadata) const {
  NamedArrays arrays = read_checkpoint(path, &metadata);
  for (const auto& [name, digest] : belongings())
    if (const auto then = metadata.find(name); then != metadata.end() && then->second != digest)
      throw GraphError(concat(file(name), ": error: is damaged or was changed since ", path,
                              " was written, or that is of another model: its digest is ", digest,
                              ", needed is ", then->second));
  return arrays;
}

void ModelFolder::save_best(const ParameterStore& store, const Progress& progress,
                            const std::string& score) const {
  Metadata m = metadata_of_best(progress, score);
  m.merge(belongings());
  write_checkpoint(file("best.safetensors"), kept_parameters(store), std::move(m));
}

void ModelFolder::save_last(const ParameterStore& store, const Progress& progress) const {
  const std::string name = state_file(progress.step);
  Metadata m = metadata_of_last(progress);
  NamedArrays states;
  for (const auto& state : store.states())
    if (!is_accumulator(state.name)) states.add(state.name, state.array);
  m["state"] = write_checkpoint(file(name), states, m);
  m.merge(belongings());
  write_checkpoint(file("last.safetensors"), kept_parameters(store), std::move(m));
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const std::string other = entry.path().filename().string();
    if (other.starts_with("state-") && other.ends_with(".safetensors") && other != name)
      fs::remove(entry.path(), ignored);
  }
}

namespace {

// The step of "checkpoint-N.safetensors"; -1 for any other name.
int64_t step_in(const std::string& name) {
  constexpr std::string_view kBefore = "checkpoint-", kBehind = ".safetensors";
  if (!name.starts_with(kBefore) || !name.ends_with(kBehind)) return -1;
  const char *begin = name.data() + kBefore.size(),
             *end = name.data() + name.size() - kBehind.size();
  int64_t step = -1;
  const auto [stop, error] = std::from_chars(begin, end, step);
  return error == std::errc() && stop == end ? step : -1;
}

}  // namespace

std::vector<std::string> ModelFolder::kept() const {
  std::map<int64_t, std::string> by_step;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored))
    if (const std::string name = entry.path().filename().string(); step_in(name) >= 0)
      by_step[step_in(name)] = file(name);
  std::vector<std::string> paths;
  for (const auto& [step, path] : by_step) paths.push_back(path);
  return paths;
}

void ModelFolder::keep(const ParameterStore& store, int64_t step, int64_t count) const {
  Metadata m{{"step", std::to_string(step)}};
  m.merge(belongings());
  write_checkpoint(file(concat("checkpoint-", step, ".safetensors")), kept_parameters(store),
                   std::move(m));
  const std::vector<std::string> all = kept();
  std::error_code ignored;
  for (int64_t i = 0; i < std::ssize(all) - count; ++i)
    fs::remove(all[static_cast<size_t>(i)], ignored);
}

void ModelFolder::save_model(const ParameterStore& store) const {
  Metadata m{{"step", "0"}};
  m.merge(belongings());
  write_checkpoint(file("best.safetensors"), store.parameters(), std::move(m));
}

void ModelFolder::save_model_of(const ModelFolder& other, const ParameterStore& store,
                                int64_t step) const {
  const auto held = lock();
  check_free();
  for (const auto& [name, digest] : other.belongings())
    formats::write_file_atomically(file(name), bytes_of(other.file(name)));
  Metadata m{{"step", std::to_string(step)}};
  m.merge(belongings());
  write_checkpoint(file("best.safetensors"), store.parameters(), std::move(m));
}

ParameterStore ModelFolder::load(const std::string& path, int64_t* step, ir::DType real) const {
  const seq2seq::Settings c = config();
  ParameterStore store(seq2seq::seed(c), real);
  Metadata metadata;
  load_parameters(store, read(path, metadata), seq2seq::loss_graph(c, false), path);
  if (step != nullptr && metadata.contains("step")) *step = step_of(metadata, path);
  return store;
}

// The last parameters of a run that averages them are not the model yet.
void ModelFolder::put_average(ParameterStore& store, const Metadata& last) const {
  if (!has_average(last)) return;
  const int64_t step = step_of(last, file("last.safetensors"));
  if (step == 0) return;
  Metadata ignored;
  const NamedArrays states = read_checkpoint(file(state_file(step)), &ignored);
  for (const auto& p : store.parameters())
    if (const ir::Array* average = states.find(average_path(p.name)))
      store.set(p.name, ir::ArgumentKind::parameter, *average);
}

ParameterStore ModelFolder::load(ir::DType real, Which which) const {
  config();  // is it a model folder at all
  const std::string best = file("best.safetensors"), last = file("last.safetensors");
  if (!is_trained()) throw GraphError(concat(path_, ": error: holds no trained parameters yet"));
  if (which == Which::either) which = fs::exists(best) ? Which::best : Which::last;
  const std::string& name = which == Which::best ? best : last;
  if (!fs::exists(name)) throw GraphError(concat(name, ": error: is not there"));
  ParameterStore store = load(name, nullptr, real);
  if (which == Which::last) put_average(store, formats::open_checkpoint(name)->metadata());
  return store;
}

void ModelFolder::read_best(Progress& progress) const {
  const std::string best = file("best.safetensors");
  if (!fs::exists(best)) return;
  Metadata m;
  read(best, m);
  set_best(progress, m, best);
}

bool ModelFolder::has_good() const { return fs::exists(file("good.safetensors")); }

void ModelFolder::save_good(const ParameterStore& store, const Progress& progress) const {
  Metadata m = metadata_of_last(progress);
  m.merge(belongings());
  NamedArrays all = kept_parameters(store);
  for (const auto& state : store.states())
    if (!is_accumulator(state.name)) all.add(state.name, state.array);
  write_checkpoint(file("good.safetensors"), all, std::move(m));
}

Progress ModelFolder::restore_good(ParameterStore& store, const ir::Graph& graph) const {
  const std::string good = file("good.safetensors");
  Metadata m;
  NamedArrays parameters;
  for (const auto& entry : read(good, m))
    if (graph.find_argument(entry.name) >= 0)
      parameters.add(entry.name, entry.array);
    else
      store.set(entry.name, ir::ArgumentKind::state, entry.array);
  load_parameters(store, parameters, graph, good);
  Progress progress = progress_of(m, good);
  read_best(progress);
  return progress;
}

Progress ModelFolder::resume(ParameterStore& store, const ir::Graph& graph) const {
  Metadata meta, state_meta;
  const std::string last = file("last.safetensors");
  if (!fs::exists(last))
    throw GraphError(concat(path_, ": error: has no last.safetensors to go on from",
                            is_trained() ? "" : "; without --resume a run begins there"));
  load_parameters(store, read(last, meta), graph, last);
  Progress progress = progress_of(meta, last);
  const std::string state = file(state_file(progress.step));
  const NamedArrays states = read_checkpoint(state, &state_meta);
  const auto needed = meta.find("state");
  if (!(progress_of(state_meta, state) == progress) ||
      (needed != meta.end() && needed->second != state_meta[kChecksumKey]))
    throw GraphError(concat(state, ": error: belongs to another run than last.safetensors"));
  for (const auto& entry : states) store.set(entry.name, ir::ArgumentKind::state, entry.array);
  read_best(progress);
  if (!meta.contains("mark_step"))
    progress.mark_step = progress.best_step, progress.mark_score = progress.best_score;
  return progress;
}

}  // namespace weft::training
