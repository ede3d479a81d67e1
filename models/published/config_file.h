// models/published/config_file.h -- a JSON object of settings, as model hubs publish them beside the
// weights: config.json, generation_config.json.
//
// Every value is checked when it is asked for. Errors are GraphErrors "path:line: error: ...", the
// line being the one the key stands on.
#pragma once
#include "models/settings/interval.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weft::published {

// The path of a file in a folder, which may be named with a slash behind it.
std::string file_of(const std::string& folder, std::string_view name);

class ConfigFile {
 public:
  using Integers = std::vector<int64_t>;

  // GraphError unless it is a JSON object, nested at most 64 deep.
  explicit ConfigFile(const std::string& path);
  ~ConfigFile();
  ConfigFile(ConfigFile&&) noexcept;

  const std::string& path() const { return path_; }
  // Is it there, and not null?
  bool has(std::string_view key) const;

  // `otherwise`: of a key that is not there, or null; GraphError where there is none.
  int64_t integer(std::string_view key, const settings::Whole& range,
                  std::optional<int64_t> otherwise = {}) const;
  double real(std::string_view key, const settings::Interval& range,
              std::optional<double> otherwise = {}) const;
  bool flag(std::string_view key, std::optional<bool> otherwise = {}) const;
  std::string text(std::string_view key, std::optional<std::string> otherwise = {}) const;
  // A list of numbers, or one; none where the key is not there.
  Integers integers(std::string_view key, const settings::Whole& range) const;
  // A list of lists of numbers, none of them empty.
  std::vector<Integers> lists(std::string_view key, const settings::Whole& range) const;
  // [[[1, 2], 0.5], ...] or {"[1, 2]": 0.5}: lists of numbers, each with a number.
  std::vector<std::pair<Integers, double>> weighted_lists(std::string_view key,
                                                          const settings::Whole& range) const;
  // [integer, number]
  std::pair<int64_t, double> integer_and_real(std::string_view key) const;
  // The value as it is written, cut where it is long; "null" where it is not there.
  std::string written(std::string_view key) const;
  std::vector<std::string> keys() const;
  // What nobody asked for, in the order of the keys.
  std::vector<std::string> unread() const;

  [[noreturn]] void fail(std::string_view key, std::string_view what) const;

 private:
  struct Content;
  const void* find(std::string_view key) const;  // a JSON value; null: not there
  [[noreturn]] void refuse(std::string_view key, const std::string& needed) const;

  std::string path_;
  std::unique_ptr<Content> content_;
  mutable std::set<std::string, std::less<>> read_;
};

}  // namespace weft::published
