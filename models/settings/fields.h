// models/settings/fields.h -- the fields of a record of settings, each spelled once.
//
//   void fields(Config& c, settings::Fields& f) {
//     f.choice("cell", c.cell, kCells, "the recurrent cells");
//     f.integer("hidden", c.hidden, {1, 65536}, "width of each direction, and of the decoder");
//     f.real("dropout", c.dropout, settings::kShare, "of embeddings and between layers");
//   }
//
// Reading and writing TOML, checking ranges, comparing and documenting are each a `Fields` that
// such a function is walked with. A record's function stands in the record's own namespace.
#pragma once
#include "models/settings/interval.h"

#include <array>
#include <concepts>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::settings {

// A name that stands in recipes for a value.
template <typename E>
struct Choice {
  std::string_view name;
  E value;
};
template <typename E, size_t N>
using Choices = std::array<Choice<E>, N>;

class Fields;

// Records of one kind, one after the other, whatever the kind.
class RecordList {
 public:
  virtual ~RecordList() = default;
  virtual size_t size() const = 0;
  virtual void clear() = 0;
  virtual void add() = 0;  // one with its defaults, at the end
  virtual void walk(size_t i, Fields& f) = 0;
  virtual void walk_defaults(Fields& f) const = 0;
};

class Fields {
 public:
  virtual ~Fields() = default;
  virtual void integer(std::string_view key, int64_t& value, const Whole& range,
                       std::string_view doc) = 0;
  // In TOML a list of numbers, each in the range; on a command line they stand with commas.
  virtual void integers(std::string_view key, std::vector<int64_t>& values, const Whole& range,
                        std::string_view doc) = 0;
  virtual void real(std::string_view key, double& value, const Interval& range,
                    std::string_view doc) = 0;
  virtual void flag(std::string_view key, bool& value, std::string_view doc) = 0;
  virtual void text(std::string_view key, std::string& value, std::string_view doc) = 0;
  virtual void texts(std::string_view key, std::vector<std::string>& value,
                     std::string_view doc) = 0;
  // In TOML a list of tables; a text stands for a record with its first field alone, and one of
  // either for a list of one.
  virtual void records(std::string_view key, RecordList& list, std::string_view doc) = 0;
  // `value`: which of the names
  virtual void word(std::string_view key, size_t& value, std::span<const std::string_view> names,
                    std::string_view doc) = 0;

  template <typename R>
  void list(std::string_view key, std::vector<R>& values, std::string_view doc) {
    struct List final : RecordList {
      std::vector<R>& values;
      explicit List(std::vector<R>& v) : values(v) {}
      size_t size() const override { return values.size(); }
      void clear() override { values.clear(); }
      void add() override { values.emplace_back(); }
      void walk(size_t i, Fields& f) override { fields(values[i], f); }
      void walk_defaults(Fields& f) const override {
        R record;
        fields(record, f);
      }
    };
    List list(values);
    records(key, list, doc);
  }

  template <typename E, size_t N>
  void choice(std::string_view key, E& value, const Choices<E, N>& choices, std::string_view doc) {
    std::array<std::string_view, N> names;
    size_t at = 0;
    for (size_t i = 0; i < N; ++i) {
      names[i] = choices[i].name;
      if (choices[i].value == value) at = i;
    }
    word(key, at, names, doc);
    value = choices[at].value;
  }
};

template <typename R>
concept HasFields = requires(R& record, Fields& f) {
  fields(record, f);
};

// Shows a record's fields to whoever asks.
using Walk = std::function<void(Fields&)>;
template <HasFields R>
Walk fields_of(R record) {
  return [record = std::move(record)](Fields& f) mutable { fields(record, f); };
}

struct FieldValue {
  std::string key, value;  // as TOML has it
  bool operator==(const FieldValue&) const = default;
};
std::vector<FieldValue> values(const Walk& record);
// Lines "key = value\n".
std::string toml(const Walk& record);
// The keys in which two records of one kind differ.
std::vector<std::string> differences(const Walk& a, const Walk& b);

struct FieldDoc {
  std::string key;
  std::string needed;  // "a whole number from 1 to 64", "gru, gru_after or lstm"
  std::string value;   // of the record: its default
  std::string doc;
};
std::vector<FieldDoc> documentation(const Walk& record);

// Throws GraphError "hidden is 0, needed is a whole number from 1 to 65536".
void check_ranges(const Walk& record);

// The value of a name; GraphError "there is no cell 'x'; there are gru, lstm" for any other.
size_t index_named(std::string_view what, std::string_view name,
                   std::span<const std::string_view> names);
template <typename E, size_t N>
E named(const Choices<E, N>& choices, std::string_view what, std::string_view name) {
  std::array<std::string_view, N> names;
  for (size_t i = 0; i < N; ++i) names[i] = choices[i].name;
  return choices[index_named(what, name, names)].value;
}
template <typename E, size_t N>
constexpr std::string_view name_of(const Choices<E, N>& choices, E value) {
  for (const Choice<E>& c : choices)
    if (c.value == value) return c.name;
  return {};
}

// A seed as a field: recipes have no unsigned numbers.
void seed_field(Fields& f, std::string_view key, uint64_t& seed, std::string_view doc);

}  // namespace weft::settings
