// tests/onednn/allocation_test.cpp -- while a graph runs, Weft allocates nothing.
//
// Every `operator new` of this program is counted while `counting` is set. oneDNN's own code lives
// in its shared library and is told apart by its caller's address.
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<bool> counting{false};
std::atomic<int> ours{0}, others{0};

void* counted(std::size_t size, void* caller) {
  if (counting) {
    Dl_info info{};
    const bool library = dladdr(caller, &info) != 0 && info.dli_fname != nullptr &&
                         (std::strstr(info.dli_fname, "libdnnl") != nullptr ||
                          std::strstr(info.dli_fname, "libomp") != nullptr);
    ++(library ? others : ours);
  }
  if (void* p = std::malloc(size != 0 ? size : 1)) return p;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, __builtin_return_address(0)); }
void* operator new[](std::size_t size) { return counted(size, __builtin_return_address(0)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, __builtin_return_address(0));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

using namespace weft;

TEST_CASE(
    "allocation: a run of a loop with attention, cells, a loss and an optimiser allocates "
    "nothing") {
  const ir::Graph g = ir::parse(R"(
    graph(%s: f32[B,8], %y: f32[T,B,8], %h: f32[B,S,6], %k: f32[B,S,4], %l_upto_5: s32[B], %n_upto_5: s32[B], %Wa: f32[8,4], %va: f32[4],
          %Wg: f32[14,24], %U: f32[8,16], %Un: f32[8,8], %Wo: f32[8,9], %labels_below_9: s32[T,B], %m: f32[8,9], %positive_v: f32[8,9], %step_below_9: s64[], %lr: f32[]) {
      %mask = length_mask(%l_upto_5) {size=S}
      %sN, %o = scan(%s; %y; %h, %k, %mask, %Wa, %va, %Wg, %U, %Un; %n_upto_5) {axes=[0], out_axes=[0]}
      (%s, %x, %h, %k, %mask, %Wa, %va, %Wg, %U, %Un, %live) {
        %q = matmul(%s, %Wa)
        %c = attention(%q, %k, %h; %va; %mask) {score="additive"}
        %xc = concat(%x, %c) {axis=-1}
        %g = matmul(%xc, %Wg)
        %s1 = gru_cell(%g, %s, %U, %Un)
        yield %s1; %s1
      }
      %z = linear(%o, %Wo) {activation="tanh"}
      %loss, %lse = softmax_cross_entropy(%z, %labels_below_9)
      %one = constant() {shape=[T,B], values=[1]}
      %dz = softmax_cross_entropy_grad(%one, %z, %labels_below_9, %lse)
      %r = reshape(%o) {shape=[T*B,8]}
      %d = reshape(%dz) {shape=[T*B,9]}
      %dW = matmul(%r, %d) {transpose_a=true}
      %norm = squared_norm(%dW)
      %W1, %m1, %v1 = adam_update(%Wo; %dW; %m; %positive_v; %step_below_9, %lr; %norm)
      %total = sum(%loss) {axes=[0,1]}
      return %total, %W1, %m1, %v1, %sN
    })");
  const ir::Bindings bindings{{"B", 3}, {"T", 5}, {"S", 5}};
  const auto arguments = tests::sample_arguments(g, bindings, 1, ir::DType::f32);
  tests::check_same(g, arguments,
                    {.bindings = bindings, .tolerance = 1e-4});  // Adam divides by small numbers
  const auto e = onednn::compile(g, bindings);
  auto results = backends::allocate_results(g, bindings);
  e->run(arguments, results);
  ours = others = 0;
  counting = true;
  for (int i = 0; i < 3; ++i) e->run(arguments, results);
  counting = false;
  CHECK(ours.load() == 0);
  MESSAGE("oneDNN and OpenMP allocated " << others.load()
                                         << " times by operator new in three runs");
}
