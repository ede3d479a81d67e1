// backends/onednn/lower/attention_operands.cpp -- what additive and dot-product attention and their
// adjoints read alike.
#include "backends/onednn/lower/attention_operands.h"

#include "backends/onednn/kernels/dot_attention_sizes.h"
#include "backends/onednn/lower/pieces.h"
#include "ir/ops/attention.h"
#include "ir/ops/attention_parts.h"

#include <algorithm>
#include <cmath>

namespace weft::onednn {
namespace {

// Where the bound's rows are not the kernel's batch all rows are computed, which does no harm.
std::optional<RowBound> bound_of(const Emit& e, const AttentionWalk& walk) {
  const auto rows = e.bound();
  return rows && walk.steps() == 1 && walk.batch() == rows->rows ? rows : std::nullopt;
}

// An operand as the kernels read it.
Tensor as_read(Emit& e, const char* operand, bool low) {
  const Tensor& t = e.in(operand);
  return t.dtype == ir::DType::bf16 && !low ? emit_cast(e, t, ir::DType::f32) : t;
}

// Keys and values of bf16 are read as they lie, unless dot attention does one query after the other.
bool reads_low_keys(const Emit& e, const AttentionSizes& s) {
  if (e.in("k").dtype != ir::DType::bf16) return false;
  const bool adjoint = e.op.def().operand_index("do") >= 0;
  return ir::ops::is_additive(e.op) ||
         s.queries > (adjoint ? kernels::kFewQueriesGrad : kernels::kFewQueries);
}

kernels::Band band_of(const ir::Integers& band) {
  const ir::ops::Visible keys = ir::ops::visible(band, 0);
  return {-keys.first, keys.last - 1};
}

}  // namespace

AttentionSizes::AttentionSizes(const Emit& e)
    : packed(ir::ops::is_packed(e.op)),
      single(ir::ops::is_single_query(e.op)),
      queries(packed   ? *e.op.dim("queries").constant()
              : single ? 1
                       : e.in("q").dim(-2)),
      keys(packed ? *e.op.dim("keys").constant() : e.in("k").dim(-2)),
      hidden(e.in("k").dim(-1)),
      width(e.in("v").dim(-1)) {
  const Tensor& k = e.in("k");
  if (packed)
    leading = {e.in("q_lengths").dim(0), k.dim(1)};
  else
    leading.assign(k.dims.begin(), k.dims.end() - 2);
  scores = leading;
  scores.push_back(queries);
  scores.push_back(keys);
}

SequenceStarts::SequenceStarts(Emit& e, const Tensor& lengths, int64_t steps)
    : lengths(lengths), steps(steps), start(e.workspace((lengths.dim(0) + 1) * 8)) {}

void SequenceStarts::find(const Run& run) const {
  const int32_t* length = run.at<int32_t>(lengths.at);
  int64_t* to = run.at<int64_t>(start);
  to[0] = 0;
  for (int64_t b = 0; b < lengths.dim(0); ++b)
    to[b + 1] = to[b] + std::clamp<int64_t>(length[b], 0, steps);
}

AttentionWalk::AttentionWalk(Dims leading, bool heads)
    : leading_(std::move(leading)), walked_end_(heads && rank() > 1 ? rank() - 1 : rank()) {
  for (int axis = 1; axis < walked_end_; ++axis) steps_ *= leading_[static_cast<size_t>(axis)];
}

AttentionWalk::Place AttentionWalk::place(const Tensor& t) const {
  Place p{t, 0, 0, t.stride(rank()), t.rank() > rank() + 1 ? t.stride(rank() + 1) : 1, true};
  if (rank() > 0) p.batch = t.stride(0);
  if (walked_end_ < rank()) p.head = t.stride(rank() - 1);
  return p;
}

AttentionWalk::Place AttentionWalk::packed(const Tensor& t, Ref start) {
  return {t, 0, t.stride(1), t.stride(0), 1, true, start};
}

int64_t AttentionWalk::offset(const Tensor& t, int64_t step) const {
  int64_t at = 0;
  for (int axis = walked_end_ - 1; axis >= 1; step /= leading_[static_cast<size_t>(axis--)])
    at += step % leading_[static_cast<size_t>(axis)] * t.stride(axis);
  return at;
}

Drawn::Drawn(const Emit& e, const AttentionSizes& s, const AttentionWalk& walk) {
  if (!ir::ops::has_dropout(e.op)) return;
  const double keep = e.op.real("keep");
  // As `random` decides: a word below keep * 2^32 keeps.
  args = {
      .on = true,
      .threshold = static_cast<uint32_t>(std::min(std::ceil(keep * 4294967296.0), 4294967295.0)),
      .factor = static_cast<float>(1 / keep),
      .stream = static_cast<uint64_t>(e.op.integer("stream"))};
  step = e.in("step"), rows = e.in("rows");
  if (e.has("position")) position = e.in("position");
  counted = {ir::DType::f32, s.scores, Dims(s.scores.size(), 0), {}};
  const ir::Integers& axes = e.op.integers("inner_axes");
  int64_t stride = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    const int64_t axis = s.single && axes[i] < -1 ? axes[i] - 1 : axes[i];
    const size_t at = static_cast<size_t>(static_cast<int64_t>(s.scores.size()) + axis);
    counted.strides[at] = stride;
    stride *= s.scores[at];
  }
  const AttentionWalk::Place along = walk.place(counted);
  args.head = along.head, args.row = along.row, args.column = along.column;
}

void Drawn::set(const Run& run, const AttentionWalk& walk, int64_t at,
                kernels::WeightDropout& to) const {
  if (!args.on) return;
  to.step = integer_at(run, step);
  to.row_id = run.at<int64_t>(rows.at);
  to.element = walk.offset(counted, at);
  if (position.at.base < 0) return;
  to.position = run.at<int32_t>(position.at);
  to.position_row = position.rank();
}

AttentionOperands::AttentionOperands(Emit& e, bool heads)
    : s(e),
      walk(s.leading, heads),
      query_rows(s.packed ? SequenceStarts(e, e.in("q_lengths"), s.queries) : SequenceStarts()),
      key_rows(s.packed ? SequenceStarts(e, e.in("k_lengths"), s.keys) : SequenceStarts()),
      low_keys(reads_low_keys(e, s)),
      low_queries(low_keys && !ir::ops::is_additive(e.op)),
      q(queries_at(as_read(e, "q", low_queries))),
      k(keys_at(as_read(e, "k", low_keys))),
      v(keys_at(as_read(e, "v", low_keys))),
      drawn(e, s, walk),
      band(band_of(e.op.integers("band"))),
      scale(static_cast<float>(e.op.real("scale"))),
      rows(s.packed ? std::nullopt : bound_of(e, walk)) {
  if (e.has("mask")) mask = walk.place(s.on_scores(e.in("mask")));
  if (e.has("bias"))
    bias = walk.place(e.op.flag("by_distance") ? s.by_distance(e.in("bias"))
                                               : s.on_scores(e.in("bias")));
}

AttentionResults::AttentionResults(const Emit& e, const AttentionOperands& o)
    : walk(o.walk), out(o.queries_at(e.out(0))) {
  const bool weighs = !o.s.packed && e.op.flag("weights");
  if (weighs) weights = o.queries_at(e.out(1));
  if (e.op.flag("lse")) lse = o.lse_at(e.out(weighs ? 2 : 1));
}

AttentionAdjoints::AttentionAdjoints(Emit& e, const AttentionOperands& o)
    : walk(o.walk),
      out(o.queries_at(as_read(e, "o", o.low_queries))),
      dout(o.queries_at(e.in("do"))),
      lse(o.lse_at(e.in("lse"))) {
  if (!o.s.packed && e.has("dweights")) dweights = o.queries_at(e.in("dweights"));
  if (!o.s.packed && e.has("dlse")) dlse = o.lse_at(e.in("dlse"));
  if (const Tensor* t = e.adjoint("q")) dq = o.queries_at(*t);
  if (const Tensor* t = e.adjoint("k")) dk = o.keys_at(*t);
  if (const Tensor* t = e.adjoint("v")) dv = o.keys_at(*t);
}

}  // namespace weft::onednn
