// backends/onednn/lower/optimizer.cpp -- updates of all parameters in one sweep.
//
// The kernels work in place: where a result is not the operand's own buffer (donated), it is copied
// first.
#include "backends/onednn/kernels/optimizer.h"

#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/plan/moves.h"
#include "ir/ops/all.h"

namespace weft::onednn {
namespace {

// Parameters and two kinds of state, in and out, n of each.
struct Parameters {
  int n;
  std::vector<Tensor> old, gradients, fresh;  // p..., m..., v...
  mutable std::vector<kernels::ParameterTensor> tensors;

  explicit Parameters(Emit& e) : n(e.op.count("p")) {
    for (int i = 0; i < n; ++i) gradients.push_back(e.in(e.op.position("g") + i));
    for (int i = 0; i < 3 * n; ++i) {
      old.push_back(e.in(i < n ? i : i + n));
      fresh.push_back(e.out(i));
    }
    tensors.resize(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i)
      tensors[static_cast<size_t>(i)].n = gradients[static_cast<size_t>(i)].size();
  }

  void resolve(const Run& run) const {
    for (size_t i = 0; i < tensors.size(); ++i) {
      kernels::ParameterTensor& t = tensors[i];
      t.p = run.at<float>(fresh[i].at);
      t.g = run.at<float>(gradients[i].at);
      t.m = run.at<float>(fresh[i + tensors.size()].at);
      t.v = run.at<float>(fresh[i + 2 * tensors.size()].at);
    }
  }
};

Parameters prepared(Emit& e) {
  Parameters p(e);
  for (size_t i = 0; i < p.old.size(); ++i) emit_copy(e, p.old[i], p.fresh[i]);
  return p;
}

float real_of(const Run& run, const Tensor& t) {
  return static_cast<float>(real_at(run(t.at), t.dtype));
}

}  // namespace

// Result i of 3n lies over p, m or v, whose operand groups are p, g, m, v of n each.
bool update_in_place(const ir::OpView& op, int result, int operand) {
  const int n = op.count("p");
  return operand == (result < n ? result : result + n);
}

bool update_serves(const ir::OpView& op) {
  for (int i = 0; i < op.count("p"); ++i)
    if (op.operand(i).dtype != ir::DType::f32) return false;
  return true;
}

void lower_squared_norm(Emit& e) {
  e.needs_arithmetic(e.out().dtype);
  std::vector<kernels::ParameterTensor> tensors(static_cast<size_t>(e.op.operand_count()));
  std::vector<Ref> refs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].n = e.in(static_cast<int>(i)).size();
    refs.push_back(e.in(static_cast<int>(i)).at);
  }
  kernels::SumOfSquares args{.tensors = tensors.data(),
                             .count = static_cast<int64_t>(tensors.size())};
  const Ref workspace =
      e.workspace(static_cast<int64_t>(kernels::sum_of_squares_workspace_bytes(args)));
  e.kernel("sum_of_squares", 0,
           [tensors, refs, args, workspace, y = e.out().at](const Run& run) mutable {
             for (size_t i = 0; i < tensors.size(); ++i) tensors[i].g = run.at<float>(refs[i]);
             double sum = 0;
             kernels::SumOfSquares k = args;
             k.tensors = tensors.data();
             k.result = &sum;
             k.workspace = run(workspace);
             kernels::sum_of_squares(k);
             *run.at<float>(y) = static_cast<float>(sum);
           });
}

void lower_adam_update(Emit& e) {
  const Parameters p = prepared(e);
  const Tensor step = e.in("step"), lr = e.in("lr"), scale = e.has("scale") ? e.in("scale") : lr;
  const bool scaled = e.has("scale");
  const kernels::Adam args{.count = p.n,
                           .weight_decay = static_cast<float>(e.op.real("decay")),
                           .beta1 = e.op.real("beta1"),
                           .beta2 = e.op.real("beta2"),
                           .eps = e.op.real("eps"),
                           .decoupled = e.op.flag("decoupled")};
  e.kernel("adam", 0, [=](const Run& run) {
    p.resolve(run);
    kernels::Adam k = args;
    k.tensors = p.tensors.data();
    k.step = integer_at(run, step);
    k.lr = real_of(run, lr);
    if (scaled) k.grad_scale = real_of(run, scale);
    kernels::adam(k);
  });
}

// The op's states are a (squared gradients) and d (squared updates): the kernel's v and m.
void lower_adadelta_update(Emit& e) {
  const Parameters p = prepared(e);
  const Tensor lr = e.in("lr"), scale = e.has("scale") ? e.in("scale") : lr;
  const bool scaled = e.has("scale");
  const kernels::Adadelta args{.count = p.n,
                               .rho = static_cast<float>(e.op.real("rho")),
                               .eps = static_cast<float>(e.op.real("eps"))};
  e.kernel("adadelta", 0, [=](const Run& run) {
    p.resolve(run);
    for (kernels::ParameterTensor& t : p.tensors) std::swap(t.m, t.v);
    kernels::Adadelta k = args;
    k.tensors = p.tensors.data();
    k.lr = real_of(run, lr);
    if (scaled) k.grad_scale = real_of(run, scale);
    kernels::adadelta(k);
  });
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::adadelta_update,
     .lower = lower_adadelta_update,
     .in_place = update_in_place,
     .serves = update_serves},
    {.op = &ir::ops::adam_update,
     .lower = lower_adam_update,
     .in_place = update_in_place,
     .serves = update_serves},
    {.op = &ir::ops::squared_norm, .lower = lower_squared_norm},
};

}  // namespace

std::span<const Lowering> of_optimizer() { return kLowerings; }

}  // namespace weft::onednn
