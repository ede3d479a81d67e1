// models/data/published/json.cpp -- nlohmann-json, and its errors in our words.
#include "models/data/published/json.h"

#include "ir/error.h"

#include <unordered_set>
#include <utility>
#include <vector>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

constexpr int kDeepest = 64;
constexpr int64_t kMostTokens = int64_t{1} << 24;

// "[json.exception.parse_error.101] parse error at line 1, column 3: syntax error ..., cut short.
std::string reason(const Json::exception& error) {
  const std::string text = error.what();
  const size_t begin = text.find("] ");
  return text.substr(begin == text.npos ? 0 : begin + 2, 160);
}

}  // namespace

Json parse_json(const std::string& text, const std::string& path) {
  std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth >= kDeepest && (event == Event::object_start || event == Event::array_start))
      throw GraphError(concat(path, ": is nested deeper than ", kDeepest, " levels"));
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get_ref<const std::string&>()).second)
      throw GraphError(concat(path, ": has ", parsed.dump().substr(0, 80), " twice"));
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const Json::exception& error) {
    std::string why = reason(error);
    for (char& c : why)
      if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) >= 0x7F) c = ' ';
    throw GraphError(concat(path, ": is not JSON: ", why));
  }
}

JsonObject::JsonObject(const Json& value, std::string where)
    : value_(value), where_(std::move(where)) {
  if (!value.is_object()) fail("is not an object");
}

const Json* JsonObject::find(const std::string& key) const {
  asked_.insert(key);
  const auto at = value_.find(key);
  return at == value_.end() || at->is_null() ? nullptr : &*at;
}

const Json& JsonObject::at(const std::string& key) const {
  const Json* found = find(key);
  if (found == nullptr) fail(concat("lacks \"", key, "\""));
  return *found;
}

std::string JsonObject::text(const std::string& key, std::optional<std::string> otherwise) const {
  const Json* found = otherwise ? find(key) : &at(key);
  if (found == nullptr) return *otherwise;
  if (!found->is_string()) fail(concat("has a \"", key, "\" that is no text"));
  return found->get<std::string>();
}

bool JsonObject::flag(const std::string& key, std::optional<bool> otherwise) const {
  const Json* found = otherwise ? find(key) : &at(key);
  if (found == nullptr) return *otherwise;
  if (!found->is_boolean()) fail(concat("has a \"", key, "\" that is neither true nor false"));
  return found->get<bool>();
}

int64_t JsonObject::whole(const std::string& key, std::optional<int64_t> otherwise) const {
  const Json* found = otherwise ? find(key) : &at(key);
  if (found == nullptr) return *otherwise;
  if (!found->is_number_integer()) fail(concat("has a \"", key, "\" that is no whole number"));
  return found->get<int64_t>();
}

JsonObject JsonObject::object(const std::string& key) const {
  return JsonObject(at(key), concat(where_, ": ", key));
}

void JsonObject::finish(std::string_view what) const {
  for (const auto& [key, value] : value_.items())
    if (!asked_.contains(key))
      fail(concat("has ", Json(key).dump().substr(0, 80), ", which is not known here", what));
}

void JsonObject::fail(const std::string& why) const { throw GraphError(concat(where_, ": ", why)); }

int32_t token_id(const Json& value, const std::string& where) {
  if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() >= kMostTokens)
    throw GraphError(concat(where, ": ", value.dump().substr(0, 40),
                            " is no id; a whole number from 0 to ", kMostTokens - 1, " is needed"));
  return static_cast<int32_t>(value.get<int64_t>());
}

}  // namespace weft::data::published
