// models/translator/task_tokenizers.cpp
#include "models/translator/task_tokenizers.h"

#include "ir/error.h"
#include "models/translator/opened_model.h"
#include "models/translator/task_examples.h"
#include "models/translator/task_filter.h"

#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <utility>

namespace weft {
namespace {

// The texts of one side of the examples to train on; of both, line by line, where both are wanted.
data::Tokenizer::Sentences sentences(const Task& task, bool source, bool target) {
  const data::ParallelCorpus& text = *task.train.text;
  const auto filter = std::make_shared<TaskFilter>(task, text, true);
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

Languages languages_of(const training::Recipe& r, const data::ParallelFile& file) {
  return {file.source_language.empty() ? r.data.source_language : file.source_language,
          file.target_language.empty() ? r.data.target_language : file.target_language};
}

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

}  // namespace weft
