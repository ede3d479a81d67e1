// frontend/language/einsum.cpp -- an equation as transposes, matmuls, products and sums.
//
// Diagonals are taken first, then what only one operand has is summed out. Two operands at a time
// then become one: a matmul where something is summed over and something is not, whose batch is what
// both have and is kept; else a product that broadcasts. Nothing is moved that a matmul can read as
// it lies.
#include "frontend/language/einsum.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <utility>

namespace weft {
namespace {

// A letter; or an axis of `...`, counted from the right: -1, -2, ...
using Index = int;
using Indices = std::vector<Index>;

bool has(const Indices& list, Index index) {
  return std::find(list.begin(), list.end(), index) != list.end();
}

std::string name_of(Index index) {
  return index < 0 ? "axis " + std::to_string(index) + " of ..."
                   : "index '" + std::string(1, static_cast<char>(index)) + "'";
}

Indices joined(std::initializer_list<Indices> lists) {
  Indices all;
  for (const Indices& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

// One side of the equation between two commas: letters, and where `...` stands among them.
struct Subscript {
  Indices letters;
  std::optional<size_t> ellipsis;
};

struct Equation {
  std::vector<Subscript> operands;
  std::optional<Subscript> result;
};

class Parser {
 public:
  Parser(std::string_view text, const SourceLoc& loc) : text_(text), loc_(loc) {}

  Equation parse() {
    Equation e;
    const size_t arrow = text_.find("->");
    std::string_view left = text_.substr(0, arrow);
    for (size_t comma; (comma = left.find(',')) != std::string_view::npos;
         left.remove_prefix(comma + 1))
      e.operands.push_back(subscript(left.substr(0, comma)));
    e.operands.push_back(subscript(left));
    if (arrow != std::string_view::npos) e.result = subscript(text_.substr(arrow + 2));
    return e;
  }

 private:
  Subscript subscript(std::string_view part) const {
    Subscript s;
    for (size_t i = 0; i < part.size(); ++i) {
      const auto c = static_cast<unsigned char>(part[i]);
      if (std::isspace(c)) continue;
      if (part.substr(i, 3) == "...") {
        if (s.ellipsis) fail(loc_, "'einsum' has ... twice in '", part, "' of \"", text_, "\"");
        s.ellipsis = s.letters.size();
        i += 2;
      } else if (c < 128 && std::isalpha(c)) {
        s.letters.push_back(c);
      } else {
        fail(loc_, "'einsum' takes letters, ..., commas and one ->, found '", part[i], "' in \"",
             text_, "\"");
      }
    }
    return s;
  }

  std::string_view text_;
  const SourceLoc& loc_;
};

// A tensor and the index of each of its axes.
struct Term {
  Tensor x;
  Indices axes;
};

class Einsum {
 public:
  Einsum(std::string_view text, const Tensors& operands, SourceLoc loc)
      : text_(text), loc_(std::move(loc)) {
    if (operands.empty()) fail(loc_, "'einsum' needs at least one operand");
    const Equation e = Parser(text_, loc_).parse();
    if (e.operands.size() != operands.size())
      fail(loc_, "'einsum' names ", e.operands.size(), " operands in \"", text_, "\", found ",
           operands.size());
    for (size_t i = 0; i < operands.size(); ++i) add(e.operands[i], operands[i], i);
    find_result(e);
  }

  Tensor run() {
    for (size_t i = 0; i < terms_.size(); ++i) {
      drop_ones(terms_[i]);
      take_diagonals(terms_[i]);
    }
    for (size_t i = 0; i < terms_.size(); ++i) sum_out(i);
    while (terms_.size() > 1) {
      const auto [i, j] = cheapest_pair();
      const Term a = terms_[i], b = terms_[j];
      terms_.erase(terms_.begin() + static_cast<std::ptrdiff_t>(j));
      terms_.erase(terms_.begin() + static_cast<std::ptrdiff_t>(i));
      terms_.push_back(contracted(a, b));
    }
    return arranged(terms_[0], result_).x;
  }

 private:
  // --- what the equation says

  void add(const Subscript& s, const Tensor& x, size_t number) {
    if (!x.valid()) fail(loc_, "'einsum' is given a tensor that was never made");
    if (number > 0 && x.dtype() != terms_[0].x.dtype())
      fail(loc_, "'einsum' needs operands of one dtype, found ", terms_[0].x.type(), " and ",
           x.type());
    const int more = x.rank() - static_cast<int>(s.letters.size());
    if (more < 0 || (more > 0 && !s.ellipsis))
      fail(loc_, "'einsum' names ", s.letters.size(), " indices for operand ", number + 1, " of \"",
           text_, "\", found ", x.type());
    Term term{x, s.letters};
    if (s.ellipsis) {
      Indices dots;
      for (int d = more; d >= 1; --d) dots.push_back(-d);
      term.axes.insert(term.axes.begin() + static_cast<std::ptrdiff_t>(*s.ellipsis), dots.begin(),
                       dots.end());
      most_dots_ = std::max(most_dots_, more);
    }
    for (size_t axis = 0; axis < term.axes.size(); ++axis)
      note_size(term.axes[axis], x.shape()[axis], number);
    terms_.push_back(std::move(term));
  }

  void note_size(Index index, const Dim& size, size_t number) {
    const auto [at, is_new] = sizes_.try_emplace(index, Sized{size, number});
    Sized& known = at->second;
    if (is_new || known.size == size || size.is(1)) return;
    if (!known.size.is(1))
      fail(loc_, "'einsum' ", name_of(index), " has ", known.size, " elements in operand ",
           known.operand + 1, " and ", size, " in operand ", number + 1, " of \"", text_, "\"");
    known = {size, number};
  }

  void find_result(const Equation& e) {
    Indices dots;
    for (int d = most_dots_; d >= 1; --d) dots.push_back(-d);
    if (!e.result) {
      std::map<Index, int> times;
      for (const Subscript& s : e.operands)
        for (const Index letter : s.letters) ++times[letter];
      result_ = dots;
      for (const auto& [letter, n] : times)
        if (n == 1) result_.push_back(letter);
      return;
    }
    result_ = e.result->letters;
    for (size_t i = 0; i < result_.size(); ++i) {
      if (!sizes_.contains(result_[i]))
        fail(loc_, "'einsum' ", name_of(result_[i]), " of the result is in no operand of \"", text_,
             "\"");
      if (std::count(result_.begin(), result_.end(), result_[i]) > 1)
        fail(loc_, "'einsum' ", name_of(result_[i]), " stands twice in the result of \"", text_,
             "\"");
    }
    if (!e.result->ellipsis && most_dots_ > 0)
      fail(loc_, "'einsum' has ... in an operand but not in the result of \"", text_, "\"");
    if (e.result->ellipsis)
      result_.insert(result_.begin() + static_cast<std::ptrdiff_t>(*e.result->ellipsis),
                     dots.begin(), dots.end());
  }

  // --- one operand

  const Dim& size_of(Index index) const { return sizes_.at(index).size; }

  // In the result, or in a term still to come.
  bool is_needed(Index index, const std::vector<Term>& others) const {
    return has(result_, index) || std::any_of(others.begin(), others.end(),
                                              [&](const Term& t) { return has(t.axes, index); });
  }

  // A 1 that goes with a larger size.
  void drop_ones(Term& t) const {
    for (size_t axis = t.axes.size(); axis-- > 0;)
      if (t.x.shape()[axis].is(1) && !size_of(t.axes[axis]).is(1)) {
        t.x = squeeze(t.x, static_cast<int64_t>(axis), loc_);
        t.axes.erase(t.axes.begin() + static_cast<std::ptrdiff_t>(axis));
      }
  }

  void take_diagonals(Term& t) const {
    for (size_t p = 0; p < t.axes.size(); ++p) {
      const auto again =
          std::find(t.axes.begin() + static_cast<std::ptrdiff_t>(p) + 1, t.axes.end(), t.axes[p]);
      if (again == t.axes.end()) continue;
      const Index index = t.axes[p];
      const auto q = static_cast<size_t>(again - t.axes.begin());
      ir::Integers perm;
      Indices axes;
      for (size_t d = 0; d < t.axes.size(); ++d)
        if (d != p && d != q) {
          perm.push_back(static_cast<int64_t>(d));
          axes.push_back(t.axes[d]);
        }
      perm.push_back(static_cast<int64_t>(p));
      perm.push_back(static_cast<int64_t>(q));
      axes.push_back(index);
      t = {diagonal(moved(t.x, perm), size_of(index)), axes};
      p = static_cast<size_t>(-1);  // from the start: it may stand three times
    }
  }

  // [...,n,n] -> [...,n]: every (n+1)-th element; where n is a symbol, the sum of rows that are zero
  // elsewhere.
  Tensor diagonal(const Tensor& x, const Dim& n) const {
    Shape flat = x.shape();
    flat.pop_back();
    flat.back() = n * n;
    if (const auto size = n.constant())
      return slice(reshape(x, flat, loc_), -1, 0, n * n, *size + 1, loc_);
    const Tensor i = iota(x, n, s32, loc_);
    const Tensor on = Operand(expand(i, 1, loc_), loc_) == Operand(i, loc_);
    return sum(where(Operand(on, loc_), Operand(x, loc_), Operand(0, loc_)), -1, false, loc_);
  }

  // What no other term has and the result does not want.
  void sum_out(size_t i) {
    std::vector<Term> others = terms_;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    Term& t = terms_[i];
    ir::Integers axes;
    Indices kept;
    for (size_t axis = 0; axis < t.axes.size(); ++axis) {
      if (is_needed(t.axes[axis], others))
        kept.push_back(t.axes[axis]);
      else
        axes.push_back(static_cast<int64_t>(axis));
    }
    if (!axes.empty()) t = {sum(t.x, axes, false, loc_), kept};
  }

  Tensor moved(const Tensor& x, const ir::Integers& perm) const {
    return std::is_sorted(perm.begin(), perm.end()) ? x : transpose(x, perm, loc_);
  }

  // The axes in this order; those that are not there are left out.
  Term arranged(const Term& t, const Indices& order) const {
    ir::Integers perm;
    Indices axes;
    for (const Index index : order) {
      const auto at = std::find(t.axes.begin(), t.axes.end(), index);
      if (at == t.axes.end()) continue;
      perm.push_back(at - t.axes.begin());
      axes.push_back(index);
    }
    return {moved(t.x, perm), axes};
  }

  // --- two operands

  // What symbols may be, where only products are compared.
  double nominal(const Dim& size) const {
    ir::Bindings bindings;
    for (const std::string& symbol : size.symbols()) bindings[symbol] = 64;
    return static_cast<double>(size.value(bindings));
  }

  std::pair<size_t, size_t> cheapest_pair() const {
    std::pair<size_t, size_t> best{0, 1};
    double least = HUGE_VAL;
    for (size_t i = 0; i < terms_.size() && terms_.size() > 2; ++i)
      for (size_t j = i + 1; j < terms_.size(); ++j) {
        double cost = 1;
        for (const Index index : terms_[i].axes) cost *= nominal(size_of(index));
        for (const Index index : terms_[j].axes)
          if (!has(terms_[i].axes, index)) cost *= nominal(size_of(index));
        if (cost < least) {
          least = cost;
          best = {i, j};
        }
      }
    return best;
  }

  // Sorted as the result has them, others behind in their order.
  Indices in_result_order(const Indices& list) const {
    Indices ordered;
    for (const Index index : result_)
      if (has(list, index)) ordered.push_back(index);
    for (const Index index : list)
      if (!has(ordered, index)) ordered.push_back(index);
    return ordered;
  }

  Term contracted(const Term& a, const Term& b) const {
    Indices batch, summed, of_a, of_b;
    for (const Index index : a.axes)
      (!has(b.axes, index) ? of_a : is_needed(index, terms_) ? batch : summed).push_back(index);
    for (const Index index : b.axes)
      if (!has(a.axes, index)) of_b.push_back(index);
    batch = in_result_order(batch);
    of_a = in_result_order(of_a);
    of_b = in_result_order(of_b);
    if (of_a.empty() && of_b.empty() && !summed.empty()) {
      const Term product = multiplied(a, b, joined({batch, summed}));
      ir::Integers axes;
      for (size_t i = 0; i < summed.size(); ++i)
        axes.push_back(static_cast<int64_t>(batch.size() + i));
      return {sum(product.x, axes, false, loc_), batch};
    }
    if (summed.empty()) return multiplied(a, b, in_result_order(joined({batch, of_a, of_b})));
    const bool b_first =
        !of_a.empty() && !of_b.empty() && has(result_, of_a[0]) && place(of_b[0]) < place(of_a[0]);
    return b_first ? product(b, a, batch, of_b, summed, of_a)
                   : product(a, b, batch, of_a, summed, of_b);
  }

  std::ptrdiff_t place(Index index) const {
    return std::find(result_.begin(), result_.end(), index) - result_.begin();
  }

  // Elementwise, the axes in this order.
  Term multiplied(const Term& a, const Term& b, const Indices& order) const {
    const auto spread = [&](const Term& t) {
      const Term in_order = arranged(t, order);
      Shape shape;
      for (const Index index : order) shape.push_back(has(t.axes, index) ? size_of(index) : Dim(1));
      // Leading ones broadcast by themselves.
      std::ptrdiff_t ones = 0;
      for (const Index index : order) {
        if (has(t.axes, index)) break;
        ++ones;
      }
      shape.erase(shape.begin(), shape.begin() + ones);
      return reshape(in_order.x, shape, loc_);
    };
    const Tensor x = spread(a), y = spread(b);
    return {Operand(x, loc_) * Operand(y, loc_), order};
  }

  Dim count(const Indices& list) const {
    Dim n = 1;
    for (const Index index : list) n = n * size_of(index);
    return n;
  }

  // [batch..., of_a, summed] times [batch..., summed, of_b]; either is read the other way round
  // where it lies so.
  Term product(const Term& a, const Term& b, const Indices& batch, const Indices& of_a,
               const Indices& summed, const Indices& of_b) const {
    // As they lie but for the batch.
    const Indices rest_a = without(a.axes, batch), rest_b = without(b.axes, batch);
    const bool turned_a = rest_a == joined({summed, of_a}) && !of_a.empty();
    const Indices together =
        turned_a || rest_a == joined({of_a, summed}) ? summed : in_order_of(rest_b, summed);
    const bool turned_b = rest_b == joined({of_b, together}) && !of_b.empty();
    const auto as_matrix = [&](const Term& t, const Indices& rows, const Indices& columns,
                               bool rows_lead) {
      const Term in_order = arranged(t, joined({batch, rows, columns}));
      Shape shape;
      for (const Index index : batch) shape.push_back(size_of(index));
      if (rows_lead && !rows.empty())
        for (const Index index : rows) shape.push_back(size_of(index));
      else
        shape.push_back(count(rows));
      shape.push_back(count(columns));
      return reshape(in_order.x, shape, loc_);
    };
    // A right operand that is one matrix meets rows along any number of axes.
    const bool rows_lead = batch.empty() && !turned_a;
    const Tensor left =
        turned_a ? as_matrix(a, together, of_a, false) : as_matrix(a, of_a, together, rows_lead);
    const Tensor right =
        turned_b ? as_matrix(b, of_b, together, false) : as_matrix(b, together, of_b, false);
    const Indices axes = joined({batch, of_a, of_b});
    Shape shape;
    for (const Index index : axes) shape.push_back(size_of(index));
    return {reshape(matmul(left, right, {.transpose_a = turned_a, .transpose_b = turned_b}, loc_),
                    shape, loc_),
            axes};
  }

  static Indices without(const Indices& list, const Indices& left_out) {
    Indices rest;
    for (const Index index : list)
      if (!has(left_out, index)) rest.push_back(index);
    return rest;
  }

  static Indices in_order_of(const Indices& order, const Indices& list) {
    Indices sorted;
    for (const Index index : order)
      if (has(list, index)) sorted.push_back(index);
    return sorted;
  }

  struct Sized {
    Dim size;
    size_t operand;  // that said so
  };

  const std::string_view text_;
  const SourceLoc loc_;
  std::vector<Term> terms_;
  std::map<Index, Sized> sizes_;
  Indices result_;
  int most_dots_ = 0;
};

}  // namespace

Tensor einsum(std::string_view equation, const Tensors& operands, SourceLoc loc) {
  return Einsum(equation, operands, std::move(loc)).run();
}

}  // namespace weft
