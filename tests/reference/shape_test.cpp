// tests/reference/shape_test.cpp -- what ops that move, repeat or make elements compute.
#include "tests/reference/evaluate.h"

using namespace weft::test;

namespace {

const Array kMatrix = floats({2, 3}, {1, 2, 3, 4, 5, 6});

}  // namespace

TEST_CASE("reshape, broadcast and transpose") {
  check_values(apply("reshape(%a) {shape=[3,2]}", {kMatrix}), {3, 2}, {1, 2, 3, 4, 5, 6});
  check_values(apply("reshape(%a) {shape=[]}", {floats({1, 1}, {7})}), {}, {7});
  check_values(apply("broadcast(%a) {shape=[2,2,3]}", {floats({2, 1}, {1, 2})}), {2, 2, 3},
               {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2});
  check_values(apply("broadcast(%a) {shape=[2]}", {floats({}, {3})}), {2}, {3, 3});
  check_values(apply("broadcast(%a) {shape=[0,2]}", {floats({2}, {1, 2})}), {0, 2}, {});
  check_values(apply("transpose(%a) {perm=[1,0]}", {kMatrix}), {3, 2}, {1, 4, 2, 5, 3, 6});
  check_values(apply("transpose(%a) {perm=[2,0,1]}", {ints({1, 2, 3}, {1, 2, 3, 4, 5, 6})}),
               {3, 1, 2}, {1, 4, 2, 5, 3, 6});
  check_values(apply("transpose(%a) {perm=[]}", {floats({}, {3})}), {}, {3});
  check_values(apply("transpose(%a) {perm=[1,0]}", {floats({0, 3}, {})}), {3, 0}, {});
}

TEST_CASE("concat, slice, pad and reverse") {
  check_values(apply("concat(%a, %b, %a) {axis=1}", {kMatrix, floats({2, 1}, {7, 8})}), {2, 7},
               {1, 2, 3, 7, 1, 2, 3, 4, 5, 6, 8, 4, 5, 6});
  check_values(apply("concat(%a, %b) {axis=0}", {ints({1}, {1}), ints({0}, {})}), {1}, {1});
  check_values(apply("slice(%a) {axis=-1, start=0, stop=3, step=2}", {kMatrix}), {2, 2},
               {1, 3, 4, 6});
  check_values(apply("slice(%a) {axis=0, start=1, stop=1}", {kMatrix}), {0, 3}, {});
  check_values(apply("pad(%a) {axis=1, low=1, high=2, value=-inf}", {floats({2, 1}, {1, 2})}),
               {2, 4}, {-kInf, 1, -kInf, -kInf, -kInf, 2, -kInf, -kInf});
  check_values(apply("pad(%a) {axis=0, high=1, value=9}", {ints({1}, {1})}), {2}, {1, 9});
  check_values(apply("reverse(%a) {axis=1}", {kMatrix}), {2, 3}, {3, 2, 1, 6, 5, 4});
  check_values(apply("reverse(%a) {axis=0}", {floats({0}, {})}), {0}, {});
}

TEST_CASE("constant, iota, dim_size, one_hot and length_mask") {
  check_values(apply("constant() {dtype=s32, shape=[2,2], values=[1,2,3,4]}", {}), {2, 2},
               {1, 2, 3, 4});
  check_values(apply("constant() {shape=[3], values=[0.1]}", {}), {3}, {0.1, 0.1, 0.1});
  check_values(apply("constant() {shape=[0,2], values=[]}", {}), {0, 2}, {});
  check_values(apply("constant() {dtype=bf16, values=[0.1]}", {}), {}, {0.10009765625});
  check_values(apply("iota() {shape=[2,3], axis=1, dtype=s32}", {}), {2, 3}, {0, 1, 2, 0, 1, 2});
  check_values(apply("iota() {shape=[2,3], dtype=f32}", {}), {2, 3}, {0, 0, 0, 1, 1, 1});
  check_values(apply("dim_size(%a) {axis=-1, dtype=s64}", {kMatrix}), {}, {3});
  check_values(apply("one_hot(%a) {size=3}", {ints({4}, {2, -1, 0, 3})}), {4, 3},
               {0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0});
  check_values(apply("one_hot(%a) {size=0}", {ints({2}, {0, 1})}), {2, 0}, {});
  check_values(apply("length_mask(%a) {size=3}", {ints({3}, {0, 2, 9})}), {3, 3},
               {0, 0, 0, 1, 1, 0, 1, 1, 1});
}

TEST_CASE("stop_gradient and same_dim: the operand itself") {
  check_values(apply("stop_gradient(%a)", {kMatrix}), {2, 3}, {1, 2, 3, 4, 5, 6});
  const char* graph =
      "graph(%a: f32[N], %b: f32[M]) { %c = same_dim(%b) {axis=0, size=N} %d = add(%a, %c) return "
      "%d }";
  check_values(run(graph, {floats({2}, {1, 2}), floats({2}, {3, 4})})[0], {2}, {4, 6});
  CHECK(mentions(error_of([&] {
                   run(graph, {floats({2}, {1, 2}), floats({3}, {3, 4, 5})});
                 }),
                 "same_dim.2"));
}

TEST_CASE("sizes of attributes are read under the bindings") {
  check_values(run("graph(%a: f32[N]) { %b = slice(%a) {axis=0, start=1, stop=N-1} %c = pad(%b) "
                   "{axis=0, low=floordiv(N,2)} return %c }",
                   {floats({4}, {1, 2, 3, 4})})[0],
               {4}, {0, 0, 2, 3});
}
