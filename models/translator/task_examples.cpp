// models/translator/task_examples.cpp
#include "models/translator/task_examples.h"

#include "frontend/formats/digest.h"
#include "ir/error.h"
#include "models/translator/task_filter.h"
#include "models/translator/task_tokenizers.h"

#include <filesystem>
#include <optional>
#include <set>

namespace weft {
namespace {

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

}  // namespace

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
  TaskFilter filter(task, text, name == "train");
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

}  // namespace weft
