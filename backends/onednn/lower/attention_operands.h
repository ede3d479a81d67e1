// backends/onednn/lower/attention_operands.h -- what additive and dot-product attention and their
// adjoints read alike, and how their kernels walk over it.
#pragma once
#include "backends/onednn/kernels/dot_attention.h"
#include "backends/onednn/plan/lowering.h"

#include <optional>

namespace weft::onednn {

// x[...,queries+keys-1] as [...,queries,keys]: element j - t + queries - 1 for query t and key j.
Tensor seen_by_distance(const Tensor& x, int64_t queries);

// All operands with a query axis; scores are [leading..., queries, keys]. Packed: operands and
// results are rows [batch*steps, heads, width], a sequence's one after the other.
struct AttentionSizes {
  bool packed;
  bool single;
  Dims leading;
  int64_t queries, keys, hidden, width;
  Dims scores;

  explicit AttentionSizes(const Emit& e);

  // Adds the query axis that a single query leaves out, before the last axis.
  Tensor with_queries(const Tensor& t) const {
    return single && t.rank() > 0 ? with_axis(t, t.rank() - 1, 1, t.dim(-1)) : t;
  }
  Tensor on_scores(const Tensor& t) const { return broadcast_to(with_queries(t), scores); }
  // A bias [...,queries+keys-1], as the scores see it.
  Tensor by_distance(const Tensor& t) const {
    return broadcast_to(seen_by_distance(t, queries), scores);
  }
  Tensor of_lse(const Tensor& t) const { return single ? with_axis(t, t.rank(), 1, 1) : t; }
};

// How a kernel sees tensors [leading..., rows, columns]: the first leading axis is its batch, the
// last its heads if it knows heads, the others are walked.
class AttentionWalk {
 public:
  AttentionWalk(Dims leading, bool heads);
  int64_t batch() const { return rank() > 0 ? leading_.front() : 1; }
  int64_t heads() const { return walked_end_ < rank() ? leading_.back() : 1; }
  int64_t steps() const { return steps_; }

  // Strides along batch, head, rows and columns.
  struct Place {
    Tensor t;
    int64_t batch = 0, head = 0, row = 0, column = 1;
    bool present = false;
    Ref start = {};  // s64[B+1], packed: where each sequence's rows begin
  };
  Place place(const Tensor& t) const;
  static Place packed(const Tensor& t, Ref start);  // [rows, heads, ...]
  // Elements from the start at a step of the walk.
  int64_t offset(const Tensor& t, int64_t step) const;

  template <typename T>
  T* at(const Run& run, const Place& p, int64_t step) const {
    return p.present ? run.at<T>(p.t.at) + offset(p.t, step) : nullptr;
  }
  // Of bf16 how it lies, and in `low` where.
  kernels::Heads<const float> heads(const Run& run, const Place& p, int64_t step,
                                    const uint16_t*& low) const {
    if (p.t.dtype != ir::DType::bf16) return heads<const float>(run, p, step);
    kernels::Heads<const float> h =
        heads<const float>(run, {p.t, p.batch, p.head, p.row, p.column, false, p.start}, step);
    low = at<const uint16_t>(run, p, step);
    return h;
  }
  template <typename T>
  kernels::Heads<T> heads(const Run& run, const Place& p, int64_t step) const {
    return {at<T>(run, p, step), p.batch, p.head, p.row,
            p.start.base < 0 ? nullptr : run.at<int64_t>(p.start)};
  }

 private:
  int rank() const { return static_cast<int>(leading_.size()); }
  Dims leading_;
  int walked_end_;  // axes [1, walked_end_) are walked
  int64_t steps_ = 1;
};

// Dropout as the kernels take it; pointers and step are set when it runs.
struct Drawn {
  kernels::WeightDropout args;
  Tensor step, rows, position;
  Tensor counted;  // dropout's elements, as strides over the scores

  Drawn(const Emit& e, const AttentionSizes& s, const AttentionWalk& walk);
  void set(const Run& run, const AttentionWalk& walk, int64_t at, kernels::WeightDropout& to) const;
};

// Where the rows of each packed sequence begin; found when the graph runs.
struct SequenceStarts {
  Tensor lengths;
  int64_t steps = 0;
  Ref start;  // s64[B+1]; base < 0: nothing is packed

  SequenceStarts() = default;
  SequenceStarts(Emit& e, const Tensor& lengths, int64_t steps);
  void find(const Run& run) const;
  int64_t rows(const Run& run) const { return run.at<int64_t>(start)[lengths.dim(0)]; }
};

struct AttentionOperands {
  using Place = AttentionWalk::Place;
  AttentionSizes s;
  AttentionWalk walk;
  SequenceStarts query_rows, key_rows;  // packed
  // Read as bf16 by the kernel: keys and values; queries and results.
  bool low_keys, low_queries;
  Place q, k, v, mask, bias;
  Drawn drawn;
  kernels::Band band;
  float scale;
  std::optional<RowBound> rows;  // where they are the kernel's batch

  AttentionOperands(Emit& e, bool heads);

  Place queries_at(const Tensor& t) const {
    return s.packed ? AttentionWalk::packed(t, query_rows.start) : walk.place(s.with_queries(t));
  }
  Place keys_at(const Tensor& t) const {
    return s.packed ? AttentionWalk::packed(t, key_rows.start) : walk.place(t);
  }
  Place lse_at(const Tensor& t) const {
    return s.packed ? AttentionWalk::packed(t, query_rows.start) : walk.place(s.of_lse(t));
  }

  template <typename Args>
  Args args() const {
    Args a;
    a.batch = walk.batch(), a.queries = s.queries, a.keys = s.keys, a.hidden = s.hidden,
    a.width = s.width, a.band = band, a.scale = scale, a.dropout = drawn.args;
    return a;
  }
  // The kernel at every step of the walk; `set(run, step, args)` adds what is not read alike.
  template <typename Args, typename Set>
  void emit(Emit& e, const char* name, double flops, const Args& args, size_t workspace_bytes,
            void (*kernel)(const Args&), Set set) const {
    const Ref workspace = e.workspace(static_cast<int64_t>(workspace_bytes));
    e.kernel(name, flops, [o = *this, args, workspace, kernel, set](const Run& run) {
      Args a = args;
      if (o.rows) a.batch = (*o.rows)(run);
      if (o.s.packed) o.query_rows.find(run), o.key_rows.find(run);
      a.workspace = run(workspace);
      for (int64_t i = 0; i < o.walk.steps(); ++i) {
        o.set(run, i, a);
        set(run, i, a);
        kernel(a);
      }
    });
  }

 private:
  template <typename Args>
  void set(const Run& run, int64_t i, Args& a) const {
    a.q = walk.heads(run, q, i, a.low.q), a.k = walk.heads(run, k, i, a.low.k),
    a.v = walk.heads(run, v, i, a.low.v);
    a.mask = {walk.at<uint8_t>(run, mask, i), mask.batch, mask.head, mask.row, mask.column};
    a.bias = {walk.at<float>(run, bias, i), bias.batch, bias.head, bias.row, bias.column};
    drawn.set(run, walk, i, a.dropout);
  }
};

// What attention makes.
struct AttentionResults {
  AttentionWalk walk;
  AttentionWalk::Place out, weights, lse;

  AttentionResults(const Emit& e, const AttentionOperands& o);

  template <typename Args>
  void set(const Run& run, int64_t i, Args& a) const {
    a.out = walk.heads<float>(run, out, i);
    a.weights = walk.heads<float>(run, weights, i);
    a.lse = walk.heads<float>(run, lse, i);
  }
};

// What its adjoint reads besides, and makes.
struct AttentionAdjoints {
  AttentionWalk walk;
  AttentionWalk::Place out, dout, lse, dweights, dlse, dq, dk, dv;

  AttentionAdjoints(Emit& e, const AttentionOperands& o);

  template <typename Args>
  void set(const Run& run, int64_t i, Args& a) const {
    a.out = walk.heads(run, out, i, a.low.out);
    a.lse = walk.heads<const float>(run, lse, i);
    a.dout = walk.heads<const float>(run, dout, i);
    if constexpr (requires { a.dlse; }) a.dlse = walk.heads<const float>(run, dlse, i);
    a.dweights = walk.heads<const float>(run, dweights, i);
    a.dq = walk.heads<float>(run, dq, i);
    a.dk = walk.heads<float>(run, dk, i);
    a.dv = walk.heads<float>(run, dv, i);
  }
};

void lower_additive(Emit& e);
void lower_additive_grad(Emit& e);
void lower_dot(Emit& e);
void lower_dot_grad(Emit& e);

}  // namespace weft::onednn
