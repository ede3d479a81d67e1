// models/settings/toml_fields.cpp -- each kind of field as TOML has it.
#include "models/settings/toml_fields.h"

namespace weft::settings {

void TomlFields::integer(std::string_view key, int64_t& value, const Whole& range,
                         std::string_view) {
  table_.take(key, value, range);
}

void TomlFields::real(std::string_view key, double& value, const Interval& range,
                      std::string_view) {
  table_.take(key, value, range);
}

void TomlFields::flag(std::string_view key, bool& value, std::string_view) {
  table_.take(key, value);
}

void TomlFields::text(std::string_view key, std::string& value, std::string_view) {
  table_.take(key, value);
}

void TomlFields::texts(std::string_view key, std::vector<std::string>& value, std::string_view) {
  table_.take(key, value);
}

void TomlFields::word(std::string_view key, size_t& value, std::span<const std::string_view> names,
                      std::string_view) {
  table_.take_word(key, [&](const std::string& name) { value = index_named(key, name, names); });
}

}  // namespace weft::settings
