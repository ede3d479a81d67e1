// models/settings/toml_table.h -- TOML read strictly: every fault is a GraphError at "file:line".
#pragma once
#include "models/settings/interval.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weft::settings {

// A table of a file. What is not asked for is unknown: `finish` names the first such key.
class TomlTable {
 public:
  static TomlTable parse_file(const std::string& path);
  TomlTable(TomlTable&&) noexcept;
  ~TomlTable();

  // Each leaves `value` as it is where the key is missing.
  void take(std::string_view key, int64_t& value, const Whole& needed);
  void take(std::string_view key, std::vector<int64_t>& values, const Whole& needed);  // a list
  void take(std::string_view key, uint64_t& value);
  void take(std::string_view key, double& value, const Interval& needed);
  void take(std::string_view key, bool& value);
  void take(std::string_view key, std::string& value);
  void take(std::string_view key, std::vector<std::string>& value);  // a list, or one string
  // A word that `read` understands or throws a GraphError for, which gets file and line.
  void take_word(std::string_view key, const std::function<void(const std::string&)>& read);
  // A list of texts and tables, or one of either.
  void take_list(std::string_view key, const std::function<void(const std::string&)>& text,
                 const std::function<void(TomlTable&)>& table);
  // A table within; empty where it is missing.
  TomlTable table(std::string_view key);

  bool has(std::string_view key) const;
  // "file:line" of every key of this table and of those within, by names as in "model.hidden".
  std::map<std::string, std::string> places() const;
  void finish() const;
  // Throws GraphError "file:line: error: message"; the line of `key`, or of the table.
  [[noreturn]] void fail(std::string_view key, const std::string& message) const;

 private:
  struct Content;
  explicit TomlTable(std::unique_ptr<Content> content);
  std::unique_ptr<Content> content_;
};

// Lines of a TOML file, for writing.
std::string toml_string(std::string_view text);
std::string toml_list(const std::vector<std::string>& texts);

}  // namespace weft::settings
