// ir/passes/padding/ended_rows.cpp -- which values of a loop's body depend on rows that have ended.
#include "ir/passes/padding/ended_rows.h"

#include "ir/rewrite/rewrite.h"
#include "ir/rules/row_use.h"

#include <algorithm>
#include <optional>

namespace weft::ir {
namespace {

using Set = std::vector<bool>;

size_t at(Value v) { return static_cast<size_t>(v.id); }

bool led_by(const TensorType& t, const Dim& batch) { return t.rank() > 0 && t.dim(0) == batch; }

Set led_by_type(const Graph& body, const Dim& batch) {
  Set led;
  for (const Argument& a : body.arguments()) led.push_back(led_by(body.type(a.value), batch));
  return led;
}

bool any(const Set& s) { return std::find(s.begin(), s.end(), true) != s.end(); }

// Every element zero, by its nodes.
bool is_uniform_zero(const Graph& g, Value v) {
  const Node* p = g.producer(v);
  if (p == nullptr) return false;
  if (p->op == &ops::broadcast || p->op == &ops::reshape) return is_uniform_zero(g, p->operands[0]);
  return is_zero_constant(g, v);
}

Set flags(const Node& node, const Set& of_values) {
  Set s;
  for (const Value v : node.operands) s.push_back(of_values[at(v)]);
  return s;
}

std::optional<Set> rows_of_results(const OpView& op, const Set& led);

// Of each value of a loop inside, is it led by the rows of the loop outside? Nothing where they mix.
std::optional<Set> led_values(const Graph& body, const Set& arguments) {
  Set led(static_cast<size_t>(body.value_count()));
  for (size_t i = 0; i < arguments.size(); ++i) led[at(body.arguments()[i].value)] = arguments[i];
  for (const Node& node : body.nodes()) {
    const Set operands = flags(node, led);
    if (!any(operands)) continue;
    const auto rows = rows_of_results(OpView(body, node), operands);
    if (!rows || std::find(rows->begin(), rows->end(), false) != rows->end()) return std::nullopt;
    for (const Value v : node.results) led[at(v)] = true;
  }
  return led;
}

// A loop inside the body keeps rows apart if its own body does and it does not run along them.
std::optional<Set> rows_of_loop(const OpView& scan, Set led) {
  const ops::ScanParts parts(scan);
  const Graph& body = scan.region();
  for (int i = 0; i < parts.scanned; ++i)
    if (led[static_cast<size_t>(parts.carries + i)] && parts.axes[static_cast<size_t>(i)] == 0)
      return std::nullopt;
  const auto carries = static_cast<size_t>(parts.carries);
  const auto output = [&](size_t i) { return body.outputs()[i].value; };
  for (;;) {
    const auto values = led_values(body, led);
    if (!values) return std::nullopt;
    bool grew = false;
    for (size_t i = 0; i < carries; ++i) {
      const bool yielded = (*values)[at(output(i))];
      if (yielded == led[i]) continue;
      if (!yielded && !is_uniform(body, output(i))) return std::nullopt;
      if (yielded && !is_uniform(scan.graph(), scan.node().operands[i])) return std::nullopt;
      grew = grew || yielded;
      led[i] = true;
    }
    if (grew) continue;
    Set results(led.begin(), led.begin() + parts.carries);
    for (int i = 0; i < parts.stacked; ++i) {
      const bool rows = (*values)[at(output(carries + static_cast<size_t>(i)))];
      if (rows && parts.out_axes[static_cast<size_t>(i)] == 0) return std::nullopt;
      results.push_back(rows);
    }
    return results;
  }
}

// Which results have the rows of the led operands (the others are sums over them)? Nothing where
// rows mix.
std::optional<Set> rows_of_results(const OpView& op, const Set& led) {
  if (&op.def() == &ops::scan) return rows_of_loop(op, led);
  if (!op.node().regions.empty()) return std::nullopt;
  return moved_results(op, led, 1);
}

class Analysis {
 public:
  Analysis(const Graph& body, const Dim& batch, const Set& led_arguments)
      : body_(body), batch_(batch) {
    const auto count = static_cast<size_t>(body.value_count());
    known.led.resize(count);
    known.zero.resize(count);
    known.free.resize(count);
    for (size_t i = 0; i < led_arguments.size(); ++i) {
      const size_t v = at(body.arguments()[i].value);
      known.led[v] = led_arguments[i];
      known.free[v] = !led_arguments[i];
    }
  }

  EndedRows known;

  void look_at(const Node& node) {
    const Set led = flags(node, known.led);
    if (!any(led) || node.op == &ops::dim_size) return of_no_rows(node);
    const OpView op(body_, node);
    const auto rows = rows_of_results(op, led);
    const Set zero = zeros(node);
    const bool all_free = is_free(node.operands);
    for (size_t r = 0; r < node.results.size(); ++r) {
      const size_t v = at(node.results[r]);
      known.led[v] = rows && (*rows)[r];
      known.free[v] =
          all_free || (rows && !(*rows)[r] && others_free(node, led) && adds_nothing(op, zero));
      known.zero[v] =
          known.led[v] && node.regions.empty() && keeps_zero(op, static_cast<int>(r), zero);
    }
  }

  // A node that lets ended rows reach live ones, or what has no rows.
  bool mixes(const Node& node) const {
    const Set led = flags(node, known.led);
    if (!any(led) || is_free(node.operands)) return false;
    return std::any_of(node.results.begin(), node.results.end(),
                       [&](Value v) { return !known.led[at(v)] && !known.free[at(v)]; });
  }

 private:
  // Constants of the batch's size serve as rows that are all alike.
  void of_no_rows(const Node& node) {
    for (const Value v : node.results) {
      known.free[at(v)] = is_free(node.operands) || node.op == &ops::dim_size;
      known.led[at(v)] = led_by(body_.type(v), batch_) && is_uniform(body_, v);
      known.zero[at(v)] = known.led[at(v)] && is_uniform_zero(body_, v);
    }
  }

  bool is_free(const Values& values) const {
    return std::all_of(values.begin(), values.end(), [&](Value v) { return known.free[at(v)]; });
  }
  bool others_free(const Node& node, const Set& led) const {
    for (size_t i = 0; i < led.size(); ++i)
      if (!led[i] && !known.free[at(node.operands[i])]) return false;
    return true;
  }
  Set zeros(const Node& node) const {
    Set zero;
    for (const Value v : node.operands)
      zero.push_back(known.zero[at(v)] || is_zero_constant(body_, v));
    return zero;
  }

  const Graph& body_;
  const Dim& batch_;
};

Analysis analysed(const Graph& body, const Dim& batch, Value live,
                  const std::vector<Value>& zero_arguments) {
  Analysis a(body, batch, led_by_type(body, batch));
  for (const Value v : zero_arguments) a.known.zero[at(v)] = true;
  if (live.valid()) a.known.zero[at(live)] = true;
  for (const Node& node : body.nodes()) a.look_at(node);
  return a;
}

}  // namespace

bool is_live_mask(const Graph& body, Value cond, Value live) {
  for (int guard = 0; guard < 8; ++guard) {
    if (cond == live) return true;
    const Node* p = body.producer(cond);
    if (p == nullptr || (p->op != &ops::reshape && p->op != &ops::broadcast)) return false;
    if (!(body.type(cond).rank() > 0 && body.type(live).rank() > 0 &&
          body.type(cond).dim(0) == body.type(live).dim(0)))
      return false;
    cond = p->operands[0];
  }
  return false;
}

EndedRows ended_rows(const Graph& body, const Dim& batch, Value live,
                     const std::vector<Value>& zero_arguments) {
  return analysed(body, batch, live, zero_arguments).known;
}

const Node* mixes_ended_rows(const Graph& body, const Dim& batch, Value live) {
  const Analysis a = analysed(body, batch, live, {});
  for (const Node& node : body.nodes())
    if (a.mixes(node)) return &node;
  return nullptr;
}

std::vector<bool> counted_rows(const Graph& body, const std::vector<bool>& row_carry,
                               const Dim& batch) {
  return counted_rows(body, row_carry, batch, led_by_type(body, batch));
}

std::vector<bool> counted_rows(const Graph& body, const std::vector<bool>& row_carry,
                               const Dim& batch, const std::vector<bool>& led_arguments) {
  Analysis analysis(body, batch, led_arguments);
  for (const Node& node : body.nodes()) analysis.look_at(node);
  const Set& led = analysis.known.led;
  Set counted(led.size());
  for (size_t i = 0; i < row_carry.size(); ++i)
    if (!row_carry[i]) counted[at(body.outputs()[i].value)] = true;
  for (size_t n = body.nodes().size(); n-- > 0;) {
    const Node& node = body.nodes()[n];
    const Set operands = flags(node, led);
    bool reaches = false;
    if (any(operands)) {
      const auto rows = rows_of_results(OpView(body, node), operands);
      reaches = !rows || std::find(rows->begin(), rows->end(), false) != rows->end();
    }
    for (const Value v : node.results) reaches = reaches || counted[at(v)];
    for (const Value v : node.operands)
      if (reaches || !led[at(v)]) counted[at(v)] = true;
  }
  return counted;
}

Graph drop_live_selects(const Graph& body, const std::vector<bool>& row_carry, const Dim& batch,
                        Value live) {
  if (!live.valid()) return body;
  const Set counted = counted_rows(body, row_carry, batch);
  const Set led = ended_rows(body, batch, live).led;
  const auto droppable = [&](const Node& node) {
    return node.op == &ops::select && !counted[at(node.results[0])] && led[at(node.results[0])] &&
           is_zero_constant(body, node.operands[2]) && is_live_mask(body, node.operands[0], live) &&
           body.type(node.operands[1]) == body.type(node.results[0]);
  };
  if (std::none_of(body.nodes().begin(), body.nodes().end(), droppable)) return body;
  return rewrite_nodes(body, [&](Rewriter& r, const Node& node) -> std::optional<Values> {
    if (!droppable(node)) return std::nullopt;
    return Values{r(node.operands[1])};
  });
}

}  // namespace weft::ir
