// ir/attrs.cpp -- attributes as values and as text.
#include "ir/attrs.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace weft::ir {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

Attr::Attr() = default;
Attr::Attr(int value) : variant(int64_t{value}) {}
Attr::Attr(int64_t value) : variant(value) {}
Attr::Attr(double value) : variant(value) {}
Attr::Attr(bool value) : variant(value) {}
Attr::Attr(const char* value) : variant(std::string(value)) {}
Attr::Attr(std::string value) : variant(std::move(value)) {}
Attr::Attr(DType value) : variant(value) {}
Attr::Attr(Dim value) : variant(std::move(value)) {}
Attr::Attr(Shape value) : variant(std::move(value)) {}
Attr::Attr(Integers value) : variant(std::move(value)) {}
Attr::Attr(Reals value) : variant(std::move(value)) {}
Attr::Attr(Texts value) : variant(std::move(value)) {}
Attr::Attr(const Attr& other) = default;
Attr::Attr(Attr&& other) noexcept = default;
Attr& Attr::operator=(const Attr& other) = default;
Attr& Attr::operator=(Attr&& other) noexcept = default;
Attr::~Attr() = default;
bool Attr::operator==(const Attr& other) const {
  return static_cast<const variant&>(*this) == static_cast<const variant&>(other);
}

std::string str(const Attr& attr) {
  const auto list = [](const auto& items, const auto& print) {
    std::string s = "[";
    for (size_t i = 0; i < items.size(); ++i) s += (i ? ", " : "") + print(items[i]);
    return s + "]";
  };
  const auto real = [](double d) -> std::string {
    if (d != d) return "nan";
    if (d == HUGE_VAL) return "inf";
    if (d == -HUGE_VAL) return "-inf";
    for (int digits = 6; digits <= 17; ++digits) {
      char buffer[40];
      std::snprintf(buffer, sizeof buffer, "%.*g", digits, d);
      if (std::strtod(buffer, nullptr) == d) return buffer;
    }
    return "0";
  };
  const auto quoted = [](const std::string& t) {
    std::string s = "\"";
    for (const char c : t) {
      if (c == '"' || c == '\\') s += '\\';
      if (c == '\n')
        s += "\\n";
      else
        s += c;
    }
    return s + "\"";
  };
  return std::visit(
      Overloaded{
          [](int64_t v) { return std::to_string(v); }, [&](double v) { return real(v); },
          [](bool v) { return std::string(v ? "true" : "false"); },
          [&](const std::string& v) { return quoted(v); },
          [](DType v) { return std::string(name(v)); }, [](const Dim& v) { return v.str(); },
          [](const Shape& v) { return str(v); },
          [&](const Integers& v) { return list(v, [](int64_t i) { return std::to_string(i); }); },
          [&](const Reals& v) { return list(v, real); },
          [&](const Texts& v) { return list(v, quoted); }},
      attr);
}

Attrs::Attrs() = default;
Attrs::Attrs(std::initializer_list<std::pair<std::string_view, Attr>> list) {
  for (const auto& [name, value] : list) set(name, value);
}
Attrs::Attrs(const Attrs& other) = default;
Attrs::Attrs(Attrs&& other) noexcept = default;
Attrs& Attrs::operator=(const Attrs& other) = default;
Attrs& Attrs::operator=(Attrs&& other) noexcept = default;
Attrs::~Attrs() = default;
bool Attrs::operator==(const Attrs& other) const = default;

Attrs::List::const_iterator Attrs::lower_bound(std::string_view name) const {
  return std::lower_bound(list_.begin(), list_.end(), name,
                          [](const auto& entry, std::string_view n) { return entry.first < n; });
}

const Attr* Attrs::find(std::string_view name) const {
  const auto it = lower_bound(name);
  return it != list_.end() && it->first == name ? &it->second : nullptr;
}

void Attrs::set(std::string_view name, Attr value) {
  const auto it = lower_bound(name);
  if (it != list_.end() && it->first == name)
    list_[static_cast<size_t>(it - list_.begin())].second = std::move(value);
  else
    list_.insert(it, {std::string(name), std::move(value)});
}

void Attrs::erase(std::string_view name) {
  const auto it = lower_bound(name);
  if (it != list_.end() && it->first == name) list_.erase(it);
}

}  // namespace weft::ir
