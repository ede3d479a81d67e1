// tests/kernels/attention_test.cpp -- additive attention, with gradients.
#include "tests/kernels/kernel_test.h"

#include <functional>

using namespace weft::test;

namespace {

enum class See { everything, lengths, keys, queries, nothing };

struct Problem {
  int64_t B, T, S, A, E;
  See see = See::everything;
  bool weights = false;
  float range = 2;  // of queries and keys
  k::Band band = {};
};

// All operands with padded rows, and the expected results in double.
struct Additive {
  Problem p;
  float scale = 0.7F;
  int64_t lq, lk, lv, lo;
  Floats q, k, v, va, dout, dweights;
  std::vector<uint8_t> mask, by_length;  // [B,Tq,S], [B,S]
  std::vector<double> a, out, lse, dq, dk, dv, dva;

  explicit Additive(const Problem& problem)
      : p(problem), lq(p.A + 3), lk(p.A + 1), lv(p.E + 5), lo(p.E + 2) {
    q = random_floats(p.B * p.T * lq, 1, -p.range, p.range);
    k = random_floats(p.B * p.S * lk, 2, -p.range, p.range);
    v = random_floats(p.B * p.S * lv, 3);
    va = random_floats(p.A, 4);
    dout = random_floats(p.B * p.T * lo, 5);
    dweights = random_floats(p.B * p.T * p.S, 6);
    mask = random_mask(p.B * p.T * p.S, 7);
    for (int64_t b = 0; b < p.B; ++b)
      for (int64_t j = 0; j < p.S; ++j)
        by_length.push_back(j < (b % 3 == 0 ? p.S : b % 3 == 1 ? 0 : p.S / 2));
    hide();
    forward();
    backward();
  }

  bool sees(int64_t b, int64_t t, int64_t j) const {
    if (j > t + p.band.ahead || j < t - p.band.behind) return false;
    switch (p.see) {
      case See::lengths:
        return by_length[b * p.S + j] != 0;
      case See::keys:
        return mask[b * p.S + j] != 0;
      case See::queries:
        return mask[(b * p.T + t) * p.S + j] != 0;
      case See::nothing:
        return false;
      default:
        return true;
    }
  }
  // NaN in every key and value that no query sees.
  void hide() {
    for (int64_t b = 0; b < p.B; ++b)
      for (int64_t j = 0; j < p.S; ++j) {
        bool seen = false;
        for (int64_t t = 0; t < p.T; ++t) seen = seen || sees(b, t, j);
        if (seen) continue;
        for (int64_t c = 0; c < p.A; ++c) k[(b * p.S + j) * lk + c] = kNaN;
        for (int64_t c = 0; c < p.E; ++c) v[(b * p.S + j) * lv + c] = kNaN;
      }
  }
  double tanh_at(int64_t b, int64_t t, int64_t j, int64_t c) const {
    return std::tanh(double(q[(b * p.T + t) * lq + c]) + k[(b * p.S + j) * lk + c]);
  }
  void forward() {
    a.assign(p.B * p.T * p.S, 0), out.assign(p.B * p.T * lo, -7), lse.assign(p.B * p.T, -kInf);
    for (int64_t b = 0; b < p.B; ++b)
      for (int64_t t = 0; t < p.T; ++t) {
        double* row = a.data() + (b * p.T + t) * p.S;
        double top = -kInf, sum = 0;
        for (int64_t j = 0; j < p.S; ++j) {
          if (!sees(b, t, j)) continue;
          for (int64_t c = 0; c < p.A; ++c) row[j] += scale * va[c] * tanh_at(b, t, j, c);
          top = std::fmax(top, row[j]);
        }
        for (int64_t j = 0; j < p.S; ++j)
          if (sees(b, t, j)) sum += row[j] = std::exp(row[j] - top);
        if (sum > 0) lse[b * p.T + t] = top + std::log(sum);
        for (int64_t c = 0; c < p.E; ++c) out[(b * p.T + t) * lo + c] = 0;
        for (int64_t j = 0; j < p.S; ++j) {
          if (!sees(b, t, j)) continue;
          row[j] /= sum;
          for (int64_t c = 0; c < p.E; ++c)
            out[(b * p.T + t) * lo + c] += row[j] * v[(b * p.S + j) * lv + c];
        }
      }
  }
  void backward() {
    dq.assign(p.B * p.T * lq, 0), dk.assign(p.B * p.S * lk, 0), dv.assign(p.B * p.S * lv, 0),
        dva.assign(p.A, 0);
    for (int64_t b = 0; b < p.B; ++b)
      for (int64_t t = 0; t < p.T; ++t) {
        const float* g = &dout[(b * p.T + t) * lo];
        std::vector<double> da(p.S, 0);
        double mean = 0;
        for (int64_t j = 0; j < p.S; ++j) {
          if (!sees(b, t, j)) continue;
          const double weight = a[(b * p.T + t) * p.S + j];
          for (int64_t c = 0; c < p.E; ++c) {
            da[j] += double(g[c]) * v[(b * p.S + j) * lv + c];
            dv[(b * p.S + j) * lv + c] += weight * g[c];
          }
          if (p.weights) da[j] += dweights[(b * p.T + t) * p.S + j];
          mean += weight * da[j];
        }
        for (int64_t j = 0; j < p.S; ++j) {
          if (!sees(b, t, j)) continue;
          const double ds = scale * a[(b * p.T + t) * p.S + j] * (da[j] - mean);
          for (int64_t c = 0; c < p.A; ++c) {
            const double h = tanh_at(b, t, j, c), w = ds * va[c] * (1 - h * h);
            dq[(b * p.T + t) * lq + c] += w;
            dk[(b * p.S + j) * lk + c] += w;
            dva[c] += ds * h;
          }
        }
      }
  }

  weft::onednn::kernels::Mask kernel_mask() const {
    if (p.see == See::lengths) return {by_length.data(), p.S, 0, 0, 1};
    if (p.see == See::keys) return {mask.data(), p.S, 0, 0, 1};
    if (p.see == See::queries) return {mask.data(), p.T * p.S, 0, p.S, 1};
    static const uint8_t none = 0;
    if (p.see == See::nothing) return {&none, 0, 0, 0, 0};
    return {};
  }

  struct Results {
    Floats out, weights, lse, dq, dk, dv, dva;
  };

  weft::onednn::kernels::AdditiveAttention forward_args(Results& r) const {
    r.out.assign(out.size(), -7), r.weights.assign(a.size(), -7), r.lse.assign(lse.size(), -7);
    return {.batch = p.B,
            .queries = p.T,
            .keys = p.S,
            .hidden = p.A,
            .width = p.E,
            .q = {q.data(), p.T * lq, 0, lq},
            .k = {k.data(), p.S * lk, 0, lk},
            .v = {v.data(), p.S * lv, 0, lv},
            .va = va.data(),
            .mask = kernel_mask(),
            .band = p.band,
            .scale = scale,
            .out = {r.out.data(), p.T * lo, 0, lo},
            .weights = {r.weights.data(), p.T * p.S, 0, p.S},
            .lse = {r.lse.data(), p.T, 0, 1}};
  }
  weft::onednn::kernels::AdditiveAttentionGrad grad_args(Results& r, bool add = false) const {
    r.dq.assign(dq.size(), -7), r.dk.assign(dk.size(), -7), r.dv.assign(dv.size(), -7),
        r.dva.assign(p.A, -7);
    return {.batch = p.B,
            .queries = p.T,
            .keys = p.S,
            .hidden = p.A,
            .width = p.E,
            .q = {q.data(), p.T * lq, 0, lq},
            .k = {k.data(), p.S * lk, 0, lk},
            .v = {v.data(), p.S * lv, 0, lv},
            .va = va.data(),
            .mask = kernel_mask(),
            .band = p.band,
            .scale = scale,
            .out = {r.out.data(), p.T * lo, 0, lo},
            .lse = {r.lse.data(), p.T, 0, 1},
            .dout = {dout.data(), p.T * lo, 0, lo},
            .dweights = {p.weights ? dweights.data() : nullptr, p.T * p.S, 0, p.S},
            .dq = {r.dq.data(), p.T * lq, 0, lq},
            .dk = {r.dk.data(), p.S * lk, 0, lk},
            .dv = {r.dv.data(), p.S * lv, 0, lv},
            .dva = r.dva.data(),
            .accumulate_dva = add};
  }
};

void run(weft::onednn::kernels::AdditiveAttention args) {
  std::vector<char> workspace(k::additive_attention_workspace_bytes(args));
  args.workspace = workspace.data();
  k::additive_attention(args);
}
void run(weft::onednn::kernels::AdditiveAttentionGrad args) {
  std::vector<char> workspace(k::additive_attention_grad_workspace_bytes(args));
  args.workspace = workspace.data();
  k::additive_attention_grad(args);
}

// Columns beyond the logical ones must not be written: they are left out of `expected` by position.
void check_rows(const Floats& found, const std::vector<double>& expected, int64_t ld, int64_t n,
                double tolerance) {
  std::vector<double> all(expected);
  for (size_t i = 0; i < all.size(); ++i)
    if (static_cast<int64_t>(i) % ld >= n) all[i] = -7;
  check_close(found, all, tolerance);
}

const Problem problems[] = {
    {2, 1, 5, 7, 3},    {1, 1, 25, 512, 64}, {1, 3, 1, 1, 1}, {3, 5, 9, 33, 17},
    {5, 4, 26, 64, 40}, {4, 9, 13, 16, 129}, {0, 3, 4, 5, 6}, {2, 0, 4, 5, 6},
    {2, 3, 0, 5, 6},    {20, 2, 11, 24, 16},
};

}  // namespace

TEST_CASE("additive_attention: values, weights and log-sum-exp under every mask") {
  for (Problem p : problems)
    for (const See see : {See::everything, See::lengths, See::keys, See::queries, See::nothing}) {
      p.see = see;
      const Additive x(p);
      on_every_machine([&] {
        Additive::Results r;
        run(x.forward_args(r));
        INFO(p.B, "x", p.T, "x", p.S, "x", p.A, "x", p.E, " mask ", static_cast<int>(see));
        // Scores are sums of A terms of size up to 1, each with an error of a few 1e-7.
        check_rows(r.out, x.out, x.lo, p.E, 1e-5);
        check_close(r.weights, x.a, 1e-5);
        check_close(r.lse, x.lse, 1e-5);
      });
    }
}

TEST_CASE("additive_attention_grad: all four gradients under every mask") {
  for (Problem p : problems)
    for (const See see : {See::everything, See::lengths, See::keys, See::queries, See::nothing})
      for (const bool weights : {false, true}) {
        p.see = see, p.weights = weights;
        const Additive x(p);
        on_every_machine([&] {
          for (const bool add : {false, true}) {
            Additive::Results r;
            run(x.forward_args(r));
            run(x.grad_args(r, add));
            INFO(p.B, "x", p.T, "x", p.S, "x", p.A, "x", p.E, " mask ", static_cast<int>(see),
                 " added ", add);
            check_rows(r.dq, x.dq, x.lq, p.A, 2e-5);
            check_rows(r.dk, x.dk, x.lk, p.A, 2e-5);
            check_rows(r.dv, x.dv, x.lv, p.E, 2e-5);
            std::vector<double> dva = x.dva;
            for (double& d : dva) d -= add ? 7 : 0;
            check_close(r.dva, dva, 5e-5);  // a sum over all of B*Tq*S
          }
        });
      }
}

TEST_CASE("additive_attention: windows of one key, of some and of more than there are") {
  for (Problem p : problems)
    for (const k::Band band : {k::Band{0, 0}, k::Band{k::kNoLimit, 0}, k::Band{2, 1}, k::Band{7, 0},
                               k::Band{0, k::kNoLimit}, k::Band{1 << 30, 1 << 30}})
      for (const See see : {See::everything, See::lengths, See::queries}) {
        p.see = see, p.weights = see == See::lengths, p.band = band;
        const Additive x(p);
        on_every_machine([&] {
          Additive::Results r;
          run(x.forward_args(r));
          run(x.grad_args(r));
          INFO(p.B, "x", p.T, "x", p.S, "x", p.A, "x", p.E, " mask ", static_cast<int>(see),
               " band ", band.behind, ",", band.ahead);
          check_rows(r.out, x.out, x.lo, p.E, 1e-5);
          check_close(r.weights, x.a, 1e-5);
          check_close(r.lse, x.lse, 1e-5);
          check_rows(r.dq, x.dq, x.lq, p.A, 2e-5);
          check_rows(r.dk, x.dk, x.lk, p.A, 2e-5);
          check_rows(r.dv, x.dv, x.lv, p.E, 2e-5);
          check_close(r.dva, x.dva, 5e-5);
        });
      }
}

TEST_CASE("additive_attention: a window needs memory for the window, not for all keys") {
  k::AdditiveAttentionGrad dense{.batch = 1, .queries = 4096, .keys = 4096, .hidden = 64};
  k::AdditiveAttentionGrad near = dense;
  near.band = {255, 0};
  CHECK(k::additive_attention_grad_workspace_bytes(near) * 8 <
        k::additive_attention_grad_workspace_bytes(dense));
}

TEST_CASE(
    "additive_attention: many queries, of any size: tiny, large, beyond where e^2x is a float") {
  for (const float range : {1e-3F, 10.0F, 43.5F, 60.0F, 1e4F})
    for (const See see : {See::everything, See::keys, See::queries}) {
      const Additive x({2, 11, 13, 20, 24, see, true, range});
      on_every_machine([&] {
        Additive::Results r;
        run(x.forward_args(r));
        run(x.grad_args(r));
        INFO("range ", range, " mask ", static_cast<int>(see));
        check_rows(r.out, x.out, x.lo, x.p.E, 1e-5);
        // A float near 1e4 is off by up to 5e-4, its tanh where it matters by as much.
        const double slope = range > 100 ? 1e-3 : 3e-5;
        check_rows(r.dq, x.dq, x.lq, x.p.A, slope);
        check_rows(r.dk, x.dk, x.lk, x.p.A, slope);
        check_close(r.dva, x.dva, 3e-5);
      });
    }
}

TEST_CASE("additive_attention_grad: what is not wanted is not needed by the rest") {
  const Additive x({3, 6, 10, 40, 24, See::lengths});
  on_every_machine([&] {
    Additive::Results all, one;
    run(x.forward_args(all));
    one = all;
    run(x.grad_args(all));
    for (int only = 0; only < 4; ++only) {
      auto args = x.grad_args(one);
      if (only != 0) args.dq.data = nullptr;
      if (only != 1) args.dk.data = nullptr;
      if (only != 2) args.dv.data = nullptr;
      if (only != 3) args.dva = nullptr;
      run(args);
      if (only == 0) CHECK(one.dq == all.dq);
      if (only == 1) CHECK(one.dk == all.dk);
      if (only == 2) CHECK(one.dv == all.dv);
      if (only == 3) CHECK(one.dva == all.dva);
    }
  });
}

TEST_CASE("additive_attention: the bits depend neither on the number of threads nor on the batch") {
  for (const Problem& p : {Problem{1, 1, 25, 512, 64}, Problem{3, 7, 25, 96, 72},
                           Problem{2, 5, 19, 512, 100, See::queries}, Problem{1, 21, 26, 96, 40},
                           Problem{3, 13, 25, 40, 24, See::lengths, false, 60},
                           Problem{1, 40, 40, 48, 24, See::everything, false, 2, {5, 2}}}) {
    const Additive x(p);
    same_bits_for_every_team([&] {
      Additive::Results r;
      run(x.forward_args(r));
      run(x.grad_args(r));
      Floats all = r.out;
      for (const Floats* part : {&r.dq, &r.dk, &r.dv, &r.dva})
        all.insert(all.end(), part->begin(), part->end());
      return all;
    });
  }
  const Additive many({4, 5, 19, 64, 40});
  Additive::Results together, alone;
  run(many.forward_args(together));
  auto args = many.forward_args(alone);
  args.batch = 1, args.queries = 1;
  run(args);
  CHECK(std::memcmp(alone.out.data(), together.out.data(), 40 * sizeof(float)) == 0);
}
