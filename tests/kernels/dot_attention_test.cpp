// tests/kernels/dot_attention_test.cpp -- dot attention and its gradients against plain loops in
// double.
#include "tests/kernels/kernel_test.h"

#include <algorithm>

using namespace weft::test;

namespace {

enum class See { everything, keys, prefix, pairs, queries, nothing };
enum class Add { nothing, pairs, heads, keys, queries };  // bias

constexpr k::Band kCausal{k::kNoLimit, 0};
constexpr k::Band kBands[] = {{0, 0},           {6, 0},
                              {0, 2},           {5, 5},
                              {30, 0},          {k::kNoLimit, 3},
                              {100, 7},         {40, k::kNoLimit},
                              {0, k::kNoLimit}, {1 << 30, 1 << 30}};

struct Problem {
  int64_t B, H, T, S, D, E;
  See see = See::everything;
  Add add = Add::nothing;
  k::Band band = {};
  bool dropout = false, weights = false, packed = false;
  int64_t column = 1;  // distance of dropout's elements
  float scale = 0.4F;
};

// What the adjoint reads as the forward pass does, and what that made.
k::DotAttentionGrad adjoint_of(const k::DotAttention& f) {
  return {.batch = f.batch,
          .heads = f.heads,
          .queries = f.queries,
          .keys = f.keys,
          .hidden = f.hidden,
          .width = f.width,
          .q = f.q,
          .k = f.k,
          .v = f.v,
          .mask = f.mask,
          .band = f.band,
          .bias = f.bias,
          .scale = f.scale,
          .dropout = f.dropout,
          .out = {f.out.data, f.out.batch, f.out.head, f.out.row, f.out.start},
          .lse = {f.lse.data, f.lse.batch, f.lse.head, f.lse.row, f.lse.start}};
}

// All operands with padded rows, [B,T,H*(D+..)] where not packed, and the expected results.
struct Dot {
  Problem p;
  float scale = p.scale;
  int64_t lq, lk, lv;
  Floats q, k, v, dout, dweights, bias;
  std::vector<uint8_t> mask;
  std::vector<int64_t> ids;
  std::vector<int32_t> positions;
  std::vector<double> a, out, lse, dq, dk, dv, dbias;
  k::WeightDropout drop;
  k::Bias where;  // of bias, data aside
  int64_t bias_size = 0;

  explicit Dot(const Problem& problem) : p(problem), lq(p.D + 3), lk(p.D + 1), lv(p.E + 5) {
    q = random_floats(p.B * p.T * p.H * lq, 1, -2, 2);
    k = random_floats(p.B * p.S * p.H * lk, 2, -2, 2);
    v = random_floats(p.B * p.S * p.H * lv, 3);
    dout = random_floats(p.B * p.T * p.H * lv, 5);
    dweights = random_floats(p.B * p.H * p.T * p.S, 6);
    mask = random_mask(p.B * std::max<int64_t>(p.T, 1) * std::max<int64_t>(p.S, 1), 7);
    for (int64_t b = 0; b < p.B && p.see == See::prefix; ++b)
      for (int64_t j = 0; j < p.S; ++j)
        mask[b * p.S + j] = j < (b % 3 == 0 ? p.S : b % 3 == 1 ? 1 : p.S * 2 / 3);
    if (p.add == Add::pairs)
      where = {nullptr, p.H * p.T * p.S, p.T * p.S, p.S, 1}, bias_size = p.B * p.H * p.T * p.S;
    if (p.add == Add::heads) where = {nullptr, 0, p.T * p.S, p.S, 1}, bias_size = p.H * p.T * p.S;
    if (p.add == Add::keys) where = {nullptr, p.S, 0, 0, 1}, bias_size = p.B * p.S;
    if (p.add == Add::queries) where = {nullptr, 0, p.T, 1, 0}, bias_size = p.H * p.T;
    bias = random_floats(bias_size, 8);
    for (int64_t b = 0; b < p.B; ++b) ids.push_back(b * 77 + (int64_t{1} << 33));
    for (int64_t t = 0; t < p.T; ++t) positions.push_back(static_cast<int32_t>(t + 5));
    if (p.dropout) {
      drop = {.on = true,
              .threshold = k::philox_threshold(0.7),
              .factor = 1 / 0.7F,
              .stream = 9876543210123,
              .step = 11,
              .row_id = ids.data(),
              .position = p.column == 1 ? nullptr : positions.data(),
              .position_row = 1};
      drop.column = p.column;
      drop.row = p.column == 1 ? p.S : 0, drop.head = p.column == 1 ? p.T * p.S : 1;
    }
    hide();
    compute();
  }

  bool sees(int64_t b, int64_t t, int64_t j) const {
    if (j > t + p.band.ahead || j < t - p.band.behind) return false;
    switch (p.see) {
      case See::keys:
      case See::prefix:
        return mask[b * p.S + j] != 0;
      case See::pairs:
        return mask[(b * p.T + t) * p.S + j] != 0;
      case See::queries:
        return mask[b * p.T + t] != 0;
      case See::nothing:
        return false;
      default:
        return true;
    }
  }
  k::Mask kernel_mask() const {
    static const uint8_t none = 0;
    switch (p.see) {
      case See::keys:
      case See::prefix:
        return {mask.data(), p.S, 0, 0, 1};
      case See::pairs:
        return {mask.data(), p.T * p.S, 0, p.S, 1};
      case See::queries:
        return {mask.data(), p.T, 0, 1, 0};
      case See::nothing:
        return {&none, 0, 0, 0, 0};
      default:
        return {};
    }
  }
  // NaN in every key and value that a mask of keys hides.
  void hide() {
    if (p.see != See::keys && p.see != See::prefix && p.see != See::nothing) return;
    for (int64_t b = 0; b < p.B; ++b)
      for (int64_t h = 0; h < p.H; ++h)
        for (int64_t j = 0; j < p.S; ++j) {
          if (p.see != See::nothing && mask[b * p.S + j]) continue;
          for (int64_t c = 0; c < p.D; ++c) k[k_at(b, h, j) + c] = kNaN;
          for (int64_t c = 0; c < p.E; ++c) v[v_at(b, h, j) + c] = kNaN;
        }
  }
  int64_t at(int64_t b, int64_t h, int64_t t, int64_t rows, int64_t ld) const {
    return p.packed ? ((b * p.H + h) * rows + t) * ld : ((b * rows + t) * p.H + h) * ld;
  }
  int64_t q_at(int64_t b, int64_t h, int64_t t) const { return at(b, h, t, p.T, lq); }
  int64_t k_at(int64_t b, int64_t h, int64_t t) const { return at(b, h, t, p.S, lk); }
  int64_t v_at(int64_t b, int64_t h, int64_t t) const { return at(b, h, t, p.S, lv); }
  int64_t o_at(int64_t b, int64_t h, int64_t t) const { return at(b, h, t, p.T, lv); }
  template <class T>
  k::Heads<T> heads(T* data, int64_t rows, int64_t ld) const {
    return {data, rows * p.H * ld, p.packed ? rows * ld : ld, p.packed ? ld : p.H * ld};
  }
  int64_t bias_at(int64_t b, int64_t h, int64_t t, int64_t j) const {
    return b * where.batch + h * where.head + t * where.row + j * where.column;
  }
  double kept(int64_t b, int64_t h, int64_t t, int64_t j) const {
    if (!p.dropout) return 1;
    const int64_t element = h * drop.head + t * drop.row + j * drop.column;
    const int64_t position = drop.position == nullptr ? 0 : drop.position[t];
    return k::philox_bits(drop.stream, drop.step, ids[b], position, element) < drop.threshold
               ? double(drop.factor)
               : 0;
  }

  void compute() {
    a.assign(p.B * p.H * p.T * p.S, 0), out.assign(dout.size(), -7),
        lse.assign(p.B * p.H * p.T, -kInf);
    dq.assign(q.size(), -7), dk.assign(k.size(), -7), dv.assign(v.size(), -7),
        dbias.assign(bias_size, 0);
    for (int64_t b = 0; b < p.B; ++b)
      for (int64_t h = 0; h < p.H; ++h) {
        for (int64_t j = 0; j < p.S; ++j) {
          for (int64_t c = 0; c < p.D; ++c) dk[k_at(b, h, j) + c] = 0;
          for (int64_t c = 0; c < p.E; ++c) dv[v_at(b, h, j) + c] = 0;
        }
        for (int64_t t = 0; t < p.T; ++t) query(b, h, t);
      }
  }
  void query(int64_t b, int64_t h, int64_t t) {
    double* row = a.data() + ((b * p.H + h) * p.T + t) * p.S;
    const float* w = dweights.data() + ((b * p.H + h) * p.T + t) * p.S;
    const float* g = dout.data() + o_at(b, h, t);
    double top = -kInf, sum = 0, mean = 0;
    for (int64_t j = 0; j < p.S; ++j) {
      if (!sees(b, t, j)) continue;
      for (int64_t c = 0; c < p.D; ++c)
        row[j] += double(scale) * q[q_at(b, h, t) + c] * k[k_at(b, h, j) + c];
      if (bias_size > 0) row[j] += bias[bias_at(b, h, t, j)];
      top = std::fmax(top, row[j]);
    }
    for (int64_t j = 0; j < p.S; ++j)
      if (sees(b, t, j)) sum += row[j] = std::exp(row[j] - top);
    if (sum > 0) lse[(b * p.H + h) * p.T + t] = top + std::log(sum);
    double *o = out.data() + o_at(b, h, t), *dq_t = dq.data() + q_at(b, h, t);
    for (int64_t c = 0; c < p.E; ++c) o[c] = 0;
    for (int64_t c = 0; c < p.D; ++c) dq_t[c] = 0;
    std::vector<double> da(p.S, 0);
    for (int64_t j = 0; j < p.S; ++j) {
      if (!sees(b, t, j)) continue;
      row[j] /= sum;
      const double z = kept(b, h, t, j);
      for (int64_t c = 0; c < p.E; ++c) {
        o[c] += z * row[j] * v[v_at(b, h, j) + c];
        da[j] += z * g[c] * v[v_at(b, h, j) + c];
        dv[v_at(b, h, j) + c] += z * row[j] * g[c];
      }
      if (p.weights) da[j] += w[j];
      mean += row[j] * da[j];
    }
    for (int64_t j = 0; j < p.S; ++j) {
      if (!sees(b, t, j)) continue;
      const double ds = row[j] * (da[j] - mean);
      if (bias_size > 0) dbias[bias_at(b, h, t, j)] += ds;
      for (int64_t c = 0; c < p.D; ++c) {
        dq_t[c] += scale * ds * k[k_at(b, h, j) + c];
        dk[k_at(b, h, j) + c] += scale * ds * q[q_at(b, h, t) + c];
      }
    }
  }

  struct Results {
    Floats out, weights, lse, dq, dk, dv, dbias;
  };

  k::DotAttention forward_args(Results& r) const {
    r.out.assign(out.size(), -7), r.weights.assign(a.size(), -7), r.lse.assign(lse.size(), -7);
    k::DotAttention args{.batch = p.B,
                         .heads = p.H,
                         .queries = p.T,
                         .keys = p.S,
                         .hidden = p.D,
                         .width = p.E,
                         .q = heads(q.data(), p.T, lq),
                         .k = heads(k.data(), p.S, lk),
                         .v = heads(v.data(), p.S, lv),
                         .mask = kernel_mask(),
                         .band = p.band,
                         .bias = where,
                         .scale = scale,
                         .dropout = drop,
                         .out = heads(r.out.data(), p.T, lv),
                         .weights = {r.weights.data(), p.H * p.T * p.S, p.T * p.S, p.S},
                         .lse = {r.lse.data(), p.H * p.T, p.T, 1}};
    args.bias.data = bias_size > 0 ? bias.data() : nullptr;
    return args;
  }
  k::DotAttentionGrad grad_args(Results& r) const {
    r.dq.assign(dq.size(), -7), r.dk.assign(dk.size(), -7), r.dv.assign(dv.size(), -7),
        r.dbias.assign(bias_size, 0);
    const k::DotAttention f = forward_args(r);
    k::DotAttentionGrad grad = adjoint_of(f);
    grad.dout = heads(dout.data(), p.T, lv);
    grad.dweights = {p.weights ? dweights.data() : nullptr, p.H * p.T * p.S, p.T * p.S, p.S};
    grad.dq = heads(r.dq.data(), p.T, lq), grad.dk = heads(r.dk.data(), p.S, lk),
    grad.dv = heads(r.dv.data(), p.S, lv);
    grad.dbias = {bias_size > 0 ? r.dbias.data() : nullptr, where.batch, where.head, where.row,
                  where.column};
    return grad;
  }
};

void run(k::DotAttention args) {
  std::vector<char> workspace(k::dot_attention_workspace_bytes(args));
  args.workspace = workspace.data();
  k::dot_attention(args);
}
void run(k::DotAttentionGrad args) {
  std::vector<char> workspace(k::dot_attention_grad_workspace_bytes(args));
  args.workspace = workspace.data();
  k::dot_attention_grad(args);
}
void run(const Dot& x, Dot::Results& r) {
  run(x.forward_args(r));
  const k::DotAttentionGrad grad = x.grad_args(r);
  run(x.forward_args(r));
  run(grad);
}

std::string name(const Problem& p) {
  std::string s;
  for (const int64_t n : {p.B, p.H, p.T, p.S, p.D, p.E}) s += std::to_string(n) + " ";
  return s + "mask " + std::to_string(static_cast<int>(p.see)) + " bias " +
         std::to_string(static_cast<int>(p.add)) + " band " + std::to_string(p.band.behind) + "," +
         std::to_string(p.band.ahead) + (p.dropout ? " dropout " + std::to_string(p.column) : "") +
         (p.weights ? " weights" : "");
}

// Scores are sums of D products up to 4, each with an error of a few 1e-7, and a weight's relative
// error is its score's absolute one.
void check(const Dot& x) {
  Dot::Results r;
  run(x, r);
  INFO(name(x.p));
  check_close(r.out, x.out, 2e-5);
  check_close(r.weights, x.a, 2e-5);
  check_close(r.lse, x.lse, 1e-5);
  check_close(r.dq, x.dq, 5e-5);
  check_close(r.dk, x.dk, 5e-5);
  check_close(r.dv, x.dv, 5e-5);
  check_close(r.dbias, x.dbias, 5e-5);
}

const Problem problems[] = {
    {2, 2, 1, 5, 7, 3},      {1, 1, 1, 300, 64, 64}, {1, 3, 2, 1, 1, 1},
    {2, 2, 3, 33, 17, 40},   {1, 2, 5, 9, 8, 16},    {2, 1, 17, 25, 33, 17},
    {1, 2, 97, 100, 16, 24}, {3, 2, 40, 64, 64, 64}, {1, 1, 200, 131, 20, 9},
    {0, 2, 7, 5, 4, 4},      {2, 2, 0, 5, 4, 4},     {2, 2, 7, 0, 4, 4},
};

}  // namespace

TEST_CASE("dot_attention: values and gradients under every mask, causal or not") {
  for (Problem p : problems)
    for (const See see :
         {See::everything, See::keys, See::prefix, See::pairs, See::queries, See::nothing})
      for (const bool causal : {false, true}) {
        p.see = see, p.band = causal ? kCausal : k::Band{}, p.packed = causal;
        const Dot x(p);
        on_every_machine([&] { check(x); });
      }
}

TEST_CASE("dot_attention: windows of one key, of some and of more than there are, on either side") {
  for (Problem p : problems)
    for (const k::Band band : kBands)
      for (const See see : {See::everything, See::prefix, See::pairs}) {
        p.see = see, p.band = band, p.packed = band.ahead == 0;
        p.add = see == See::pairs ? Add::heads : Add::nothing;
        p.dropout = p.weights = see == See::prefix, p.column = band.ahead == 0 ? 3 : 1;
        const Dot x(p);
        on_every_machine([&] { check(x); });
      }
}

TEST_CASE("dot_attention: windows over scores so large that sums are made again") {
  for (const int64_t queries : {4, 330}) {
    Problem p{1, 2, queries, 330, 16, 24, See::prefix};
    p.band = {70, 2}, p.scale = 20, p.weights = true;
    const Dot x(p);
    CHECK(*std::max_element(x.lse.begin(), x.lse.end()) > 100);
    on_every_machine([&] {
      Dot::Results r;
      run(x, r);
      // Scores of hundreds are off by some 1e-5, and their weights by as much of themselves.
      check_close(r.out, x.out, 1e-3);
      check_close(r.dq, x.dq, 1e-3);
      check_close(r.dk, x.dk, 1e-3);
      check_close(r.dv, x.dv, 1e-3);
    });
  }
}

TEST_CASE("dot_attention: queries whose window lies behind the last key get zeros") {
  for (const int64_t queries : {4, 8, 300}) {
    const Dot x({1, 2, queries, 2, 16, 16, See::everything, Add::nothing, {1, 0}});
    on_every_machine([&] { check(x); });
    CHECK(x.lse.back() == -kInf);
  }
}

TEST_CASE("dot_attention: every bias and its gradient, gradients of the weights") {
  for (Problem p : problems)
    for (const Add add : {Add::pairs, Add::heads, Add::keys, Add::queries})
      for (const bool weights : {false, true}) {
        p.add = add, p.weights = weights, p.see = weights ? See::prefix : See::everything;
        const Dot x(p);
        on_every_machine([&] { check(x); });
      }
}

TEST_CASE("dot_attention: dropout from the counter, however its elements are laid out") {
  for (Problem p : problems)
    for (const int64_t column : {1, 2, 3, 4, 8})
      for (const bool weights : {false, true}) {
        p.dropout = true, p.column = column, p.weights = weights,
        p.see = weights ? See::keys : See::everything;
        const Dot x(p);
        on_every_machine([&] { check(x); });
      }
}

TEST_CASE("dot_attention_grad: what is not wanted is not needed by the rest") {
  for (const int64_t queries : {2, 40}) {
    const Dot x({2, 2, queries, 110, 24, 16, See::prefix, Add::heads});
    on_every_machine([&] {
      Dot::Results all, one;
      run(x, all);
      one = all;
      for (int only = 0; only < 3; ++only) {
        auto args = x.grad_args(one);
        run(x.forward_args(one));
        args.dbias = {};
        if (only != 0) args.dq.data = nullptr;
        if (only != 1) args.dk.data = nullptr;
        if (only != 2) args.dv.data = nullptr;
        run(args);
        if (only == 0) check_close(one.dq, std::vector<double>(all.dq.begin(), all.dq.end()), 1e-5);
        if (only == 1) check_close(one.dk, std::vector<double>(all.dk.begin(), all.dk.end()), 1e-5);
        if (only == 2) check_close(one.dv, std::vector<double>(all.dv.begin(), all.dv.end()), 1e-5);
      }
    });
  }
}

TEST_CASE("dot_attention: the bits do not depend on the number of threads") {
  for (const Problem& p :
       {Problem{1, 1, 1, 700, 64, 64, See::keys}, Problem{1, 2, 150, 400, 32, 40, See::prefix},
        Problem{2, 2, 30, 200, 64, 64, See::pairs, Add::heads, kCausal, true},
        Problem{1, 2, 330, 330, 32, 32, See::prefix, Add::nothing, {70, 0}, true, true}}) {
    const Dot x(p);
    same_bits_for_every_team([&] {
      Dot::Results r;
      run(x, r);
      Floats all = r.out;
      for (const Floats* part : {&r.lse, &r.weights, &r.dq, &r.dk, &r.dv, &r.dbias})
        all.insert(all.end(), part->begin(), part->end());
      return all;
    });
  }
}

TEST_CASE("dot_attention: a sentence's bits depend neither on its batch nor on its padding") {
  for (const int64_t queries : {1, 6, 40}) {
    Problem p{4, 2, queries, 300, 32, 24, See::prefix};
    const Dot x(p);
    Dot::Results together, alone;
    run(x.forward_args(together));
    auto args = x.forward_args(alone);
    args.batch = 1;
    args.q.data += 2 * args.q.batch, args.k.data += 2 * args.k.batch,
        args.v.data += 2 * args.v.batch;
    args.mask = {}, args.keys = p.S * 2 / 3, args.weights = {};
    run(args);
    CHECK(std::memcmp(alone.out.data(), together.out.data() + 2 * args.out.batch,
                      static_cast<size_t>(args.out.batch) * sizeof(float)) == 0);
  }
}

TEST_CASE("dot_attention_grad: a sentence's bits depend neither on its batch nor on its padding") {
  for (const int64_t batch : {4, 12})  // ranges of keys apart, and one after the other
    for (const int64_t queries : {3, 40, 130}) {
      Problem p{batch, 2, queries, 1350, 32, 24, See::prefix};
      const Dot x(p);
      Dot::Results together, alone;
      run(x, together);
      auto args = x.grad_args(alone);
      alone.lse = together.lse, alone.out = together.out;
      args.batch = 1, args.keys = p.S * 2 / 3, args.mask = {};
      for (k::Heads<const float>* of :
           {&args.q, &args.k, &args.v, &args.out, &args.lse, &args.dout})
        of->data += 2 * of->batch;
      run(args);
      CHECK(args.keys > 3 * 288);  // the sum over keys is that of several
      const auto same = [](const Floats& one, const Floats& all, int64_t stride, int64_t n) {
        return std::memcmp(one.data(), all.data() + 2 * stride,
                           static_cast<size_t>(n) * sizeof(float)) == 0;
      };
      CHECK(same(alone.dq, together.dq, args.dq.batch, args.dq.batch));
      CHECK(same(alone.dk, together.dk, args.dk.batch, args.keys * args.dk.row));
      CHECK(same(alone.dv, together.dv, args.dv.batch, args.keys * args.dv.row));
    }
}

namespace {

// Sequences one after the other, rows [H*ld]; the same kernel on each alone is what is expected.
struct Sequences {
  std::vector<int64_t> queries, keys;
  int64_t H = 2, D = 24, E = 16;
  k::Band band = {};
  bool dropout = false, biased = false;

  static std::vector<int64_t> starts(const std::vector<int64_t>& lengths) {
    std::vector<int64_t> at{0};
    for (const int64_t n : lengths) at.push_back(at.back() + n);
    return at;
  }
  static int64_t longest(const std::vector<int64_t>& lengths) {
    return *std::max_element(lengths.begin(), lengths.end());
  }

  struct Out {
    Floats out, lse, dq, dk, dv, dbias;
  };

  // All in one run of the kernels, or each in one of its own.
  Out results(bool together) const {
    const auto B = static_cast<int64_t>(queries.size());
    const std::vector<int64_t> q_start = starts(queries), k_start = starts(keys);
    const int64_t N = q_start.back(), M = k_start.back(), T = longest(queries), S = longest(keys);
    const Floats q = random_floats(N * H * D, 1, -2, 2), k = random_floats(M * H * D, 2, -2, 2),
                 v = random_floats(M * H * E, 3), dout = random_floats(N * H * E, 4),
                 bias = random_floats(H * T * S, 5);
    std::vector<int64_t> ids;
    for (int64_t b = 0; b < B; ++b) ids.push_back(b * 31 + 7);
    k::WeightDropout drop{.on = dropout,
                          .threshold = k::philox_threshold(0.7),
                          .factor = 1 / 0.7F,
                          .stream = 99,
                          .step = 3,
                          .row_id = ids.data(),
                          .head = T * S,
                          .row = S};
    Out to{Floats(N * H * E, -7), Floats(N * H, -7),     Floats(N * H * D, -7),
           Floats(M * H * D, -7), Floats(M * H * E, -7), Floats(H * T * S, 0)};
    const auto run_on = [&](int64_t b, bool packed) {
      // Of sequence b alone, or of all.
      const int64_t at_q = packed ? 0 : q_start[b], at_k = packed ? 0 : k_start[b];
      const int64_t *qs = packed ? q_start.data() : nullptr,
                    *ks = packed ? k_start.data() : nullptr;
      k::DotAttention f{.batch = packed ? B : 1,
                        .heads = H,
                        .queries = packed ? T : queries[b],
                        .keys = packed ? S : keys[b],
                        .hidden = D,
                        .width = E,
                        .q = {q.data() + at_q * H * D, 0, D, H * D, qs},
                        .k = {k.data() + at_k * H * D, 0, D, H * D, ks},
                        .v = {v.data() + at_k * H * E, 0, E, H * E, ks},
                        .bias = {biased ? bias.data() : nullptr, 0, T * S, S, 1},
                        .scale = 0.4F,
                        .dropout = drop,
                        .out = {to.out.data() + at_q * H * E, 0, E, H * E, qs},
                        .lse = {to.lse.data() + at_q * H, 0, 1, H, qs}};
      f.band = band;
      f.dropout.row_id += packed ? 0 : b;
      run(f);
      k::DotAttentionGrad grad = adjoint_of(f);
      grad.dout = {dout.data() + at_q * H * E, 0, E, H * E, qs};
      grad.dq = {to.dq.data() + at_q * H * D, 0, D, H * D, qs};
      grad.dk = {to.dk.data() + at_k * H * D, 0, D, H * D, ks};
      grad.dv = {to.dv.data() + at_k * H * E, 0, E, H * E, ks};
      grad.dbias = {biased ? to.dbias.data() : nullptr, 0, T * S, S, 1};
      run(grad);
    };
    if (together) run_on(0, true);
    for (int64_t b = 0; b < B && !together; ++b) run_on(b, false);
    return to;
  }

  void check() const {
    const Out together = results(true), alone = results(false);
    for (Floats Out::*part : {&Out::out, &Out::lse, &Out::dq, &Out::dk, &Out::dv, &Out::dbias}) {
      const Floats& expected = alone.*part;
      check_close(together.*part, std::vector<double>(expected.begin(), expected.end()), 2e-5);
    }
  }
};

}  // namespace

TEST_CASE("dot_attention: packed sequences are each the sequence alone") {
  const std::vector<int64_t> many{0, 1, 5, 40, 97, 3, 12}, others{4, 0, 33, 100, 231, 1, 12},
      few{3, 2, 0}, one{300};
  for (const bool dropout : {false, true})
    for (const bool biased : {false, true}) {
      CAPTURE(dropout);
      CAPTURE(biased);
      on_every_machine([&] {
        Sequences{many, others, 2, 24, 16, {}, dropout, biased}.check();
        Sequences{many, many, 3, 64, 64, kCausal, dropout, biased}.check();
        Sequences{many, many, 3, 64, 64, {9, 0}, dropout, biased}.check();
        Sequences{many, others, 2, 24, 16, {50, 3}, dropout, biased}.check();
        Sequences{few, {2, 9, 1}, 1, 7, 5, {}, dropout, biased}.check();
        Sequences{few, {700, 90, 260}, 2, 32, 24, {}, dropout, biased}.check();
        Sequences{few, {700, 90, 260}, 2, 32, 24, {1, 200}, dropout, biased}.check();
        Sequences{one, {700}, 1, 32, 32, {}, dropout, biased}.check();
      });
    }
}

TEST_CASE("dot_attention: bits of packed sequences do not depend on the number of threads") {
  const Sequences x{{250, 100, 30}, {300, 400, 90}, 2, 32, 24, {}, true, true};
  same_bits_for_every_team([&] {
    const Sequences::Out r = x.results(true);
    Floats all = r.out;
    for (const Floats* part : {&r.lse, &r.dq, &r.dk, &r.dv, &r.dbias})
      all.insert(all.end(), part->begin(), part->end());
    return all;
  });
}
