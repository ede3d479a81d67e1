// backends/onednn/kernels/adafactor.cpp -- Adafactor of all tensors, in four sweeps over chunks of rows.
//
//   moments   r of each row (or v of each element), sums of squares of columns, of p and, where
//             nothing is factored, of u
//   columns   c, and of each column 1/sqrt(c); the mean of r
//   clipping  the sum of squares of u
//   apply     p
#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/optimizer.h"
#include "backends/onednn/kernels/parallel.h"

#include <math.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

// A tensor's part of the workspace (workspace.cpp).
struct Scratch {
  int64_t step, each;             // rows of a chunk, chunks of a plane
  double *squares_p, *squares_u;  // [planes, each]
  double* row_means;              // [planes]
  float* columns;                 // [planes, each, columns]: sums of squares
  float* factors;                 // [planes, columns]
};

struct Rows {
  int64_t chunk, plane, begin, end;  // chunk: of the tensor

  int64_t first(const FactoredTensor& t) const { return (plane * t.rows + begin) * t.columns; }
};

class Update {
 public:
  explicit Update(const Adafactor& args) : a_(args) {
    for (int64_t i = 0; i < args.count; ++i) {
      const FactoredTensor& t = args.tensors[i];
      chunks_ += t.planes * ceil_div(t.rows, adafactor_chunk(t));
      planes_ += t.planes;
    }
  }

  void run() const {
    for_chunks(6, [&](const FactoredTensor& t, const Scratch& part, const Rows& rows) {
      if (t.c != nullptr)
        factored_moments(t, part, rows);
      else
        plain_moments(t, part, rows);
    });
    parallel_for(a_.count, kSumOfSquaresChunk, [&](int64_t begin, int64_t end) {
      for_tensors([&](int64_t i, const FactoredTensor& t, const Scratch& part) {
        if (i >= begin && i < end && t.c != nullptr && t.rows > 0)
          for (int64_t plane = 0; plane < t.planes; ++plane) column_factors(t, part, plane);
      });
    });
    for_chunks(3, [&](const FactoredTensor& t, const Scratch& part, const Rows& rows) {
      if (t.c != nullptr) part.squares_u[rows.chunk] = squares_of_update(t, part, rows);
    });
    for_chunks(4, [&](const FactoredTensor& t, const Scratch& part, const Rows& rows) {
      apply(t, part, rows);
    });
  }

 private:
  template <class Body>
  void for_tensors(const Body& body) const {
    auto* squares = static_cast<double*>(a_.workspace);
    double* means = squares + 2 * chunks_;
    auto* floats = reinterpret_cast<float*>(means + planes_);
    for (int64_t i = 0; i < a_.count; ++i) {
      const FactoredTensor& t = a_.tensors[i];
      const int64_t step = adafactor_chunk(t), each = ceil_div(t.rows, step),
                    chunks = t.planes * each;
      body(i, t,
           Scratch{step, each, squares, squares + chunks, means, floats,
                   floats + chunks * t.columns});
      squares += 2 * chunks;
      means += t.planes;
      if (t.c != nullptr) floats += (chunks + t.planes) * t.columns;
    }
  }

  // body(tensor, part, rows) for the chunks of all tensors, shared among the threads.
  template <class Body>
  void for_chunks(int64_t cost, const Body& body) const {
    parallel_for(chunks_, kSumOfSquaresChunk * cost, [&](int64_t begin, int64_t end) {
      int64_t before = 0;
      for_tensors([&](int64_t, const FactoredTensor& t, const Scratch& part) {
        const int64_t chunks = t.planes * part.each;
        for (int64_t k = larger(0, begin - before); k < smaller(chunks, end - before); ++k) {
          const int64_t row = k % part.each * part.step;
          body(t, part, Rows{k, k / part.each, row, smaller(t.rows, row + part.step)});
        }
        before += chunks;
      });
    });
  }

  float l2() const { return a_.decay.decoupled ? 0.0F : a_.decay.rate; }
  template <class At>
  __attribute__((always_inline)) Vec gradient(const float* g, Vec p, At at) const {
    const Vec scaled = splat(a_.grad_scale) * at.get(g);
    return l2() == 0 ? scaled : fma(splat(l2()), p, scaled);
  }

  void factored_moments(const FactoredTensor& t, const Scratch& part, const Rows& rows) const {
    const int64_t n = t.columns;
    float* columns = part.columns + rows.chunk * n;
    for (int64_t j = 0; j < n; ++j) columns[j] = 0;
    double squares_p = 0;
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const int64_t row = t.rows * rows.plane + r;
      const float *p = t.p + row * n, *g = t.g + row * n;
      Vec sum_g = splat(0), sum_p = splat(0);
      for_columns(n, [&](int64_t j, auto at) {
        const Vec x = at.get(p + j), y = gradient(g + j, x, at), square = y * y;
        sum_g += square;
        sum_p = fma(x, x, sum_p);
        at.put(columns + j, at.get(columns + j) + square);
      });
      squares_p += (double)sum(sum_p);
      const float mean = sum(sum_g) / (float)n + a_.eps;
      t.v[row] = a_.beta2 * t.v[row] + (1 - a_.beta2) * mean;
    }
    part.squares_p[rows.chunk] = squares_p;
  }

  void plain_moments(const FactoredTensor& t, const Scratch& part, const Rows& rows) const {
    const Vec beta2 = splat(a_.beta2), rest = splat(1 - a_.beta2), eps = splat(a_.eps);
    const int64_t first = rows.first(t);
    double squares_p = 0, squares_u = 0;
    for_columns((rows.end - rows.begin) * t.columns, [&](int64_t k, auto at) {
      const int64_t j = first + k;
      const Vec x = at.get(t.p + j), y = gradient(t.g + j, x, at);
      const Vec v = fma(beta2, at.get(t.v + j), rest * fma(y, y, eps));
      at.put(t.v + j, v);
      squares_p += (double)sum(x * x);
      const Vec u = y / WEFT_ISA::sqrt(v);  // 0 in lanes beyond the end, as eps is above 0
      squares_u += (double)sum(u * u);
    });
    part.squares_p[rows.chunk] = squares_p;
    part.squares_u[rows.chunk] = squares_u;
  }

  void column_factors(const FactoredTensor& t, const Scratch& part, int64_t plane) const {
    const int64_t n = t.columns;
    float *c = t.c + plane * n, *factors = part.factors + plane * n;
    const float* columns = part.columns + plane * part.each * n;
    const Vec beta2 = splat(a_.beta2), rest = splat(1 - a_.beta2), eps = splat(a_.eps),
              share = splat(1 / (float)t.rows);
    for_columns(n, [&](int64_t j, auto at) {
      Vec total = at.get(columns + j);
      for (int64_t k = 1; k < part.each; ++k) total += at.get(columns + k * n + j);
      const Vec now = fma(beta2, at.get(c + j), rest * fma(total, share, eps));
      at.put(c + j, now);
      at.put(factors + j, splat(1) / WEFT_ISA::sqrt(now));
    });
    double total = 0;
    for (int64_t r = 0; r < t.rows; ++r) total += (double)t.v[plane * t.rows + r];
    part.row_means[plane] = total / (double)t.rows;
  }

  static float row_factor(const FactoredTensor& t, const Scratch& part, int64_t plane,
                          int64_t row) {
    return (float)(1 / ::sqrt((double)t.v[row] / part.row_means[plane]));
  }

  double squares_of_update(const FactoredTensor& t, const Scratch& part, const Rows& rows) const {
    const float* factors = part.factors + rows.plane * t.columns;
    double total = 0;
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const int64_t row = t.rows * rows.plane + r;
      const float *p = t.p + row * t.columns, *g = t.g + row * t.columns;
      Vec squares = splat(0);
      for_columns(t.columns, [&](int64_t j, auto at) {
        const Vec u = gradient(g + j, at.get(p + j), at) * at.get(factors + j);
        squares = fma(u, u, squares);
      });
      const auto factor = (double)row_factor(t, part, rows.plane, row);
      total += factor * factor * (double)sum(squares);
    }
    return total;
  }

  void apply(const FactoredTensor& t, const Scratch& part, const Rows& rows) const {
    const auto n = (double)(t.planes * t.rows * t.columns);
    double squares_p = 0, squares_u = 0;
    for (int64_t k = 0; k < t.planes * part.each; ++k)
      squares_p += part.squares_p[k], squares_u += part.squares_u[k];
    const double size = ::sqrt(squares_p / n), excess = ::sqrt(squares_u / n) / (double)a_.clip;
    double rate = (double)a_.lr;
    if (a_.scaled) rate *= size > (double)a_.least_scale ? size : (double)a_.least_scale;
    // A NaN goes through.
    const auto scale = (float)(excess <= 1 ? rate : rate / excess);
    const float left = a_.decay.decoupled ? (float)(1 - rate * (double)a_.decay.rate) : 1.0F;
    const int64_t width = t.c != nullptr ? t.columns : (rows.end - rows.begin) * t.columns;
    for (int64_t r = rows.begin; r < rows.end; r += t.c != nullptr ? 1 : rows.end - rows.begin) {
      const int64_t row = t.rows * rows.plane + r, first = row * t.columns;
      const Vec of_row =
          splat(t.c != nullptr ? scale * row_factor(t, part, rows.plane, row) : scale);
      for_columns(width, [&](int64_t k, auto at) {
        const int64_t j = first + k;
        const Vec p = at.get(t.p + j), g = gradient(t.g + j, p, at);
        Vec change = t.c != nullptr ? of_row * g * at.get(part.factors + rows.plane * t.columns + k)
                                    : of_row * g / WEFT_ISA::sqrt(at.get(t.v + j));
        if (t.m != nullptr) {
          change = fma(splat(a_.beta1), at.get(t.m + j), splat(1 - a_.beta1) * change);
          at.put(t.m + j, change);
        }
        at.put(t.p + j, p * splat(left) - change);
      });
    }
  }

  const Adafactor& a_;
  int64_t chunks_ = 0, planes_ = 0;
};

}  // namespace

void adafactor(const Adafactor& args) { Update(args).run(); }

}  // namespace weft::onednn::kernels::WEFT_ISA
