// autodiff/rules/scan.cpp -- the derivative of a loop is a loop in the other direction.
//
//   s', y = body(s, x, w)   for t = 0..T-1
//     =>
//   ds, dx, dw = adjoint of body(ds', dy; s, x, w)   for t = T-1..0
//
//   adjoint of         is in the reverse loop
//   final carry        the initial carry; of the initial carry, the final one
//   stacked output     a scanned input along the same axis
//   scanned input      a stacked output along the same axis
//   invariant          a carry from zero, to which each step adds
//
// The body and its adjoint are built as one graph and cut in two (autodiff/residuals.h): augment
// makes the loop that also stacks what is saved, the rule makes the reverse loop.
//
// With lengths, every adjoint that enters a step is select(live, d, 0) where it has rows; the rest,
// select(live, 0, d), passes on to the step before because the reverse loop has the same lengths,
// under which a carry with rows keeps ended rows. A value without a row axis cannot be a stacked
// output here; it is kept in a carried buffer [T+B+1,...], of which each step writes its own slot
// (T+B+1 is never B).
#include "autodiff/loop.h"
#include "autodiff/row_values.h"
#include "autodiff/rules/table.h"
#include "ir/rewrite/rewrite.h"

#include <memory>

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

using ir::Builder;
using ir::Graph;
using ir::TensorType;
using ir::Value;
using ir::Values;

TensorType with_leading(const TensorType& type, std::initializer_list<ir::Dim> dims) {
  TensorType t = type;
  t.shape.insert(t.shape.begin(), dims);
  return t;
}
TensorType buffer_type(const Loop& loop, const TensorType& type) {
  return with_leading(type, {loop.parts.steps + loop.batch + 1});
}
Value write_place(Builder& b, Value buffer, Value x, Value t) {
  return b.emit(ops::update_slice,
                {{buffer}, {b.reshape(x, with_leading(b.type(x), {1}).shape)}, {t}}, {{"axis", 0}});
}
Value read_place(Builder& b, Value buffer, const TensorType& type, Value t) {
  return b.reshape(b.emit(ops::dynamic_slice, {{buffer}, {t}}, {{"axis", 0}, {"size", ir::Dim(1)}}),
                   type.shape);
}
Value positions(Builder& b, const ir::Dim& steps) {
  return b.emit(ops::iota, {},
                {{"shape", ir::Shape{steps}}, {"axis", 0}, {"dtype", ir::DType::s32}});
}
Value zero_constant(Builder& b, const TensorType& type) { return b.zeros(TensorType(type)); }

// A region under construction: nodes of the joint graph, copied.
class Region {
 public:
  explicit Region(const Graph& joint)
      : joint_(joint), map_(static_cast<size_t>(joint.value_count())), builder(graph) {}

  Value add_argument(const TensorType& type, std::string name = {}) {
    return graph.add_argument(type, std::move(name));
  }
  Value add_argument(Value of) {
    return map_[static_cast<size_t>(of.id)] =
               graph.add_argument(joint_.type(of), joint_.info(of).name);
  }
  Value operator()(Value v) const { return map_[static_cast<size_t>(v.id)]; }
  void set(Value v, Value to) { map_[static_cast<size_t>(v.id)] = to; }
  Values copy(const ir::Node& node) {
    Values operands;
    for (const Value v : node.operands) operands.push_back((*this)(v));
    return graph.add_copy(joint_, node, std::move(operands));
  }
  void yield(Value v) { graph.add_output("r" + std::to_string(graph.outputs().size()), v); }

 private:
  const Graph& joint_;
  Values map_;

 public:
  Graph graph;
  Builder builder;
};

std::vector<Value> saved_values(const Loop& loop) {
  std::vector<Value> values;
  for (int id = 0; id < loop.joint.graph.value_count(); ++id)
    if (loop.fate_of({id}) == Residual::saved) values.push_back({id});
  return values;
}

int already_stacked(const Loop& loop, Value v) {
  for (size_t i = static_cast<size_t>(loop.parts.carries); i < loop.joint.outputs.size(); ++i)
    if (loop.joint.outputs[i] == v) return static_cast<int>(i);
  return -1;
}

// The forward loop, which also stacks what is saved.
Augmented emit_forward(Vjp& g, Loop& loop) {
  const ops::ScanParts& parts = loop.parts;
  const Graph& joint = loop.joint.graph;
  Values buffered, stacked;
  for (const Value v : saved_values(loop)) {
    const int at = already_stacked(loop, v);
    if (at >= 0)
      loop.saved.push_back({v, at, false, parts.out_axes[static_cast<size_t>(at - parts.carries)]});
    else
      (loop.needs_buffer(loop.type(v)) ? buffered : stacked).push_back(v);
  }

  Region region(joint);
  region.graph.name = g.op().region().name;
  ir::OperandGroups groups(4);
  ir::Integers axes = parts.axes, out_axes = parts.out_axes;
  const auto pass = [&](int from, int to, int group) {
    for (int i = from; i < to; ++i) {
      region.add_argument(loop.argument(i));
      groups[static_cast<size_t>(group)].push_back(g.operands()[static_cast<size_t>(i)]);
    }
  };
  pass(0, parts.carries, 0);
  Values buffers;
  for (const Value v : buffered) {
    buffers.push_back(region.add_argument(buffer_type(loop, loop.type(v))));
    groups[0].push_back(zero_constant(g.builder, buffer_type(loop, loop.type(v))));
  }
  pass(loop.first_scanned(), loop.first_invariant(), 1);
  Value t;
  if (!buffered.empty()) {
    t = region.add_argument({ir::DType::s32, {}});
    groups[1].push_back(positions(g.builder, parts.steps));
    axes.push_back(0);
  }
  pass(loop.first_invariant(), loop.live(), 2);
  if (parts.has_lengths) {
    region.add_argument(loop.argument(loop.live()));
    groups[3].push_back(g.operands().back());
  }

  for (int n = 0; n < loop.joint.forward_nodes; ++n) {
    const ir::Node& node = joint.nodes()[static_cast<size_t>(n)];
    const Values results = region.copy(node);
    for (size_t i = 0; i < results.size(); ++i) region.set(node.results[i], results[i]);
  }
  region.builder.from = g.builder.from;
  for (int i = 0; i < parts.carries; ++i)
    region.yield(region(loop.joint.outputs[static_cast<size_t>(i)]));
  for (size_t i = 0; i < buffered.size(); ++i)
    region.yield(write_place(region.builder, buffers[i], region(buffered[i]), t));
  for (int i = 0; i < parts.stacked; ++i)
    region.yield(region(loop.joint.outputs[static_cast<size_t>(parts.carries + i)]));
  for (const Value v : stacked) {
    region.yield(region(v));
    out_axes.push_back(0);
  }

  std::vector<bool> rows = parts.row_carry;
  rows.resize(groups[0].size(), false);
  const ir::Attrs attrs =
      ops::scan_attrs(g.builder.graph(), groups, axes, out_axes, parts.reverse, parts.steps, rows);
  std::vector<Graph> regions;
  regions.push_back(ir::drop_dead(region.graph));
  const Values made = g.builder.emit_all(ops::scan, groups, attrs, std::move(regions));
  // The op's own results first: the buffers, which are carries, behind them.
  const auto carries_end = made.begin() + parts.carries,
             buffers_end = carries_end + static_cast<std::ptrdiff_t>(buffered.size());
  Values results(made.begin(), carries_end);
  results.insert(results.end(), buffers_end, made.end());
  int next = parts.carries + parts.stacked;
  for (const Value v : stacked) loop.saved.push_back({v, next++, false, 0});
  results.insert(results.end(), carries_end, buffers_end);
  for (const Value v : buffered) loop.saved.push_back({v, next++, true, 0});
  return {std::move(results), {}};
}

Augmented augment(Vjp& g) {
  auto loop = std::make_shared<Loop>(analysed(g));
  Augmented augmented = emit_forward(g, *loop);
  augmented.kept = std::shared_ptr<const Loop>(loop);
  return augmented;
}

// The reverse loop: its operands and its region's arguments, group by group, then its body.
class ReverseLoop {
 public:
  ReverseLoop(Vjp& g, const Loop& loop)
      : g_(g),
        loop_(loop),
        joint_(loop.joint.graph),
        region_(joint_),
        needed_(needed_for(joint_, loop.joint.adjoints)) {
    region_.graph.name = g.op().region().name;
    region_.builder.from = g.builder.from;
  }

  Grads emit() {
    add_carries();
    add_scanned();
    add_invariants();
    copy_nodes();
    yield_adjoints();
    const ir::Attrs attrs = ops::scan_attrs(g_.builder.graph(), groups_, axes_, out_axes_,
                                            !loop_.parts.reverse, loop_.parts.steps, rows_);
    std::vector<Graph> regions;
    regions.push_back(std::move(region_.graph));
    const Values made = g_.builder.emit_all(ops::scan, groups_, attrs, std::move(regions));
    Grads grads = g_.none();
    for (size_t i = 0; i < sources_.size(); ++i)
      grads[static_cast<size_t>(sources_[i])] = adjoint_of(sources_[i], made[i]);
    return grads;
  }

 private:
  const ops::ScanParts& parts() const { return loop_.parts; }
  Value adjoint(int i) const { return loop_.joint.adjoints[static_cast<size_t>(i)]; }
  bool has_rows(Value v) const { return loop_.rows[static_cast<size_t>(v.id)]; }
  bool is_read(Value v) const { return loop_.fate_of(v) == Residual::free; }
  Value cotangent_argument(int output) const {  // of the joint graph
    size_t at = 0;
    for (int i = 0; i < output; ++i) at += loop_.seeded[static_cast<size_t>(i)] ? 1 : 0;
    return loop_.cotangents[at];
  }
  const TensorType& type(int i) const { return loop_.type(loop_.argument(i)); }
  Value new_argument(const TensorType& type, RowValues held) {
    const Value v = region_.add_argument(type);
    note(v, held);
    return v;
  }
  Value new_argument(Value of, RowValues held) {
    const Value v = region_.add_argument(of);
    note(v, held);
    return v;
  }
  void note(Value v, RowValues held) {
    held_.resize(static_cast<size_t>(region_.graph.value_count()), RowValues::any);
    held_[static_cast<size_t>(v.id)] = held;
  }

  void add_carries() {
    for (int i = 0; i < parts().carries; ++i) {
      if (!loop_.seeded[static_cast<size_t>(i)]) continue;
      new_argument(cotangent_argument(i), RowValues::any);
      groups_[0].push_back(g_.cotangent_or_zero(i));
      sources_.push_back(i);
      rows_.push_back(parts().row_carry[static_cast<size_t>(i)]);
    }
    for (int i = loop_.first_scanned(); i < loop_.live(); ++i) {
      const bool scanned = i < loop_.first_invariant();
      if (!adjoint(i).valid() || (scanned && !loop_.needs_buffer(type(i)))) continue;
      const TensorType carried = scanned ? buffer_type(loop_, type(i)) : type(i);
      rows_.push_back(!scanned && loop_.has_rows(type(i)));
      sums_.push_back(new_argument(carried, RowValues::any));
      groups_[0].push_back(zero_constant(g_.builder, carried));
      sources_.push_back(i);
    }
  }

  void add_scanned() {
    const auto add = [&](Value operand, int64_t axis) {
      groups_[1].push_back(operand);
      axes_.push_back(axis);
    };
    for (int i = 0; i < parts().stacked; ++i) {
      const int output = parts().carries + i;
      if (!loop_.seeded[static_cast<size_t>(output)]) continue;
      if (!g_.has_cotangent(output)) {
        absent_.push_back(cotangent_argument(output));
        continue;
      }
      new_argument(cotangent_argument(output), RowValues::any);
      add(g_.cotangent(output), parts().out_axes[static_cast<size_t>(i)]);
    }
    bool buffers = false;
    for (const Saved& s : loop_.saved) {
      buffers = buffers || s.buffered;
      if (s.buffered) continue;
      new_argument(s.value, RowValues::zero);
      add(g_.result(s.result), s.axis);
    }
    for (int i = loop_.first_scanned(); i < loop_.first_invariant(); ++i) {
      buffers = buffers || (adjoint(i).valid() && loop_.needs_buffer(type(i)));
      if (!is_read(loop_.argument(i))) continue;
      new_argument(loop_.argument(i), loop_.has_rows(type(i)) ? RowValues::any : RowValues::finite);
      add(g_.operand(i), parts().axes[static_cast<size_t>(i - loop_.first_scanned())]);
    }
    if (!buffers) return;
    t_ = new_argument(TensorType{ir::DType::s32, {}}, RowValues::finite);
    add(positions(g_.builder, parts().steps), 0);
  }

  void add_invariants() {
    for (int i = loop_.first_invariant(); i < loop_.live(); ++i) {
      if (!is_read(loop_.argument(i))) continue;
      new_argument(loop_.argument(i), RowValues::finite);
      groups_[2].push_back(g_.operand(i));
    }
    Values buffers;
    for (const Saved& s : loop_.saved) {
      if (!s.buffered) continue;
      buffers.push_back(new_argument(buffer_type(loop_, loop_.type(s.value)), RowValues::finite));
      groups_[2].push_back(g_.result(s.result));
    }
    if (parts().has_lengths) {
      live_ = new_argument(loop_.argument(loop_.live()), RowValues::finite);
      groups_[3].push_back(g_.operands().back());
    }
    size_t at = 0;
    for (const Saved& s : loop_.saved)
      if (s.buffered)
        region_.set(s.value, read_place(region_.builder, buffers[at++], loop_.type(s.value), t_));
    for (const Value v : absent_) region_.set(v, zero_constant(region_.builder, loop_.type(v)));
  }

  void copy_nodes() {
    for (size_t n = 0; n < joint_.nodes().size(); ++n) {
      const ir::Node& node = joint_.nodes()[n];
      const bool backward = static_cast<int>(n) >= loop_.joint.forward_nodes;
      const auto taken = [&](Value v) {
        return backward || loop_.fate_of(v) == Residual::recomputed;
      };
      bool any = false;
      for (const Value v : node.results) any = any || (taken(v) && needed_[n]);
      if (!any) continue;
      if (backward && parts().has_lengths) mask_operands(node);
      const Values results = region_.copy(node);
      if (!backward) {
        ir::Provenance from = node.from;
        from.part = ir::Part::backward;
        region_.graph.set_node_provenance(static_cast<int>(region_.graph.nodes().size()) - 1,
                                          std::move(from));
      }
      for (size_t i = 0; i < results.size(); ++i)
        if (taken(node.results[i])) region_.set(node.results[i], results[i]);
      follow();
    }
  }

  // Before a node whose result has no rows of its own reads values that have: ended rows become 0.
  void mask_operands(const ir::Node& node) {
    bool leaves = false;
    for (const Value v : node.results) leaves = leaves || !has_rows(v);
    if (!leaves) return;
    follow();
    for (const Value v : node.operands)
      if (has_rows(v) && ir::is_float(loop_.type(v).dtype) &&
          held(region_(v)) >= RowValues::extended)
        region_.set(v, mask(region_(v)));
  }
  Value mask(Value v) {
    const TensorType type = region_.graph.type(v);
    ir::Shape column(static_cast<size_t>(type.rank()), ir::Dim(1));
    column[0] = loop_.batch;
    const Value masked = region_.builder.select(region_.builder.reshape(live_, column), v,
                                                region_.builder.scalar(0, type.dtype));
    note(masked, RowValues::zero);
    return masked;
  }

  RowValues held(Value v) const { return held_[static_cast<size_t>(v.id)]; }
  // Notes what the nodes appended since the last call hold in ended rows.
  void follow() {
    held_.resize(static_cast<size_t>(region_.graph.value_count()), RowValues::any);
    for (; followed_ < region_.graph.nodes().size(); ++followed_) {
      const ir::Node& node = region_.graph.nodes()[followed_];
      for (const Value v : node.results)
        held_[static_cast<size_t>(v.id)] = row_values(region_.graph, node, held_, live_);
    }
  }

  void yield_adjoints() {
    Builder& b = region_.builder;
    size_t sum = 0;
    Values stacked;
    for (int i = 0; i < loop_.live(); ++i) {
      const bool carry = i < parts().carries, scanned = !carry && i < loop_.first_invariant();
      const Value d = adjoint(i);
      if (carry) {
        if (loop_.seeded[static_cast<size_t>(i)])
          region_.yield(d.valid() ? region_(d) : zero_constant(b, type(i)));
      } else if (d.valid() && scanned && loop_.needs_buffer(type(i))) {
        region_.yield(write_place(b, sums_[sum++], region_(d), t_));
      } else if (d.valid() && scanned) {
        stacked.push_back(region_(d));
        sources_.push_back(i);
        out_axes_.push_back(parts().axes[static_cast<size_t>(i - loop_.first_scanned())]);
      } else if (d.valid()) {
        const Value sofar = sums_[sum++];
        follow();
        const bool rubbish =
            has_rows(d) && !loop_.has_rows(type(i)) && held(region_(d)) >= RowValues::extended;
        region_.yield(b.add(sofar, rubbish ? mask(region_(d)) : region_(d)));
      }
    }
    for (const Value v : stacked) region_.yield(v);
  }

  // A result of the reverse loop as the adjoint of the operand.
  Value adjoint_of(int i, Value made) {
    const bool scanned = i >= loop_.first_scanned() && i < loop_.first_invariant();
    if (!scanned || !loop_.needs_buffer(type(i))) return made;
    // [T+B+1,...] -> [T,...], then T to the axis that was scanned
    const Value x = g_.builder.slice(made, 0, 0, parts().steps);
    ir::Integers perm;
    for (int d = 1; d <= type(i).rank(); ++d) perm.push_back(d);
    perm.insert(perm.begin() + parts().axes[static_cast<size_t>(i - loop_.first_scanned())], 0);
    return g_.builder.transpose(x, perm);
  }

  Vjp& g_;
  const Loop& loop_;
  const Graph& joint_;
  Region region_;
  std::vector<bool> needed_;
  ir::OperandGroups groups_{4};
  ir::Integers axes_, out_axes_;
  std::vector<bool> rows_;    // by carry
  std::vector<int> sources_;  // whose adjoint each result is, by operand
  Values sums_, absent_;
  Value t_, live_;
  std::vector<RowValues> held_;  // by value of the region
  size_t followed_ = 0;
};

}  // namespace

const VjpRule scan{
    &ops::scan,
    [](Vjp& g) -> Grads {
      return ReverseLoop(g, *std::any_cast<const std::shared_ptr<const Loop>&>(g.kept())).emit();
    },
    augment};

// Region 1, in place.
const VjpRule custom_vjp{
    &ops::custom_vjp, [](Vjp& g) -> Grads {
      Values arguments = g.operands();
      const int results = static_cast<int>(g.op().node().results.size());
      for (int i = 0; i < results; ++i) arguments.push_back(g.result(i));
      for (int i = 0; i < results; ++i) arguments.push_back(g.cotangent_or_zero(i));
      const Values d = ir::inline_graph(g.builder, g.op().region(1), arguments);
      Grads grads;
      size_t at = 0;
      for (int i = 0; i < g.op().operand_count(); ++i)
        grads.push_back(ir::is_float(g.op().operand(i).dtype) ? d[at++] : Value());
      return grads;
    }};

std::span<const VjpRule* const> of_scan() {
  static const VjpRule* const kRules[] = {&scan, &custom_vjp};
  return kRules;
}

}  // namespace weft::autodiff::rules
