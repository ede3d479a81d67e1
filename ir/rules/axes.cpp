// ir/rules/axes.cpp -- classes of axes; reading signatures.
#include "ir/rules/axes.h"

#include "ir/check.h"
#include "ir/error.h"
#include "ir/rules/op_rules.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace weft::ir {
namespace {

constexpr std::string_view kMark = "__axis";  // of symbols that stand for classes

size_t at(Axis a) { return static_cast<size_t>(a); }

// c in d == c * symbol + rest, where the symbol stands nowhere else.
std::optional<int64_t> coefficient(const Dim& d, const std::string& symbol) {
  const Dim rest = d.substitute({{symbol, Dim(0)}});
  const auto c = (d.substitute({{symbol, Dim(1)}}) - rest).constant();
  if (!c || d != Dim::symbol(symbol) * Dim(*c) + rest) return std::nullopt;
  return c;
}

}  // namespace

std::string AxisSolver::symbol_of(Axis class_) { return concat(kMark, class_); }

Axis AxisSolver::fresh(const Dim& size) {
  axes_.push_back({size, count(), {}});
  return count() - 1;
}

Axis AxisSolver::fixed(const Dim& size) {
  const Axis a = fresh(size);
  axes_.back().made = size;
  return a;
}

Axis AxisSolver::made(const Dim& of, const Dim& size) {
  const Axis a = fresh(size);
  axes_.back().made = of;
  return a;
}

Axis AxisSolver::root(Axis a) const {
  while (axes_[at(a)].parent != a) {
    axes_[at(a)].parent = axes_[at(axes_[at(a)].parent)].parent;
    a = axes_[at(a)].parent;
  }
  return a;
}

Dim AxisSolver::term(Axis a) const { return Dim::symbol(symbol_of(root(a))); }

std::vector<Axis> AxisSolver::classes_of(const Dim& of) const {
  std::vector<Axis> classes;
  for (const std::string& s : of.symbols())
    if (s.starts_with(kMark)) classes.push_back(std::stoi(s.substr(kMark.size())));
  return classes;
}

Dim AxisSolver::resolved(const Dim& of) const {
  Dim now = of;
  for (;;) {
    std::map<std::string, Dim, std::less<>> known;
    for (const Axis a : classes_of(now)) {
      const Axis r = root(a);
      if (axes_[at(r)].made)
        known[symbol_of(a)] = *axes_[at(r)].made;
      else if (r != a)
        known[symbol_of(a)] = Dim::symbol(symbol_of(r));
    }
    if (known.empty()) return now;
    now = now.substitute(known);
  }
}

void AxisSolver::fix_all(const Dim& of) {
  for (const Axis a : classes_of(of)) axes_[at(a)].made = axes_[at(a)].size;
}

void AxisSolver::fix(Axis a) { fix_all(resolved(a)); }

void AxisSolver::same(const AxisList& a, const AxisList& b) {
  WEFT_CHECK(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) same(a[i], b[i]);
}

void AxisSolver::same(Axis a, Axis b) {
  a = root(a), b = root(b);
  if (a == b) return;
  if (axes_[at(a)].size != axes_[at(b)].size) return fix(a), fix(b);
  if (!axes_[at(a)].made && !axes_[at(b)].made)
    axes_[at(b)].parent = a;
  else
    equate(resolved(a), resolved(b));
}

void AxisSolver::equate(const Dim& a, const Dim& b) {
  const Dim difference = a - b;
  for (const Axis x : classes_of(difference)) {
    const auto c = coefficient(difference, symbol_of(x));
    if (!c || (*c != 1 && *c != -1)) continue;
    axes_[at(x)].made = difference.substitute({{symbol_of(x), Dim(0)}}) * Dim(-*c);
    return;
  }
  for (const Axis x : classes_of(a)) {  // x*y == x*z
    const Dim factor = Dim::symbol(symbol_of(x));
    const auto y = a.divided_by(factor), z = b.divided_by(factor);
    if (y && z) return equate(*y, *z);
  }
  if (difference != Dim(0)) fix_all(a), fix_all(b);
}

Axis NodeAxes::new_dim(std::string_view attr) {
  const Axis a = solver.fresh(op.dim(attr));
  attrs.push_back({std::string(attr), {a}});
  return a;
}

AxisList NodeAxes::new_shape(std::string_view attr) {
  AxisList axes;
  for (const Dim& d : op.shape(attr)) axes.push_back(solver.fresh(d));
  attrs.emplace_back(attr, axes);
  return axes;
}

AxisList NodeAxes::broadcast(const std::vector<AxisList>& lists) {
  size_t rank = 0;
  for (const AxisList& l : lists) rank = std::max(rank, l.size());
  AxisList result;
  for (size_t d = rank; d > 0; --d) {
    Axis found = -1;
    AxisList ones;
    for (const AxisList& l : lists) {
      if (l.size() < d) continue;
      const Axis a = l[l.size() - d];
      if (solver.size(a).is(1))
        ones.push_back(a);
      else if (found < 0)
        found = a;
      else
        solver.same(found, a);
    }
    // What is repeated is a literal 1; among ones, those that are not are one axis.
    for (const Axis a : ones) {
      if (found >= 0 && !solver.size(found).is(1))
        solver.fix(a);
      else if (found < 0 || solver.is_fixed(found))
        found = a;
      else if (!solver.is_fixed(a))
        solver.same(found, a);
    }
    result.push_back(found);
  }
  return result;
}

void NodeAxes::broadcasts_to(const AxisList& x, const AxisList& to) {
  for (size_t d = 1; d <= x.size(); ++d) {
    const Axis a = x[x.size() - d], b = to[to.size() - d];
    if (!solver.size(a).is(1))
      solver.same(a, b);
    else if (!solver.size(b).is(1))
      solver.fix(a);
    else if (!solver.is_fixed(a))
      solver.same(a, b);
  }
}

void NodeAxes::results_of_wanted() {
  for (const std::string& name : op.texts("wanted")) results.push_back(operand(name));
}

namespace {

// The axes that letters stand for; `*` for several.
class Reader {
 public:
  Reader(NodeAxes& node, std::string_view text) : node_(node), rest_(text) {}

  void read() {
    for (std::string_view word = next(); word != "->"; word = next()) {
      if (word[0] == '{') {
        const size_t colon = word.find(':');
        bind(word[colon + 1], node_.new_dim(word.substr(1, colon - 1)));
        continue;
      }
      const size_t colon = word.find(':');
      const std::string_view name = word.substr(0, colon);
      if (node_.has(name)) match(word.substr(colon + 1), node_.operand(name));
    }
    for (std::string_view word = next();
         !word.empty() && node_.results.size() < node_.op.node().results.size(); word = next())
      if (word == "wanted")
        node_.results_of_wanted();
      else
        node_.results.push_back(axes(word));
  }

 private:
  std::string_view next() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
    const size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return word;
  }

  void bind(char letter, Axis a) {
    const auto [known, is_new] = letters_.try_emplace(letter, a);
    if (!is_new) node_.solver.same(known->second, a);
  }

  // Of "3h", given what it is; `a` is -1 where it is to be made.
  Axis times(int64_t factor, char letter, Axis a) {
    AxisSolver& s = node_.solver;
    auto known = letters_.find(letter);
    if (known == letters_.end()) {
      const auto h = s.size(a).divided_by(Dim(factor));
      WEFT_CHECK(h.has_value());
      known = letters_.emplace(letter, s.fresh(*h)).first;
    }
    const Axis product =
        s.made(s.term(known->second) * Dim(factor), s.size(known->second) * Dim(factor));
    if (a >= 0) s.same(product, a);
    return product;
  }

  static int letters_in(std::string_view pattern) {
    return static_cast<int>(
        std::count_if(pattern.begin(), pattern.end(), [](char c) { return std::isalpha(c) != 0; }));
  }

  void match(std::string_view pattern, const AxisList& given) {
    size_t i = 0;
    int64_t factor = 0;
    for (const char c : pattern) {
      if (c == '*') {
        const size_t n = given.size() - static_cast<size_t>(letters_in(pattern));
        const AxisList leading(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(n));
        if (leading_)
          node_.solver.same(*leading_, leading);
        else
          leading_ = leading;
        i = n;
      } else if (std::isdigit(c) != 0) {
        factor = c - '0';
      } else if (factor > 0) {
        times(std::exchange(factor, 0), c, given[i++]);
      } else {
        bind(c, given[i++]);
      }
    }
    WEFT_CHECK(i == given.size());
  }

  AxisList axes(std::string_view pattern) {
    AxisList list;
    int64_t factor = 0;
    for (const char c : pattern) {
      if (c == '*')
        list.insert(list.end(), leading_->begin(), leading_->end());
      else if (std::isdigit(c) != 0)
        factor = c - '0';
      else if (factor > 0)
        list.push_back(times(std::exchange(factor, 0), c, -1));
      else
        list.push_back(letters_.at(c));
    }
    return list;
  }

  NodeAxes& node_;
  std::string_view rest_;
  std::map<char, Axis> letters_;
  std::optional<AxisList> leading_;
};

}  // namespace

void NodeAxes::sign(std::string_view signature) { Reader(*this, signature).read(); }

bool solve_axes(NodeAxes& node) {
  const OpRules& rules = rules_of(node.op.def());
  if (rules.signature != nullptr)
    node.sign(rules.signature);
  else if (rules.axes != nullptr)
    rules.axes(node);
  return rules.signature != nullptr || rules.axes != nullptr;
}

}  // namespace weft::ir
