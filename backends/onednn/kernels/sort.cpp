// backends/onednn/kernels/sort.cpp -- lanes sorted by the digits of keys that are ordered as numbers
// without sign.
#include "backends/onednn/kernels/sort.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

#include <string.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

inline constexpr int64_t kFew = 48;  // insertion is faster up to here

WEFT_INLINE uint64_t key_of(float x) {
  uint32_t u;
  memcpy(&u, &x, 4);
  if (x != x) return 0xFFFFFFFFU;
  if (x == 0) u = 0;
  return (u >> 31) != 0 ? (uint32_t)~u : (u | 0x80000000U);
}
WEFT_INLINE uint64_t key_of(int32_t x) { return (uint32_t)x ^ 0x80000000U; }
WEFT_INLINE uint64_t key_of(int64_t x) { return (uint64_t)x ^ 0x8000000000000000U; }

struct Lane {
  uint64_t* keys;
  int32_t* at;
};

void insert_in_order(const Lane& lane, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    const uint64_t key = lane.keys[i];
    const int32_t at = lane.at[i];
    int64_t j = i;
    for (; j > 0 && lane.keys[j - 1] > key; --j) {
      lane.keys[j] = lane.keys[j - 1];
      lane.at[j] = lane.at[j - 1];
    }
    lane.keys[j] = key;
    lane.at[j] = at;
  }
}

// One digit of eight bits; false, with nothing moved, where all have the same.
bool distribute(const Lane& from, const Lane& to, int64_t n, int shift) {
  int64_t start[256] = {};
  for (int64_t i = 0; i < n; ++i) ++start[(from.keys[i] >> shift) & 255U];
  if (start[(from.keys[0] >> shift) & 255U] == n) return false;
  int64_t sum = 0;
  for (int64_t& s : start) {
    const int64_t count = s;
    s = sum;
    sum += count;
  }
  for (int64_t i = 0; i < n; ++i) {
    const int64_t place = start[(from.keys[i] >> shift) & 255U]++;
    to.keys[place] = from.keys[i];
    to.at[place] = from.at[i];
  }
  return true;
}

template <class T>
void run(const Sort& args) {
  const int64_t n = args.n, inner = args.inner, lanes = args.outer * inner;
  if (n == 0) return;
  parallel(lanes * n * 16, [&](int64_t thread, int64_t threads) {
    char* const mine = static_cast<char*>(args.workspace) + thread * sort_thread_bytes(args);
    auto* const keys = reinterpret_cast<uint64_t*>(mine);
    auto* const at = reinterpret_cast<int32_t*>(keys + 2 * n);
    const Range range = share(lanes, thread, threads);
    for (int64_t l = range.begin; l < range.end; ++l) {
      const int64_t first = l / inner * n * inner + l % inner;
      const T* x = static_cast<const T*>(args.x) + first;
      Lane lane{keys, at}, other{keys + n, at + n};
      for (int64_t i = 0; i < n; ++i) {
        const uint64_t key = key_of(x[i * inner]);
        lane.keys[i] = args.descending ? ~key : key;
        lane.at[i] = (int32_t)i;
      }
      if (n <= kFew) {
        insert_in_order(lane, n);
      } else {
        for (int shift = 0; shift < (int)sizeof(T) * 8; shift += 8)
          if (distribute(lane, other, n, shift)) {
            const Lane sorted = other;
            other = lane;
            lane = sorted;
          }
      }
      T* values = static_cast<T*>(args.values) + first;
      int32_t* indices = args.indices + first;
      for (int64_t i = 0; i < n; ++i) {
        values[i * inner] = x[lane.at[i] * inner];
        indices[i * inner] = lane.at[i];
      }
    }
  });
}

}  // namespace

void sort(const Sort& args) {
  switch (args.dtype) {
    case DType::s32:
      return run<int32_t>(args);
    case DType::s64:
      return run<int64_t>(args);
    default:
      return run<float>(args);
  }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
