// models/settings/toml_table.cpp -- on toml++.
#include "models/settings/toml_table.h"

#include "frontend/formats/input_file.h"
#include "ir/error.h"

#include <toml++/toml.h>

#include <cmath>
#include <sstream>

namespace weft::settings {

using ir::concat;
using ir::GraphError;

struct TomlTable::Content {
  std::string file;
  std::string name;  // "model.", or ""
  std::shared_ptr<toml::table> root;
  const toml::table* table = nullptr;  // null: missing
  std::set<std::string, std::less<>> taken;

  const toml::node* node(std::string_view key) {
    taken.emplace(key);
    return table == nullptr ? nullptr : table->get(key);
  }
};

namespace {

std::string spelled(double x) {
  if (std::isnan(x)) return "nan";  // streams know a negative one
  std::ostringstream out;
  out.precision(9);
  out << x;
  return out.str();
}

// What stands in a file where something else was needed.
std::string spelled(const toml::node& n) {
  if (const auto x = n.value_exact<int64_t>()) return std::to_string(*x);
  if (const auto x = n.value_exact<double>()) return spelled(*x);
  if (const auto x = n.value_exact<bool>()) return *x ? "true" : "false";
  if (const auto x = n.value_exact<std::string>())
    return x->size() > 40 ? "a text of " + std::to_string(x->size()) + " bytes" : toml_string(*x);
  return n.is_table() ? "a table" : n.is_array() ? "a list" : "a date or time";
}

void add_places(const toml::table& table, const std::string& name, const std::string& file,
                std::map<std::string, std::string>& places) {
  for (const auto& [key, node] : table) {
    const std::string path = concat(name, key.str());
    places[path] = concat(file, ":", node.source().begin.line);
    if (const toml::table* inner = node.as_table()) add_places(*inner, path + ".", file, places);
  }
}

}  // namespace

TomlTable::TomlTable(std::unique_ptr<Content> content) : content_(std::move(content)) {}
TomlTable::TomlTable(TomlTable&&) noexcept = default;
TomlTable::~TomlTable() = default;

TomlTable TomlTable::parse_file(const std::string& path) {
  const std::string text = formats::read_text_file(path, int64_t{1} << 20);
  auto content = std::make_unique<Content>();
  content->file = formats::input_name(path);
  try {
    content->root = std::make_shared<toml::table>(toml::parse(text, path));
  } catch (const toml::parse_error& e) {
    throw GraphError(
        concat(content->file, ":", e.source().begin.line, ": error: ", e.description()));
  }
  content->table = content->root.get();
  return TomlTable(std::move(content));
}

void TomlTable::fail(std::string_view key, const std::string& message) const {
  const toml::node* n = content_->table == nullptr ? nullptr : content_->table->get(key);
  const toml::source_region region = n != nullptr                 ? n->source()
                                     : content_->table != nullptr ? content_->table->source()
                                                                  : toml::source_region{};
  throw GraphError(concat(content_->file,
                          region.begin.line > 0 ? concat(":", region.begin.line) : "",
                          ": error: ", message));
}

void TomlTable::take(std::string_view key, int64_t& value, const Whole& needed) {
  const toml::node* n = content_->node(key);
  if (n == nullptr) return;
  const auto found = n->value_exact<int64_t>();
  if (!found || !needed.contains(*found))
    fail(key, concat("'", content_->name, key, "' must be a whole number ", needed, ", found ",
                     spelled(*n)));
  value = *found;
}

void TomlTable::take(std::string_view key, std::vector<int64_t>& values, const Whole& needed) {
  const toml::node* n = content_->node(key);
  if (n == nullptr) return;
  const auto refuse = [&](const toml::node& node) {
    fail(key, concat("'", content_->name, key, "' must be a list of whole numbers ", needed,
                     ", found ", spelled(node)));
  };
  const toml::array* list = n->as_array();
  if (list == nullptr) refuse(*n);
  std::vector<int64_t> found;
  for (const toml::node& element : *list) {
    const auto number = element.value_exact<int64_t>();
    if (!number || !needed.contains(*number)) refuse(element);
    found.push_back(*number);
  }
  values = std::move(found);
}

void TomlTable::take(std::string_view key, uint64_t& value) {
  int64_t v = static_cast<int64_t>(value);
  take(key, v, Whole{0, INT64_MAX});
  value = static_cast<uint64_t>(v);
}

void TomlTable::take(std::string_view key, double& value, const Interval& needed) {
  const toml::node* n = content_->node(key);
  if (n == nullptr) return;
  const auto found = n->is_number() ? n->value<double>() : std::optional<double>();
  const auto refuse = [&](const std::string& what) {
    fail(key, concat("'", content_->name, key, "' must be a number ", needed, ", found ", what));
  };
  if (!found || !needed.contains(*found)) refuse(spelled(*n));
  const double single = static_cast<float>(*found);
  if (!needed.contains(single) || (single == 0 && *found != 0))
    refuse(concat(spelled(*n), ", which is ", spelled(single), " in single precision"));
  value = *found;
}

void TomlTable::take(std::string_view key, bool& value) {
  const toml::node* n = content_->node(key);
  if (n == nullptr) return;
  const auto found = n->value_exact<bool>();
  if (!found)
    fail(key, concat("'", content_->name, key, "' must be true or false, found ", spelled(*n)));
  value = *found;
}

void TomlTable::take(std::string_view key, std::string& value) {
  const toml::node* n = content_->node(key);
  if (n == nullptr) return;
  const auto found = n->value_exact<std::string>();
  if (!found)
    fail(key, concat("'", content_->name, key, "' must be a string, found ", spelled(*n)));
  if (found->find('\0') != std::string::npos)
    fail(key, concat("'", content_->name, key, "' holds a character 0, which no text or path has"));
  value = *found;
}

void TomlTable::take(std::string_view key, std::vector<std::string>& value) {
  const toml::node* n = content_->node(key);
  if (n == nullptr) return;
  const auto text_of = [&](const toml::node& node) {
    const auto found = node.value_exact<std::string>();
    if (!found)
      fail(key, concat("'", content_->name, key, "' must be a string or a list of them, found ",
                       spelled(node)));
    return *found;
  };
  std::vector<std::string> texts;
  if (const toml::array* list = n->as_array())
    for (const toml::node& element : *list) texts.push_back(text_of(element));
  else
    texts.push_back(text_of(*n));
  value = std::move(texts);
}

void TomlTable::take_word(std::string_view key,
                          const std::function<void(const std::string&)>& read) {
  if (!has(key)) return void(content_->node(key));
  std::string word;
  take(key, word);
  try {
    read(word);
  } catch (const GraphError& e) {
    fail(key, concat("'", content_->name, key, "': ", e.what()));
  }
}

void TomlTable::take_list(std::string_view key, const std::function<void(const std::string&)>& text,
                          const std::function<void(TomlTable&)>& table) {
  const toml::node* n = content_->node(key);
  if (n == nullptr) return;
  const auto take_one = [&](const toml::node& element) {
    if (const auto found = element.value_exact<std::string>()) return text(*found);
    if (!element.is_table())
      fail(key, concat("'", content_->name, key,
                       "' must be a string, a table or a list of them, found ", spelled(element)));
    auto inner = std::make_unique<Content>();
    inner->file = content_->file;
    inner->name = concat(content_->name, key, ".");
    inner->root = content_->root;
    inner->table = element.as_table();
    TomlTable record(std::move(inner));
    table(record);
  };
  if (const toml::array* list = n->as_array())
    for (const toml::node& element : *list) take_one(element);
  else
    take_one(*n);
}

TomlTable TomlTable::table(std::string_view key) {
  const toml::node* n = content_->node(key);
  if (n != nullptr && !n->is_table())
    fail(key, concat("'", content_->name, key, "' must be a table, found ", spelled(*n)));
  auto inner = std::make_unique<Content>();
  inner->file = content_->file;
  inner->name = concat(content_->name, key, ".");
  inner->root = content_->root;
  inner->table = n == nullptr ? nullptr : n->as_table();
  return TomlTable(std::move(inner));
}

bool TomlTable::has(std::string_view key) const {
  return content_->table != nullptr && content_->table->contains(key);
}

std::map<std::string, std::string> TomlTable::places() const {
  std::map<std::string, std::string> places;
  if (content_->table != nullptr)
    add_places(*content_->table, content_->name, content_->file, places);
  return places;
}

void TomlTable::finish() const {
  if (content_->table == nullptr) return;
  for (const auto& [key, node] : *content_->table)
    if (!content_->taken.contains(key.str())) {
      std::string known;
      for (const std::string& k : content_->taken) known += (known.empty() ? "" : ", ") + k;
      fail(key.str(), concat("there is no '", content_->name, key.str(), "'; known are ", known));
    }
}

std::string toml_string(std::string_view text) {
  std::string s = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') s += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04X", c);
      s += escaped;
    } else {
      s += c;
    }
  }
  return s + "\"";
}

std::string toml_list(const std::vector<std::string>& texts) {
  std::string s = "[";
  for (const std::string& text : texts) s += (s.size() > 1 ? ", " : "") + toml_string(text);
  return s + "]";
}

}  // namespace weft::settings
