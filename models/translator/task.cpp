// models/translator/task.cpp -- reading recipes' data, and checking it against the model.
#include "models/translator/task.h"

#include "backends/backend.h"
#include "frontend/formats/digest.h"
#include "ir/error.h"
#include "models/data/features/features.h"
#include "models/published/peft.h"
#include "models/search/length_limit.h"
#include "models/training/folder/transfer.h"
#include "models/translator/decoded_scores.h"
#include "models/translator/opened_model.h"
#include "models/translator/risk_sampler.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

namespace weft {
namespace {

// Of a file of examples, of a published model for many languages.
Languages languages_of(const training::Recipe& r, const data::ParallelFile& file) {
  return {file.source_language.empty() ? r.data.source_language : file.source_language,
          file.target_language.empty() ? r.data.target_language : file.target_language};
}

// What is asked of the pairs of a recipe's files, as text and by their tokens.
class Filter {
 public:
  // `whole`: of data to train on; what is validated on is neither filtered by ratio nor by what was
  // there before.
  Filter(const Task& task, const data::ParallelCorpus& text, bool whole)
      : task_(task), text_(text), filter_(settings(task, whole)), counts_(text.files().size()) {}

  // Those that are kept as text. Errors name the line.
  std::optional<data::Example> next(const data::NextExample& next) {
    while (auto e = next()) {
      const bool kept = at_line(*e, [&] { return filter_.keeps(*e, counts(*e)); });
      if (kept) return e;
    }
    return std::nullopt;
  }

  bool keeps(const data::Example& line, const data::EncodedExample& e) {
    const training::Recipe& recipe = task_.recipe;
    const int64_t positions = recipe.batch.widest, target = std::ssize(e.target);
    const int64_t of_target = seq2seq::most_target_positions(task_.config);
    if ((positions > 0 && e.source_length() > positions) ||
        (of_target > 0 && target + 1 > of_target)) {
      const bool source = positions > 0 && e.source_length() > positions;
      if (recipe.filters.long_lines == data::Misfit::refuse)
        throw ir::GraphError(
            ir::concat(place(line, source), ": error: the ", source ? "source" : "target", " has ",
                       source ? e.source_length() : target, source ? " tokens" : " tokens and </s>",
                       ", model.max_positions is ", source ? positions : of_target, " (",
                       recipe.where("model.max_positions"), ")"));
      ++counts(line).too_long;
      return false;
    }
    // Frames and patches are no tokens.
    return at_line(line, [&] { return filter_.keeps(std::ssize(e.source), target, counts(line)); });
  }

  // "train.tsv: 3 of 100 lines dropped: ...", a line for each file that lost some
  std::string remarks() const {
    std::string lines;
    for (size_t i = 0; i < counts_.size(); ++i)
      if (counts_[i].dropped() > 0)
        lines += ir::concat(text_.files()[i].name(), ": ", counts_[i].str(), "\n");
    return lines;
  }

 private:
  static data::FilterSettings settings(const Task& task, bool whole) {
    data::FilterSettings s = task.recipe.filters;
    if (!whole || task.recipe.data.source != data::SourceKind::tokens) s.max_ratio = 0;
    if (!whole) s.drop_duplicates = false;
    return s;
  }
  data::FilterCounts& counts(const data::Example& e) { return counts_[text_.file_of(e.id)]; }
  std::string place(const data::Example& e, bool source) const {
    return source ? text_.source_place(e.id) : text_.target_place(e.id);
  }
  template <typename F>
  bool at_line(const data::Example& e, const F& keeps) const {
    try {
      return keeps();
    } catch (const ir::GraphError& error) {
      const std::string what = error.what();
      throw ir::GraphError(
          ir::concat(place(e, !what.starts_with("the target")), ": error: ", what));
    }
  }

  const Task& task_;
  const data::ParallelCorpus& text_;
  data::PairFilter filter_;
  std::vector<data::FilterCounts> counts_;  // by file
};

// The texts of one side of the examples to train on; of both, line by line, where both are wanted.
data::Tokenizer::Sentences sentences(const Task& task, bool source, bool target) {
  const data::ParallelCorpus& text = *task.train.text;
  const auto filter = std::make_shared<Filter>(task, text, true);
  return [next = text.examples(), filter, source, target,
          held = std::optional<std::string>()]() mutable -> std::optional<std::string> {
    if (held) return std::exchange(held, std::nullopt);
    auto e = filter->next(next);
    if (!e) return std::nullopt;
    if (source && target) held = std::move(e->target);
    return std::move(source ? e->source : e->target);
  };
}

// Faults of the text are told at its own lines, all others at the recipe's key.
data::Tokenizer tokenizer_of(const data::TokenizerSettings& settings,
                             const training::Recipe& recipe, const std::string& side,
                             const data::Tokenizer::Sentences& next) {
  std::exception_ptr fault;
  const auto sentence = [&]() -> std::optional<std::string> {
    try {
      return next();
    } catch (...) {
      fault = std::current_exception();
      return std::nullopt;
    }
  };
  try {
    data::Tokenizer tokenizer = data::Tokenizer::train(
        settings, side.empty() ? "vocabulary" : side + " vocabulary", sentence);
    if (fault) std::rethrow_exception(fault);
    return tokenizer;
  } catch (const ir::GraphError& e) {
    if (fault) std::rethrow_exception(fault);
    const std::string own = data::has_subwords(settings.kind) ? "_max_size" : "_min_count";
    const std::string key = recipe.places.contains("data." + side + own)     ? side + own
                            : recipe.places.contains("data.vocabulary_size") ? "vocabulary_size"
                                                                             : "tokens";
    throw ir::GraphError(ir::concat(recipe.where("data." + key), ": error: ", e.what()));
  }
}

bool has_tokens(const Task& task) { return task.recipe.data.source == data::SourceKind::tokens; }

// The file that an example's place stands in.
const std::string& list_of(const data::ParallelCorpus& text, int64_t id) {
  return text.files()[text.file_of(id)].source;
}

// The digest of all that a file's encoded examples are a function of; nothing where it cannot be read
// twice.
std::optional<std::string> digest_of(const Task& task, const data::ParallelCorpus& file) {
  const auto content = file.digest();
  if (!content) return std::nullopt;
  formats::Digest digest;
  digest.add_text(*content);
  for (const data::Tokenizer* t : {&task.tokenizers.source, &task.tokenizers.target})
    digest.add_text(t->digest());
  seq2seq::Ends ends = seq2seq::ends(task.config);
  ends.seed = 1;
  digest.add_text(settings::toml(settings::fields_of(ends)));
  digest.add_text(settings::toml(settings::fields_of(task.recipe.filters)));
  digest.add_text(std::to_string(task.recipe.batch.widest));
  for (const data::ParallelFile& f : file.files())
    if (!f.source_language.empty() || !f.target_language.empty()) {
      const Languages l = languages_of(task.recipe, f);
      digest.add_text(l.source);
      digest.add_text(l.target);
    }
  if (has_tokens(task)) return digest.str();
  std::set<std::string> places;
  const data::NextExample next = file.examples();
  while (const auto e = next()) {
    const std::string path =
        data::FeatureReader::file_of(data::located(e->source, list_of(file, e->id)));
    if (places.insert(path).second && std::filesystem::is_regular_file(path))
      digest.add_text(data::file_digest(path));
  }
  return digest.str();
}

// `name`: of the cache, "train".
void encode(Task& task, TaskFile& file, const std::string& name, data::FeatureReader& reader,
            const TaskOptions& options) {
  const data::ParallelCorpus& text = *file.text;
  const auto key = options.cache.empty() ? std::nullopt : digest_of(task, text);
  const std::string path = key ? options.cache + "/" + name + ".examples" : std::string();
  const auto of_file = [&](const data::Example& e) -> const training::Tokenizers& {
    return file.by_file.empty() ? task.tokenizers : file.by_file[text.file_of(e.id)];
  };
  const training::Tokenizers& t = task.tokenizers;
  const data::Source source = seq2seq::ends(task.config).source;
  std::string why;
  Filter filter(task, text, name == "train");
  const data::UnknownIds unknown{.source = t.source.special().unknown,
                                 .target = t.target.special().unknown};
  const data::MakeExamples make = [&](const auto& add) {
    const data::NextExample next = text.examples();
    while (auto e = filter.next(next)) {
      data::EncodedExample encoded;
      try {
        if (!has_tokens(task)) e->source = data::located(e->source, list_of(text, e->id));
        const training::Tokenizers& own = of_file(*e);
        encoded = has_tokens(task) ? data::encode(*e, own.source, own.target)
                                   : data::encode(*e, reader, source, own.target);
        if (task.recipe.batch.own_begin)
          encoded.target.insert(encoded.target.begin(), own.target.special().begin);
      } catch (const ir::GraphError& error) {
        throw ir::GraphError(ir::concat(text.source_place(e->id), ": error: ", error.what()));
      }
      if (filter.keeps(*e, encoded)) add(encoded);
    }
  };
  file.encoded = options.counted
                     ? data::counted_examples(unknown, make)
                     : data::cached_examples(path, {.key = key.value_or(""), .unknown = unknown},
                                             make, &why, [&] { return filter.remarks(); });
  // Of a cache, what was said when it was made.
  std::string remarks = filter.remarks();
  if (remarks.empty()) remarks = file.encoded.note();
  for (size_t at = 0, end = 0; at < remarks.size(); at = end + 1) {
    end = remarks.find('\n', at);
    task.remarks.push_back(remarks.substr(at, end - at));
  }
  if (file.encoded.size() == 0)
    throw ir::GraphError(ir::concat(text.name(), ": error: no line is left"));
  if (!why.empty()) task.remarks.push_back(ir::concat(path, " ", why, ": it is made anew"));
}

// As the first example to train on has it, or of the vocabulary.
data::Source source_of(const Task& task, data::FeatureReader& reader) {
  const training::DataFiles& files = task.recipe.data;
  if (has_tokens(task)) return {.vocabulary = task.tokenizers.source.size()};
  const data::Example first = *task.train.text->examples()();
  try {
    return reader.source(data::located(first.source, list_of(*task.train.text, first.id)),
                         files.stack, files.patch);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(
        ir::concat(task.train.text->source_place(first.id), ": error: ", e.what()));
  }
}

// Of the folder that the recipe names.
training::Tokenizers tokenizers_from_folder(const Task& task) {
  const std::string& where = task.recipe.where("data.vocabulary_from");
  try {
    training::Tokenizers t = training::ModelFolder(task.recipe.data.vocabulary_from).tokenizers();
    const auto check = [&](const char* side, data::TokenizerKind found,
                           data::TokenizerKind needed) {
      if (found != needed)
        throw ir::GraphError(ir::concat(task.recipe.data.vocabulary_from, ": its ", side,
                                        " is cut into ", data::name(found), ", 'data.tokens' says ",
                                        data::name(needed)));
    };
    const auto& places = task.recipe.places;
    const auto said = [&](const char* key) {
      return places.contains("data.tokens") || places.contains(key);
    };
    if (has_tokens(task) && said("data.source_tokens"))
      check("source", t.source.kind(), task.recipe.tokens.source.kind);
    if (said("data.target_tokens"))
      check("target", t.target.kind(), task.recipe.tokens.target.kind);
    return t;
  } catch (const std::runtime_error& e) {
    throw ir::GraphError(ir::concat(where, ": error: ", e.what()));
  }
}

}  // namespace

training::Tokenizers make_tokenizers(const Task& task) {
  const training::Recipe& recipe = task.recipe;
  if (recipe.published)
    return published_tokenizers(*recipe.published, languages_of(recipe, recipe.train.front()));
  if (!task.recipe.data.vocabulary_from.empty()) return tokenizers_from_folder(task);
  const training::SideTokens& sides = task.recipe.tokens;
  if (task.recipe.data.shared_vocabulary) {
    const data::Tokenizer both =
        tokenizer_of(sides.source, task.recipe, "", sentences(task, true, true));
    return {both, both};
  }
  training::Tokenizers t;
  if (has_tokens(task))
    t.source = tokenizer_of(sides.source, task.recipe, "source", sentences(task, true, false));
  t.target = tokenizer_of(sides.target, task.recipe, "target", sentences(task, false, true));
  return t;
}

namespace {

// Of files that are drawn more or less often than others.
void add_weights(Task& task) {
  const auto& files = task.recipe.train;
  if (std::all_of(files.begin(), files.end(), [](const auto& f) { return f.weight == 1; })) return;
  const std::vector<int64_t>& last = task.train.text->last_ids();
  for (size_t i = 0; i < files.size(); ++i)
    task.recipe.batch.weights.push_back({last[i], files[i].weight});
}

}  // namespace

namespace {

// What adapting a model does not go with.
void check_adapter(const training::Recipe& r) {
  if (!r.adapter.on()) return;
  const auto fail = [&](const std::string& key, const std::string& what) {
    throw ir::GraphError(ir::concat(r.where(key), ": error: ", what));
  };
  if (r.from.empty())
    fail("adapter.rank", "'adapter.rank' needs a model to adapt: training.from, or --from");
  if (!r.freeze.empty())
    fail("training.freeze",
         "'training.freeze' does not go with 'adapter.rank': all but the adapter "
         "is frozen already");
  if (r.risk.on())
    fail("training.risk_samples", "'training.risk_samples' does not go with 'adapter.rank'");
}

}  // namespace

namespace {

// Those of the command line go before the recipe's.
void set_languages(training::Recipe& r, const Languages& asked) {
  if (asked.source.empty() && asked.target.empty()) return;
  if (!r.published)
    throw ir::GraphError(ir::concat(r.path,
                                    ": error: --source-language and --target-language go "
                                    "with a published model for many languages"));
  if (!asked.source.empty()) r.data.source_language = asked.source;
  if (!asked.target.empty()) r.data.target_language = asked.target;
}

// Where files are in languages of their own.
void add_tokenizers_by_file(Task& task) {
  training::Recipe& r = task.recipe;
  const auto has_own = [](const data::ParallelFile& f) {
    return !f.source_language.empty() || !f.target_language.empty();
  };
  const auto any = [&](const auto& files) {
    return std::any_of(files.begin(), files.end(), has_own);
  };
  if (!r.published || (!any(r.train) && !any(r.valid))) return;
  std::map<std::pair<std::string, std::string>, training::Tokenizers> made;
  const auto of = [&](const data::ParallelFile& f) -> const training::Tokenizers& {
    const Languages l = languages_of(r, f);
    const auto [at, is_new] = made.try_emplace({l.source, l.target});
    if (is_new) at->second = published_tokenizers(*r.published, l);
    return at->second;
  };
  for (const auto& [file, files] : {std::pair{&task.train, &r.train}, {&task.valid, &r.valid}})
    for (const data::ParallelFile& f : *files) file->by_file.push_back(of(f));
  const int32_t begin = task.tokenizers.target.special().begin;
  for (const auto& [languages, t] : made) r.batch.own_begin |= t.target.special().begin != begin;
  const std::string main = languages_of(r, r.train.front()).target;
  const auto fail = [&](const std::string& key, const std::string& what) {
    throw ir::GraphError(ir::concat(r.where(key), ": error: ", what));
  };
  if (r.validation.decodes() &&
      std::any_of(r.valid.begin(), r.valid.end(),
                  [&](const data::ParallelFile& f) { return languages_of(r, f).target != main; }))
    fail("training.validate",
         ir::concat(
             "scores of translations are of one target language, '", main,
             "' of the first file to train on; data.valid has others, which \"loss\" judges"));
  if (r.risk.on()) fail("training.risk_samples", "minimum risk training has one target language");
  if (r.batch.own_begin && r.data.subword_alpha > 0)
    fail("data.subword_alpha",
         "'data.subword_alpha' does not go with several target languages of such a model, whose "
         "decoder begins with the language");
}

}  // namespace

Task read_task(const std::string& path, const TaskOptions& options) {
  Task task{.recipe = training::read_recipe(path, seq2seq::families(), options.from)};
  if (options.adapter != nullptr) task.recipe.adapter = *options.adapter;
  check_adapter(task.recipe);
  set_languages(task.recipe, options.languages);
  if (options.begin) options.begin(task.recipe);
  task.train.text.emplace(task.recipe.train);
  if (!task.recipe.valid.empty()) task.valid.text.emplace(task.recipe.valid);
  const int64_t positions = seq2seq::most_positions(task.recipe.model);
  task.recipe.batch.widest = positions;
  task.tokenizers = options.tokenizers != nullptr ? *options.tokenizers : make_tokenizers(task);
  task.recipe.batch.source_ids = task.tokenizers.source.special();
  task.recipe.batch.target_ids = task.tokenizers.target.special();
  task.config = task.recipe.model;
  add_tokenizers_by_file(task);
  data::FeatureReader reader(task.recipe.data.source, task.recipe.data.features);
  seq2seq::set_ends(task.config, {.source = source_of(task, reader),
                                  .target_vocabulary = task.tokenizers.target.size(),
                                  .seed = task.recipe.seed});
  task.recipe.batch.seed = task.recipe.seed;
  try {
    seq2seq::check(task.config);
  } catch (const ir::GraphError& e) {
    const bool copies = task.recipe.places.contains("model.copy");
    const char* const key = copies ? "model.copy" : "model.shared_embedding";
    const bool needs_one = task.recipe.places.contains(key) && !task.recipe.data.shared_vocabulary;
    throw ir::GraphError(ir::concat(task.recipe.where(key), ": error: ", e.what(),
                                    needs_one ? "; data.shared_vocabulary = true makes one" : ""));
  }
  for (const auto& [file, name] : {std::pair{&task.train, "train"}, {&task.valid, "valid"}}) {
    if (!file->text) continue;
    encode(task, *file, name, reader, options);
  }
  add_weights(task);
  return task;
}

BatchSizes largest_batch(const Task& task) {
  const data::BatchOptions& batch = task.recipe.batch;
  BatchSizes sizes;
  const data::ExampleCounts& counts = task.train.encoded.counts();
  const int64_t source = std::max<int64_t>(1, counts.longest_source);
  const int64_t target = counts.longest_target + 1;  // its end
  const bool image = task.recipe.data.source == data::SourceKind::image;
  sizes.source = image ? source : data::padded_width(source, batch.round_source, batch);
  sizes.target = data::padded_width(target, batch.round_target, batch);
  sizes.rows = std::min(batch.max_rows, task.train.size());
  if (batch.max_tokens > 0)
    sizes.rows =
        std::clamp<int64_t>(batch.max_tokens / std::max(sizes.source, sizes.target), 1, sizes.rows);
  sizes.rows = (sizes.rows + batch.accumulate - 1) / batch.accumulate;
  if (task.recipe.risk.on()) {  // what is drawn may be as long as a search lets it become
    sizes.rows *= task.recipe.risk.samples;
    sizes.target = data::padded_width(search::LengthLimit().of(source), batch.round_target, batch);
  }
  return sizes;
}

data::SubwordSampling sampling_of(const Task& task) {
  return {.source = task.tokenizers.source,
          .target = task.tokenizers.target,
          .alpha = task.recipe.data.subword_alpha,
          .best = task.recipe.data.subword_nbest};
}

ir::Graph training_graph(const Task& task) {
  const training::Recipe& recipe = task.recipe;
  seq2seq::Settings config = task.config;
  if (recipe.risk.on()) {
    seq2seq::Ends ends = seq2seq::ends(config);
    ends.weighted = true;
    seq2seq::set_ends(config, ends);
    if (!seq2seq::ends(config).weighted)
      throw ir::GraphError(ir::concat(recipe.where("training.risk_samples"),
                                      ": error: the loss of family ", config.family().name,
                                      " does not weigh rows, which minimum risk training needs"));
  }
  ir::Graph graph = seq2seq::loss_graph(config);
  if (recipe.adapter.on())
    return low_rank::adapted(graph, adapted_modules(task), recipe.adapter, true, recipe.seed);
  try {
    training::freeze(graph, recipe.freeze);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(ir::concat(recipe.where("training.freeze"), ": error: ", e.what()));
  }
  if (recipe.published)
    for (const std::string& path : recipe.published->imported().untrained)
      if (const int at = graph.find_argument(path); at >= 0) graph.set_trainable(at, false);
  return graph;
}

std::vector<low_rank::Module> adapted_modules(const Task& task) {
  const training::Recipe& recipe = task.recipe;
  if (!recipe.adapter.on()) return {};
  const published::Imported* imported = recipe.published ? &recipe.published->imported() : nullptr;
  try {
    return low_rank::chosen(
        low_rank::modules(seq2seq::loss_graph(task.config, false)), recipe.adapter,
        [&](const low_rank::Module& m) { return published::module_name(m, imported); });
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(ir::concat(recipe.where("adapter.targets"), ": error: ", e.what()));
  }
}

training::TrainerSetup trainer_setup(const Task& task, const training::ModelFolder& folder,
                                     ProgramOptions program) {
  if (program.backend == nullptr) program.backend = backends::make_onednn();
  if (program.memory_budget == 0) program.memory_budget = task.recipe.memory_budget;
  program.budget_sizes = largest_batch(task).bindings();
  const training::Recipe& recipe = task.recipe;
  std::optional<data::Alignments> alignments;
  if (!recipe.data.alignments.empty()) alignments = data::Alignments::read(recipe.data.alignments);
  training::Seq2seqRun run{.config = task.config,
                           .optimizer = recipe.optimizer,
                           .rate = recipe.rate,
                           .limits = recipe.limits,
                           .validation = recipe.validation,
                           .divergence = recipe.divergence,
                           .batch = recipe.batch,
                           .seed = recipe.seed,
                           .train = task.train.encoded,
                           .valid = task.valid.encoded,
                           .sampling = sampling_of(task),
                           .data = settings_of(recipe.data, recipe.tokens),
                           .alignments = alignments,
                           .risk = recipe.risk,
                           .program = program,
                           .folder = folder};
  if (recipe.risk.on()) {
    run.sampler =
        risk_sampler(task.config, task.tokenizers.target.special(), recipe.risk.samples, program);
    if (recipe.risk.reference) run.scorer = risk_scorer(task.config, program);
    run.cost = text_cost(task.tokenizers.target, recipe.risk.metric, recipe.validation.tokenizer);
  }
  training::TrainerSetup setup = run;
  setup.training = training_graph(task);
  setup.decoded = decoded_scores(task, program);
  if (!recipe.adapter.on()) return setup;
  setup.more = training::settings_of(recipe.adapter);
  setup.evaluation =
      low_rank::adapted(setup.evaluation, adapted_modules(task), recipe.adapter, false);
  if (setup.decoded)
    setup.decoded = [scores = setup.decoded, scale = recipe.adapter.scale()](
                        ParameterStore& store, const training::Stop& stop) {
      ParameterStore merged = low_rank::merged(store, scale);
      return scores(merged, stop);
    };
  return setup;
}

std::string unknown_tokens(const Task& task) {
  std::string text;
  for (const TaskFile* file : {&task.train, &task.valid}) {
    const data::ExampleCounts& counts = file->encoded.counts();
    const int64_t n = counts.unknown_source + counts.unknown_target;
    if (n == 0) continue;
    text += ir::concat("; ", n, " of ", counts.source_tokens + counts.target_tokens, " tokens of ",
                       file->text->name(), " are not in the vocabulary");
    const data::NextExample next = file->text->examples();
    auto e = next();
    while (e && e->id != counts.first_unknown) e = next();
    if (!e) continue;
    std::vector<std::string> unknown;
    if (has_tokens(task)) unknown = task.tokenizers.source.unknown(e->source);
    if (unknown.empty()) unknown = task.tokenizers.target.unknown(e->target);
    if (!unknown.empty())
      text += ir::concat(", the first is '", unknown.front(), "' on ",
                         file->text->files().size() > 1 ? file->text->source_place(e->id)
                                                        : ir::concat("line ", e->id));
  }
  return text;
}

}  // namespace weft
