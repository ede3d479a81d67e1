// models/translator/opened_model.cpp -- folders of both kinds.
#include "models/translator/opened_model.h"

#include "models/published/folder.h"

namespace weft {
namespace {

using published::Folder;

// The numbers themselves, separated by spaces.
data::Tokenizer numbers(int64_t size, const data::SpecialIds& ids, const std::string& name) {
  std::vector<std::string> tokens;
  for (int64_t id = 0; id < size; ++id) tokens.push_back(std::to_string(id));
  return {data::TokenizerKind::words, data::Vocabulary::from_tokens(std::move(tokens), name, ids)};
}

training::Tokenizers tokenizers_of(const Folder& folder) {
  const transformer::Config& c = folder.imported().config;
  constexpr int32_t kNone = data::SpecialIds::kNone;
  return {numbers(c.source.vocabulary, {kNone, kNone, 1 << 24, kNone}, folder.path()),
          numbers(c.target_vocabulary, folder.generation().ids, folder.path())};
}

}  // namespace

OpenedModel open_model(const std::string& folder, training::Which which, ir::DType real,
                       const Languages&) {
  if (Folder::is_one(folder)) {
    const Folder published(folder);
    return {.config = published.settings(),
            .tokenizers = tokenizers_of(published),
            .parameters = published.load(real)};
  }
  const training::ModelFolder model(folder);
  return {.config = model.config(),
          .tokenizers = model.tokenizers(),
          .parameters = model.load(real, which),
          .longest_source = model.longest_source()};
}

std::optional<published::Generation> published_generation(const std::string& folder,
                                                          const Languages&) {
  if (!Folder::is_one(folder)) return std::nullopt;
  return Folder(folder).generation();
}

seq2seq::Settings settings_of_folder(const std::string& folder) {
  return Folder::is_one(folder) ? Folder(folder).settings()
                                : training::ModelFolder(folder).config();
}

}  // namespace weft
