// autodiff/loop.cpp -- activity through carries, the body's adjoint, rows and residuals.
#include "autodiff/loop.h"

namespace weft::autodiff {
namespace {

namespace ops = ir::ops;
using ir::Builder;
using ir::Graph;
using ir::TensorType;
using ir::Value;

// Marks the carries that depend on what is wanted and lead to what is seeded, to a fixed point.
void find_active(const Query& q, const Graph& body, Loop& loop) {
  const auto carries = static_cast<size_t>(loop.parts.carries);
  loop.wanted.assign(body.arguments().size(), false);
  loop.seeded.assign(body.outputs().size(), false);
  for (int i = 0; i < loop.live(); ++i) loop.wanted[static_cast<size_t>(i)] = q.wanted(i);
  for (size_t i = 0; i < loop.seeded.size(); ++i) loop.seeded[i] = q.expected(static_cast<int>(i));
  for (bool changed = true; changed;) {
    changed = false;
    const Activity a = activity(body, loop.wanted, loop.seeded);
    for (size_t i = 0; i < carries; ++i) {
      if (!loop.wanted[i] && a.varied[static_cast<size_t>(body.outputs()[i].value.id)])
        loop.wanted[i] = changed = true;
      if (!loop.seeded[i] && a.useful[static_cast<size_t>(body.arguments()[i].value.id)])
        loop.seeded[i] = changed = true;
    }
  }
  for (size_t i = 0; i < carries; ++i)
    loop.wanted[i] = loop.seeded[i] = loop.wanted[i] && loop.seeded[i];
}

void differentiate_body(const Graph& body, Loop& loop, const ResidualPolicy& policy) {
  const auto seed = [&](Builder& b, int output) -> Value {
    const TensorType type = body.type(body.outputs()[static_cast<size_t>(output)].value);
    const Value d = b.graph().add_argument(type, {});
    loop.cotangents.push_back(d);
    const bool rows = loop.parts.has_lengths && (output >= loop.parts.carries ||
                                                 loop.parts.row_carry[static_cast<size_t>(output)]);
    if (!rows) return d;
    ir::Shape column(static_cast<size_t>(type.rank()), ir::Dim(1));
    column[0] = loop.batch;
    const Value live = b.graph().arguments()[static_cast<size_t>(loop.live())].value;
    return b.select(b.reshape(live, column), d, b.scalar(0, type.dtype));
  };
  loop.joint = differentiate(body, {loop.wanted, loop.seeded, seed, policy});
}

// Equal sizes are the same axis here (ir/rules/distinct_axes.h).
void find_rows(Loop& loop) {
  const Graph& graph = loop.joint.graph;
  loop.rows.assign(static_cast<size_t>(graph.value_count()), false);
  for (int id = 0; id < graph.value_count(); ++id)
    loop.rows[static_cast<size_t>(id)] = loop.has_rows(graph.type({id}));
  for (int i = 0; i < loop.parts.carries; ++i)
    loop.rows[static_cast<size_t>(loop.argument(i).id)] =
        loop.parts.row_carry[static_cast<size_t>(i)];
}

void choose_residuals(Loop& loop, const ResidualPolicy& policy) {
  const Joint& joint = loop.joint;
  LoopBody body{&joint,
                std::vector<bool>(static_cast<size_t>(joint.graph.value_count())),
                std::vector<bool>(static_cast<size_t>(joint.graph.value_count())),
                {}};
  for (size_t i = 0; i < joint.graph.arguments().size(); ++i) {
    const auto id = static_cast<size_t>(joint.graph.arguments()[i].value.id);
    body.free[id] = static_cast<int>(i) >= loop.parts.carries;
    body.invariant[id] =
        static_cast<int>(i) >= loop.first_invariant() && static_cast<int>(i) < loop.live();
  }
  body.stacked.assign(joint.outputs.begin() + loop.parts.carries, joint.outputs.end());
  loop.fate = residuals(body, policy);
}

}  // namespace

Loop analysed(const Query& query) {
  Loop loop(query.op());
  find_active(query, query.op().region(), loop);
  differentiate_body(query.op().region(), loop, query.policy);
  find_rows(loop);
  choose_residuals(loop, query.policy);
  return loop;
}

}  // namespace weft::autodiff
