// tests/data/example_store_test.cpp -- the cache of encoded examples, and reading it in shuffled order.
#include "models/data/example_store.h"

#include "ir/error.h"
#include "models/data/batching.h"
#include "models/data/shuffle.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace weft::data {
namespace {

using tests::bytes_of;
using tests::message_of;
using tests::TemporaryFolder;

constexpr const char* kKey = "0123456789abcdef";

std::vector<EncodedExample> sentences(int64_t count) {
  Random random(5);
  std::vector<EncodedExample> examples;
  for (int64_t i = 0; i < count; ++i) {
    EncodedExample e{.source = {}, .target = {}, .id = 10 + i};
    for (uint64_t n = 1 + random.below(20); n > 0; --n)
      e.source.push_back(static_cast<int32_t>(random.below(9)));
    for (uint64_t n = random.below(20); n > 0; --n)
      e.target.push_back(static_cast<int32_t>(random.below(9)));
    examples.push_back(std::move(e));
  }
  return examples;
}

std::string write(const TemporaryFolder& folder, const std::vector<EncodedExample>& examples,
                  int64_t block_bytes) {
  const std::string path = folder / "examples";
  ExampleWriter writer(path, {.key = kKey, .unknown = {.source = 3}, .block_bytes = block_bytes});
  for (const EncodedExample& e : examples) writer.add(e);
  writer.commit();
  return path;
}

bool same(const EncodedExample& a, const EncodedExample& b) {
  return a.id == b.id && a.source == b.source && a.target == b.target &&
         a.positions == b.positions && a.features.empty() == b.features.empty() &&
         (a.features.empty() || a.features.same_bytes(b.features));
}

bool same(const Batch& a, const Batch& b) {
  return a.source.same_bytes(b.source) && a.target_in.same_bytes(b.target_in) &&
         a.row_ids.same_bytes(b.row_ids);
}

TEST_CASE("store: a file holds what was written, block by block") {
  const TemporaryFolder folder;
  const auto examples = sentences(500);
  for (const int64_t block_bytes : {1, 1000, 1 << 20}) {
    const auto store = ExampleStore::open(write(folder, examples, block_bytes), kKey);
    REQUIRE(store);
    REQUIRE(store->size() == 500);
    CHECK((store->blocks().size() == 1) == (block_bytes == 1 << 20));
    for (int64_t i = 0; i < 500; ++i) {
      const EncodedExample& e = examples[static_cast<size_t>(i)];
      CHECK(same(store->at(i), e));
      CHECK(store->lengths(i).source == std::ssize(e.source));
      CHECK(store->lengths(i).target == std::ssize(e.target));
    }
    const ExampleStore memory(examples);
    CHECK(store->digest() == memory.digest());
    CHECK(store->counts().source_tokens == memory.counts().source_tokens);
    CHECK(store->counts().longest_target == 19);
    CHECK(store->counts().unknown_source > 0);
    CHECK(store->counts().unknown_target == 0);
  }
}

TEST_CASE("store: examples may be counted only") {
  const auto examples = sentences(50);
  const ExampleStore counted = counted_examples({.source = 3}, [&](const auto& add) {
    for (const EncodedExample& e : examples) add(e);
  });
  const ExampleStore kept(examples, {.source = 3});
  CHECK(counted.size() == 50);
  CHECK(counted.counts().longest_source == kept.counts().longest_source);
  CHECK(counted.counts().unknown_source == kept.counts().unknown_source);
}

TEST_CASE("store: features are views of the file") {
  const TemporaryFolder folder;
  for (const ir::Dims& dims : {ir::Dims{3, 2}, ir::Dims{2, 4, 1}}) {
    std::vector<EncodedExample> examples;
    for (int64_t i = 0; i < 4; ++i) {
      ir::Array x(ir::DType::f32, dims.size() == 2 ? ir::Dims{3 + i, 2} : dims);
      for (int64_t j = 0; j < x.size(); ++j) x.set(j, static_cast<double>(10 * i + j));
      examples.push_back({.source = {},
                          .target = {7, static_cast<int32_t>(i)},
                          .id = i,
                          .features = x,
                          .positions = dims.size() == 2 ? 3 + i : 2});
    }
    std::optional<EncodedExample> kept;
    {
      const auto store = ExampleStore::open(write(folder, examples, 50), kKey);
      REQUIRE(store);
      for (int64_t i = 0; i < 4; ++i) CHECK(same(store->at(i), examples[static_cast<size_t>(i)]));
      CHECK(store->has_images() == (dims.size() == 3));
      kept = store->at(2);
    }
    CHECK(same(*kept, examples[2]));  // it keeps the file
    examples.push_back({.source = {1}, .target = {}, .id = 9});
    CHECK(message_of<ir::GraphError>([&] { write(folder, examples, 50); }) ==
          "the source of example 9 is tokens, which those before are not");
  }
}

TEST_CASE("store: a note stays with the file") {
  const TemporaryFolder folder;
  const std::string path = folder / "examples";
  int asked = 0;
  const auto cached = [&] {
    return cached_examples(
        path, {.key = kKey}, [](const auto& add) { add(sentences(1).front()); }, nullptr,
        [&] { return "made " + std::to_string(++asked); });
  };
  CHECK(cached().note() == "made 1");
  CHECK(cached().note() == "made 1");
  CHECK(asked == 1);
}

TEST_CASE("store: another key, a flipped bit or a cut file is told") {
  const TemporaryFolder folder;
  const std::string path = write(folder, sentences(30), 500);
  const auto fault = [&](const std::string& key = kKey) {
    std::string why;
    CHECK_FALSE(ExampleStore::open(path, key, &why).has_value());
    return why;
  };
  CHECK(fault("fedcba9876543210") == "was made from other data or settings");
  const std::string whole = bytes_of(path);
  for (size_t at = 0; at < whole.size(); at += 1 + at / 8) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 16);
    folder.file("examples", bytes);
    const std::string why = fault();
    CHECK((why == "was changed" || (at < 8 && why == "is of another version or no such file")));
  }
  for (const size_t size : {size_t{0}, size_t{50}, whole.size() / 2, whole.size() - 1}) {
    folder.file("examples", whole.substr(0, size));
    CHECK(fault() == "was changed");
  }
  folder.file("examples", whole);
  CHECK(ExampleStore::open(path, kKey));
  std::string why;
  ExampleStore::open(folder / "none", kKey, &why);
  CHECK(why == "is not there");
}

TEST_CASE("shuffle: groups hold every block once, in another order each epoch, evenly") {
  std::vector<ExampleBlock> blocks;
  for (int64_t i = 0; i < 103; ++i) blocks.push_back({10 * i, 10, 90 + i % 20});
  const auto groups = shuffled_groups(blocks, 1000, 1, 0);
  CHECK(groups.size() == 11);
  std::multiset<int64_t> all;
  for (const auto& group : groups) {
    all.insert(group.begin(), group.end());
    CHECK(group.size() >= 8);
    CHECK(group.size() <= 11);
  }
  CHECK(all.size() == 103);
  CHECK(std::set<int64_t>(all.begin(), all.end()).size() == 103);
  CHECK(shuffled_groups(blocks, 1000, 1, 0) == groups);
  CHECK(shuffled_groups(blocks, 1000, 1, 1) != groups);
  CHECK(shuffled_groups(blocks, 1000, 2, 0) != groups);
  const auto one = shuffled_groups(blocks, 1 << 20, 1, 0);
  REQUIRE(one.size() == 1);
  CHECK(std::is_sorted(one.front().begin(), one.front().end()));
  CHECK(examples_of(blocks, std::vector<int64_t>{2, 0}) ==
        std::vector<int64_t>{20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("stream: a file gives the batches that its examples give in memory") {
  const TemporaryFolder folder;
  const auto examples = sentences(300);
  BatchStream memory(ExampleStore(examples), {.max_rows = 16});
  BatchStream file(*ExampleStore::open(write(folder, examples, 400), kKey), {.max_rows = 16});
  for (int i = 0; i < 50; ++i) CHECK(same(memory.next(), file.next()));
}

TEST_CASE("stream: of a corpus of many groups an epoch has every example once, mixed") {
  const TemporaryFolder folder;
  const auto examples = sentences(2000);
  const auto store = *ExampleStore::open(write(folder, examples, 2000), kKey);
  const BatchOptions options{.max_rows = 16, .pool_batches = 4, .shuffle_bytes = 60000};
  BatchStream stream(store, options);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::multiset<int64_t> ids;
    int64_t batches = 0;
    double apart = 0;  // neighbours in the stream are strangers in the file
    int64_t last = 0;
    for (; stream.position().epoch == epoch; ++batches) {
      const Batch batch = stream.next();
      for (int64_t b = 0; b < batch.rows(); ++b) {
        const int64_t id = batch.row_ids.integer_at(b);
        apart += static_cast<double>(std::abs(id - last)) / 2000.0;
        last = id;
        ids.insert(id);
      }
    }
    CHECK(ids.size() == 2000);
    CHECK(std::set<int64_t>(ids.begin(), ids.end()).size() == 2000);
    CHECK(apart / 2000 > 0.25);  // a third where all orders are as likely
    CHECK(batches > 125);
  }
}

TEST_CASE("stream: in a corpus of many groups it goes on exactly where its position was taken") {
  const TemporaryFolder folder;
  const auto store = *ExampleStore::open(write(folder, sentences(800), 1000), kKey);
  const BatchOptions options{.max_rows = 8, .pool_batches = 4, .shuffle_bytes = 20000};
  BatchStream stream(store, options);
  const int64_t guess = stream.batches_in_epoch();
  CHECK(guess > 90);
  CHECK(guess < 120);
  std::vector<std::pair<BatchStream::Position, Batch>> all;
  while (stream.position().epoch < 2) {
    const auto position = stream.position();
    all.emplace_back(position, stream.next());
  }
  BatchStream other(store, options);
  for (size_t i = 0; i < all.size(); i += 17) {
    other.seek(all[i].first);
    CHECK(other.position() == all[i].first);
    CHECK(same(other.next(), all[i].second));
  }
  CHECK(message_of<ir::GraphError>([&] {
          other.seek({1, 1000});
        }).find("is outside [0, ") != std::string::npos);
}

}  // namespace
}  // namespace weft::data
