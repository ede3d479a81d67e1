// models/cli/translating/translator_flags.cpp -- flags into the options of a translator.
#include "models/cli/translating/translator_flags.h"

#include "frontend/formats/text.h"
#include "ir/error.h"
#include "models/cli/command.h"
#include "models/cli/options/engine_option.h"
#include "models/settings/text_fields.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace weft::cli {
namespace {

// "length_penalty" -> "--length-penalty"
std::string flag_of(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

std::string capital(std::string text) {
  text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  return text;
}

// "true, false or never" -> "true|false|never"
std::string names_of(std::string text) {
  for (const std::string_view between : {", ", " or "})
    for (size_t at = text.find(between); at != std::string::npos; at = text.find(between))
      text.replace(at, between.size(), "|");
  return text;
}

}  // namespace

void TranslatorFlags::add_model_to(Command& command) {
  command.add_option("MODEL", folder, "The model's folder")->required();
  command
      .add_option("--with", others,
                  "Another model's folder, with the same vocabularies, to choose together with it; "
                  "may be given again")
      ->one_at_a_time()
      ->type_name("MODEL");
  command
      .add_option(
          "--checkpoint",
          [this](const std::string& name) {
            options.which = name == "best" ? training::Which::best : training::Which::last;
          },
          "Take the parameters of the best validation, or the last ones saved (default: the best, "
          "or the last where none was validated)")
      ->type_name("best|last")
      ->one_of({"best", "last"});
  command
      .add_option(
          "--adapter", options.adapter,
          "An adapter of MODEL: a folder that `weft train --adapt` or PEFT wrote. Such a folder "
          "as MODEL names its model itself")
      ->type_name("DIR");
  command
      .add_option(
          "--max-source-tokens", options.max_source_tokens,
          "Longer sources are refused (default: those the model has no positions for; where "
          "it has any number, 1000, or four times the longest it was trained on)")
      ->type_name("N")
      ->in_range(1, 1 << 20);
  command
      .add_option(
          "--source-language", options.languages.source,
          "Of a published model for many languages: that of the source, as the model spells "
          "it (en_XX, eng_Latn, en)")
      ->type_name("NAME");
  command
      .add_option("--target-language", options.languages.target,
                  "Likewise, that of the translation")
      ->type_name("NAME");
  add_engine_option(command, engine);
  precision.add_to(command, "f32");
}

void TranslatorFlags::give(const std::string& key, const Setter& set) {
  set(options);  // says what is wrong with it
  given_[key] = set;
}

void TranslatorFlags::ask_folder() {
  options.search = {};
  if (const auto generation = published_generation(folder, options.languages)) {
    if (!given_.contains("beam")) options.beam = generation->beam;
    options.search = generation->search;
  }
  for (const auto& [key, set] : given_) set(options);
  // What belongs to a setting that was replaced goes with it.
  search::SearchOptions& s = options.search;
  const auto replaced = [&](const char* key, const char* with) {
    return given_.contains(key) && !given_.contains(with);
  };
  if (replaced("length_norm", "length_penalty") &&
      (s.length_norm == search::LengthNorm::none || s.length_norm == search::LengthNorm::average))
    s.length_penalty = 0;
  if (replaced("search_rules", "early_stopping") || replaced("sample", "early_stopping"))
    s.early_stopping = search::EarlyStopping::no;
  if (replaced("beam", "groups") && s.groups > 1 && options.beam % s.groups != 0)
    s.groups = 1, s.diversity = 0;
}

std::string TranslatorFlags::explained_settings() const {
  struct Row {
    std::string name, value, origin;
  };
  std::vector<Row> rows;
  std::set<std::string> told;
  if (const auto generation = published_generation(folder, options.languages))
    for (const published::SettingOrigin& o : generation->origins) {
      told.insert(o.option);
      rows.push_back({o.name, o.value, o.origin});
      if (given_.contains(o.option)) rows.back().origin += ", replaced by " + flag_of(o.option);
    }
  const auto add = [&](const std::string& key, const std::string& value) {
    if (given_.contains(key))
      rows.push_back({flag_of(key), value, "command line"});
    else if (!told.contains(key))
      rows.push_back({flag_of(key), value, "default"});
  };
  add("beam", std::to_string(options.beam));
  for (const settings::FieldValue& f : settings::values(settings::fields_of(options.search)))
    add(f.key, f.value);
  size_t names = 0, values = 0;
  for (const Row& r : rows)
    names = std::max(names, r.name.size()), values = std::max(values, r.value.size());
  std::string text;
  for (const Row& r : rows)
    text += r.name + std::string(names - r.name.size() + 2, ' ') + r.value +
            std::string(values - r.value.size() + 2, ' ') + r.origin + "\n";
  for (const std::string& remark : published_remarks(folder)) text += remark + "\n";
  return text;
}

void TranslatorFlags::add_search_to(Command& command) {
  command
      .add_option(
          "--beam",
          [this](const std::string& text) {
            const int64_t beam = std::stoll(text);  // in range, which is tested first
            give("beam", [beam](TranslatorOptions& o) { o.beam = beam; });
          },
          "Keep the N best beginnings at every step; 1: greedy search (default: what a published "
          "model asks for)")
      ->type_name("N")
      ->in_range(1, 64)
      ->show_default("1");
  for (const settings::FieldDoc& field :
       settings::documentation(settings::fields_of(options.search))) {
    const std::string flag = flag_of(field.key);
    const auto set = [this, key = field.key](const std::string& text) {
      give(key, [key, text](TranslatorOptions& o) { settings::set_field(o.search, key, text); });
    };
    if (field.value == "false") {
      command
          .add_flag(
              flag, [=] { set("true"); }, capital(field.doc))
          ->group("Search");
      continue;
    }
    const bool is_text = field.value.starts_with('"');
    const std::string value = is_text ? field.value.substr(1, field.value.size() - 2) : field.value;
    const bool is_word = is_text && field.needed != "a text";
    command.add_option(flag, set, capital(field.doc))
        ->type_name(is_word ? names_of(field.needed) : "N")
        ->show_default(value)
        ->group("Search");
  }
  command
      .add_option(
          "--bad-words", bad_words,
          "Never produce these: a file, words or phrases of the target on lines of their own")
      ->type_name("FILE")
      ->group("Search");
}

std::string in_flags(std::string text) {
  std::vector<std::string> keys{"n_best", "max_source_tokens"};
  for (const settings::FieldDoc& field :
       settings::documentation(settings::fields_of(search::SearchOptions())))
    keys.push_back(field.key);
  const auto in_word = [&](size_t at) {
    return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 ||
                                text[at] == '_' || text[at] == '-');
  };
  for (const std::string& key : keys)
    for (size_t at = text.find(key); at != std::string::npos; at = text.find(key, at)) {
      const std::string flag = key == "n_best" ? "--nbest" : flag_of(key);
      if ((at > 0 && in_word(at - 1)) || in_word(at + key.size())) {
        at += key.size();
        continue;
      }
      text.replace(at, key.size(), flag);
      at += flag.size();
    }
  return text;
}

Translator TranslatorFlags::translator() {
  precision.check();
  try {
    search::check(options.search, options.beam);
  } catch (const ir::GraphError& e) {
    throw UsageError(in_flags(e.what()));
  }
  options.program.backend = backend_with(engine);
  std::vector<std::string> folders{folder};
  folders.insert(folders.end(), others.begin(), others.end());
  options.program.precision = precision.over(ir::Precision::f32);
  Translator model(folders, options);
  for (const std::string& remark : model.remarks()) say(remark);
  if (options.search.coverage_penalty > 0 && !seq2seq::has_attention(model.config()))
    throw UsageError(folder + ": the model has no attention, which --coverage-penalty is made of");
  if (bad_words.empty()) return model;
  formats::LineReader lines(bad_words);
  while (const auto line = lines.next()) {
    try {
      if (search::Phrase word = model.phrase(std::string(*line)); !word.empty())
        options.search.bad_words.push_back(std::move(word));
    } catch (const ir::GraphError& e) {
      throw ir::GraphError(ir::concat(lines.where(), ": error: ", e.what()));
    }
  }
  return model;
}

std::string limit_text(const Translator& translator, const search::SearchOptions& o) {
  const int64_t positions = translator.most_target_positions();
  return ir::concat("--max-length ", search::str(o.max_length),
                    positions > 0 ? ir::concat(", ", positions, " positions") : "");
}

}  // namespace weft::cli
