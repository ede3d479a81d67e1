// backends/onednn/lower/scan.cpp -- the loop: a body with an arena of its own, run once for each
// position.
//
//   carries      alternate between two slots; the first is read where it lies, the last is written
//                to the result; one that the body updates in place (a cache) has one slot, the
//                result: only its first step copies it; one that is stacked has its slots there
//   scanned      read in place: a base pointer that moves by one step, or by the live rows of one
//                where steps are packed
//   stacked      written in place, likewise
//   invariants   read where they lie; the weights of products are packed (Emit::packed)
//   ended rows   a carry's row is put in the result when it ends and, in reverse, taken from the
//                initial ones when it begins; or kept from step to step where somebody looks;
//                likewise stacked outputs are zero there (row_reads.h); rows behind the last live
//                one are not computed (row_bounds.h)
#include "ir/ops/scan.h"

#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/plan/moves.h"
#include "backends/onednn/plan/planner.h"
#include "ir/check.h"
#include "ir/ops/all.h"
#include "ir/rules/distinct_axes.h"

#include <algorithm>
#include <cstring>

namespace weft::onednn {
namespace {

struct Moving {
  int base;
  Ref start;
  int64_t step_bytes;  // of packed steps: of a row
  bool packed = false;
};

struct Carry {
  int in_base, out_base;
  Tensor in, out;   // in the body
  Ref first, last;  // where the first step reads and the last one writes
  Ref slots[2];     // in turns; where it is stacked, for what is not stacked of it
  RowReads::States states = {};
  Ref stack;  // the state in front of the first step, if that is stacked
  int64_t step_bytes = 0;
  bool row_by_row = false;  // put in the result row by row

  // Address of the state after `done` of `steps` steps.
  char* at(const Run& run, int64_t done, int64_t steps) const {
    if (done == 0) return run(first);
    if (done == steps) return run(last);
    return step_bytes == 0 ? run(slots[done % 2]) : run(stack) + done * step_bytes;
  }
};

struct Loop {
  int64_t steps;
  bool reverse;
  int counter;
  int arena_base;
  Ref arena;
  int64_t poison_bytes;
  std::vector<Moving> moving;
  Tensor lengths;   // where something is packed:
  Ref rows_before;  // s64[steps], the rows of all steps in front
  std::vector<Carry> carries;
  const Program* body;

  bool any_packed() const {
    return std::any_of(moving.begin(), moving.end(), [](const Moving& m) { return m.packed; });
  }
  void count_rows(const Run& run) const {
    const int32_t* length = run.at<int32_t>(lengths.at);
    int64_t* before = run.at<int64_t>(rows_before);
    std::fill(before, before + steps, int64_t{0});
    for (int64_t b = 0; b < lengths.dim(0); ++b)
      for (int64_t t = 1; t < steps; ++t)
        before[t] += std::min<int64_t>(t, std::max(0, length[b * lengths.stride(0)]));
  }

  void operator()(const Run& run) const {
    run.bases[arena_base] = run(arena);
    if (any_packed()) count_rows(run);
    if (poison_bytes > 0) std::memset(run(arena), 0xFF, static_cast<size_t>(poison_bytes));
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t t = reverse ? steps - 1 - step : step;
      run.steps[counter] = t;
      for (const Moving& m : moving)
        run.bases[m.base] =
            run(m.start) + (m.packed ? run.at<int64_t>(rows_before)[t] : t) * m.step_bytes;
      for (const Carry& c : carries) {
        run.bases[c.in_base] = c.at(run, step, steps);
        run.bases[c.out_base] = c.at(run, step + 1, steps);
      }
      execute(*body, run, t);
    }
  }
};

Tensor body_type(const ir::Graph& body, ir::Value v) {
  return dense(body.type(v).dtype, dims_of(body.type(v)), {});
}

bool same_strides(const Tensor& a, const Tensor& b) {
  for (size_t i = 0; i < a.dims.size(); ++i)
    if (a.dims[i] > 1 && a.strides[i] != b.strides[i]) return false;
  return true;
}

void copy_row(const Run& run, int64_t row, const Tensor& from, const Tensor& to) {
  const char* const src = run(from.at) + row * from.stride(0) * from.element_bytes();
  char* const dst = run(to.at) + row * to.stride(0) * to.element_bytes();
  if (src != dst) copy_elements(from, src, to, dst, 1);
}

// Carries' rows on their way, by how long they live: those of a length within (above, upto].
struct RowsOf {
  Tensor lengths;
  std::vector<std::pair<Tensor, Tensor>> copied;  // from, to

  void operator()(const Run& run, int64_t above, int64_t upto) const {
    const int32_t* length = run.at<int32_t>(lengths.at);
    for (int64_t b = 0; b < lengths.dim(0); ++b)
      if (const int32_t n = length[b * lengths.stride(0)]; above < n && n <= upto)
        for (const auto& [from, to] : copied) copy_row(run, b, from, to);
  }
};

// What is left to do for rows that have ended and that somebody looks at.
struct Ended {
  RowsOf kept;  // carries: from before the step to after it
  std::vector<Tensor> zeroed;

  void operator()(const Run& run, int64_t t) const {
    kept(run, INT64_MIN, t);
    const int32_t* length = run.at<int32_t>(kept.lengths.at);
    for (int64_t b = 0; !zeroed.empty() && b < kept.lengths.dim(0); ++b)
      if (length[b * kept.lengths.stride(0)] <= t)
        for (const Tensor& to : zeroed)
          zero_elements(to, run(to.at) + b * to.stride(0) * to.element_bytes(), 1);
  }
};

class ScanLowering {
 public:
  explicit ScanLowering(Emit& e)
      : e_(e),
        parts_(e.op),
        graph_(e.op.region()),
        plan_(e.planner().plan()),
        program_(plan_.programs.emplace_back()),
        rows_(rows_of_body()),
        planner_(plan_, graph_, program_, (loop_.arena_base = plan_.new_base()),
                 e.planner().depth() + 1, parts_.has_lengths ? &rows_ : nullptr) {
    loop_.steps = *parts_.steps.constant();
    loop_.reverse = parts_.reverse;
    loop_.counter = plan_.new_loop();
    planner_.set_loop(&e, loop_.steps);
    if (parts_.has_lengths) planner_.set_lengths(e.in("lengths"), loop_.counter);
    loop_.body = &program_;
  }

  void lower() {
    if (loop_.steps == 0) {
      for (int i = 0; i < parts_.carries; ++i) emit_copy(e_, e_.in(i), e_.out(i));
      return;
    }
    place_carries();
    place_scanned();
    place_invariants();
    place_live();
    place_stacked();
    begin_rows();
    planner_.lower();
    end_rows();
    give_memory();
    for (int i = 0; i < parts_.carries; ++i) place_ends(i);
    e_.loop("loop of " + std::to_string(loop_.steps), loop_, &program_);
    for (int i = 0; i < parts_.carries; ++i) copy_last(i);
    if (!returned_unread_.copied.empty() && loop_.reverse)
      e_.kernel("ended rows", 0,
                [rows = returned_unread_](const Run& run) { rows(run, INT64_MIN, 0); });
  }

 private:
  static size_t at(int i) { return static_cast<size_t>(i); }
  ir::Value argument(int i) const { return graph_.arguments()[at(i)].value; }

  // Carries that keep their rows and slices of what is scanned have the batch's; of what leaves the
  // body ended rows count only where `end_rows` does not see to them.
  BodyRows rows_of_body() const {
    BodyRows rows{std::vector<bool>(graph_.arguments().size()),
                  std::vector<bool>(graph_.outputs().size())};
    if (!parts_.has_lengths) return rows;
    const int invariants = parts_.carries + parts_.scanned;
    rows.arguments = ir::row_arguments(e_.op);
    for (int i = invariants; i < invariants + parts_.invariants; ++i) rows.arguments[at(i)] = false;
    for (int i = 0; i < parts_.carries; ++i) {
      rows.arguments[at(i)] = parts_.row_carry[at(i)];
      rows.whole_outputs[at(i)] = !parts_.row_carry[at(i)];
    }
    return rows;
  }

  void place_carries() {
    for (int i = 0; i < parts_.carries; ++i) {
      Carry c{};
      c.in_base = plan_.new_base();
      c.out_base = plan_.new_base();
      c.in = c.out = body_type(graph_, argument(i));
      c.states = states_of(i);
      if (is_stacked(c))
        c.in.strides = c.out.strides =
            without_axis(e_.out(c.states.before >= 0 ? c.states.before : c.states.after), 0)
                .strides;
      else if (planner_.wants_padding(argument(i)))
        c.in.strides = c.out.strides = padded_strides(c.in.dims, c.in.dtype);
      c.in.at = {c.in_base, 0};
      c.out.at = {c.out_base, 0};
      c.row_by_row =
          parts_.row_carry[at(i)] && !e_.planner().row_reads().carried_are_read(e_.op.node(), i);
      planner_.place_argument(i, c.in);
      planner_.target_output(i, c.out);
      loop_.carries.push_back(c);
    }
  }

  // What is stacked of a carry where both can lie in one place.
  RowReads::States states_of(int i) const {
    RowReads::States s = e_.planner().row_reads().states_of(e_.op.node(), i);
    const auto fits_body = [&](int result) {
      return result >= 0 && planner_.argument_fits(i, without_axis(e_.out(result), 0));
    };
    if (!fits_body(s.before)) s.before = -1;
    if (!fits_body(s.after)) s.after = -1;
    if (s.before < 0 || s.after < 0) return s;
    const Tensor &before = e_.out(s.before), &after = e_.out(s.after);
    const int64_t step = before.stride(0) * before.element_bytes();
    const Ref next{before.at.base, before.at.offset + (loop_.reverse ? -step : step)};
    if (after.strides != before.strides || after.at != next) s.after = -1;
    return s;
  }

  Ref moving(const Tensor& whole, int axis) {
    const Ref at{plan_.new_base(), 0};
    const int by = whole.steps_packed ? axis + 1 : axis;
    loop_.moving.push_back(
        {at.base, whole.at, whole.stride(by) * whole.element_bytes(), whole.steps_packed});
    return at;
  }

  void place_scanned() {
    for (int i = 0; i < parts_.scanned; ++i) {
      const Tensor& x = e_.in(parts_.carries + i);
      const int axis = static_cast<int>(parts_.axes[at(i)]);
      Tensor slice = without_axis(x, axis);
      slice.at = moving(x, axis);
      slice.steps_packed = false;
      planner_.place_argument(parts_.carries + i, slice);
    }
  }

  void place_invariants() {
    const int first = parts_.carries + parts_.scanned;
    for (int i = first; i < first + parts_.invariants; ++i) {
      Tensor x = e_.in(i);
      if (!planner_.argument_fits(i, x)) {
        const Tensor copy = e_.temporary(x.dtype, x.dims);
        emit_copy(e_, x, copy);
        x = copy;
      }
      planner_.place_argument(i, x);
    }
  }

  void add_kernel(const char* name, std::function<void(const Run&)> run) {
    Kernel k;
    k.name = k.op = name;
    k.run = std::move(run);
    program_.kernels.push_back(std::move(k));
  }

  void place_live() {
    if (!parts_.has_lengths) return;
    const int i = parts_.carries + parts_.scanned + parts_.invariants;
    const Tensor lengths = e_.in("lengths");
    const Tensor live = e_.temporary(ir::DType::pred, lengths.dims);
    planner_.place_argument(i, live);
    const bool read = !ir::uses(graph_)[at(argument(i).id)].empty();
    if (!read) return;
    add_kernel("live", [lengths, live, counter = loop_.counter](const Run& run) {
      const int32_t* length = run.at<int32_t>(lengths.at);
      uint8_t* to = run.at<uint8_t>(live.at);
      for (int64_t b = 0; b < lengths.dim(0); ++b)
        to[b] = length[b * lengths.stride(0)] > run.steps[counter];
    });
  }

  void place_stacked() {
    for (int i = 0; i < parts_.stacked; ++i) {
      const int result = parts_.carries + i;
      const Tensor& y = e_.out(result);
      const int axis = static_cast<int>(parts_.out_axes[at(i)]);
      Tensor slice = without_axis(y, axis);
      bool is_state = false;
      for (const Carry& c : loop_.carries)
        if (result == c.states.before || result == c.states.after) {
          is_state = true;
          slice = result == c.states.before ? c.in : c.out;
        }
      if (!is_state) slice.at = moving(y, axis);
      planner_.target_output(result, slice);
      if (parts_.has_lengths && e_.planner().row_reads().stacked_are_read(e_.op.node(), result))
        zeroed_.push_back(slice);
    }
  }

  // In reverse a row's first step is that of its length.
  void begin_rows() {
    if (!parts_.has_lengths) return;
    RowsOf begins{e_.in("lengths"), {}};
    returned_unread_.lengths = e_.in("lengths");
    for (int i = 0; i < parts_.carries; ++i) {
      const Carry& c = loop_.carries[at(i)];
      if (!c.row_by_row) continue;
      begins.copied.emplace_back(e_.in(i), c.in);
      returned_unread_.copied.emplace_back(e_.in(i), e_.out(i));
    }
    if (begins.copied.empty() || !loop_.reverse) return;
    add_kernel("begun rows",
               [begins, last = loop_.steps - 1, counter = loop_.counter](const Run& run) {
                 const int64_t t = run.steps[counter];
                 begins(run, t, t == last ? INT64_MAX : t + 1);
               });
  }

  void end_rows() {
    if (!parts_.has_lengths) return;
    const Tensor& lengths = e_.in("lengths");
    Ended ended{{lengths, {}}, zeroed_};
    RowsOf returned{lengths, {}};
    for (int i = 0; i < parts_.carries; ++i) {
      const Carry& c = loop_.carries[at(i)];
      if (!parts_.row_carry[at(i)]) continue;
      if (!c.row_by_row)
        ended.kept.copied.emplace_back(c.in, c.out);
      else if (!loop_.reverse)
        returned.copied.emplace_back(c.out, e_.out(i));
    }
    if (ended.kept.copied.empty() && ended.zeroed.empty() && returned.copied.empty()) return;
    add_kernel("ended rows", [ended, returned, unread = returned_unread_, last = loop_.steps - 1,
                              counter = loop_.counter](const Run& run) {
      const int64_t t = run.steps[counter];
      if (!ended.kept.copied.empty() || !ended.zeroed.empty()) ended(run, t);
      if (returned.copied.empty()) return;
      returned(run, t, t == last ? INT64_MAX : t + 1);
      if (t == 0) unread(run, INT64_MIN, 0);
    });
  }

  Ref slot(const Carry& c) { return e_.workspace(std::max<int64_t>(c.in.span_bytes(), 1)); }

  void give_memory() {
    loop_.arena = e_.workspace(std::max<int64_t>(planner_.arena_bytes(), 1), planner_.timeline());
    if (loop_.any_packed()) {
      loop_.lengths = e_.in("lengths");
      loop_.rows_before = e_.workspace(loop_.steps * 8);
    }
    loop_.poison_bytes = plan_.options.poison ? planner_.arena_bytes() : 0;
    for (int i = 0; i < parts_.carries; ++i) {
      Carry& c = loop_.carries[at(i)];
      const bool in_place = !is_stacked(c) && updated_in_place(i);
      if (in_place) c.slots[0] = c.slots[1] = e_.out(i).at;
      if (c.states.before < 0 && !in_place) c.slots[0] = slot(c);
      if (c.states.after < 0 && !in_place) c.slots[1] = slot(c);
      if (is_stacked(c)) {
        const Tensor& y = e_.out(c.states.before >= 0 ? c.states.before : c.states.after);
        const int64_t step = y.stride(0) * y.element_bytes();
        const int64_t behind = c.states.before >= 0 ? 0 : 1;
        const int64_t first = loop_.reverse ? loop_.steps - 1 + behind : -behind;
        c.step_bytes = loop_.reverse ? -step : step;
        c.stack = {y.at.base, y.at.offset + first * step};
      }
    }
  }

  // Rows that have ended are restored from the slot before, which must be another then.
  bool updated_in_place(int i) const {
    const bool kept = parts_.row_carry[at(i)];
    return !kept && same_strides(loop_.carries[at(i)].out, e_.out(i)) &&
           planner_.updates_in_place(i, i);
  }

  static bool is_stacked(const Carry& c) { return c.states.before >= 0 || c.states.after >= 0; }
  static Tensor in_body(const Carry& c, Ref place) {
    Tensor t = c.in;
    t.at = place;
    return t;
  }

  // What the first step reads and the last one writes.
  void place_ends(int i) {
    Carry& c = loop_.carries[at(i)];
    const Tensor& initial = e_.in(i);
    const bool stacked = is_stacked(c);
    // Its rows are put in the result as they end, but in reverse all of them do so last.
    const bool in_result =
        c.states.after < 0 && same_strides(c.out, e_.out(i)) && !(c.row_by_row && !loop_.reverse);
    if (c.states.before >= 0)
      c.first = c.stack;
    else
      c.first = same_strides(initial, c.in) ? initial.at : c.slots[0];
    if (c.states.after >= 0)
      c.last = {c.stack.base, c.stack.offset + loop_.steps * c.step_bytes};
    else
      c.last = in_result ? e_.out(i).at : c.slots[stacked ? 1 : loop_.steps % 2];
    if (c.first != initial.at && !(c.row_by_row && loop_.reverse))
      emit_copy(e_, initial, in_body(c, c.first));
  }

  void copy_last(int i) {
    const Carry& c = loop_.carries[at(i)];
    if (c.last != e_.out(i).at && !(c.row_by_row && !loop_.reverse))
      emit_copy(e_, in_body(c, c.last), e_.out(i));
  }

  Emit& e_;
  const ir::ops::ScanParts parts_;
  const ir::Graph& graph_;
  Plan& plan_;
  Program& program_;
  Loop loop_{};
  const BodyRows rows_;
  Planner planner_;
  std::vector<Tensor> zeroed_;  // steps of what is stacked
  RowsOf returned_unread_;      // initial rows of sequences of length 0
};

}  // namespace

void lower_scan(Emit& e) { ScanLowering(e).lower(); }

namespace {

// One that the body cannot read as it lies is copied.
bool is_invariant(const ir::OpView& op, int operand) {
  const ir::ops::ScanParts parts(op);
  const int first = parts.carries + parts.scanned;
  return operand >= first && operand < first + parts.invariants;
}

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::custom_vjp},
    {.op = &ir::ops::scan,
     .lower = lower_scan,
     .operands = Layout::any,
     .results = Layout::any,
     .rounds = is_invariant},
};

}  // namespace

std::span<const Lowering> of_scan() { return kLowerings; }

}  // namespace weft::onednn
