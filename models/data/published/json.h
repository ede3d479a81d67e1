// models/data/published/json.h -- JSON files of published models, read with what is wrong in them said
// in one line: "path: what was found and what is needed".
#pragma once
#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace weft::data::published {

using Json = nlohmann::json;

// Refuses what is no JSON, keys that are there twice, and nesting deeper than 64 levels.
Json parse_json(const std::string& text, const std::string& path);

// The members of an object, asked for one by one; `finish` refuses those that nobody asked for, so
// that nothing a file says is passed over. What is null counts as not being there.
class JsonObject {
 public:
  JsonObject(const Json& value, std::string where);

  const Json* find(const std::string& key) const;
  const Json& at(const std::string& key) const;
  // A member of this type. Without `otherwise` it must be there.
  std::string text(const std::string& key, std::optional<std::string> otherwise = {}) const;
  bool flag(const std::string& key, std::optional<bool> otherwise = {}) const;
  int64_t whole(const std::string& key, std::optional<int64_t> otherwise = {}) const;
  JsonObject object(const std::string& key) const;
  // Known, and of no consequence here.
  void pass(const std::string& key) const { asked_.insert(key); }
  // `what`: what can be read instead, for the message.
  void finish(std::string_view what = {}) const;

  const Json& value() const { return value_; }
  const std::string& where() const { return where_; }
  [[noreturn]] void fail(const std::string& why) const;

 private:
  const Json& value_;
  std::string where_;
  mutable std::set<std::string> asked_;
};

// An id that vocabularies may have; GraphError otherwise.
int32_t token_id(const Json& value, const std::string& where);

}  // namespace weft::data::published
