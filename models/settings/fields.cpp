// models/settings/fields.cpp -- records compared, checked, documented and written.
#include "models/settings/fields.h"

#include "ir/attrs.h"
#include "ir/error.h"
#include "models/settings/toml_table.h"

#include <cmath>
#include <limits>
#include <sstream>

namespace weft::settings {
namespace {

using ir::concat;
using ir::GraphError;

std::string spelled(double x) {
  std::ostringstream out;
  out.precision(9);
  out << x;
  return out.str();
}

std::string listed(std::span<const std::string_view> names, std::string_view last) {
  std::string s;
  for (size_t i = 0; i < names.size(); ++i)
    s += concat(i == 0 ? "" : i + 1 == names.size() ? last : ", ", names[i]);
  return s;
}

class Values final : public Fields {
 public:
  std::vector<FieldValue> list;

  void records(std::string_view key, RecordList& x, std::string_view) override {
    std::string all;
    for (size_t i = 0; i < x.size(); ++i) {
      Values inner;
      x.walk(i, inner);
      std::string table;
      for (const FieldValue& v : inner.list)
        table += concat(table.empty() ? "" : ", ", v.key, " = ", v.value);
      all += concat(all.empty() ? "" : ", ", "{", table, "}");
    }
    add(key, "[" + all + "]");
  }

  void integer(std::string_view key, int64_t& x, const Whole&, std::string_view) override {
    add(key, std::to_string(x));
  }
  void integers(std::string_view key, std::vector<int64_t>& x, const Whole&,
                std::string_view) override {
    std::string all;
    for (const int64_t n : x) all += concat(all.empty() ? "" : ", ", n);
    add(key, "[" + all + "]");
  }
  void real(std::string_view key, double& x, const Interval&, std::string_view) override {
    add(key, ir::str(ir::Attr(x)));
  }
  void flag(std::string_view key, bool& x, std::string_view) override {
    add(key, x ? "true" : "false");
  }
  void text(std::string_view key, std::string& x, std::string_view) override {
    add(key, toml_string(x));
  }
  void texts(std::string_view key, std::vector<std::string>& x, std::string_view) override {
    add(key, toml_list(x));
  }
  void word(std::string_view key, size_t& x, std::span<const std::string_view> names,
            std::string_view) override {
    add(key, toml_string(names[x]));
  }

 private:
  void add(std::string_view key, std::string value) {
    list.push_back({std::string(key), std::move(value)});
  }
};

class Documentation final : public Fields {
 public:
  std::vector<FieldDoc> list;

  void records(std::string_view key, RecordList& x, std::string_view doc) override {
    Documentation inner;
    x.walk_defaults(inner);
    std::string keys;
    for (const FieldDoc& d : inner.list)
      keys += concat(keys.empty() ? "" : "; ", d.key, ": ", d.doc);
    add(key, "a text, a table, or a list of them", concat(doc, ". Keys of a table: ", keys));
  }

  void integer(std::string_view key, int64_t&, const Whole& range, std::string_view doc) override {
    add(key, concat("a whole number ", range), doc);
  }
  void integers(std::string_view key, std::vector<int64_t>&, const Whole& range,
                std::string_view doc) override {
    add(key, concat("a list of whole numbers ", range), doc);
  }
  void real(std::string_view key, double&, const Interval& range, std::string_view doc) override {
    add(key, concat("a number ", range), doc);
  }
  void flag(std::string_view key, bool&, std::string_view doc) override {
    add(key, "true or false", doc);
  }
  void text(std::string_view key, std::string&, std::string_view doc) override {
    add(key, "a text", doc);
  }
  void texts(std::string_view key, std::vector<std::string>&, std::string_view doc) override {
    add(key, "a list of texts, or one", doc);
  }
  void word(std::string_view key, size_t&, std::span<const std::string_view> names,
            std::string_view doc) override {
    add(key, listed(names, " or "), doc);
  }

 private:
  void add(std::string_view key, std::string needed, std::string_view doc) {
    list.push_back({std::string(key), std::move(needed), {}, std::string(doc)});
  }
};

class RangeCheck final : public Fields {
 public:
  void records(std::string_view, RecordList& x, std::string_view) override {
    for (size_t i = 0; i < x.size(); ++i) x.walk(i, *this);
  }
  void integer(std::string_view key, int64_t& x, const Whole& range, std::string_view) override {
    if (!range.contains(x))
      throw GraphError(concat(key, " is ", x, ", needed is a whole number ", range));
  }
  void integers(std::string_view key, std::vector<int64_t>& x, const Whole& range,
                std::string_view) override {
    for (int64_t n : x) integer(key, n, range, {});
  }
  void real(std::string_view key, double& x, const Interval& range, std::string_view) override {
    if (!range.contains(x) || !range.contains(static_cast<double>(static_cast<float>(x))))
      throw GraphError(concat(key, " is ", x, ", needed is a number ", range));
  }
  void flag(std::string_view, bool&, std::string_view) override {}
  void text(std::string_view, std::string&, std::string_view) override {}
  void texts(std::string_view, std::vector<std::string>&, std::string_view) override {}
  void word(std::string_view, size_t&, std::span<const std::string_view>,
            std::string_view) override {}
};

}  // namespace

std::string Whole::str() const {
  // Limits that only keep sums from overflowing say nothing to a reader.
  if (most >= int64_t{1} << 40) return concat("of ", least, " or more");
  return concat("from ", least, " to ", most);
}

bool Interval::contains(double x) const {
  return (open_below ? x > least : x >= least) && (open_above ? x < most : x <= most);
}

std::string Interval::str() const {
  return concat(open_below ? "above " : "from ", spelled(least),
                open_above   ? " to below "
                : open_below ? " and at most "
                             : " to ",
                spelled(most));
}

std::vector<FieldValue> values(const Walk& record) {
  Values v;
  record(v);
  return std::move(v.list);
}

std::string toml(const Walk& record) {
  std::string text;
  for (const FieldValue& v : values(record)) text += v.key + " = " + v.value + "\n";
  return text;
}

std::vector<std::string> differences(const Walk& a, const Walk& b) {
  const std::vector<FieldValue> of_a = values(a), of_b = values(b);
  std::vector<std::string> keys;
  for (size_t i = 0; i < of_a.size() && i < of_b.size(); ++i)
    if (of_a[i] != of_b[i]) keys.push_back(of_a[i].key);
  return keys;
}

std::vector<FieldDoc> documentation(const Walk& record) {
  Documentation d;
  record(d);
  const std::vector<FieldValue> defaults = values(record);
  for (size_t i = 0; i < d.list.size(); ++i) d.list[i].value = defaults[i].value;
  return std::move(d.list);
}

void check_ranges(const Walk& record) {
  RangeCheck check;
  record(check);
}

size_t index_named(std::string_view what, std::string_view name,
                   std::span<const std::string_view> names) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return i;
  throw GraphError(concat("there is no ", what, " '", name, "'; there are ", listed(names, ", ")));
}

void seed_field(Fields& f, std::string_view key, uint64_t& seed, std::string_view doc) {
  auto number = static_cast<int64_t>(seed);
  f.integer(key, number, {0, std::numeric_limits<int64_t>::max()}, doc);
  seed = static_cast<uint64_t>(number);
}

}  // namespace weft::settings
