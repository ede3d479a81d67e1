// models/settings/toml_fields.h -- records read from the tables of a TOML file.
#pragma once
#include "models/settings/fields.h"
#include "models/settings/toml_table.h"

namespace weft::settings {

// Every field is looked for in the table, and keeps its value where it is missing.
class TomlFields final : public Fields {
 public:
  explicit TomlFields(TomlTable& table) : table_(table) {}

  void integer(std::string_view key, int64_t& value, const Whole& range, std::string_view) override;
  void integers(std::string_view key, std::vector<int64_t>& values, const Whole& range,
                std::string_view doc) override;
  void real(std::string_view key, double& value, const Interval& range, std::string_view) override;
  void flag(std::string_view key, bool& value, std::string_view) override;
  void text(std::string_view key, std::string& value, std::string_view) override;
  void texts(std::string_view key, std::vector<std::string>& value, std::string_view) override;
  void records(std::string_view key, RecordList& list, std::string_view) override;
  void word(std::string_view key, size_t& value, std::span<const std::string_view> names,
            std::string_view) override;

 private:
  TomlTable& table_;
};

template <HasFields R>
void read(TomlTable& table, R& record) {
  TomlFields f(table);
  fields(record, f);
}

}  // namespace weft::settings
