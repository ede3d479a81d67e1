// models/training/model_folder.cpp -- writing and reading model folders.
#include "models/training/model_folder.h"

#include "frontend/formats/atomic_file.h"
#include "frontend/formats/safetensors.h"
#include "ir/error.h"
#include "models/training/recipe.h"

#include <charconv>
#include <cstring>
#include <filesystem>

namespace weft::training {
namespace {

namespace fs = std::filesystem;
using formats::Metadata;
using formats::NamedArrays;
using ir::concat;
using ir::GraphError;

std::string state_file(int64_t step) { return concat("state-", step, ".safetensors"); }

// Doubles as their bits: they come back the same.
uint64_t bits(double x) {
  uint64_t b = 0;
  std::memcpy(&b, &x, sizeof b);
  return b;
}
double real(uint64_t b) {
  double x = 0;
  std::memcpy(&x, &b, sizeof x);
  return x;
}

// What the best model was stands with the best model: a validation after the last step must not
// make last.safetensors another file than the one a longer run writes at that step.
Metadata metadata_of_last(const Progress& p) {
  return {{"format", "weft 1"},
          {"step", std::to_string(p.step)},
          {"epoch", std::to_string(p.position.epoch)},
          {"batch", std::to_string(p.position.index)},
          {"since_best", std::to_string(p.since_best)},
          {"shrinks", std::to_string(p.shrinks)},
          {"seed", std::to_string(p.seed)}};
}

Metadata metadata_of_best(const Progress& p) {
  return {{"format", "weft 1"},
          {"step", std::to_string(p.best_step)},
          {"loss", ir::str(ir::Attr(p.best_loss))},
          {"loss_bits", std::to_string(bits(p.best_loss))}};
}

template <typename T>
T number(const Metadata& m, const std::string& key, const std::string& file) {
  const auto found = m.find(key);
  T value{};
  if (found != m.end()) {
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  throw GraphError(concat(file, ": error: needs the number '", key, "' in its metadata"));
}

Progress progress_of(const Metadata& m, const std::string& file) {
  Progress p;
  p.step = number<int64_t>(m, "step", file);
  p.position = {number<int64_t>(m, "epoch", file), number<int64_t>(m, "batch", file)};
  p.since_best = number<int64_t>(m, "since_best", file);
  p.shrinks = number<int64_t>(m, "shrinks", file);
  p.seed = number<uint64_t>(m, "seed", file);
  return p;
}

// The parameters that the model has, no more and no less, each of its shape.
void load_parameters(ParameterStore& store, const NamedArrays& arrays, const ir::Graph& graph,
                     const std::string& file) {
  size_t needed = 0;
  for (const ir::Argument& a : graph.arguments()) {
    if (a.kind != ir::ArgumentKind::parameter) continue;
    ++needed;
    const ir::Array* array = arrays.find(a.path);
    const ir::TensorType& type = graph.type(a.value);
    if (array == nullptr)
      throw GraphError(
          concat(file, ": error: has no '", a.path, "', which the model in model.toml needs"));
    if (!ir::is_float(array->dtype()) || array->dims() != ir::values(type.shape, {}))
      throw GraphError(concat(file, ": error: '", a.path, "' is ", ir::name(array->dtype()),
                              ir::dims_str(array->dims()), ", the model in model.toml needs ",
                              type));
    store.set(a.path, ir::ArgumentKind::parameter, *array);
  }
  if (arrays.size() != needed)
    for (const auto& entry : arrays)
      if (!store.contains(entry.name))
        throw GraphError(concat(file, ": error: holds '", entry.name,
                                "', which the model in model.toml has not"));
}

}  // namespace

bool ModelFolder::has_model() const { return fs::exists(file("model.toml")); }

void ModelFolder::create(const seq2seq::Config& c, const Vocabularies& v) const {
  if (has_model())
    throw GraphError(
        concat(path_, ": error: holds a model already; resume it, or name another folder"));
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) throw ir::RuntimeError(concat(path_, ": cannot be made: ", error.message()));
  v.source.save(file("source.vocab"));
  v.target.save(file("target.vocab"));
  formats::write_file_atomically(
      file("model.toml"), concat("format = 1\nfamily = ", toml_string(seq2seq::family(c)),
                                 "\nsource_vocabulary = ", seq2seq::source_vocabulary(c),
                                 "\ntarget_vocabulary = ", seq2seq::target_vocabulary(c),
                                 "\nseed = ", seq2seq::seed(c), "\n\n[model]\n", config_toml(c)));
}

seq2seq::Config ModelFolder::config() const {
  if (!has_model())
    throw GraphError(concat(path_, ": error: is no model folder, it has no model.toml"));
  TomlTable t = TomlTable::parse_file(file("model.toml"));
  seq2seq::Config c;
  int64_t format = 0, source = 0, target = 0;
  uint64_t seed = 1;
  t.take("format", format, 1, 1);
  t.take_word("family", [&](const std::string& w) { c = seq2seq::family_named(w); });
  t.take("source_vocabulary", source, 1, 1 << 24);
  t.take("target_vocabulary", target, 1, 1 << 24);
  t.take("seed", seed);
  seq2seq::set_vocabularies(c, source, target);
  seq2seq::set_seed(c, seed);
  TomlTable model = t.table("model");
  t.finish();
  read_config(model, c);
  model.finish();
  try {
    seq2seq::check(c);
  } catch (const GraphError& e) {
    t.fail("model", e.what());
  }
  return c;
}

Vocabularies ModelFolder::vocabularies() const {
  const seq2seq::Config c = config();
  Vocabularies v{data::Vocabulary::load(file("source.vocab")),
                 data::Vocabulary::load(file("target.vocab"))};
  const auto check = [&](const data::Vocabulary& vocabulary, int64_t needed,
                         std::string_view name) {
    if (vocabulary.size() != needed)
      throw GraphError(concat(file(name), ": error: has ", vocabulary.size(),
                              " tokens, the model in model.toml needs ", needed));
  };
  check(v.source, seq2seq::source_vocabulary(c), "source.vocab");
  check(v.target, seq2seq::target_vocabulary(c), "target.vocab");
  return v;
}

void ModelFolder::save_best(const ParameterStore& store, const Progress& progress) const {
  formats::write_safetensors(file("best.safetensors"), store.parameters(),
                             metadata_of_best(progress));
}

void ModelFolder::save_last(const ParameterStore& store, const Progress& progress) const {
  formats::write_safetensors(file(state_file(progress.step)), store.states(),
                             metadata_of_last(progress));
  formats::write_safetensors(file("last.safetensors"), store.parameters(),
                             metadata_of_last(progress));
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("state-") && name.ends_with(".safetensors") &&
        name != state_file(progress.step))
      fs::remove(entry.path(), ignored);
  }
}

ParameterStore ModelFolder::load(ir::DType real) const {
  const seq2seq::Config c = config();
  const std::string best = file("best.safetensors"),
                    name = fs::exists(best) ? best : file("last.safetensors");
  ParameterStore store(seq2seq::seed(c), real);
  load_parameters(store, formats::read_safetensors(name), seq2seq::loss_graph(c, false), name);
  return store;
}

Progress ModelFolder::resume(ParameterStore& store) const {
  Metadata meta, state_meta;
  const std::string last = file("last.safetensors");
  if (!fs::exists(last))
    throw GraphError(concat(path_, ": error: has no last.safetensors to go on from"));
  load_parameters(store, formats::read_safetensors(last, &meta),
                  seq2seq::loss_graph(config(), false), last);
  Progress progress = progress_of(meta, last);
  const std::string state = file(state_file(progress.step));
  const NamedArrays states = formats::read_safetensors(state, &state_meta);
  if (!(progress_of(state_meta, state) == progress))
    throw GraphError(concat(state, ": error: belongs to another run than last.safetensors"));
  for (const auto& entry : states) store.set(entry.name, ir::ArgumentKind::state, entry.array);
  if (const std::string best = file("best.safetensors"); fs::exists(best)) {
    const Metadata of_best = formats::SafetensorsReader(best).metadata();
    progress.best_step = number<int64_t>(of_best, "step", best);
    progress.best_loss = real(number<uint64_t>(of_best, "loss_bits", best));
  }
  return progress;
}

}  // namespace weft::training
