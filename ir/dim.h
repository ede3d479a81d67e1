// ir/dim.h -- symbolic sizes: integer polynomials over named symbols, in canonical form.
//
//   B    T+1    B*8    2*H    B*T-3    floordiv(S+1,2)
//
// Atoms are symbols and `floordiv(dim, k)`. Two dims are the same exactly when their canonical
// forms are; what cannot be proved equal is treated as different (see `same_dim` for run-time
// equality). A symbol stands for an integer >= 0 that is fixed when a graph is instantiated.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::ir {

using Bindings = std::map<std::string, int64_t, std::less<>>;  // symbol -> size

class Dim {
 public:
  Dim() = default;                               // 0
  Dim(int64_t constant);                         // NOLINT: a size may be written as a number
  Dim(int constant) : Dim(int64_t{constant}) {}  // NOLINT
  Dim(const Dim& other);
  Dim(Dim&& other) noexcept;
  Dim& operator=(const Dim& other);
  Dim& operator=(Dim&& other) noexcept;
  ~Dim();
  static Dim symbol(std::string_view name);
  static Dim floordiv(const Dim& dim, int64_t divisor);
  static Dim parse(std::string_view text);  // throws GraphError

  bool is_constant() const;
  bool is(int64_t value) const { return constant() == value; }
  std::optional<int64_t> constant() const;
  std::string str() const;
  std::vector<std::string> symbols() const;  // sorted, each once

  // Throws GraphError naming the symbol that is not bound, or an overflow.
  int64_t value(const Bindings& bindings) const;
  Dim substitute(const std::map<std::string, Dim, std::less<>>& replacements) const;

  // this / divisor if it divides exactly as polynomials (by a constant or a single monomial, or
  // this == q * divisor for a q found by term division), else nothing.
  std::optional<Dim> divided_by(const Dim& divisor) const;

  Dim operator+(const Dim& other) const;
  Dim operator-(const Dim& other) const;
  Dim operator*(const Dim& other) const;
  bool operator==(const Dim& other) const;
  bool operator<(const Dim& other) const;

 private:
  using Monomial = std::vector<std::string>;  // sorted atoms, printed form
  std::map<Monomial, int64_t> terms_;         // no zero coefficients

  void add(const Monomial& atoms, int64_t coefficient);
  friend struct DimParser;
};

using Shape = std::vector<Dim>;

std::string str(const Shape& shape);  // "[B,T,512]"
Dim product(const Shape& shape);
std::vector<int64_t> values(const Shape& shape, const Bindings& bindings);

}  // namespace weft::ir
