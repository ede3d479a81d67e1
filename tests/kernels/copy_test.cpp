// tests/kernels/copy_test.cpp -- strided copies, fills, pads, and tensors made of positions.
#include "tests/kernels/kernel_test.h"

using namespace weft::test;

namespace {

template <class T>
void check_permutation(const std::vector<int64_t>& shape, const std::vector<int>& order) {
  const int rank = static_cast<int>(shape.size());
  k::CopyStrided args{.rank = rank, .element_bytes = sizeof(T)};
  int64_t total = 1;
  std::vector<int64_t> src_strides(rank), dst_strides(rank);
  for (int d = rank - 1; d >= 0; --d) src_strides[d] = total, total *= shape[d];
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) dst_strides[order[i]] = stride, stride *= shape[order[i]];
  std::vector<T> src(total), dst(total, T{9}), expected(total);
  for (int64_t i = 0; i < total; ++i) src[i] = static_cast<T>(i * 2654435761U);
  for (int d = 0; d < rank; ++d)
    args.shape[d] = shape[d], args.src_strides[d] = src_strides[d],
    args.dst_strides[d] = dst_strides[d];
  args.src = src.data(), args.dst = dst.data();
  k::copy_strided(args);
  for (int64_t i = 0; i < total; ++i) {
    int64_t to = 0;
    for (int d = 0; d < rank; ++d) to += i / src_strides[d] % shape[d] * dst_strides[d];
    expected[to] = src[i];
  }
  CHECK(dst == expected);
}

}  // namespace

TEST_CASE("copy_strided: permutations of every element size") {
  on_every_machine([] {
    check_permutation<float>({5, 7}, {1, 0});
    check_permutation<float>({130, 67}, {1, 0});
    check_permutation<uint8_t>({33, 1, 65}, {2, 0, 1});
    check_permutation<int64_t>({6, 5, 4, 3}, {0, 2, 1, 3});
    check_permutation<float>({4, 9, 8, 16}, {0, 2, 1, 3});
    check_permutation<uint16_t>({19, 1, 35}, {2, 0, 1});
    check_permutation<float>({3, 50, 20}, {0, 2, 1});
    check_permutation<float>({3, 50, 20}, {2, 1, 0});
    check_permutation<float>({200000}, {0});
    check_permutation<float>({1 << 18}, {0});
    check_permutation<float>({0, 4}, {1, 0});
    check_permutation<float>({}, {});
  });
}

TEST_CASE("copy_strided: broadcasts and slices into padded rows") {
  on_every_machine([] {
    const Floats x{1, 2, 3};
    Floats y(4 * 5, -1);
    k::CopyStrided copy{.rank = 2,
                        .shape = {4, 3},
                        .src = x.data(),
                        .src_strides = {0, 1},
                        .dst = y.data() + 1,
                        .dst_strides = {5, 1}};
    k::copy_strided(copy);
    CHECK(y == Floats{-1, 1, 2, 3, -1, -1, 1, 2, 3, -1, -1, 1, 2, 3, -1, -1, 1, 2, 3, -1});
  });
}

TEST_CASE("fill and pad") {
  on_every_machine([] {
    std::vector<int64_t> big(100000, 1);
    k::Fill fill{.rank = 1,
                 .element_bytes = 8,
                 .shape = {100000},
                 .dst = big.data(),
                 .dst_strides = {1},
                 .value = 77};
    k::fill(fill);
    CHECK(big == std::vector<int64_t>(100000, 77));
    const std::vector<int32_t> x{1, 2, 3, 4};
    std::vector<int32_t> y(4 * 3, 0);
    k::Pad pad{.rank = 2,
               .shape = {2, 2},
               .low = {1, 0},
               .high = {1, 1},
               .x = x.data(),
               .y = y.data(),
               .value = 9};
    k::pad(pad);
    CHECK(y == std::vector<int32_t>{9, 9, 9, 1, 2, 9, 3, 4, 9, 9, 9, 9});
  });
}

TEST_CASE("one_hot, iota and length_mask") {
  on_every_machine([] {
    const std::vector<int32_t> index{2, 0, 3, -1};
    Floats hot(12, -1);
    k::one_hot({.n = 4, .depth = 3, .index = index.data(), .y = hot.data()});
    CHECK(hot == Floats{0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0});
    std::vector<int64_t> y(12);
    k::iota({.outer = 2,
             .n = 3,
             .inner = 2,
             .dtype = k::DType::s64,
             .start = 5,
             .step = -2,
             .y = y.data()});
    CHECK(y == std::vector<int64_t>{5, 5, 3, 3, 1, 1, 5, 5, 3, 3, 1, 1});
    const std::vector<int32_t> lengths{2, 0, 9, -4};
    std::vector<uint8_t> mask(12, 7);
    k::length_mask({.batch = 4, .size = 3, .lengths = lengths.data(), .y = mask.data()});
    CHECK(mask == std::vector<uint8_t>{1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0});
  });
}
