// ir/dim.cpp -- arithmetic, printing and parsing of symbolic sizes.
#include "ir/dim.h"

#include "ir/error.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <numeric>
#include <set>

namespace weft::ir {
namespace {

int64_t checked_add(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_add_overflow(a, b, &r)) throw GraphError("a size overflows 64 bits");
  return r;
}

int64_t checked_mul(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r)) throw GraphError("a size overflows 64 bits");
  return r;
}

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

constexpr std::string_view kFloordiv = "floordiv(";

// An atom is a symbol or the printed form of floordiv(dim,k).
struct Floordiv {
  Dim dim;
  int64_t divisor;
};

Dim parse_printed(std::string_view text);

std::optional<Floordiv> as_floordiv(const std::string& atom) {
  if (!atom.starts_with(kFloordiv)) return std::nullopt;
  const size_t comma = atom.rfind(',');
  return Floordiv{parse_printed(atom.substr(kFloordiv.size(), comma - kFloordiv.size())),
                  std::stoll(atom.substr(comma + 1))};
}

}  // namespace

void Dim::add(const Monomial& atoms, int64_t coefficient) {
  const int64_t sum = checked_add(terms_[atoms], coefficient);
  if (sum == 0)
    terms_.erase(atoms);
  else
    terms_[atoms] = sum;
}

Dim::Dim(int64_t constant) {
  if (constant != 0) terms_[{}] = constant;
}

Dim::Dim(const Dim& other) = default;
Dim::Dim(Dim&& other) noexcept = default;
Dim& Dim::operator=(const Dim& other) = default;
Dim& Dim::operator=(Dim&& other) noexcept = default;
Dim::~Dim() = default;
bool Dim::operator==(const Dim& other) const = default;
bool Dim::operator<(const Dim& other) const { return terms_ < other.terms_; }

Dim Dim::symbol(std::string_view name) {
  Dim d;
  d.terms_[{std::string(name)}] = 1;
  return d;
}

// One spelling for one meaning, in this order:
//   floordiv(k*A + r, k) = A + floordiv(r, k)                        whole multiples leave
//   floordiv(g*A + c, g*k) = floordiv(A + floordiv(c, g), k)         common factors cancel
//   floordiv(floordiv(A, j) + r, k) = floordiv(A + j*r, j*k)         one in another is one
Dim Dim::floordiv(const Dim& dim, int64_t divisor) {
  if (divisor <= 0) throw GraphError(concat("floordiv needs a divisor above 0, found ", divisor));
  Dim whole, rest;
  int64_t common = divisor;  // of the divisor and every coefficient of `rest` but the constant
  for (const auto& [atoms, c] : dim.terms_) {
    const int64_t quotient = floor_divide(c, divisor), left = c - quotient * divisor;
    whole.add(atoms, quotient);
    if (left != 0) rest.add(atoms, left);
    if (!atoms.empty()) common = std::gcd(common, left);
  }
  if (rest.is_constant()) return whole;
  if (common > 1) {
    Dim reduced;
    for (const auto& [atoms, c] : rest.terms_) reduced.add(atoms, floor_divide(c, common));
    return whole + floordiv(reduced, divisor / common);
  }
  std::optional<Floordiv> inner;
  Dim others;
  int count = 0;
  for (const auto& [atoms, c] : rest.terms_) {
    const auto f = atoms.size() == 1 && c == 1 ? as_floordiv(atoms[0]) : std::nullopt;
    if (f && ++count == 1)
      inner = f;
    else
      others.add(atoms, c);
  }
  if (count == 1)
    return whole + floordiv(inner->dim + others * Dim(inner->divisor),
                            checked_mul(inner->divisor, divisor));
  return whole + symbol(concat(kFloordiv, rest.str(), ",", divisor, ")"));
}

bool Dim::is_constant() const { return constant().has_value(); }

std::optional<int64_t> Dim::constant() const {
  if (terms_.empty()) return 0;
  if (terms_.size() == 1 && terms_.begin()->first.empty()) return terms_.begin()->second;
  return std::nullopt;
}

std::string Dim::str() const {
  if (const auto c = constant()) return std::to_string(*c);
  // Longest monomials first, the constant last: B*T+2*H-1.
  std::vector<std::pair<Monomial, int64_t>> terms(terms_.begin(), terms_.end());
  std::stable_sort(terms.begin(), terms.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  std::string s;
  for (const auto& [atoms, c] : terms) {
    if (c < 0)
      s += "-";
    else if (!s.empty())
      s += "+";
    const uint64_t magnitude = c < 0 ? 0 - static_cast<uint64_t>(c) : static_cast<uint64_t>(c);
    if (magnitude != 1 || atoms.empty()) s += std::to_string(magnitude);
    for (size_t i = 0; i < atoms.size(); ++i) s += (i > 0 || magnitude != 1 ? "*" : "") + atoms[i];
  }
  return s;
}

std::vector<std::string> Dim::symbols() const {
  std::set<std::string> found;
  for (const auto& [atoms, c] : terms_)
    for (const std::string& atom : atoms) {
      if (const auto f = as_floordiv(atom)) {
        const auto inner = f->dim.symbols();
        found.insert(inner.begin(), inner.end());
      } else {
        found.insert(atom);
      }
    }
  return {found.begin(), found.end()};
}

int64_t Dim::value(const Bindings& bindings) const {
  int64_t sum = 0;
  for (const auto& [atoms, c] : terms_) {
    int64_t product = c;
    for (const std::string& atom : atoms) {
      if (const auto f = as_floordiv(atom)) {
        product = checked_mul(product, floor_divide(f->dim.value(bindings), f->divisor));
        continue;
      }
      const auto it = bindings.find(atom);
      if (it == bindings.end())
        throw GraphError(concat("the size of symbol ", atom, " is not known"));
      product = checked_mul(product, it->second);
    }
    sum = checked_add(sum, product);
  }
  return sum;
}

Dim Dim::substitute(const std::map<std::string, Dim, std::less<>>& replacements) const {
  Dim sum;
  for (const auto& [atoms, c] : terms_) {
    Dim product = c;
    for (const std::string& atom : atoms) {
      if (const auto f = as_floordiv(atom)) {
        product = product * floordiv(f->dim.substitute(replacements), f->divisor);
      } else {
        const auto it = replacements.find(atom);
        product = product * (it == replacements.end() ? symbol(atom) : it->second);
      }
    }
    sum = sum + product;
  }
  return sum;
}

std::optional<Dim> Dim::divided_by(const Dim& divisor) const {
  if (divisor.terms_.empty()) return std::nullopt;
  // Long division by the divisor's leading monomial; exact or nothing.
  const auto lead = std::max_element(
      divisor.terms_.begin(), divisor.terms_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.first.size(), a.first) < std::pair(b.first.size(), b.first);
      });
  Dim rest = *this, quotient;
  for (int guard = 0; !rest.terms_.empty(); ++guard) {
    if (guard > 64) return std::nullopt;
    const auto top =
        std::max_element(rest.terms_.begin(), rest.terms_.end(), [](const auto& a, const auto& b) {
          return std::pair(a.first.size(), a.first) < std::pair(b.first.size(), b.first);
        });
    if (top->second % lead->second != 0) return std::nullopt;
    Monomial left;
    std::vector<std::string> need = lead->first;
    for (const std::string& atom : top->first) {
      const auto it = std::find(need.begin(), need.end(), atom);
      if (it != need.end())
        need.erase(it);
      else
        left.push_back(atom);
    }
    if (!need.empty()) return std::nullopt;
    Dim factor;
    factor.terms_[left] = top->second / lead->second;
    quotient = quotient + factor;
    rest = rest - factor * divisor;
  }
  return quotient;
}

Dim Dim::operator+(const Dim& other) const {
  Dim sum = *this;
  for (const auto& [atoms, c] : other.terms_) sum.add(atoms, c);
  return sum;
}

Dim Dim::operator-(const Dim& other) const { return *this + other * Dim(-1); }

Dim Dim::operator*(const Dim& other) const {
  Dim result;
  for (const auto& [a, ca] : terms_)
    for (const auto& [b, cb] : other.terms_) {
      Monomial atoms = a;
      atoms.insert(atoms.end(), b.begin(), b.end());
      std::sort(atoms.begin(), atoms.end());
      result.add(atoms, checked_mul(ca, cb));
    }
  return result;
}

// sum := product (('+'|'-') product)*    product := atom ('*' atom)*
// atom := integer | symbol | '-' atom | '(' sum ')' | 'floordiv' '(' sum ',' integer ')'
struct DimParser {
  std::string_view text;
  bool marks = false;  // are symbols taken that begin with '?', which no user's does?
  size_t at = 0;
  int depth = 0;

  [[noreturn]] void fail(std::string_view what) const {
    throw GraphError(concat("a size needs ", what, " at column ", at + 1, " of '", text, "'"));
  }
  void skip() {
    while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at]))) ++at;
  }
  bool take(char c) {
    skip();
    if (at < text.size() && text[at] == c) return ++at, true;
    return false;
  }
  Dim sum() {
    if (++depth > 100) fail("fewer nested brackets");
    Dim d = product();
    for (;;) {
      if (take('+'))
        d = d + product();
      else if (take('-'))
        d = d - product();
      else
        break;
    }
    --depth;
    return d;
  }
  Dim product() {
    Dim d = atom();
    while (take('*')) d = d * atom();
    return d;
  }
  int64_t integer() {
    skip();
    int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), n);
    if (error != std::errc()) fail("a 64-bit integer");
    at = static_cast<size_t>(end - text.data());
    return n;
  }
  Dim atom() {
    skip();
    if (at >= text.size()) fail("a number or a symbol");
    if (take('-')) {
      if (++depth > 100) fail("fewer signs");
      return atom() * Dim(-1);
    }
    if (take('(')) {
      const Dim d = sum();
      if (!take(')')) fail("')'");
      return d;
    }
    const char c = text[at];
    if (std::isdigit(static_cast<unsigned char>(c))) return integer();
    if (!std::isalpha(static_cast<unsigned char>(c)) && c != '_' && !(marks && c == '?'))
      fail("a number or a symbol");
    const size_t start = at++;
    while (at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_'))
      ++at;
    const std::string_view name = text.substr(start, at - start);
    if (name != "floordiv") return Dim::symbol(name);
    if (!take('(')) fail("'('");
    const Dim d = sum();
    if (!take(',')) fail("','");
    const int64_t k = integer();
    if (!take(')')) fail("')'");
    return Dim::floordiv(d, k);
  }
};

namespace {

Dim parsed(DimParser p) {
  const Dim d = p.sum();
  p.skip();
  if (p.at != p.text.size()) p.fail("an end");
  return d;
}

// What str() made, of symbols that passes made too (ir/rules/axes.cpp).
Dim parse_printed(std::string_view text) { return parsed({.text = text, .marks = true}); }

}  // namespace

Dim Dim::parse(std::string_view text) { return parsed({.text = text}); }

std::string str(const Shape& shape) {
  std::string s = "[";
  for (size_t i = 0; i < shape.size(); ++i) s += (i ? "," : "") + shape[i].str();
  return s + "]";
}

Dim product(const Shape& shape) {
  Dim d = 1;
  for (const Dim& s : shape) d = d * s;
  return d;
}

std::vector<int64_t> values(const Shape& shape, const Bindings& bindings) {
  std::vector<int64_t> out;
  for (const Dim& d : shape) out.push_back(d.value(bindings));
  return out;
}

}  // namespace weft::ir
