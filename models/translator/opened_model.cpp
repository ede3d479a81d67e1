// models/translator/opened_model.cpp -- folders of all kinds.
#include "models/translator/opened_model.h"

#include "frontend/formats/checkpoint.h"
#include "ir/error.h"
#include "models/data/published/number_codec.h"
#include "models/data/published/published_tokenizers.h"
#include "models/families/seq2seq.h"
#include "models/published/folder.h"
#include "models/published/peft.h"

#include <algorithm>
#include <filesystem>

namespace weft {
namespace {

using data::PublishedTokenizers;
using published::Folder;

// Of tokenisers; a folder without any takes and gives ids.
constexpr std::string_view kTokenizerFiles[] = {"tokenizer.json", "spiece.model",
                                                "source.spm",     "sentencepiece.bpe.model",
                                                "vocab.json",     "tokenizer_config.json"};

bool has_tokenizers(const Folder& folder) {
  return std::any_of(std::begin(kTokenizerFiles), std::end(kTokenizerFiles),
                     [&](std::string_view name) {
                       return std::filesystem::exists(ir::concat(folder.path(), "/", name));
                     });
}

PublishedTokenizers tokenizers_of(const Folder& folder, const Languages& languages) {
  const transformer::Config& c = folder.imported().config;
  const bool chosen = !languages.source.empty() || !languages.target.empty();
  PublishedTokenizers t;
  if (has_tokenizers(folder))
    t = data::open_published_tokenizers(folder.path(), {.source_language = languages.source,
                                                        .target_language = languages.target,
                                                        .source_rows = c.source.vocabulary,
                                                        .target_rows = c.target_vocabulary});
  if (chosen && t.languages.empty())
    throw ir::GraphError(folder.path() +
                         ": error: the model has no languages that could be chosen");
  if (has_tokenizers(folder)) return t;
  t.source = data::published::numbers(c.source.vocabulary, folder.generation().ids);
  t.target = c.target_vocabulary == c.source.vocabulary
                 ? t.source
                 : data::published::numbers(c.target_vocabulary, folder.generation().ids);
  return t;
}

// "a, b, c and 97 more"
std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kMost = 5;
  std::string s;
  for (size_t i = 0; i < std::min(kMost, names.size()); ++i) s += (i > 0 ? ", " : "") + names[i];
  return names.size() > kMost ? ir::concat(s, " and ", names.size() - kMost, " more") : s;
}

// With the language of the target, which such models begin with.
published::Generation generation_of(const Folder& folder, const PublishedTokenizers& t,
                                    const Languages& languages) {
  published::Generation g = folder.generation();
  int32_t& first = g.search.rules.forced_first;
  const bool chosen = !languages.target.empty();
  if (t.languages.empty()) return g;
  if (t.first) {
    if (!chosen && first != search::TokenRules::kNone) return g;
    first = *t.first;
    g.origins.push_back({"forced_bos_token_id",
                         std::to_string(first),
                         chosen ? "--target-language" : "tokenizer_config.json",
                         {}});
  } else if (chosen) {  // the decoder starts with it
    g.ids.begin = t.target.special().begin;
    g.origins.push_back(
        {"decoder_start_token_id", std::to_string(g.ids.begin), "--target-language", {}});
  } else if (t.target_language.empty() && first == search::TokenRules::kNone) {
    throw ir::GraphError(
        ir::concat(folder.path(), ": error: the model writes ", t.languages.size(), " languages (",
                   listed(t.languages),
                   "); --target-language, or data.target_language of a recipe, says which one"));
  }
  return g;
}

// With what an adapter makes of them, where there is one.
ParameterStore adapted(ParameterStore parameters, const ModelPlace& place,
                       const seq2seq::Settings& config, const published::Imported* imported,
                       std::vector<std::string>* remarks) {
  if (place.adapter.empty()) return parameters;
  const published::Adapter a(place.adapter);
  const std::string base = a.base_digest();
  if (remarks != nullptr && !base.empty() && base != model_digest(place.model))
    remarks->push_back(ir::concat(place.adapter, ": warning: the adapter was trained on another ",
                                  "model than ", place.model, ": of equal shapes, other numbers"));
  a.add_to(parameters, low_rank::modules(seq2seq::loss_graph(config, false)), imported);
  return low_rank::merged(parameters, a.settings().scale());
}

// What a hub's folder or an adapter holds is one set of parameters.
void check_which(const ModelPlace& place, training::Which which) {
  if (which == training::Which::last)
    throw ir::GraphError((place.adapter.empty() ? place.model : place.adapter) +
                         ": error: --checkpoint last is for model folders of Weft's own; this one "
                         "holds one set of parameters");
}

ParameterStore parameters_of(const Folder& folder, const ModelPlace& place, training::Which which,
                             ir::DType real, std::vector<std::string>* remarks) {
  check_which(place, which);
  return adapted(folder.load(real), place, folder.settings(), &folder.imported(), remarks);
}

ParameterStore parameters_of(const training::ModelFolder& folder, const ModelPlace& place,
                             training::Which which, ir::DType real,
                             std::vector<std::string>* remarks) {
  if (!place.adapter.empty()) check_which(place, which);
  return adapted(folder.load(real, which), place, folder.config(), nullptr, remarks);
}

}  // namespace

ModelPlace place_of(const std::string& folder, const std::string& adapter) {
  if (!published::Adapter::is_one(folder)) return {folder, adapter};
  if (!adapter.empty())
    throw ir::GraphError(folder + ": error: is an adapter itself, --adapter goes with a model");
  const std::string base = published::Adapter(folder).base();
  if (published::Adapter::is_one(base))
    throw ir::GraphError(folder + ": error: its model " + base + " is an adapter itself");
  return {base, folder};
}

training::Tokenizers published_tokenizers(const Folder& folder, const Languages& languages) {
  const PublishedTokenizers t = tokenizers_of(folder, languages);
  return {t.source, t.target.with_special(generation_of(folder, t, languages).ids)};
}

OpenedModel open_model(const std::string& folder, training::Which which, ir::DType real,
                       const Languages& languages, const std::string& adapter) {
  const ModelPlace place = place_of(folder, adapter);
  if (Folder::is_one(place.model)) {
    const Folder published(place.model);
    OpenedModel opened{.config = published.settings(),
                       .tokenizers = published_tokenizers(published, languages),
                       .parameters = ParameterStore()};
    opened.parameters = parameters_of(published, place, which, real, &opened.remarks);
    return opened;
  }
  const training::ModelFolder model(place.model);
  if (model.has_model() && !(languages.source.empty() && languages.target.empty()))
    throw ir::GraphError(place.model +
                         ": error: languages are for published models for many of them");
  OpenedModel opened{.config = model.config(),
                     .tokenizers = model.tokenizers(),
                     .parameters = ParameterStore(),
                     .longest_source = model.longest_source()};
  opened.parameters = parameters_of(model, place, which, real, &opened.remarks);
  return opened;
}

ParameterStore open_parameters(const ModelPlace& place, training::Which which, ir::DType real,
                               std::vector<std::string>* remarks) {
  return Folder::is_one(place.model)
             ? parameters_of(Folder(place.model), place, which, real, remarks)
             : parameters_of(training::ModelFolder(place.model), place, which, real, remarks);
}

std::string model_digest(const std::string& model) {
  if (Folder::is_one(model)) return Folder(model).digest();
  if (std::filesystem::is_directory(model))
    return formats::content_digest(training::ModelFolder(model).load().parameters());
  return formats::content_digest(*formats::open_checkpoint(model));
}

std::optional<published::Generation> published_generation(const std::string& named,
                                                          const Languages& languages) {
  const std::string folder = place_of(named).model;
  if (!Folder::is_one(folder)) return std::nullopt;
  const Folder published(folder);
  const bool chosen = !languages.source.empty() || !languages.target.empty();
  if (!chosen && !(has_tokenizers(published) && data::have_languages(folder)))
    return published.generation();
  return generation_of(published, tokenizers_of(published, languages), languages);
}

std::vector<std::string> published_remarks(const std::string& named) {
  const std::string folder = place_of(named).model;
  return Folder::is_one(folder) ? Folder(folder).remarks() : std::vector<std::string>();
}

PublishedFacts published_facts(const std::string& named) {
  const Folder folder(place_of(named).model);
  const PublishedTokenizers t = tokenizers_of(folder, {});
  return {.tokenizer = t.family, .languages = t.languages};
}

seq2seq::Settings settings_of_folder(const std::string& named) {
  const std::string folder = place_of(named).model;
  return Folder::is_one(folder) ? Folder(folder).settings()
                                : training::ModelFolder(folder).config();
}

}  // namespace weft
