// models/settings/text_fields.cpp -- a walk that changes one field.
#include "models/settings/text_fields.h"

#include "ir/check.h"
#include "ir/error.h"

#include <algorithm>
#include <charconv>

namespace weft::settings {
namespace {

template <typename T>
bool read(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

class OneField final : public Fields {
 public:
  OneField(std::string_view key, std::string_view text) : key_(key), text_(text) {}
  bool found = false;

  void integer(std::string_view key, int64_t& x, const Whole& range, std::string_view) override {
    if (!is(key)) return;
    int64_t value = 0;
    if (!read(text_, value) || !range.contains(value))
      refuse(ir::concat("a whole number ", range.str()));
    x = value;
  }
  void integers(std::string_view key, std::vector<int64_t>& x, const Whole& range,
                std::string_view) override {
    if (!is(key)) return;
    std::vector<int64_t> values;
    for (size_t at = 0; at < text_.size();) {
      const size_t end = std::min(text_.find(',', at), text_.size());
      int64_t value = 0;
      if (!read(text_.substr(at, end - at), value) || !range.contains(value) ||
          end + 1 == text_.size())
        refuse(ir::concat("whole numbers ", range, " with commas between them"));
      values.push_back(value);
      at = end + 1;
    }
    x = std::move(values);
  }
  void real(std::string_view key, double& x, const Interval& range, std::string_view) override {
    if (!is(key)) return;
    double value = 0;
    if (!read(text_, value) || !range.contains(value)) refuse(ir::concat("a number ", range.str()));
    x = value;
  }
  void flag(std::string_view key, bool& x, std::string_view) override {
    if (!is(key)) return;
    if (text_ != "true" && text_ != "false") refuse("true or false");
    x = text_ == "true";
  }
  void text(std::string_view key, std::string& x, std::string_view) override {
    if (is(key)) x = std::string(text_);
  }
  void texts(std::string_view key, std::vector<std::string>& x, std::string_view) override {
    if (is(key)) x.emplace_back(text_);
  }
  void records(std::string_view key, RecordList&, std::string_view) override {
    if (is(key)) refuse("a list of records, which no one text can say");
  }
  void word(std::string_view key, size_t& x, std::span<const std::string_view> names,
            std::string_view) override {
    if (is(key)) x = index_named(key, text_, names);
  }

 private:
  bool is(std::string_view key) {
    const bool same = key == key_;
    found |= same;
    return same;
  }
  [[noreturn]] void refuse(std::string_view needed) const {
    throw ir::GraphError(ir::concat("'", text_, "' is not ", needed));
  }

  std::string_view key_, text_;
};

}  // namespace

void set_field(const std::function<void(Fields&)>& record, std::string_view key,
               std::string_view text) {
  OneField f(key, text);
  record(f);
  WEFT_CHECK(f.found);
}

}  // namespace weft::settings
