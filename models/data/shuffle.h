// models/data/shuffle.h -- an external shuffle: the order in which a corpus that is larger than memory
// is read in an epoch.
//
// Its blocks of neighbours are shuffled and dealt to groups, each small enough to be held; the
// examples of a group are shuffled among themselves. A file is so read in pieces of a block, each once
// an epoch, and what a batch is made of comes from as many places as a group has blocks (of 256 MB and
// 1 MB: 256). A corpus of one group is in the order that Fisher and Yates give it.
//
// All of it is a function of (blocks, bytes of a group, seed, epoch).
#pragma once
#include "models/data/example_store.h"
#include "models/data/random.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::data {

// Blocks by their numbers, group by group; groups are about equally large. Where all fits into one,
// the blocks stand in the corpus's order.
std::vector<std::vector<int64_t>> shuffled_groups(std::span<const ExampleBlock> blocks,
                                                  int64_t group_bytes, uint64_t seed,
                                                  int64_t epoch);

// The examples of such a group, before they are shuffled.
std::vector<int64_t> examples_of(std::span<const ExampleBlock> blocks,
                                 std::span<const int64_t> group);

// What shuffles the examples of a group, and then its batches.
Random group_random(uint64_t seed, int64_t epoch, int64_t group);

}  // namespace weft::data
