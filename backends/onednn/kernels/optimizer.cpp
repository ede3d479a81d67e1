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

// g + decay*p; without a decay nothing is added, as p may be infinite.
WEFT_INLINE Vec decayed(Vec g, float decay, Vec p) {
  return decay == 0 ? g : fma(splat(decay), p, g);
}

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
  const Vec scale = splat(args.grad_scale), lr = splat(args.lr), momentum = splat(args.momentum);
  for_elements(args.tensors, args.count, [&](const ParameterTensor& t, int64_t i, auto at) {
    const Vec p = at.get(t.p + i);
    Vec g = decayed(scale * at.get(t.g + i), args.weight_decay, p);
    if (args.momentum != 0) {
      g = fma(momentum, at.get(t.m + i), g);
      at.put(t.m + i, g);
    }
    at.put(t.p + i, fnma(lr, g, p));
  });
}

void adam(const Adam& args) {
  const double correct1 = 1 - pow(args.beta1, (double)args.step);
  const double correct2 = 1 - pow(args.beta2, (double)args.step);
  const Vec scale = splat(args.grad_scale), eps = splat((float)args.eps);
  const Vec step = splat((float)((double)args.lr / correct1));
  const Vec root = splat((float)(1 / ::sqrt(correct2)));
  const Vec beta1 = splat((float)args.beta1), rest1 = splat((float)(1 - args.beta1));
  const Vec beta2 = splat((float)args.beta2), rest2 = splat((float)(1 - args.beta2));
  const float decay = args.decoupled ? 0.0F : args.weight_decay;
  const Vec shrink = splat(args.decoupled ? 1.0F - args.lr * args.weight_decay : 1.0F);
  for_elements(args.tensors, args.count, [&](const ParameterTensor& t, int64_t i, auto at) {
    Vec p = at.get(t.p + i);
    const Vec g = decayed(scale * at.get(t.g + i), decay, p);
    const Vec m = fma(beta1, at.get(t.m + i), rest1 * g);
    const Vec v = fma(beta2, at.get(t.v + i), rest2 * g * g);
    p = p * shrink;
    at.put(t.m + i, m);
    at.put(t.v + i, v);
    at.put(t.p + i, p - step * m / fma(WEFT_ISA::sqrt(v), root, eps));
  });
}

void adadelta(const Adadelta& args) {
  const Vec scale = splat(args.grad_scale), lr = splat(args.lr), eps = splat(args.eps);
  const Vec rho = splat(args.rho), rest = splat(1.0F - args.rho);
  for_elements(args.tensors, args.count, [&](const ParameterTensor& t, int64_t i, auto at) {
    const Vec p = at.get(t.p + i), m = at.get(t.m + i);
    const Vec g = decayed(scale * at.get(t.g + i), args.weight_decay, p);
    const Vec v = fma(rho, at.get(t.v + i), rest * g * g);
    const Vec d = g * WEFT_ISA::sqrt(m + eps) / WEFT_ISA::sqrt(v + eps);
    at.put(t.v + i, v);
    at.put(t.m + i, fma(rho, m, rest * d * d));
    at.put(t.p + i, fnma(lr, d, p));
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
