// backends/onednn/kernels/pool.cpp -- pooling: vectors of channels, windows clipped to what exists.
#include "backends/onednn/kernels/pool.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

// The elements that one position sees: [begin, end) along each axis.
struct Seen {
  int64_t begin[3], end[3];

  int64_t count() const { return (end[0] - begin[0]) * (end[1] - begin[1]) * (end[2] - begin[2]); }
};

Seen seen(const PoolShape& s, int64_t position) {
  Seen seen;
  for (int axis = 2; axis >= 0; --axis) {
    const int64_t start = position % s.positions[axis] * s.strides[axis] - s.low[axis];
    const int64_t stop = start + s.window[axis];
    seen.begin[axis] = start < 0 ? 0 : start;
    seen.end[axis] = stop > s.sizes[axis] ? s.sizes[axis] : stop;
    position /= s.positions[axis];
  }
  return seen;
}

template <class Body>
WEFT_INLINE void for_each(const PoolShape& s, const Seen& seen, const Body& body) {
  for (int64_t i = seen.begin[0]; i < seen.end[0]; ++i)
    for (int64_t j = seen.begin[1]; j < seen.end[1]; ++j)
      for (int64_t k = seen.begin[2]; k < seen.end[2]; ++k)
        body((i * s.sizes[1] + j) * s.sizes[2] + k);
}

int64_t product(const int64_t (&n)[3]) { return n[0] * n[1] * n[2]; }

float share_of_each(const PoolShape& s, const Seen& seen, bool count_padding) {
  return 1.0F / (float)(count_padding ? product(s.window) : seen.count());
}

// body(batch and position as one) for all of them.
template <class Body>
void over_positions(const PoolShape& s, const Body& body) {
  const int64_t positions = product(s.positions);
  parallel_for(s.batch * positions, product(s.window) * s.channels,
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row)
                   body(row / positions, row % positions, row);
               });
}

// body(batch, first channel, channels) for pieces of at most a vector.
template <class Body>
void over_channels(int64_t batch, int64_t channels, int64_t cost, const Body& body) {
  const int64_t pieces = (channels + kWidth - 1) / kWidth;
  parallel_for(batch * pieces, cost * kWidth, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t c = i % pieces * kWidth, left = channels - c;
      body(i / pieces, c, left < kWidth ? left : kWidth);
    }
  });
}

}  // namespace

void max_pool(const MaxPool& args) {
  const PoolShape& s = args.shape;
  const int64_t elements = product(s.sizes), channels = s.channels;
  over_positions(s, [&](int64_t b, int64_t position, int64_t row) {
    const Seen window = seen(s, position);
    const float* x = args.x + b * elements * channels;
    const int64_t first =
        (window.begin[0] * s.sizes[1] + window.begin[1]) * s.sizes[2] + window.begin[2];
    for (int64_t c = 0; c < channels; c += kWidth) {
      const int64_t n = channels - c < kWidth ? channels - c : kWidth;
      Vec best = load(x + first * channels + c, n);
      Vec at = as_float(splat_int((int32_t)first));
      for_each(s, window, [&](int64_t i) {
        const Vec v = load(x + i * channels + c, n);
        const Bits greater_one = either(greater(v, best), is_nan(v)), taken = is_nan(best);
        at = select(taken, at, select(greater_one, as_float(splat_int((int32_t)i)), at));
        best = select(taken, best, select(greater_one, v, best));
      });
      store(args.y + row * channels + c, best, n);
      if (args.indices != nullptr)
        store(reinterpret_cast<float*>(args.indices) + row * channels + c, at, n);
    }
  });
}

int64_t max_pool_grad(const MaxPoolGrad& args) {
  const int64_t channels = args.channels;
  bool outside = false;
  over_channels(args.batch, channels, args.positions + args.elements,
                [&](int64_t b, int64_t c, int64_t n) {
                  float* dx = args.dx + b * args.elements * channels + c;
                  for (int64_t i = 0; i < args.elements; ++i) store(dx + i * channels, splat(0), n);
                  for (int64_t o = 0; o < args.positions; ++o) {
                    const int64_t row = (b * args.positions + o) * channels + c;
                    for (int64_t j = 0; j < n; ++j) {
                      const int64_t at = args.indices[row + j];
                      if (at >= 0 && at < args.elements)
                        dx[at * channels + j] += args.dy[row + j];
                      else
                        __atomic_store_n(&outside, true, __ATOMIC_RELAXED);
                    }
                  }
                });
  if (!outside) return -1;
  int64_t i = 0;
  while (args.indices[i] >= 0 && args.indices[i] < args.elements) ++i;
  return i;
}

void avg_pool(const AvgPool& args) {
  const PoolShape& s = args.shape;
  const int64_t elements = product(s.sizes), channels = s.channels;
  over_positions(s, [&](int64_t b, int64_t position, int64_t row) {
    const Seen window = seen(s, position);
    const Vec share = splat(share_of_each(s, window, args.count_padding));
    const float* x = args.x + b * elements * channels;
    for (int64_t c = 0; c < channels; c += kWidth) {
      const int64_t n = channels - c < kWidth ? channels - c : kWidth;
      Vec sum = splat(0);
      for_each(s, window, [&](int64_t i) { sum += load(x + i * channels + c, n); });
      store(args.y + row * channels + c, sum * share, n);
    }
  });
}

void avg_pool_grad(const AvgPoolGrad& args) {
  const PoolShape& s = args.shape;
  const int64_t elements = product(s.sizes), positions = product(s.positions);
  const int64_t channels = s.channels;
  over_channels(s.batch, channels, positions * product(s.window) + elements,
                [&](int64_t b, int64_t c, int64_t n) {
                  float* dx = args.dx + b * elements * channels + c;
                  for (int64_t i = 0; i < elements; ++i) store(dx + i * channels, splat(0), n);
                  for (int64_t o = 0; o < positions; ++o) {
                    const Seen window = seen(s, o);
                    const Vec each = load(args.dy + (b * positions + o) * channels + c, n) *
                                     splat(share_of_each(s, window, args.count_padding));
                    for_each(s, window, [&](int64_t i) {
                      store(dx + i * channels, load(dx + i * channels, n) + each, n);
                    });
                  }
                });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
