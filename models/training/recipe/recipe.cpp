// models/training/recipe/recipe.cpp -- reading recipes.
#include "models/training/recipe/recipe.h"

#include "frontend/compile/memory_budget.h"
#include "ir/error.h"
#include "ir/host/memory.h"
#include "models/published/folder.h"
#include "models/published/peft.h"
#include "models/settings/toml_fields.h"

#include <algorithm>
#include <filesystem>

namespace weft::training {
namespace {

using settings::TomlTable;

constexpr int64_t kBytesOfParameter = 8;  // itself and its gradient, in f32

// What goes with what in [data].
void check_tokens(const TomlTable& t, const DataFiles& d, const SideTokens& s) {
  for (const auto& [key, size] : {std::pair{"vocabulary_size", d.tokens.size},
                                  {"source_max_size", s.source.size},
                                  {"target_max_size", s.target.size}})
    if (size != 0 && size <= data::kSpecialTokens)
      t.fail(key, ir::concat("'data.", key, "' must be 0 or more than the ", data::kSpecialTokens,
                             " special tokens take, found ", size));
  const bool published = s.target.kind == data::TokenizerKind::published;
  const bool subwords =
      published || data::has_subwords(s.source.kind) || data::has_subwords(s.target.kind);
  for (const char* key :
       {"character_coverage", "byte_fallback", "user_symbols", "subword_alpha", "subword_nbest"})
    if (t.has(key) && !subwords)
      t.fail(key, ir::concat("'data.", key,
                             "' goes with tokens = \"bpe\" or \"unigram\", 'data.tokens' is \"",
                             data::name(d.tokens.kind), "\""));
  for (const auto& [side, own] : {std::pair{"source", &s.source}, {"target", &s.target}})
    if (const std::string key = ir::concat(side, "_min_count");
        t.has(key) && data::has_subwords(own->kind))
      t.fail(key, ir::concat("'data.", key, "' goes with words and characters, the ", side,
                             " is cut into ", data::name(own->kind)));
  if (!d.shared_vocabulary) return;
  if (d.source != data::SourceKind::tokens)
    t.fail("shared_vocabulary", ir::concat("'data.shared_vocabulary' needs a source of tokens, "
                                           "'data.source' is ",
                                           data::name(d.source)));
  const auto refuse = [&](const std::string& key, const auto& source, const auto& target) {
    t.fail(key, ir::concat("'data.shared_vocabulary' needs one for both sides, found ", source,
                           " and ", target));
  };
  if (s.source.kind != s.target.kind)
    refuse(t.has("source_tokens") ? "source_tokens" : "target_tokens", data::name(s.source.kind),
           data::name(s.target.kind));
  if (s.source.size != s.target.size)
    refuse(t.has("source_max_size") ? "source_max_size" : "target_max_size", s.source.size,
           s.target.size);
  if (s.source.min_count != s.target.min_count)
    refuse(t.has("source_min_count") ? "source_min_count" : "target_min_count", s.source.min_count,
           s.target.min_count);
}

std::vector<data::ParallelFile> read_files(const TomlTable& t, const char* key,
                                           const std::vector<data::FilePattern>& patterns,
                                           const std::string& folder) {
  std::vector<data::ParallelFile> files;
  for (const data::FilePattern& pattern : patterns) {
    if (pattern == data::FilePattern()) continue;  // "": none
    try {
      const auto some = data::files_of(pattern, folder);
      files.insert(files.end(), some.begin(), some.end());
    } catch (const ir::GraphError& e) {
      t.fail(key, ir::concat("'data.", key, "': ", e.what()));
    }
  }
  return files;
}

// A published model brings its tokenisers.
void check_published_data(const TomlTable& t, Recipe& r) {
  if (!r.published) {
    for (const char* key : {"source_language", "target_language"})
      if (t.has(key))
        t.fail(key, ir::concat("'data.", key,
                               "' goes with training.from = a published model for many languages"));
    for (const auto& [key, files] : {std::pair{"train", &r.data.train}, {"valid", &r.data.valid}})
      for (const data::FilePattern& p : *files)
        if (!p.source_language.empty() || !p.target_language.empty())
          t.fail(key, ir::concat("languages of 'data.", key, "' go with training.from = a ",
                                 "published model for many languages"));
    return;
  }
  for (const char* key :
       {"source", "vocabulary_from", "tokens", "vocabulary_size", "shared_vocabulary",
        "character_coverage", "byte_fallback", "user_symbols", "source_tokens", "target_tokens",
        "source_min_count", "target_min_count", "source_max_size", "target_max_size"})
    if (t.has(key))
      t.fail(key, ir::concat("'data.", key, "' is said by the model, ", r.from,
                             ", which has a tokeniser of its own"));
  r.tokens.source.kind = r.tokens.target.kind = data::TokenizerKind::published;
}

// What may be another one in training than its configuration says.
constexpr std::string_view kTrainedOtherwise[] = {"dropout",
                                                  "attention_dropout",
                                                  "activation_dropout",
                                                  "encoder_layer_dropout",
                                                  "decoder_layer_dropout",
                                                  "source_word_dropout",
                                                  "target_word_dropout",
                                                  "label_smoothing",
                                                  "guided_alignment",
                                                  "guided_alignment_decay"};

void read_published_model(TomlTable& t, Recipe& r) {
  constexpr std::string_view kTable = "model.";
  r.model = r.published->settings();
  for (const auto& [place, where] : r.places) {
    if (!place.starts_with(kTable)) continue;
    const std::string key = place.substr(kTable.size());
    if (std::find(std::begin(kTrainedOtherwise), std::end(kTrainedOtherwise), key) !=
        std::end(kTrainedOtherwise))
      continue;
    std::string known;
    for (const std::string_view k : kTrainedOtherwise)
      known += ir::concat(known.empty() ? "" : ", ", k);
    t.fail(key, ir::concat("'model.", key, "' is said by the model, ", r.from,
                           "; what may be set is ", known));
  }
  read_config(t, r.model);
  t.finish();
}

void read_data(TomlTable& t, Recipe& r, const std::string& folder) {
  DataFiles& d = r.data;
  settings::read(t, d);
  r.tokens.source = r.tokens.target = d.tokens;
  settings::read(t, r.tokens);
  check_published_data(t, r);
  settings::read(t, r.filters);
  r.train = read_files(t, "train", d.train, folder);
  r.valid = read_files(t, "valid", d.valid, folder);
  if (r.train.empty())
    t.fail("train", "'data.train' must name a TSV file, or a source and a target");
  for (const data::FilePattern& p : d.valid)
    if (p.weight != 1) t.fail("valid", "'data.valid' is read once: its files have no weight");
  if (d.source != data::SourceKind::tokens)
    for (const auto& [key, files] : {std::pair{"train", &r.train}, {"valid", &r.valid}})
      for (const data::ParallelFile& file : *files)
        if (!file.is_tsv())
          t.fail(key, ir::concat("'data.", key, "' must name TSV files where the source is ",
                                 data::name(d.source)));
  if (!d.vocabulary_from.empty())
    d.vocabulary_from = (std::filesystem::path(folder) / d.vocabulary_from).string();
  check_tokens(t, d, r.tokens);
  if (!d.alignments.empty()) {
    if (r.train.size() != 1)
      t.fail("alignments", ir::concat("'data.alignments' goes with one file to train on, found ",
                                      r.train.size()));
    d.alignments = (std::filesystem::path(folder) / d.alignments).string();
  }
  t.finish();
}

void read_batch(TomlTable& t, data::BatchOptions& b) {
  settings::read(t, b);
  if (const int64_t least = std::max(b.round_source, b.round_target);
      b.max_tokens != 0 && b.max_tokens < least)
    t.fail("max_tokens", ir::concat("'batch.max_tokens' is ", b.max_tokens,
                                    ", but one row is padded to a multiple of ", least,
                                    " tokens (round_source, round_target)"));
  t.finish();
}

// Keys that only some kinds or schedules know: elsewhere they would say something that is not done.
template <typename E>
struct KeyOf {
  std::string_view key;
  std::vector<E> of;
};

template <typename E>
void refuse_unused(const TomlTable& t, const char* which, E chosen,
                   const std::vector<KeyOf<E>>& keys) {
  for (const auto& [key, of] : keys) {
    if (!t.has(key) || std::find(of.begin(), of.end(), chosen) != of.end()) continue;
    std::string names;
    for (const E e : of) names += (names.empty() ? "" : ", ") + std::string(name(e));
    t.fail(key, ir::concat("'optimizer.", key, "' goes with ", which, " ", names, ", 'optimizer.",
                           which, "' is ", name(chosen)));
  }
}

double default_rate(const OptimizerSettings& o) {
  switch (o.kind) {
    case OptimizerKind::adadelta:
      return 1;
    case OptimizerKind::adafactor:
      return o.relative_step ? 1 : Rate().learning_rate;
    case OptimizerKind::adagrad:
      return 1e-2;
    case OptimizerKind::lion:
      return 1e-4;
    default:
      return Rate().learning_rate;
  }
}

void read_rate(TomlTable& t, const OptimizerSettings& o, Rate& r) {
  r.learning_rate = default_rate(o);
  settings::read(t, r);
  if (!t.has("learning_rate") && r.schedule == Schedule::noam) r.learning_rate = 1;
  using enum Schedule;
  refuse_unused<Schedule>(t, "schedule", r.schedule,
                          {{"schedule_steps", {linear, cosine, polynomial}},
                           {"power", {polynomial}},
                           {"restart_every", {cosine}},
                           {"restart_stretch", {cosine}},
                           {"width", {noam}},
                           {"halving_start", {halving}},
                           {"halving_every", {halving}},
                           {"halving_factor", {halving}},
                           {"halving_unit", {halving}}});
}

void read_optimizer(TomlTable& t, OptimizerSettings& o, Rate& r) {
  t.take_word("kind", [&](const std::string& w) { o = default_settings(optimizer_named(w)); });
  settings::read(t, o);
  using enum OptimizerKind;
  refuse_unused<OptimizerKind>(t, "kind", o.kind,
                               {{"momentum", {sgd}},
                                {"nesterov", {sgd}},
                                {"beta1", {adam, lion, adafactor}},
                                {"beta2", {adam, lion}},
                                {"eps", {adam}},
                                {"rho", {adadelta}},
                                {"adadelta_eps", {adadelta}},
                                {"adagrad_eps", {adagrad}},
                                {"initial_squares", {adagrad}},
                                {"adafactor_eps", {adafactor}},
                                {"least_scale", {adafactor}},
                                {"clip_update", {adafactor}},
                                {"decay_rate", {adafactor}},
                                {"scale_by_parameter", {adafactor}},
                                {"relative_step", {adafactor}},
                                {"relative_warmup", {adafactor}}});
  read_rate(t, o, r);
  try {
    check(o);
  } catch (const ir::GraphError& e) {
    t.fail(t.has("nesterov") ? "nesterov" : "", e.what());
  }
  if (o.decoupled && r.learning_rate * o.decay >= 1)
    t.fail("decay",
           ir::concat("'optimizer.decay' times the learning rate is ", r.learning_rate * o.decay,
                      ": each step would take off more than the parameters"));
  t.finish();
}

// A number among a family's fields; 0 where it has none of that name.
double number_of(const seq2seq::Settings& model, std::string_view key) {
  for (const settings::FieldValue& v : settings::values(settings::fields_of(model)))
    if (v.key == key) return std::stod(v.value);
  return 0;
}

// What a family calls its width.
int64_t width_of(const seq2seq::Settings& model) {
  const double width = number_of(model, "width");
  return static_cast<int64_t>(width > 0 ? width : number_of(model, "hidden"));
}

void check_alignments(const TomlTable& data, const TomlTable& model, const Recipe& r) {
  const bool guided = number_of(r.model, "guided_alignment") > 0;
  if (guided && r.data.alignments.empty())
    model.fail("guided_alignment", "'model.guided_alignment' needs a file 'data.alignments'");
  if (!guided && !r.data.alignments.empty())
    data.fail("alignments", "'data.alignments' needs 'model.guided_alignment' above 0");
}

// What minimum risk training does not go with.
void check_risk(const TomlTable& t, const Recipe& r) {
  if (!r.risk.on()) {
    for (const char* key : {"risk_sharpness", "risk_metric", "risk_reference"})
      if (t.has(key))
        t.fail(key, ir::concat("'training.", key, "' goes with 'training.risk_samples' above 0"));
    return;
  }
  if (r.risk.samples == 1)
    t.fail("risk_samples",
           "'training.risk_samples' is 1, needed is 0 or at least 2: translations are weighed "
           "against each other");
  if (r.data.source != data::SourceKind::tokens)
    t.fail("risk_samples", ir::concat("'training.risk_samples' needs a source of tokens, "
                                      "'data.source' is ",
                                      data::name(r.data.source)));
  for (const char* key : {"label_smoothing", "scheduled_sampling", "guided_alignment"})
    if (const double value = number_of(r.model, key); value > 0)
      t.fail("risk_samples",
             ir::concat("'training.risk_samples' does not go with 'model.", key, "', which is ",
                        value, ": it learns no words; set it to 0"));
}

// Before the rest: it decides what data and model may say.
void read_from(TomlTable& t, Recipe& r, const std::string& folder, const std::string& from) {
  t.take("from", r.from);
  if (!r.from.empty()) r.from = (std::filesystem::path(folder) / r.from).string();
  if (!from.empty()) r.from = from;
  if (published::Adapter::is_one(r.from))
    throw ir::GraphError(ir::concat(r.from, ": error: is an adapter, not a model; weft convert ",
                                    r.from, " --to hub -o DIR makes one of it"));
  if (r.from.empty() || !published::Folder::is_one(r.from)) return;
  r.published = std::make_shared<const published::Folder>(r.from);
}

void read_adapter(TomlTable& t, Recipe& r) {
  settings::read(t, r.adapter);
  for (const char* key : {"alpha", "dropout", "rslora", "targets"})
    if (t.has(key) && !t.has("rank"))
      t.fail(key, ir::concat("'adapter.", key, "' goes with 'adapter.rank' above 0"));
  t.finish();
}

void read_training(TomlTable& t, Recipe& r) {
  settings::read(t, r.limits);
  settings::read(t, r.validation);
  settings::read(t, r.divergence);
  settings::read(t, r.risk);
  check_risk(t, r);
  try {
    check(r.validation);
  } catch (const ir::GraphError& e) {
    const char* const key = t.has("patience_on") ? "patience_on" : "validate";
    t.fail(key, ir::concat("'training.", key, "': ", e.what()));
  }
  RunOptions run;
  settings::read(t, run);
  r.seed = run.seed;
  r.precision = run.precision;
  r.freeze = run.freeze;
  if (t.has("memory_budget"))
    t.take_word("memory_budget", [&](const std::string& w) { r.memory_budget = bytes_named(w); });
  t.finish();
}

}  // namespace

void read_config(TomlTable& table, seq2seq::Settings& config) { settings::read(table, config); }

std::string config_toml(const seq2seq::Settings& config) {
  return settings::toml(settings::fields_of(config));
}

const std::string& Recipe::where(const std::string& key) const {
  const auto found = places.find(key);
  return found == places.end() ? path : found->second;
}

Recipe read_recipe(const std::string& path, seq2seq::Families known, const std::string& from) {
  TomlTable file = TomlTable::parse_file(path);
  Recipe r;
  TomlTable data = file.table("data"), model = file.table("model"), batch = file.table("batch"),
            optimizer = file.table("optimizer"), training = file.table("training"),
            adapter = file.table("adapter");
  file.finish();
  r.path = path;
  r.places = file.places();
  // A recipe that comes through a pipe stands nowhere: its paths start where the program does.
  const bool is_file = std::filesystem::is_regular_file(path);
  const std::string folder = is_file ? std::filesystem::path(path).parent_path().string() : "";
  read_from(training, r, folder, from);
  read_data(data, r, folder);
  if (r.published) {
    read_published_model(model, r);
  } else {
    r.model = known.front()->defaults();
    model.take_word("family", [&](const std::string& w) {
      r.model = seq2seq::family_named(w, known).defaults();
    });
    read_config(model, r.model);
    model.finish();
  }
  read_batch(batch, r.batch);
  read_optimizer(optimizer, r.optimizer, r.rate);
  read_training(training, r);
  read_adapter(adapter, r);
  if (r.rate.schedule == Schedule::noam && r.rate.width == 0) r.rate.width = width_of(r.model);
  try {
    check(r.rate, r.limits);
  } catch (const BadRate& e) {
    optimizer.fail(optimizer.has(e.key) ? e.key : "schedule", e.what());
  }
  if (r.data.valid.empty() && r.limits.patience > 0)
    training.fail("patience", "'training.patience' needs data.valid, examples to validate on");
  if (r.data.valid.empty() && r.rate.shrink < 1)
    optimizer.fail("shrink", "'optimizer.shrink' needs data.valid, examples to validate on");
  check_alignments(data, model, r);
  r.batch.seed = r.seed;
  seq2seq::set_seed(r.model, r.seed);
  seq2seq::Settings whole = r.model;
  seq2seq::Ends ends = seq2seq::ends(whole);
  ends.source = {.kind = r.data.source,
                 .vocabulary = 1,
                 .features = 1,
                 .stack = 1,
                 .height = r.data.patch,
                 .width = r.data.patch,
                 .patch = r.data.patch};
  ends.target_vocabulary = 1;
  seq2seq::set_ends(whole, ends);
  try {
    seq2seq::check(whole);
  } catch (const ir::GraphError& e) {
    model.fail("", e.what());
  }
  // Vocabularies come on top, and what the optimiser keeps: this model cannot be trained at all.
  if (const int64_t count = seq2seq::parameter_count(whole), most = ir::physical_memory();
      count > most / kBytesOfParameter)
    model.fail("", ir::concat("the model has more than ", count / 1'000'000,
                              " million parameters; they and their gradients would take more than ",
                              "the ", most >> 20, " MiB of this machine"));
  return r;
}

}  // namespace weft::training
