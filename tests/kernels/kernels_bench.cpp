// tests/kernels/kernels_bench.cpp -- rates of the kernels on the shapes of the attention RNN,
// beside the peak.
//
//   weft_kernels_bench        (threads as OpenMP has them; WEFT_ISA limits the instruction set)
#include "backends/onednn/kernels/kernels.h"

#include <omp.h>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace k = weft::onednn::kernels;

namespace {

using Floats = std::vector<float>;

// Seconds of the fastest of some runs.
template <class Body>
double best(const Body& body) {
  body();
  double least = 1e9;
  const double start = omp_get_wtime();
  for (int i = 0; i < 200 && (i < 5 || omp_get_wtime() - start < 0.6); ++i) {
    const double before = omp_get_wtime();
    body();
    least = std::min(least, omp_get_wtime() - before);
  }
  return least;
}

Floats values(int64_t n) {
  Floats x(static_cast<size_t>(n));
  uint32_t state = 1;
  for (float& value : x) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 8) * (2.0F / 16777216.0F) - 1.0F;
  }
  return x;
}

void additive(const char* name, const k::Peak& peak, int64_t B, int64_t T, int64_t S, int64_t A,
              int64_t E) {
  const int64_t la = A + 16, le = E + 16;
  const Floats q = values(B * T * la), key = values(B * S * la), v = values(B * S * le),
               va = values(A), dout = values(B * T * le);
  Floats out(B * T * le), lse(B * T), dq(B * T * la), dk(B * S * la), dv(B * S * le), dva(A);
  k::AdditiveAttention f{.batch = B,
                         .queries = T,
                         .keys = S,
                         .hidden = A,
                         .width = E,
                         .q = {q.data(), T * la, 0, la},
                         .k = {key.data(), S * la, 0, la},
                         .v = {v.data(), S * le, 0, le},
                         .va = va.data(),
                         .out = {out.data(), T * le, 0, le},
                         .lse = {lse.data(), T, 0, 1}};
  std::vector<char> space(k::additive_attention_workspace_bytes(f));
  f.workspace = space.data();
  k::AdditiveAttentionGrad g{.batch = B,
                             .queries = T,
                             .keys = S,
                             .hidden = A,
                             .width = E,
                             .q = {q.data(), T * la, 0, la},
                             .k = {key.data(), S * la, 0, la},
                             .v = {v.data(), S * le, 0, le},
                             .va = va.data(),
                             .out = {out.data(), T * le, 0, le},
                             .lse = {lse.data(), T, 0, 1},
                             .dout = {dout.data(), T * le, 0, le},
                             .dq = {dq.data(), T * la, 0, la}};
  std::vector<char> grad_space(k::additive_attention_grad_workspace_bytes(g));
  g.workspace = grad_space.data();
  const double elements = static_cast<double>(B * T * S) * static_cast<double>(A);
  const auto print = [&](const char* what, double seconds) {
    const double rate = elements / seconds * 1e-9;
    std::printf(
        "%-14s B=%-3ld T=%-3ld S=%-3ld A=%-4ld E=%-4ld  %-10s %9.1f us  %6.2f Gtanh/s  %5.1f %% of "
        "the tanh peak\n",
        name, B, T, S, A, E, what, seconds * 1e6, rate, 100 * rate / peak.gtanh);
  };
  print("forward", best([&] { k::additive_attention(f); }));
  print("dq", best([&] { k::additive_attention_grad(g); }));
  const k::Heads<float> dq_to = g.dq, dv_to{dv.data(), S * le, 0, le};
  g.dq = {};
  g.dk = {dk.data(), S * la, 0, la}, g.dv = dv_to, g.dva = dva.data();
  print("dk dv dva", best([&] { k::additive_attention_grad(g); }));
  g.dv = {};
  print("dk dva", best([&] { k::additive_attention_grad(g); }));
  g.dq = dq_to, g.dv = dv_to;
  print("all", best([&] { k::additive_attention_grad(g); }));
}

void others() {
  const auto print = [](const char* what, double seconds, double gigabytes) {
    std::printf("%-40s %9.1f us  %6.1f GB/s\n", what, seconds * 1e6, gigabytes / seconds);
  };
  const int64_t R = 1600, V = 8000;
  Floats x = values(R * V), y(R * V), loss(R), lse(R);
  std::vector<int32_t> labels(R, 17);
  k::CrossEntropy ce{.rows = R,
                     .classes = V,
                     .logits = x.data(),
                     .labels = labels.data(),
                     .smoothing = 0.1F,
                     .loss = loss.data(),
                     .lse = lse.data(),
                     .dlogits = y.data()};
  const double bytes = static_cast<double>(R * V) * 4e-9;
  print("cross_entropy fused 1600x8000", best([&] { k::cross_entropy_fused(ce); }), 2 * bytes);
  print("softmax 1600x8000",
        best([&] { k::softmax({.rows = R, .n = V, .x = x.data(), .y = y.data()}); }), 2 * bytes);
  Floats column(V);
  k::Reduce sum{.n = R, .inner = V, .x = x.data(), .y = column.data()};
  std::vector<char> space(k::reduce_workspace_bytes(sum));
  sum.workspace = space.data();
  print("column sums 1600x8000", best([&] { k::reduce(sum); }), bytes);
  const k::Elementwise tanh({.shape = {R * 512},
                             .inputs = {{k::DType::f32, {1}}},
                             .program = {{.op = k::Opcode::tanh}},
                             .outputs = {{k::DType::f32, {1}}},
                             .results = {1}});
  const void* in = x.data();
  void* out = y.data();
  print("tanh 1600x512", best([&] { tanh.run(&in, &out, nullptr); }),
        static_cast<double>(R * 512) * 8e-9);
  k::CopyStrided transpose{.rank = 2,
                           .shape = {R, V},
                           .src = x.data(),
                           .src_strides = {V, 1},
                           .dst = y.data(),
                           .dst_strides = {1, R}};
  print("transpose 1600x8000", best([&] { k::copy_strided(transpose); }), 2 * bytes);
  Floats m(R * V), v(R * V);
  const k::ParameterTensor tensor{x.data(), y.data(), m.data(), v.data(), R * V};
  print("adam 12.8 M", best([&] { k::adam({.tensors = &tensor, .count = 1}); }), 7 * bytes);
  print("random uniform 1600x8000",
        best([&] { k::random({.rows = R, .elements = V, .y = y.data()}); }), bytes);
}

}  // namespace

int main() {
  if (const char* error = k::kernels_error()) return std::fprintf(stderr, "%s\n", error), 1;
  const k::Peak peak = k::measure_peak(0.5);
  std::printf("%s, %d threads: %.1f GFLOP/s, %.2f Gtanh/s, %.2f Gexp/s\n", k::info(k::isa()).name,
              omp_get_max_threads(), peak.gflops, peak.gtanh, peak.gexp);
  additive("decoder step", peak, 64, 1, 25, 512, 1024);
  additive("all steps", peak, 64, 25, 25, 512, 1024);
  additive("narrow values", peak, 64, 25, 25, 512, 512);
  additive("long", peak, 64, 50, 50, 512, 1024);
  additive("one sentence", peak, 1, 1, 25, 512, 1024);
  others();
}
