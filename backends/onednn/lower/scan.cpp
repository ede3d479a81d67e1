// backends/onednn/lower/scan.cpp -- the loop: a body with an arena of its own, run once for each
// position.
//
//   carries      alternate between two slots; the first is read where it lies, the last is written
//   to
//                the result; one that the body updates in place (a cache) has one slot, the
//                result: only its first step copies it
//   scanned      read in place: a base pointer that moves by one step
//   stacked      written in place, likewise
//   invariants   read where they lie; the weights of products are packed (Emit::packed)
//   ended rows   after the body: carries keep the row, stacked outputs are zero there; rows behind
//                the last live one are not computed (row_bounds.h)
#include "backends/onednn/lower/scan.h"

#include "backends/onednn/lower/copy.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/memory_plan.h"
#include "ir/check.h"
#include "ir/ops/scan.h"

#include <algorithm>
#include <cstring>

namespace weft::onednn {
namespace {

struct Moving {
  int base;
  Ref start;
  int64_t step_bytes;
};

struct Carry {
  int in_base, out_base;
  Tensor in, out;   // in the body
  Ref first, last;  // where the first step reads and the last one writes
  Ref slots[2];
};

struct Loop {
  int64_t steps;
  bool reverse;
  int counter;
  int arena_base;
  Ref arena;
  int64_t poison_bytes;
  std::vector<Moving> moving;
  std::vector<Carry> carries;
  const Program* body;

  void operator()(const Run& run) const {
    run.bases[arena_base] = run(arena);
    if (poison_bytes > 0) std::memset(run(arena), 0xFF, static_cast<size_t>(poison_bytes));
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t t = reverse ? steps - 1 - step : step;
      run.steps[counter] = t;
      for (const Moving& m : moving) run.bases[m.base] = run(m.start) + t * m.step_bytes;
      for (const Carry& c : carries) {
        run.bases[c.in_base] = run(step == 0 ? c.first : c.slots[step % 2]);
        run.bases[c.out_base] = run(step == steps - 1 ? c.last : c.slots[(step + 1) % 2]);
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

// What is left to do for rows that have ended.
struct Ended {
  Tensor lengths;
  int counter;
  std::vector<std::pair<Tensor, Tensor>> kept;  // carries: before and after the step
  std::vector<Tensor> zeroed;

  void operator()(const Run& run) const {
    const int64_t t = run.steps[counter];
    const int32_t* length = run.at<int32_t>(lengths.at);
    for (int64_t b = 0; b < lengths.dim(0); ++b) {
      if (t < length[b * lengths.stride(0)]) continue;
      for (const auto& [from, to] : kept)
        copy_elements(from, run(from.at) + b * from.stride(0) * from.element_bytes(), to,
                      run(to.at) + b * to.stride(0) * to.element_bytes(), 1);
      for (const Tensor& to : zeroed)
        zero_elements(to, run(to.at) + b * to.stride(0) * to.element_bytes(), 1);
    }
  }
};

class ScanLowering {
 public:
  explicit ScanLowering(Emit& e)
      : e_(e),
        parts_(e.op),
        graph_(e.op.region()),
        plan_(e.block().plan()),
        program_(plan_.programs.emplace_back()),
        rows_(rows_of_body()),
        block_(plan_, graph_, program_, (loop_.arena_base = plan_.new_base()),
               e.block().depth() + 1, parts_.has_lengths ? &rows_ : nullptr) {
    loop_.steps = *parts_.steps.constant();
    loop_.reverse = parts_.reverse;
    loop_.counter = plan_.new_loop();
    block_.set_loop(&e, loop_.steps);
    if (parts_.has_lengths) block_.set_lengths(e.in("lengths"), loop_.counter);
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
    block_.lower();
    end_rows();
    give_memory();
    // What the first step reads and the last one writes.
    for (int i = 0; i < parts_.carries; ++i) first_carry(i);
    e_.loop("loop of " + std::to_string(loop_.steps), loop_, &program_);
    for (int i = 0; i < parts_.carries; ++i)
      if (!same_strides(loop_.carries[at(i)].out, e_.out(i))) {
        Tensor last = loop_.carries[at(i)].out;
        last.at = loop_.carries[at(i)].last;
        emit_copy(e_, last, e_.out(i));
      }
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
    const int64_t batch = e_.in("lengths").dim(0);
    const auto led = [&](ir::Value v) {
      return graph_.type(v).rank() > 0 && graph_.type(v).dim(0).is(batch);
    };
    for (int i = 0; i < parts_.carries; ++i)
      rows.arguments[at(i)] = is_marked(graph_.name, i) && led(argument(i));
    for (int i = parts_.carries; i < parts_.carries + parts_.scanned; ++i)
      rows.arguments[at(i)] = led(argument(i));
    rows.arguments[at(parts_.carries + parts_.scanned + parts_.invariants)] = true;
    for (size_t j = 0; j < graph_.outputs().size(); ++j)
      rows.whole_outputs[j] = static_cast<int>(j) < parts_.carries
                                  ? !rows.arguments[j]
                                  : !led(graph_.outputs()[j].value);
    return rows;
  }

  void place_carries() {
    for (int i = 0; i < parts_.carries; ++i) {
      Carry c;
      c.in_base = plan_.new_base();
      c.out_base = plan_.new_base();
      c.in = c.out = body_type(graph_, argument(i));
      if (block_.wants_padding(argument(i)))
        c.in.strides = c.out.strides = padded_strides(c.in.dims, c.in.dtype);
      c.in.at = {c.in_base, 0};
      c.out.at = {c.out_base, 0};
      block_.place_argument(i, c.in);
      block_.target_output(i, c.out);
      loop_.carries.push_back(c);
    }
  }

  Ref moving(const Tensor& whole, int axis) {
    const Ref at{plan_.new_base(), 0};
    loop_.moving.push_back({at.base, whole.at, whole.stride(axis) * whole.element_bytes()});
    return at;
  }

  void place_scanned() {
    for (int i = 0; i < parts_.scanned; ++i) {
      const Tensor& x = e_.in(parts_.carries + i);
      const int axis = static_cast<int>(parts_.axes[at(i)]);
      Tensor slice = without_axis(x, axis);
      slice.at = moving(x, axis);
      block_.place_argument(parts_.carries + i, slice);
    }
  }

  void place_invariants() {
    const int first = parts_.carries + parts_.scanned;
    for (int i = first; i < first + parts_.invariants; ++i) {
      Tensor x = e_.in(i);
      if (!block_.argument_fits(i, x)) {
        const Tensor copy = e_.temporary(x.dtype, x.dims);
        emit_copy(e_, x, copy);
        x = copy;
      }
      block_.place_argument(i, x);
    }
  }

  void place_live() {
    if (!parts_.has_lengths) return;
    const int i = parts_.carries + parts_.scanned + parts_.invariants;
    const Tensor lengths = e_.in("lengths");
    const Tensor live = e_.temporary(ir::DType::pred, lengths.dims);
    block_.place_argument(i, live);
    const bool read = !ir::uses(graph_)[at(argument(i).id)].empty();
    if (!read) return;
    Kernel k;
    k.name = k.op = "live";
    k.run = [lengths, live, counter = loop_.counter](const Run& run) {
      const int32_t* length = run.at<int32_t>(lengths.at);
      uint8_t* to = run.at<uint8_t>(live.at);
      for (int64_t b = 0; b < lengths.dim(0); ++b)
        to[b] = length[b * lengths.stride(0)] > run.steps[counter];
    };
    program_.kernels.push_back(std::move(k));
  }

  void place_stacked() {
    for (int i = 0; i < parts_.stacked; ++i) {
      const Tensor& y = e_.out(parts_.carries + i);
      const int axis = static_cast<int>(parts_.out_axes[at(i)]);
      Tensor slice = without_axis(y, axis);
      slice.at = moving(y, axis);
      block_.target_output(parts_.carries + i, slice);
      stacked_.push_back(slice);
    }
  }

  void end_rows() {
    if (!parts_.has_lengths) return;
    Ended ended{e_.in("lengths"), loop_.counter, {}, stacked_};
    for (int i = 0; i < parts_.carries; ++i)
      if (is_marked(graph_.name, i))
        ended.kept.emplace_back(loop_.carries[at(i)].in, loop_.carries[at(i)].out);
    if (ended.kept.empty() && ended.zeroed.empty()) return;
    Kernel k;
    k.name = k.op = "ended rows";
    k.run = ended;
    program_.kernels.push_back(std::move(k));
  }

  void give_memory() {
    loop_.arena = e_.workspace(std::max<int64_t>(block_.arena_bytes(), 1), block_.timeline());
    loop_.poison_bytes = plan_.options.poison ? block_.arena_bytes() : 0;
    for (int i = 0; i < parts_.carries; ++i) {
      Carry& c = loop_.carries[at(i)];
      for (Ref& slot : c.slots)
        slot = updated_in_place(i) ? e_.out(i).at
                                   : e_.workspace(std::max<int64_t>(c.in.span_bytes(), 1));
    }
  }

  // Rows that have ended are restored from the slot before, which must be another then.
  bool updated_in_place(int i) const {
    const bool kept = parts_.has_lengths && is_marked(graph_.name, i);
    return !kept && same_strides(loop_.carries[at(i)].out, e_.out(i)) &&
           block_.updates_in_place(i, i);
  }

  // Step s reads slot s % 2 and writes slot (s + 1) % 2.
  void first_carry(int i) {
    Carry& c = loop_.carries[at(i)];
    const Tensor& initial = e_.in(i);
    c.first = initial.at;
    if (!same_strides(initial, c.in)) {
      Tensor first = c.in;
      first.at = c.first = c.slots[0];
      emit_copy(e_, initial, first);
    }
    c.last = same_strides(c.out, e_.out(i)) ? e_.out(i).at : c.slots[loop_.steps % 2];
  }

  Emit& e_;
  const ir::ops::ScanParts parts_;
  const ir::Graph& graph_;
  Plan& plan_;
  Program& program_;
  Loop loop_{};
  const BodyRows rows_;
  Block block_;
  std::vector<Tensor> stacked_;
};

}  // namespace

std::string row_marks(const std::vector<bool>& carries) {
  std::string name = "rows:";
  for (const bool row : carries) name += row ? '1' : '0';
  return name;
}

bool is_marked(const std::string& name, int carry) {
  WEFT_CHECK(name.rfind("rows:", 0) == 0);
  return name[5 + static_cast<size_t>(carry)] == '1';
}

void lower_scan(Emit& e) { ScanLowering(e).lower(); }

}  // namespace weft::onednn
