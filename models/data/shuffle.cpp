// models/data/shuffle.cpp -- blocks to groups, groups to examples.
#include "models/data/shuffle.h"

#include <algorithm>
#include <numeric>

namespace weft::data {
namespace {

// Apart from each other and from what else uses the seed. A stream is one of an epoch and a group.
constexpr uint64_t kBlockStream = 0x626C6F636B, kBatchStream = 0x6261746368;
constexpr int kEpochBits = 40;

}  // namespace

std::vector<std::vector<int64_t>> shuffled_groups(std::span<const ExampleBlock> blocks,
                                                  int64_t group_bytes, uint64_t seed,
                                                  int64_t epoch) {
  int64_t total = 0;
  for (const ExampleBlock& block : blocks) total += block.bytes;
  std::vector<int64_t> order(blocks.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const int64_t count = std::max<int64_t>(1, (total + group_bytes - 1) / group_bytes);
  if (count == 1) return {order};
  Random(seed, kBlockStream + static_cast<uint64_t>(epoch)).shuffle(order);
  std::vector<std::vector<int64_t>> groups(1);
  int64_t before = 0;
  for (const int64_t block : order) {
    // Whichever group its first byte falls into: none is larger by more than a block.
    const auto share = static_cast<double>(before) / static_cast<double>(total);
    if (share * static_cast<double>(count) >= static_cast<double>(groups.size()) &&
        !groups.back().empty())
      groups.emplace_back();
    groups.back().push_back(block);
    before += blocks[static_cast<size_t>(block)].bytes;
  }
  return groups;
}

std::vector<int64_t> examples_of(std::span<const ExampleBlock> blocks,
                                 std::span<const int64_t> group) {
  std::vector<int64_t> examples;
  for (const int64_t number : group) {
    const ExampleBlock& block = blocks[static_cast<size_t>(number)];
    for (int64_t i = 0; i < block.count; ++i) examples.push_back(block.first + i);
  }
  return examples;
}

Random group_random(uint64_t seed, int64_t epoch, int64_t group) {
  return Random(seed, kBatchStream + static_cast<uint64_t>(epoch) +
                          (static_cast<uint64_t>(group) << kEpochBits));
}

}  // namespace weft::data
