// backends/onednn/kernels/embedding.cpp -- rows picked by index, and their gradient.
#include "backends/onednn/kernels/embedding.h"

#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

#include <string.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

WEFT_INLINE int64_t index_at(const void* index, DType dtype, int64_t i) {
  return dtype == DType::s64 ? static_cast<const int64_t*>(index)[i]
                             : static_cast<const int32_t*>(index)[i];
}

// The first index outside [0, rows), or -1.
int64_t first_outside(const void* index, DType dtype, int64_t n, int64_t rows) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = index_at(index, dtype, i);
    if (at < 0 || at >= rows) return i;
  }
  return -1;
}

// Threads own column slices of this many floats (a cache line), or rows where columns are few.
inline constexpr int64_t kSlice = 16;

void add_slice(const ScatterAddRows& args, int64_t ld_x, int64_t ld_table, Range columns,
               Range rows) {
  const int64_t width = columns.end - columns.begin;
  if (!args.accumulate) {
    for (int64_t r = rows.begin; r < rows.end; ++r)
      memset(args.table + r * ld_table + columns.begin, 0, static_cast<size_t>(width) * 4);
  }
  for (int64_t i = 0; i < args.n; ++i) {
    const int64_t r = index_at(args.index, args.index_dtype, i);
    if (r < rows.begin || r >= rows.end) continue;
    const float* x = args.x + i * ld_x + columns.begin;
    float* y = args.table + r * ld_table + columns.begin;
    for_columns(width, [&](int64_t j, auto at) { at.put(y + j, at.get(y + j) + at.get(x + j)); });
  }
}

}  // namespace

int64_t gather_rows(const GatherRows& args) {
  const int64_t width = args.columns * args.element_bytes;
  const int64_t ld_table = dense_or(args.ld_table, args.columns) * args.element_bytes;
  const int64_t ld_y = dense_or(args.ld_y, args.columns) * args.element_bytes;
  parallel_for(args.n, larger(1, width / 4), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t r = index_at(args.index, args.index_dtype, i);
      char* y = static_cast<char*>(args.y) + i * ld_y;
      if (r < 0 || r >= args.table_rows) {
        memset(y, 0, static_cast<size_t>(width));
      } else {
        memcpy(y, static_cast<const char*>(args.table) + r * ld_table, static_cast<size_t>(width));
      }
    }
  });
  return first_outside(args.index, args.index_dtype, args.n, args.table_rows);
}

int64_t scatter_add_rows(const ScatterAddRows& args) {
  const int64_t ld_x = dense_or(args.ld_x, args.columns),
                ld_table = dense_or(args.ld_table, args.columns);
  const int64_t slices = ceil_div(args.columns, kSlice);
  const int64_t zeroing = args.accumulate ? 0 : args.table_rows;
  parallel((args.n + zeroing) * args.columns, [&](int64_t thread, int64_t threads) {
    if (slices >= 4 * threads) {
      const Range mine = share(slices, thread, threads);
      const Range columns{mine.begin * kSlice, smaller(args.columns, mine.end * kSlice)};
      add_slice(args, ld_x, ld_table, columns, {0, args.table_rows});
    } else {
      add_slice(args, ld_x, ld_table, {0, args.columns}, share(args.table_rows, thread, threads));
    }
  });
  return first_outside(args.index, args.index_dtype, args.n, args.table_rows);
}

int64_t gather_lanes(const GatherLanes& args) {
  const int64_t width = args.inner * args.element_bytes;
  parallel_for(args.batch * args.outer, args.picks * larger(1, width / 4),
               [&](int64_t begin, int64_t end) {
                 for (int64_t lane = begin; lane < end; ++lane) {
                   const char* x = static_cast<const char*>(args.x) + lane * args.n * width;
                   char* y = static_cast<char*>(args.y) + lane * args.picks * width;
                   const int64_t first = lane / args.outer * args.picks;
                   for (int64_t p = 0; p < args.picks; ++p) {
                     const int64_t at = index_at(args.index, args.index_dtype, first + p);
                     if (at < 0 || at >= args.n) continue;
                     if (width == 4)
                       memcpy(y + p * 4, x + at * 4, 4);
                     else
                       memcpy(y + p * width, x + at * width, static_cast<size_t>(width));
                   }
                 }
               });
  return first_outside(args.index, args.index_dtype, args.batch * args.picks, args.n);
}

int64_t scatter_add_lanes(const ScatterAddLanes& args) {
  parallel_for(args.batch * args.outer, args.picks * args.inner, [&](int64_t begin, int64_t end) {
    for (int64_t lane = begin; lane < end; ++lane) {
      const float* x = args.x + lane * args.picks * args.inner;
      float* y = args.y + lane * args.n * args.inner;
      const int64_t first = lane / args.outer * args.picks;
      for (int64_t p = 0; p < args.picks; ++p) {
        const int64_t at = index_at(args.index, args.index_dtype, first + p);
        if (at < 0 || at >= args.n) continue;
        for_columns(args.inner, [&](int64_t j, auto columns) {
          float* to = y + at * args.inner + j;
          columns.put(to, columns.get(to) + columns.get(x + p * args.inner + j));
        });
      }
    }
  });
  return first_outside(args.index, args.index_dtype, args.batch * args.picks, args.n);
}

}  // namespace weft::onednn::kernels::WEFT_ISA
