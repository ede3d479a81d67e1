// models/published/config_file.cpp -- values of a JSON object, one by one.
#include "models/published/config_file.h"

#include "frontend/formats/byte_source.h"
#include "frontend/formats/input_file.h"
#include "ir/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace weft::published {
namespace {

using ir::concat;
using ir::GraphError;
using nlohmann::json;

constexpr int kMostNested = 64;
constexpr int64_t kMostBytes = int64_t{16} << 20;
constexpr size_t kMostShown = 60;  // bytes of a value that a message quotes

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kMostShown) text = text.substr(0, kMostShown) + "...";
  return text;
}

std::optional<int64_t> whole(const json& value, const settings::Whole& range) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX})
    return std::nullopt;
  const auto x = value.get<int64_t>();
  return range.contains(x) ? std::optional(x) : std::nullopt;
}

std::optional<ConfigFile::Integers> whole_list(const json& value, const settings::Whole& range) {
  ConfigFile::Integers list;
  if (!value.is_array()) return std::nullopt;
  for (const json& item : value) {
    const auto x = whole(item, range);
    if (!x) return std::nullopt;
    list.push_back(*x);
  }
  return list;
}

}  // namespace

std::string file_of(const std::string& folder, std::string_view name) {
  return concat(folder, folder.ends_with('/') ? "" : "/", name);
}

struct ConfigFile::Content {
  std::string text;
  json object;
};

ConfigFile::ConfigFile(const std::string& path)
    : path_(path), content_(std::make_unique<Content>()) {
  formats::require_regular(path);
  content_->text = formats::read_text_file(path, kMostBytes);
  const auto within = [&](int depth, json::parse_event_t, json&) {
    if (depth > kMostNested)
      throw GraphError(concat(path, ": error: is nested more than ", kMostNested, " deep"));
    return true;
  };
  try {
    content_->object = json::parse(content_->text, within);
  } catch (const json::parse_error& e) {
    const auto end =
        content_->text.begin() + static_cast<ptrdiff_t>(std::min(e.byte, content_->text.size()));
    throw GraphError(concat(path, ":", 1 + std::count(content_->text.begin(), end, '\n'),
                            ": error: is no JSON from byte ", e.byte, " on"));
  } catch (const json::exception&) {
    throw GraphError(concat(path, ": error: is no JSON"));
  }
  if (!content_->object.is_object())
    throw GraphError(concat(path, ": error: is JSON, but no object {...}"));
}

ConfigFile::~ConfigFile() = default;
ConfigFile::ConfigFile(ConfigFile&&) noexcept = default;

const void* ConfigFile::find(std::string_view key) const {
  read_.insert(std::string(key));
  const auto found = content_->object.find(std::string(key));
  return found == content_->object.end() || found->is_null() ? nullptr : &*found;
}

void ConfigFile::fail(std::string_view key, std::string_view what) const {
  const std::string& text = content_->text;
  const size_t at = text.find(concat('"', key, '"'));
  const std::string line =
      at == text.npos
          ? ""
          : concat(":",
                   1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n'));
  throw GraphError(concat(path_, line, ": error: ", what));
}

void ConfigFile::refuse(std::string_view key, const std::string& needed) const {
  const void* value = find(key);
  fail(key, value == nullptr ? concat("\"", key, "\" is missing, needed is ", needed)
                             : concat("\"", key, "\" is ", shown(*static_cast<const json*>(value)),
                                      ", needed is ", needed));
}

bool ConfigFile::has(std::string_view key) const { return find(key) != nullptr; }

int64_t ConfigFile::integer(std::string_view key, const settings::Whole& range,
                            std::optional<int64_t> otherwise) const {
  const auto* value = static_cast<const json*>(find(key));
  if (value == nullptr && otherwise) return *otherwise;
  const auto x = value == nullptr ? std::nullopt : whole(*value, range);
  if (!x) refuse(key, concat("a whole number ", range.str()));
  return *x;
}

double ConfigFile::real(std::string_view key, const settings::Interval& range,
                        std::optional<double> otherwise) const {
  const auto* value = static_cast<const json*>(find(key));
  if (value == nullptr && otherwise) return *otherwise;
  if (value == nullptr || !value->is_number() || !range.contains(value->get<double>()))
    refuse(key, concat("a number ", range.str()));
  return value->get<double>();
}

bool ConfigFile::flag(std::string_view key, std::optional<bool> otherwise) const {
  const auto* value = static_cast<const json*>(find(key));
  if (value == nullptr && otherwise) return *otherwise;
  if (value == nullptr || !value->is_boolean()) refuse(key, "true or false");
  return value->get<bool>();
}

std::string ConfigFile::text(std::string_view key, std::optional<std::string> otherwise) const {
  const auto* value = static_cast<const json*>(find(key));
  if (value == nullptr && otherwise) return *otherwise;
  if (value == nullptr || !value->is_string()) refuse(key, "a text");
  return value->get<std::string>();
}

ConfigFile::Integers ConfigFile::integers(std::string_view key,
                                          const settings::Whole& range) const {
  const auto* value = static_cast<const json*>(find(key));
  if (value == nullptr) return {};
  if (const auto x = whole(*value, range)) return {*x};
  auto list = whole_list(*value, range);
  if (!list) refuse(key, concat("a whole number ", range.str(), ", or a list of them"));
  return *std::move(list);
}

std::vector<ConfigFile::Integers> ConfigFile::lists(std::string_view key,
                                                    const settings::Whole& range) const {
  const auto* value = static_cast<const json*>(find(key));
  if (value == nullptr) return {};
  const std::string needed = concat("a list of lists of whole numbers ", range.str());
  if (!value->is_array()) refuse(key, needed);
  std::vector<Integers> lists;
  for (const json& item : *value) {
    auto list = whole_list(item, range);
    if (!list || list->empty()) refuse(key, needed);
    lists.push_back(*std::move(list));
  }
  return lists;
}

std::vector<std::pair<ConfigFile::Integers, double>> ConfigFile::weighted_lists(
    std::string_view key, const settings::Whole& range) const {
  const auto* value = static_cast<const json*>(find(key));
  if (value == nullptr) return {};
  const std::string needed =
      concat("a list of [[numbers ", range.str(), "], a number of any size]");
  std::vector<std::pair<Integers, double>> lists;
  const auto add = [&](const json& list, const json& weight) {
    auto ids = whole_list(list, range);
    if (!ids || ids->empty() || !weight.is_number()) refuse(key, needed);
    lists.emplace_back(*std::move(ids), weight.get<double>());
  };
  if (!value->is_array()) refuse(key, needed);
  for (const json& item : *value) {
    if (!item.is_array() || item.size() != 2) refuse(key, needed);
    add(item[0], item[1]);
  }
  return lists;
}

std::pair<int64_t, double> ConfigFile::integer_and_real(std::string_view key) const {
  const auto* value = static_cast<const json*>(find(key));
  if (value == nullptr || !value->is_array() || value->size() != 2 || !(*value)[1].is_number() ||
      !whole((*value)[0], {0, 1 << 30}))
    refuse(key, "[a whole number, a number]");
  return {(*value)[0].get<int64_t>(), (*value)[1].get<double>()};
}

std::string ConfigFile::written(std::string_view key) const {
  const auto found = content_->object.find(std::string(key));
  return found == content_->object.end() ? "null" : shown(*found);
}

std::vector<std::string> ConfigFile::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : content_->object.items()) keys.push_back(key);
  return keys;
}

std::vector<std::string> ConfigFile::unread() const {
  std::vector<std::string> list;
  for (std::string& key : keys())
    if (!read_.contains(key)) list.push_back(std::move(key));
  return list;
}

}  // namespace weft::published
