// tests/data/batching_test.cpp -- plans, padding, and going on where a stream stopped.
#include "models/data/batching.h"

#include "ir/error.h"
#include "models/data/random.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace weft::data {
namespace {

using tests::message_of;

constexpr SpecialIds kIds;

using Ids = std::vector<int32_t>;

std::vector<EncodedExample> some_examples(int64_t count) {
  Random random(9);
  std::vector<EncodedExample> examples;
  for (int64_t i = 0; i < count; ++i)
    examples.push_back({Ids(1 + random.below(17), 4), Ids(random.below(23), 5), 1000 + i});
  return examples;
}

Ids values(const ir::Array& array) {
  const auto span = array.values<int32_t>();
  return {span.begin(), span.end()};
}

bool same(const Batch& a, const Batch& b) {
  return a.source.same_bytes(b.source) && a.source_lengths.same_bytes(b.source_lengths) &&
         a.target_in.same_bytes(b.target_in) && a.target_out.same_bytes(b.target_out) &&
         a.target_lengths.same_bytes(b.target_lengths) && a.row_ids.same_bytes(b.row_ids) &&
         a.source_tokens == b.source_tokens && a.target_tokens == b.target_tokens;
}

void check_covers_once(const Plan& plan, int64_t count) {
  std::multiset<int64_t> rows;
  for (const auto& batch : plan) rows.insert(batch.begin(), batch.end());
  REQUIRE(rows.size() == static_cast<size_t>(count));
  int64_t expected = 0;
  for (const int64_t row : rows) CHECK(row == expected++);
}

TEST_CASE("batch: targets are shifted by one, and all is padded to the rounded width") {
  const std::vector<EncodedExample> examples{{{7, 8}, {5, 6, 7}, 40}, {{9, 9, 9}, {}, 41}};
  const Batch batch =
      make_batch(examples, std::vector<int64_t>{0, 1}, {.round_source = 4, .round_target = 5});
  CHECK(batch.rows() == 2);
  CHECK(batch.source_width() == 4);
  CHECK(batch.target_width() == 5);
  CHECK(values(batch.source) == Ids{7, 8, 0, 0, 9, 9, 9, 0});
  CHECK(values(batch.target_in) == Ids{kIds.begin, 5, 6, 7, 0, kIds.begin, 0, 0, 0, 0});
  CHECK(values(batch.target_out) == Ids{5, 6, 7, kIds.end, 0, kIds.end, 0, 0, 0, 0});
  CHECK(values(batch.source_lengths) == Ids{2, 3});
  CHECK(values(batch.target_lengths) == Ids{4, 1});
  CHECK(batch.row_ids.dtype() == ir::DType::s64);
  CHECK(batch.row_ids.integer_at(1) == 41);
  CHECK(batch.source_tokens == 5);
  CHECK(batch.target_tokens == 5);
}

TEST_CASE("batch: special ids are those of the vocabularies") {
  const std::vector<EncodedExample> examples{{{7}, {5, 6}, 1}, {{7, 8}, {5}, 2}};
  const Batch batch = make_batch(examples, std::vector<int64_t>{0, 1},
                                 {.round_source = 2,
                                  .round_target = 1,
                                  .source_ids = {.pad = 9},
                                  .target_ids = {.pad = 4, .begin = 2, .end = 3}});
  CHECK(values(batch.source) == Ids{7, 9, 7, 8});
  CHECK(values(batch.target_in) == Ids{2, 5, 6, 2, 5, 4});
  CHECK(values(batch.target_out) == Ids{5, 6, 3, 5, 3, 4});
}

TEST_CASE("plan: every example is in one batch of every epoch") {
  const auto examples = some_examples(1003);
  const BatchOptions options{.max_rows = 10, .pool_batches = 7};
  for (const int64_t epoch : {0, 1, 5}) {
    const Plan plan = plan_epoch(examples, options, epoch);
    check_covers_once(plan, 1003);
    CHECK(plan.size() == 101);
  }
  check_covers_once(plan_in_order(examples, options), 1003);
}

TEST_CASE("plan: it depends on seed and epoch, and on nothing else") {
  const auto examples = some_examples(300);
  const BatchOptions options{.max_rows = 8};
  CHECK(plan_epoch(examples, options, 3) == plan_epoch(examples, options, 3));
  CHECK(plan_epoch(examples, options, 3) != plan_epoch(examples, options, 4));
  CHECK(plan_epoch(examples, options, 3) != plan_epoch(examples, {.max_rows = 8, .seed = 2}, 3));
}

TEST_CASE("plan: rows of a batch are of like source length, longest target first") {
  const auto examples = some_examples(2000);
  int64_t spread = 0;
  const Plan plan = plan_epoch(examples, {.max_rows = 20}, 0);
  for (const auto& batch : plan) {
    size_t least = 99, most = 0, last = 99;
    for (const int64_t row : batch) {
      const EncodedExample& example = examples[static_cast<size_t>(row)];
      CHECK(example.target.size() <= last);
      last = example.target.size();
      least = std::min(least, example.source.size());
      most = std::max(most, example.source.size());
    }
    spread += static_cast<int64_t>(most - least);
  }
  CHECK(spread <=
        static_cast<int64_t>(plan.size()));  // of 17 lengths, at most one apart on average
}

TEST_CASE("plan: a limit on padded tokens is kept, except by a row that breaks it alone") {
  auto examples = some_examples(500);
  examples.push_back({Ids(90, 4), Ids(3, 5), 7});
  const BatchOptions options{.max_rows = 64, .max_tokens = 80};
  const Plan plan = plan_epoch(examples, options, 0);
  check_covers_once(plan, 501);
  int alone = 0;
  for (const auto& rows : plan) {
    const Batch batch = make_batch(examples, rows, options);
    const int64_t cells = batch.rows() * std::max(batch.source_width(), batch.target_width());
    if (cells <= 80) continue;
    CHECK(batch.rows() == 1);
    ++alone;
  }
  CHECK(alone == 1);
}

TEST_CASE("plan: few distinct shapes occur") {
  const auto examples = some_examples(5000);
  const BatchOptions options{.max_rows = 50};
  std::set<std::pair<int64_t, int64_t>> shapes;
  for (const auto& rows : plan_epoch(examples, options, 0)) {
    const Batch batch = make_batch(examples, rows, options);
    CHECK(batch.source_width() % 4 == 0);
    CHECK(batch.target_width() % 4 == 0);
    shapes.emplace(batch.source_width(), batch.target_width());
  }
  CHECK(shapes.size() <= 5 * 6);
}

TEST_CASE("stream: it goes on exactly where its position was taken") {
  const BatchOptions options{.max_rows = 16};
  BatchStream stream(some_examples(200), options);
  CHECK(stream.batches_in_epoch() == 13);
  for (int i = 0; i < 20; ++i) stream.next();
  const BatchStream::Position position = stream.position();
  CHECK(position == BatchStream::Position{1, 7});
  BatchStream resumed(some_examples(200), options);
  resumed.seek(position);
  for (int i = 0; i < 30; ++i) {
    CHECK(stream.position() == resumed.position());
    CHECK(same(stream.next(), resumed.next()));
  }
}

TEST_CASE("stream: at the end of an epoch the next one begins") {
  BatchStream stream(some_examples(32), {.max_rows = 16});
  stream.next();
  stream.next();
  CHECK(stream.position() == BatchStream::Position{1, 0});
}

TEST_CASE("stream: a position outside the epoch is refused and changes nothing") {
  BatchStream stream(some_examples(32), {.max_rows = 16});
  stream.next();
  CHECK(message_of<ir::GraphError>([&] {
          stream.seek({4, 2});
        }) == "batch 2 of epoch 4 is outside [0, 2): other data or options than before");
  CHECK(message_of<ir::GraphError>([&] { stream.seek({-1, 0}); }) == "the epoch -1 is negative");
  CHECK(stream.position() == BatchStream::Position{0, 1});
}

TEST_CASE("plan: what cannot be batched is said") {
  const auto refusal = [](const std::vector<EncodedExample>& examples,
                          const BatchOptions& options) {
    return message_of<ir::GraphError>([&] { plan_epoch(examples, options, 0); });
  };
  CHECK(refusal({}, {}) == "there are no examples to make batches of");
  CHECK(refusal({{{}, {5}, 12}}, {}) == "the source of example 12 is empty");
  CHECK(refusal(some_examples(1), {.max_rows = 0}) == "max_rows is 0, needed is 1 to 16777216");
}

TEST_CASE("batch: parts hold its rows in turns, each once, longest targets first") {
  const auto examples = some_examples(40);
  for (const int64_t accumulate : {1, 3, 7, 100}) {
    const BatchOptions options{.max_rows = 16, .accumulate = accumulate};
    for (const auto& rows : plan_epoch(examples, options, 0)) {
      const auto parts = make_parts(examples, rows, options);
      CHECK(std::ssize(parts) == std::min(accumulate, std::ssize(rows)));
      std::multiset<int64_t> ids, expected;
      int64_t tokens = 0;
      for (const Batch& part : parts) {
        for (int64_t b = 0; b < part.rows(); ++b) {
          ids.insert(part.row_ids.integer_at(b));
          if (b > 0)
            CHECK(part.target_lengths.integer_at(b) <= part.target_lengths.integer_at(b - 1));
        }
        CHECK(std::abs(part.rows() - parts.front().rows()) <= 1);
        tokens += part.target_tokens;
      }
      for (const int64_t row : rows) expected.insert(examples[static_cast<size_t>(row)].id);
      CHECK(ids == expected);
      CHECK(tokens == make_batch(examples, rows, options).target_tokens);
    }
  }
}

TEST_CASE("weights: an example is drawn as often as its file says, over the epochs") {
  BatchOptions options;
  options.weights = {{10, 2}, {20, 0.25}, {30, 1.5}};
  for (const auto& [id, weight] : {std::pair<int64_t, double>{3, 2}, {15, 0.25}, {25, 1.5}}) {
    int64_t all = 0;
    for (int64_t epoch = 0; epoch < 40; ++epoch) {
      const int64_t n = draws(id, options, epoch);
      CHECK(std::abs(static_cast<double>(n) - weight) < 1);
      all += n;
    }
    CHECK(static_cast<double>(all) == 40 * weight);
  }
  CHECK(draws(31, options, 0) == 1);
  // Which of many are drawn differs by epoch.
  int64_t first = 0, both = 0;
  BatchOptions half;
  half.weights = {{1000, 0.5}};
  for (int64_t id = 1; id <= 1000; ++id) {
    first += draws(id, half, 0);
    both += draws(id, half, 0) * draws(id, half, 1);
  }
  CHECK(first > 420);
  CHECK(first < 580);
  CHECK(both == 0);
}

TEST_CASE("weights: a stream's epochs hold each example that often, and can be sought") {
  std::vector<EncodedExample> examples = some_examples(40);
  for (size_t i = 0; i < examples.size(); ++i) examples[i].id = static_cast<int64_t>(i) + 1;
  BatchOptions options{.max_rows = 4};
  options.weights = {{20, 2}, {40, 0.5}};
  BatchStream stream(examples, options);
  std::vector<int64_t> ids;
  while (stream.position().epoch < 2) {
    const Batch batch = stream.next();
    for (int64_t b = 0; b < batch.rows(); ++b) ids.push_back(batch.row_ids.integer_at(b));
  }
  CHECK(std::count(ids.begin(), ids.end(), 7) == 4);
  CHECK(std::count(ids.begin(), ids.end(), 33) == 1);
  CHECK(ids.size() == 20 * 4 + 20);
  BatchStream other(examples, options);
  other.seek({1, 2});
  stream.seek({1, 2});
  const ir::Array sought = other.next().row_ids, again = stream.next().row_ids;
  CHECK(std::ranges::equal(sought.values<int64_t>(), again.values<int64_t>()));
}

}  // namespace
}  // namespace weft::data
