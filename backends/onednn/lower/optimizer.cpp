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

// Parameters and their states, in and out: groups of as many operands, behind p and g.
struct Parameters {
  int n;
  std::vector<Tensor> gradients, fresh;  // p..., then each kind of state
  mutable std::vector<kernels::ParameterTensor> tensors;

  explicit Parameters(Emit& e) : n(e.op.count("p")) {
    for (int i = 0; i < n; ++i) gradients.push_back(e.in(e.op.position("g") + i));
    for (int i = 0; i < static_cast<int>(e.op.node().results.size()); ++i)
      fresh.push_back(e.out(i));
    tensors.resize(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i)
      tensors[static_cast<size_t>(i)].n = gradients[static_cast<size_t>(i)].size();
  }

  // Result i of the given kind; null where the op has none.
  float* at(const Run& run, size_t kind, size_t i) const {
    const size_t k = kind * static_cast<size_t>(n) + i;
    return k < fresh.size() ? run.at<float>(fresh[k].at) : nullptr;
  }
  void resolve(const Run& run) const {
    for (size_t i = 0; i < tensors.size(); ++i) {
      tensors[i].p = at(run, 0, i);
      tensors[i].g = run.at<float>(gradients[i].at);
      tensors[i].m = at(run, 1, i);
      tensors[i].v = at(run, 2, i);
    }
  }
};

// Kernels work in place: what is not donated is copied.
Parameters prepared(Emit& e) {
  Parameters p(e);
  for (size_t i = 0; i < p.fresh.size(); ++i) {
    const auto result = static_cast<int>(i);
    emit_copy(e, e.in(result < p.n ? result : result + p.n), p.fresh[i]);
  }
  return p;
}

kernels::Decay decay_of(const ir::OpView& op) {
  return {.rate = static_cast<float>(op.real("decay")), .decoupled = op.flag("decoupled")};
}

float real_of(const Run& run, const Tensor& t) {
  return static_cast<float>(real_at(run(t.at), t.dtype));
}

// The rest of an update whose tensors are `ParameterTensor`s, by what differs: `at_run` is called
// before each run, with the kernel's arguments.
template <class Args, class AtRun>
void emit_update(Emit& e, const char* name, void (*kernel)(const Args&), Args args,
                 const AtRun& at_run) {
  const Parameters p = prepared(e);
  const Tensor lr = e.in("lr"), scale = e.has("scale") ? e.in("scale") : lr;
  const bool scaled = e.has("scale");
  args.count = p.n;
  e.kernel(name, 0, [=](const Run& run) {
    p.resolve(run);
    Args k = args;
    k.tensors = p.tensors.data();
    k.lr = real_of(run, lr);
    if (scaled) k.grad_scale = real_of(run, scale);
    at_run(run, k, p);
    kernel(k);
  });
}
template <class Args>
void emit_update(Emit& e, const char* name, void (*kernel)(const Args&), const Args& args) {
  emit_update(e, name, kernel, args, [](const Run&, Args&, const Parameters&) {});
}

float single(double x) { return static_cast<float>(x); }

}  // namespace

// Result i lies over p or a state, whose operand groups are p, g and the states, of n each.
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
  const Tensor step = e.in("step");
  emit_update(e, "adam", kernels::adam,
              kernels::Adam{.beta1 = e.op.real("beta1"),
                            .beta2 = e.op.real("beta2"),
                            .eps = e.op.real("eps"),
                            .decay = decay_of(e.op)},
              [step](const Run& run, kernels::Adam& k, const Parameters&) {
                k.step = integer_at(run, step);
              });
}

// The op's states are a (squared gradients) and d (squared updates): the kernel's v and m.
void lower_adadelta_update(Emit& e) {
  emit_update(e, "adadelta", kernels::adadelta,
              kernels::Adadelta{.rho = single(e.op.real("rho")),
                                .eps = single(e.op.real("eps")),
                                .decay = decay_of(e.op)},
              [](const Run&, kernels::Adadelta&, const Parameters& p) {
                for (kernels::ParameterTensor& t : p.tensors) std::swap(t.m, t.v);
              });
}

void lower_sgd_update(Emit& e) {
  emit_update(e, "sgd", kernels::sgd,
              kernels::Sgd{.momentum = single(e.op.real("momentum")),
                           .nesterov = e.op.flag("nesterov"),
                           .decay = decay_of(e.op)});
}

void lower_adagrad_update(Emit& e) {
  emit_update(e, "adagrad", kernels::adagrad,
              kernels::Adagrad{.eps = single(e.op.real("eps")),
                               .initial = single(e.op.real("initial")),
                               .decay = decay_of(e.op)});
}

void lower_lion_update(Emit& e) {
  emit_update(
      e, "lion", kernels::lion,
      kernels::Lion{
          .beta1 = e.op.real("beta1"), .beta2 = e.op.real("beta2"), .decay = decay_of(e.op)});
}

namespace {

// The leading axes of a parameter are planes of matrices; one that is not factored is one column.
std::vector<kernels::FactoredTensor> factored_tensors(Emit& e) {
  std::vector<kernels::FactoredTensor> tensors;
  for (int i = 0; i < e.op.count("p"); ++i) {
    const Tensor p = e.in(i);
    if (!e.op.has("c")) {
      tensors.push_back({.rows = p.size()});
      continue;
    }
    const int64_t rows = p.dims[p.dims.size() - 2], columns = p.dims.back();
    const int64_t plane = std::max<int64_t>(1, rows * columns);
    tensors.push_back({.planes = p.size() / plane, .rows = rows, .columns = columns});
  }
  return tensors;
}

}  // namespace

void lower_adafactor_update(Emit& e) {
  const Parameters p = prepared(e);
  const bool first = e.op.has("m"), factored = e.op.has("c"), scaled = e.has("scale");
  const Tensor lr = e.in("lr"), beta2 = e.in("beta2"), scale = scaled ? e.in("scale") : lr;
  std::vector<kernels::FactoredTensor> tensors = factored_tensors(e);
  kernels::Adafactor args{.count = p.n,
                          .beta1 = single(e.op.real("beta1")),
                          .eps = single(e.op.real("eps")),
                          .clip = single(e.op.real("clip")),
                          .least_scale = single(e.op.real("least_scale")),
                          .scaled = e.op.flag("scaled"),
                          .decay = decay_of(e.op)};
  // Whether there is a c says how much workspace it takes.
  float some = 0;
  for (kernels::FactoredTensor& t : tensors) t.c = factored ? &some : nullptr;
  args.tensors = tensors.data();
  const Ref workspace = e.workspace(static_cast<int64_t>(kernels::adafactor_workspace_bytes(args)));
  e.kernel("adafactor", 0, [=](const Run& run) mutable {
    const size_t r = first ? 2 : 1;
    for (size_t i = 0; i < tensors.size(); ++i) {
      tensors[i].p = p.at(run, 0, i);
      tensors[i].g = run.at<float>(p.gradients[i].at);
      tensors[i].m = first ? p.at(run, 1, i) : nullptr;
      tensors[i].v = p.at(run, r, i);
      tensors[i].c = factored ? p.at(run, r + 1, i) : nullptr;
    }
    kernels::Adafactor k = args;
    k.tensors = tensors.data();
    k.lr = real_of(run, lr);
    k.beta2 = real_of(run, beta2);
    if (scaled) k.grad_scale = real_of(run, scale);
    k.workspace = run(workspace);
    kernels::adafactor(k);
  });
}

// Results lie over a, behind p.
bool average_in_place(const ir::OpView& op, int result, int operand) {
  return operand == result + op.count("p");
}

void lower_moving_average(Emit& e) {
  const int n = e.op.count("p");
  std::vector<kernels::ParameterTensor> tensors(static_cast<size_t>(n));
  std::vector<Ref> from, to;
  for (int i = 0; i < n; ++i) {
    emit_copy(e, e.in(n + i), e.out(i));
    tensors[static_cast<size_t>(i)].n = e.in(i).size();
    from.push_back(e.in(i).at);
    to.push_back(e.out(i).at);
  }
  const Tensor decay = e.in("decay");
  e.kernel("moving_average", 0, [=](const Run& run) mutable {
    for (size_t i = 0; i < tensors.size(); ++i) {
      tensors[i].p = run.at<float>(from[i]);
      tensors[i].m = run.at<float>(to[i]);
    }
    kernels::moving_average({.tensors = tensors.data(),
                             .count = static_cast<int64_t>(tensors.size()),
                             .decay = real_of(run, decay)});
  });
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::adadelta_update,
     .lower = lower_adadelta_update,
     .in_place = update_in_place,
     .serves = update_serves},
    {.op = &ir::ops::adafactor_update,
     .lower = lower_adafactor_update,
     .in_place = update_in_place,
     .serves = update_serves},
    {.op = &ir::ops::adagrad_update,
     .lower = lower_adagrad_update,
     .in_place = update_in_place,
     .serves = update_serves},
    {.op = &ir::ops::adam_update,
     .lower = lower_adam_update,
     .in_place = update_in_place,
     .serves = update_serves},
    {.op = &ir::ops::lion_update,
     .lower = lower_lion_update,
     .in_place = update_in_place,
     .serves = update_serves},
    {.op = &ir::ops::moving_average,
     .lower = lower_moving_average,
     .in_place = average_in_place,
     .serves = update_serves},
    {.op = &ir::ops::sgd_update,
     .lower = lower_sgd_update,
     .in_place = update_in_place,
     .serves = update_serves},
    {.op = &ir::ops::squared_norm, .lower = lower_squared_norm},
};

}  // namespace

std::span<const Lowering> of_optimizer() { return kLowerings; }

}  // namespace weft::onednn
