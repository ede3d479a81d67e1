// models/data/published/model_files.cpp -- files of a folder, and base64 (RFC 4648) for all in one.
#include "models/data/published/model_files.h"

#include "frontend/formats/byte_source.h"
#include "frontend/formats/input_file.h"
#include "ir/error.h"

#include <filesystem>
#include <utility>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

constexpr int64_t kLargest = int64_t{256} << 20;  // bytes of a file
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

ModelFiles::ModelFiles(std::string folder) : folder_(std::move(folder)), on_disk_(true) {
  while (folder_.size() > 1 && folder_.ends_with('/')) folder_.pop_back();
  std::error_code error;
  if (!std::filesystem::is_directory(folder_, error))
    throw GraphError(concat(folder_, ": is no folder"));
}

ModelFiles ModelFiles::parse(const std::string& text, const std::string& name) {
  ModelFiles files;
  files.folder_ = name;
  const Json json = parse_json(text, name);
  for (const auto& [file, content] : JsonObject(json, name).at("files").items()) {
    auto bytes = content.is_string() ? from_base64(content.get_ref<const std::string&>())
                                     : std::optional<std::string>();
    if (!bytes) throw GraphError(concat(name, ": what it holds of ", file, " is not base64"));
    files.read_.emplace(file, std::move(*bytes));
  }
  return files;
}

Json ModelFiles::serialized() const {
  Json files = Json::object();
  for (const auto& [name, content] : read_) files[name] = to_base64(content);
  return Json{{"files", std::move(files)}};
}

bool ModelFiles::has(const std::string& name) const {
  if (read_.contains(name)) return true;
  std::error_code error;
  return on_disk_ && std::filesystem::exists(path(name), error);
}

const std::string& ModelFiles::content(const std::string& name) const {
  if (const auto at = read_.find(name); at != read_.end()) return at->second;
  if (!on_disk_) throw GraphError(concat(folder_, ": holds no ", name));
  formats::require_regular(path(name));
  const formats::InputFile file(path(name));
  if (file.size(kLargest) > kLargest)
    throw GraphError(concat(path(name), ": has ", file.size(kLargest), " bytes, at most ", kLargest,
                            " are accepted"));
  return read_.emplace(name, file.read_text(0, file.size(kLargest))).first->second;
}

Json ModelFiles::json(const std::string& name) const {
  return parse_json(content(name), path(name));
}

std::string ModelFiles::path(const std::string& name) const { return folder_ + "/" + name; }

std::string to_base64(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t k = 0; k < 3; ++k)
      three = three << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? kDigits[three >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if ((count += 6) < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

}  // namespace weft::data::published
