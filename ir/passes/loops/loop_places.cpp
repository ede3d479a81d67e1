// ir/passes/loops/loop_places.cpp -- which nodes of a loop recur, and where the others may go.
#include "ir/passes/loops/loop_places.h"

#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir {
namespace {

size_t at(Value v) { return static_cast<size_t>(v.id); }

// How large a value is, for deciding what may be stacked: by how many symbols multiply.
size_t symbols_in(const TensorType& t) {
  return static_cast<size_t>(
      std::count_if(t.shape.begin(), t.shape.end(), [](const Dim& d) { return !d.is_constant(); }));
}

// The carry is read by one add only, whose result is the yielded carry and nothing else.
int accumulating_node(const Graph& body, const std::vector<std::vector<int>>& readers,
                      size_t carry) {
  const Value argument = body.arguments()[carry].value, yielded = body.outputs()[carry].value;
  const auto& reads = readers[at(argument)];
  if (reads.size() != 1 || reads[0] < 0 || readers[at(yielded)].size() != 1) return -1;
  const Node& node = body.nodes()[static_cast<size_t>(reads[0])];
  if (node.op != &ops::add || node.results[0] != yielded || node.operands[0] == node.operands[1])
    return -1;
  const Value other = node.operands[0] == argument ? node.operands[1] : node.operands[0];
  return body.type(other) == body.type(argument) ? reads[0] : -1;
}

bool is_linear_unary(const Node& node) {
  return node.op == &ops::neg || node.op == &ops::reshape || node.op == &ops::transpose ||
         node.op == &ops::slice || node.op == &ops::broadcast || node.op == &ops::stop_gradient ||
         node.op == &ops::same_dim || (node.op == &ops::pad && node.attrs.find("value") == nullptr);
}

}  // namespace

bool is_heavy(const Node& node) {
  const Cost cost = cost_of(*node.op);
  return cost == Cost::product || cost == Cost::looks_up || node.op->expand != nullptr;
}

LoopPlaces::LoopPlaces(const Graph& graph, const Node& scan)
    : body(scan.regions[0]), parts(OpView(graph, scan)), readers_(uses(body)) {
  analyse(OpView(graph, scan));
}

void LoopPlaces::analyse(const OpView& scan) {
  if (parts.has_lengths) {
    batch = scan.operand("lengths").dim(0);
    live = body.arguments().back().value;
    ended = ended_rows(body, batch, live);
  }
  mark_forward();
  accumulator.assign(static_cast<size_t>(parts.carries), -1);
  for (size_t c = 0; c < accumulator.size(); ++c)
    accumulator[c] = accumulating_node(body, readers_, c);
  // A contribution that needs an accumulator's running value, or that cannot be summed outside,
  // keeps its carry in the loop; that may make more recur, so this repeats until it is settled.
  for (bool changed = true; changed;) {
    changed = false;
    measure_state();
    mark_recurring();
    place_nodes();
    for (size_t c = 0; c < accumulator.size(); ++c)
      if (accumulator[c] >= 0 && !can_sum(contribution(c), 0)) {
        accumulator[c] = -1;
        changed = true;
      }
  }
}

void LoopPlaces::mark_forward() {
  const size_t n = static_cast<size_t>(body.value_count());
  invariant.assign(n, false);
  forward_.assign(n, false);
  for (const Argument& a : body.arguments()) {
    forward_[at(a.value)] = body.argument_index(a.value) >= parts.carries;
    invariant[at(a.value)] = is_invariant_argument(a.value);
  }
  for (const Node& node : body.nodes()) {
    bool all_invariant = true, all_forward = true;
    for (const Value v : node.operands) {
      all_invariant = all_invariant && invariant[at(v)];
      all_forward = all_forward && forward_[at(v)];
    }
    for (const Value v : node.results) {
      invariant[at(v)] = all_invariant;
      forward_[at(v)] = all_forward;
    }
  }
}

void LoopPlaces::mark_recurring() {
  recurs_.assign(static_cast<size_t>(body.value_count()), false);
  for (size_t c = 0; c < accumulator.size(); ++c)
    if (accumulator[c] < 0) recurs_[at(body.outputs()[c].value)] = true;
  for (size_t n = body.nodes().size(); n-- > 0;) {
    const Node& node = body.nodes()[n];
    const bool needed = std::any_of(node.results.begin(), node.results.end(),
                                    [this](Value v) { return recurs_[at(v)]; });
    if (!needed) continue;
    for (const Value v : node.operands) recurs_[at(v)] = true;
  }
}

// The largest of what the loop must carry or read by the step anyway.
void LoopPlaces::measure_state() {
  state_ = 0;
  for (const Argument& a : body.arguments())
    if (!is_invariant_argument(a.value) && !is_accumulator_carry(a.value))
      state_ = std::max(state_, symbols_in(body.type(a.value)));
}

bool LoopPlaces::is_invariant_argument(Value v) const {
  const int k = body.argument_index(v) - parts.carries;
  return k >= parts.scanned && k < parts.scanned + parts.invariants;
}

bool LoopPlaces::is_accumulator_carry(Value v) const {
  const int i = body.argument_index(v);
  return i >= 0 && i < parts.carries && accumulator[static_cast<size_t>(i)] >= 0;
}

bool LoopPlaces::is_accumulating_add(size_t node) const {
  return std::find(accumulator.begin(), accumulator.end(), static_cast<int>(node)) !=
         accumulator.end();
}

Value LoopPlaces::contribution(size_t carry) const {
  const Node& node = body.nodes()[static_cast<size_t>(accumulator[carry])];
  return node.operands[0] == body.arguments()[carry].value ? node.operands[1] : node.operands[0];
}

void LoopPlaces::place_nodes() {
  place.assign(body.nodes().size(), Place::loop);
  place_before();
  place_after();
  while (keep_unstackable()) continue;
}

void LoopPlaces::place_before() {
  const auto& nodes = body.nodes();
  for (size_t n = 0; n < nodes.size(); ++n) {
    const Node& node = nodes[n];
    if (is_trivial(node) || is_accumulating_add(n) || is_mask(node.results[0])) continue;
    bool all_invariant = true, all_forward = true, outside = true;
    for (const Value v : node.operands) {
      const Node* p = body.producer(v);
      const bool trivial = p != nullptr && is_trivial(*p);
      all_invariant = all_invariant && (invariant[at(v)] || trivial);
      all_forward = all_forward && (forward_[at(v)] || trivial);
      outside = outside && (p == nullptr || trivial || is_mask(v) || place_of(v) != Place::loop);
    }
    if (all_invariant && outside)
      place[n] = Place::hoisted;
    else if (all_forward && outside && can_batch(node, Wants(node.results.size(), Want::each)))
      place[n] = Place::before;
  }
  // Masks of scanned inputs stay in the loop: most are removed there.
  for (size_t n = nodes.size(); n-- > 0;)
    if (place[n] == Place::before && nodes[n].op == &ops::select && is_mask(nodes[n].operands[0]) &&
        read_in_loop_only(nodes[n]))
      place[n] = Place::loop;
}

// From the end, so that a node moves only if all that read it do.
void LoopPlaces::place_after() {
  for (size_t n = body.nodes().size(); n-- > 0;) {
    const Node& node = body.nodes()[n];
    if (place[n] != Place::loop || is_trivial(node) || is_accumulating_add(n) ||
        is_mask(node.results[0]))
      continue;
    if (moves_after(node)) place[n] = Place::after;
  }
}

// What moved reads values of the loop stacked; those must be no larger than the state. Whoever
// feeds a node that stays must stay.
bool LoopPlaces::keep_unstackable() {
  bool changed = false;
  const auto keep = [&](size_t n) {
    place[n] = Place::loop;
    changed = true;
  };
  const auto& nodes = body.nodes();
  for (size_t n = 0; n < nodes.size(); ++n)
    if (place[n] == Place::after &&
        std::any_of(nodes[n].operands.begin(), nodes[n].operands.end(),
                    [this](Value v) { return of_loop(v) && !stackable(v); }))
      keep(n);
  for (size_t n = nodes.size(); n-- > 0;)
    if (place[n] == Place::after && !moves_after(nodes[n])) keep(n);
  return changed;
}

Place LoopPlaces::place_of(Value v) const { return place[static_cast<size_t>(body.info(v).node)]; }

bool LoopPlaces::read_in_loop_only(const Node& node) const {
  for (const int reader : readers_[at(node.results[0])])
    if (reader < 0 || place[static_cast<size_t>(reader)] != Place::loop ||
        is_accumulating_add(static_cast<size_t>(reader)))
      return false;
  return true;
}

bool LoopPlaces::of_loop(Value v) const {
  const Node* p = body.producer(v);
  if (p == nullptr) return body.argument_index(v) < parts.carries;
  return !is_trivial(*p) && !is_mask(v) && place_of(v) == Place::loop;
}

bool LoopPlaces::stackable(Value v) const {
  if (symbols_in(body.type(v)) > state_) return false;
  // Stacked outputs of a loop with lengths must be led by its rows.
  return !parts.has_lengths || ops::is_row_carry(body.type(v), batch);
}

bool LoopPlaces::moves_after(const Node& node) const {
  bool read = false;
  for (const Value v : node.results) {
    if (recurs_[at(v)]) return false;
    for (const int reader : readers_[at(v)]) {
      read = true;
      if (reader < 0) continue;  // an output that is no kept carry: checked by recurs_
      const size_t n = static_cast<size_t>(reader);
      if (!is_accumulating_add(n) && place[n] != Place::after) return false;
    }
  }
  for (const Value v : node.operands)
    if (is_accumulator_carry(v)) return false;
  return read && can_batch_some(node);
}

Flags LoopPlaces::lifted_flags(const Node& node) const {
  Flags lifted;
  for (const Value v : node.operands) lifted.push_back(!invariant[at(v)]);
  return lifted;
}

// A node may be done for all steps at once if its results are no larger, counted in symbols, than
// what it reads by the step (contractions and look-ups: than the loop's own state): broadcasting
// q_t + k_j over keys for all steps at once would take T times the memory of the loop.
bool LoopPlaces::size_allows(const Node& node, const Flags& lifted) const {
  size_t read = is_heavy(node) ? state_ : 0;
  for (size_t i = 0; i < lifted.size(); ++i)
    if (lifted[i]) read = std::max(read, symbols_in(body.type(node.operands[i])));
  return std::none_of(node.results.begin(), node.results.end(),
                      [&](Value v) { return symbols_in(body.type(v)) > read; });
}

bool LoopPlaces::can_batch(const Node& node, const Wants& wants) const {
  const BatchingRule* rule = batching_rule(*node.op);
  if (rule == nullptr) return false;
  const Flags lifted = lifted_flags(node);
  if (std::find(lifted.begin(), lifted.end(), true) == lifted.end()) return false;
  return rule->can(OpView(body, node), lifted, wants) && size_allows(node, lifted);
}

// Every result in the mode it is read in can be had outside.
bool LoopPlaces::can_batch_some(const Node& node) const {
  if (can_batch(node, each_wants(node))) return true;
  // Read only as contributions: summed results are enough.
  for (size_t r = 0; r < node.results.size(); ++r)
    for (const int reader : readers_[at(node.results[r])])
      if (reader < 0 || !is_accumulating_add(static_cast<size_t>(reader)) ||
          sum_step(node, r) == SumStep::none)
        return false;
  return true;
}

Wants LoopPlaces::each_wants(const Node& node) const {
  Wants wants(node.results.size(), Want::nothing);
  for (size_t r = 0; r < node.results.size(); ++r)
    for (const int reader : readers_[at(node.results[r])])
      if (reader < 0 || !is_accumulating_add(static_cast<size_t>(reader))) wants[r] = Want::each;
  return wants;
}

SumStep LoopPlaces::sum_step(const Node& node, size_t result) const {
  if (const BatchingRule* rule = batching_rule(*node.op); rule != nullptr) {
    Wants wants(node.results.size(), Want::nothing);
    wants[result] = Want::sum;
    if (rule->can(OpView(body, node), lifted_flags(node), wants)) return SumStep::rule;
  }
  if (readers_[at(node.results[result])].size() == 1) {
    if (node.op == &ops::add || node.op == &ops::sub) return SumStep::add;
    if (is_linear_unary(node)) return SumStep::linear;
  }
  if (node.results.size() == 1 && can_batch(node, {Want::each})) return SumStep::each;
  return SumStep::none;
}

// Can the sum over all steps of a body value be made outside? `depth` counts the ops it is pushed
// through.
bool LoopPlaces::can_sum(Value v, int depth) const {
  if (depth > 32) return false;
  if (parts.has_lengths && depth == 0 && !ended.free[at(v)] && !ended.zero[at(v)]) return false;
  const Node* p = body.producer(v);
  if (p == nullptr || invariant[at(v)] || is_trivial(*p)) return false;
  if (place_of(v) == Place::before || place_of(v) == Place::hoisted) return true;
  // Its operands must be stackable or outside already.
  const auto operands_ok = [&] {
    return std::none_of(p->operands.begin(), p->operands.end(), [this](Value x) {
      return is_accumulator_carry(x) || (of_loop(x) && !stackable(x));
    });
  };
  switch (sum_step(*p, static_cast<size_t>(body.info(v).index))) {
    case SumStep::rule:
    case SumStep::each:
      return operands_ok();
    case SumStep::add:
      return can_sum(p->operands[0], depth + 1) && can_sum(p->operands[1], depth + 1);
    case SumStep::linear:
      return can_sum(p->operands[0], depth + 1);
    case SumStep::none:
      return false;
  }
  return false;
}

bool LoopPlaces::worthwhile() const {
  return std::any_of(place.begin(), place.end(), [](Place p) { return p != Place::loop; }) ||
         std::any_of(accumulator.begin(), accumulator.end(), [](int n) { return n >= 0; });
}

}  // namespace weft::ir
