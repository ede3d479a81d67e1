// models/settings/toml_fields.cpp -- each kind of field as TOML has it.
#include "models/settings/toml_fields.h"

namespace weft::settings {
namespace {

// Sets the first text of a record.
class FirstText final : public Fields {
 public:
  explicit FirstText(const std::string& text) : text_(&text) {}
  void integer(std::string_view, int64_t&, const Whole&, std::string_view) override {}
  void integers(std::string_view, std::vector<int64_t>&, const Whole&, std::string_view) override {}
  void real(std::string_view, double&, const Interval&, std::string_view) override {}
  void flag(std::string_view, bool&, std::string_view) override {}
  void text(std::string_view, std::string& value, std::string_view) override {
    if (text_ != nullptr) value = *text_;
    text_ = nullptr;
  }
  void texts(std::string_view, std::vector<std::string>&, std::string_view) override {}
  void records(std::string_view, RecordList&, std::string_view) override {}
  void word(std::string_view, size_t&, std::span<const std::string_view>,
            std::string_view) override {}

 private:
  const std::string* text_;
};

}  // namespace

void TomlFields::integer(std::string_view key, int64_t& value, const Whole& range,
                         std::string_view) {
  table_.take(key, value, range);
}

void TomlFields::integers(std::string_view key, std::vector<int64_t>& values, const Whole& range,
                          std::string_view) {
  table_.take(key, values, range);
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

void TomlFields::records(std::string_view key, RecordList& list, std::string_view) {
  if (table_.has(key)) list.clear();
  table_.take_list(
      key,
      [&](const std::string& text) {
        list.add();
        FirstText first(text);
        list.walk(list.size() - 1, first);
      },
      [&](TomlTable& table) {
        list.add();
        TomlFields inner(table);
        list.walk(list.size() - 1, inner);
        table.finish();
      });
}

void TomlFields::word(std::string_view key, size_t& value, std::span<const std::string_view> names,
                      std::string_view) {
  table_.take_word(key, [&](const std::string& name) { value = index_named(key, name, names); });
}

}  // namespace weft::settings
