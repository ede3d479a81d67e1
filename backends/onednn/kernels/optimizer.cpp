// backends/onednn/kernels/optimizer.cpp -- parameter updates, all tensors in one parallel region.
#include "backends/onednn/kernels/optimizer.h"

#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

#include <math.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

inline constexpr int64_t kChunk = kSumOfSquaresChunk;

int64_t count_chunks(const ParameterTensor* tensors, int64_t count) {
  int64_t chunks = 0;
  for (int64_t i = 0; i < count; ++i) chunks += ceil_div(tensors[i].n, kChunk);
  return chunks;
}

// body(chunk, tensor, begin, end) for the chunks of all tensors, shared among the threads.
template <class Body>
void for_chunks(const ParameterTensor* tensors, int64_t count, int64_t cost, const Body& body) {
  const int64_t chunks = count_chunks(tensors, count);
  parallel_for(chunks, kChunk * cost, [&](int64_t begin, int64_t end) {
    int64_t chunk = 0;
    for (int64_t i = 0; i < count && chunk < end; ++i) {
      const int64_t mine = ceil_div(tensors[i].n, kChunk);
      for (int64_t k = larger(0, begin - chunk); k < mine && chunk + k < end; ++k)
        body(chunk + k, tensors[i], k * kChunk, smaller(tensors[i].n, (k + 1) * kChunk));
      chunk += mine;
    }
  });
}

// What the gradient is, and what is left of the parameter, before the rule.
struct Before {
  float scale, decay;  // L2; without one nothing is added, as p may be infinite
  float left;          // decoupled

  template <class Args>
  __attribute__((always_inline)) static Before of(const Args& a) {
    return {a.grad_scale, a.decay.decoupled ? 0.0F : a.decay.rate,
            a.decay.decoupled ? 1.0F - a.lr * a.decay.rate : 1.0F};
  }
  __attribute__((always_inline)) Vec gradient(Vec g, Vec p) const {
    const Vec scaled = splat(scale) * g;
    return decay == 0 ? scaled : fma(splat(decay), p, scaled);
  }
};

// update(tensor, j, at) for vectors of columns of all tensors.
template <class Update>
void for_elements(const ParameterTensor* tensors, int64_t count, const Update& update) {
  for_chunks(tensors, count, 4,
             [&](int64_t, const ParameterTensor& tensor, int64_t begin, int64_t end) {
               for_columns(end - begin, [&](int64_t j, auto at) { update(tensor, begin + j, at); });
             });
}

}  // namespace

void sum_of_squares(const SumOfSquares& args) {
  auto* partial = static_cast<double*>(args.workspace);
  for_chunks(args.tensors, args.count, 1,
             [&](int64_t chunk, const ParameterTensor& tensor, int64_t begin, int64_t end) {
               double lane[16] = {};
               int64_t i = begin;
               for (; i + 16 <= end; i += 16)
                 for (int64_t l = 0; l < 16; ++l)
                   lane[l] += (double)tensor.g[i + l] * (double)tensor.g[i + l];
               for (int64_t l = 0; i + l < end; ++l)
                 lane[l] += (double)tensor.g[i + l] * (double)tensor.g[i + l];
               double total = 0;
               for (const double value : lane) total += value;
               partial[chunk] = total;
             });
  double total = 0;
  const int64_t chunks = count_chunks(args.tensors, args.count);
  for (int64_t k = 0; k < chunks; ++k) total += partial[k];
  *args.result = total;
}

void sgd(const Sgd& args) {
  const Before before = Before::of(args);
  const Vec lr = splat(args.lr), momentum = splat(args.momentum), left = splat(before.left);
  for_elements(args.tensors, args.count, [&](const ParameterTensor& t, int64_t i, auto at) {
    const Vec p = at.get(t.p + i);
    Vec g = before.gradient(at.get(t.g + i), p);
    if (args.momentum != 0) {
      const Vec m = fma(momentum, at.get(t.m + i), g);
      at.put(t.m + i, m);
      g = args.nesterov ? fma(momentum, m, g) : m;
    }
    at.put(t.p + i, fnma(lr, g, p * left));
  });
}

void adam(const Adam& args) {
  const double correct1 = 1 - pow(args.beta1, (double)args.step);
  const double correct2 = 1 - pow(args.beta2, (double)args.step);
  const Before before = Before::of(args);
  const Vec eps = splat((float)args.eps), left = splat(before.left);
  const Vec step = splat((float)((double)args.lr / correct1));
  const Vec root = splat((float)(1 / ::sqrt(correct2)));
  const Vec beta1 = splat((float)args.beta1), rest1 = splat((float)(1 - args.beta1));
  const Vec beta2 = splat((float)args.beta2), rest2 = splat((float)(1 - args.beta2));
  for_elements(args.tensors, args.count, [&](const ParameterTensor& t, int64_t i, auto at) {
    const Vec p = at.get(t.p + i);
    const Vec g = before.gradient(at.get(t.g + i), p);
    const Vec m = fma(beta1, at.get(t.m + i), rest1 * g);
    const Vec v = fma(beta2, at.get(t.v + i), rest2 * g * g);
    at.put(t.m + i, m);
    at.put(t.v + i, v);
    at.put(t.p + i, p * left - step * m / fma(WEFT_ISA::sqrt(v), root, eps));
  });
}

void adadelta(const Adadelta& args) {
  const Before before = Before::of(args);
  const Vec lr = splat(args.lr), eps = splat(args.eps), left = splat(before.left);
  const Vec rho = splat(args.rho), rest = splat(1.0F - args.rho);
  for_elements(args.tensors, args.count, [&](const ParameterTensor& t, int64_t i, auto at) {
    const Vec p = at.get(t.p + i), m = at.get(t.m + i);
    const Vec g = before.gradient(at.get(t.g + i), p);
    const Vec v = fma(rho, at.get(t.v + i), rest * g * g);
    const Vec d = g * WEFT_ISA::sqrt(m + eps) / WEFT_ISA::sqrt(v + eps);
    at.put(t.v + i, v);
    at.put(t.m + i, fma(rho, m, rest * d * d));
    at.put(t.p + i, fnma(lr, d, p * left));
  });
}

void adagrad(const Adagrad& args) {
  const Before before = Before::of(args);
  const Vec lr = splat(args.lr), eps = splat(args.eps), left = splat(before.left);
  const Vec initial = splat(args.initial);
  for_elements(args.tensors, args.count, [&](const ParameterTensor& t, int64_t i, auto at) {
    const Vec p = at.get(t.p + i);
    const Vec g = before.gradient(at.get(t.g + i), p);
    const Vec m = fma(g, g, at.get(t.m + i));
    at.put(t.m + i, m);
    at.put(t.p + i, fnma(lr, g / (WEFT_ISA::sqrt(m + initial) + eps), p * left));
  });
}

void lion(const Lion& args) {
  const Before before = Before::of(args);
  const Vec lr = splat(args.lr), zero = splat(0), one = splat(1), left = splat(before.left);
  const Vec beta1 = splat((float)args.beta1), rest1 = splat((float)(1 - args.beta1));
  const Vec beta2 = splat((float)args.beta2), rest2 = splat((float)(1 - args.beta2));
  for_elements(args.tensors, args.count, [&](const ParameterTensor& t, int64_t i, auto at) {
    const Vec p = at.get(t.p + i), m = at.get(t.m + i);
    const Vec g = before.gradient(at.get(t.g + i), p);
    const Vec u = fma(beta1, m, rest1 * g);
    // The sign of zero is zero, that of NaN is NaN.
    const Vec sign = select(greater(u, zero), one, select(less(u, zero), -one, u));
    at.put(t.m + i, fma(beta2, m, rest2 * g));
    at.put(t.p + i, fnma(lr, sign, p * left));
  });
}

void moving_average(const MovingAverage& args) {
  const Vec decay = splat(args.decay), rest = splat(1.0F - args.decay);
  for_elements(args.tensors, args.count, [&](const ParameterTensor& t, int64_t i, auto at) {
    at.put(t.m + i, fma(decay, at.get(t.m + i), rest * at.get(t.p + i)));
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
