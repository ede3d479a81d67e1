// tests/kernels/random_test.cpp -- Philox against its published test vectors and its scalar
// definition.
#include "tests/kernels/kernel_test.h"

using namespace weft::test;

TEST_CASE("philox: the known answers of Random123") {
  const auto check = [](k::PhiloxBlock counter, uint32_t k0, uint32_t k1, k::PhiloxBlock expected) {
    const k::PhiloxBlock found = k::philox4x32(counter, k0, k1);
    for (int i = 0; i < 4; ++i) CHECK(found.word[i] == expected.word[i]);
  };
  check({{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  check({{~0U, ~0U, ~0U, ~0U}}, ~0U, ~0U, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  check({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
        {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST_CASE("random: every element is the scalar definition's, in every layout") {
  on_every_machine([] {
    for (const int64_t E : {0, 1, 3, 64, 65, 131, 512}) {
      const int64_t R = 3, T = 4, step = (5LL << 24) + 77;
      const std::vector<int64_t> ids{7, (1LL << 39) + 5, 123456789012}, starts{0, 100, 9};
      const uint64_t stream = 0x123456789abcdef0;
      std::vector<uint32_t> bits(R * T * E);
      Floats uniform(R * T * E);
      std::vector<uint8_t> keep(T * R * (E + 2), 9);
      const uint32_t threshold = k::philox_threshold(0.7);
      k::random({.kind = k::RandomKind::bits,
                 .stream = stream,
                 .step = step,
                 .rows = R,
                 .positions = T,
                 .elements = E,
                 .row_id = ids.data(),
                 .first_position = 2,
                 .y = bits.data()});
      k::random({.kind = k::RandomKind::uniform,
                 .stream = stream,
                 .step = step,
                 .rows = R,
                 .positions = T,
                 .elements = E,
                 .row_id = ids.data(),
                 .position_of = starts.data(),
                 .y = uniform.data()});
      k::random({.kind = k::RandomKind::keep,
                 .stream = stream,
                 .step = step,
                 .rows = R,
                 .positions = T,
                 .elements = E,
                 .threshold = threshold,
                 .y = keep.data(),
                 .y_row = E + 2,
                 .y_position = R * (E + 2)});
      size_t wrong = 0;
      for (int64_t r = 0; r < R; ++r)
        for (int64_t t = 0; t < T; ++t)
          for (int64_t e = 0; e < E; ++e) {
            const int64_t at = (r * T + t) * E + e;
            wrong += bits[at] != k::philox_bits(stream, step, ids[r], t + 2, e);
            wrong += uniform[at] !=
                     k::philox_uniform(k::philox_bits(stream, step, ids[r], starts[r] + t, e));
            wrong += keep[(t * R + r) * (E + 2) + e] !=
                     (k::philox_bits(stream, step, r, t, e) < threshold ? 1 : 0);
          }
      INFO("elements ", E);
      CHECK(wrong == 0);
    }
  });
}
