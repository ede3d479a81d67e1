// tests/onednn/buffers_test.cpp -- the bytes of an arena, from the first reader to the last.
#include "backends/onednn/plan/buffers.h"

#include "backends/onednn/plan/offsets.h"

#include <doctest/doctest.h>

using namespace weft::onednn;  // NOLINT
using weft::ir::Value;

TEST_CASE("buffers: a buffer is given back once everybody has read it, through views as well") {
  Timeline timeline;
  Buffers buffers(timeline, 2);
  const Value x{0}, view{1};
  const int b = buffers.add({buffers.take(256, 256, x), 256}, 1);
  buffers.put(x, b);
  buffers.put(view, b);
  buffers.add_readers(b, 1);
  CHECK_FALSE(buffers.read(x));
  const auto room = buffers.read(view);
  REQUIRE(room);
  CHECK(room->bytes == 256);
  buffers.give_back(*room);
  CHECK(buffers.take(256, 256, x) == room->offset);
  CHECK(buffers.peak() == 256);
}

TEST_CASE("buffers: what nobody reads is given back at once, what lies elsewhere never") {
  Timeline timeline;
  Buffers buffers(timeline, 2);
  const Value unread{0}, elsewhere{1};
  const int b = buffers.add({buffers.take(64, 64, unread), 64}, 0);
  buffers.put(unread, b);
  CHECK(buffers.unread(b));
  CHECK_FALSE(buffers.unread(b));
  CHECK_FALSE(buffers.unread(buffers.of(elsewhere)));
  CHECK_FALSE(buffers.read(elsewhere));
}

TEST_CASE("buffers: a timeline says which values occupied which bytes, from which unit to which") {
  Timeline timeline;
  Buffers buffers(timeline, 2);
  buffers.now = 3;
  const int b = buffers.add({buffers.take(100, 100, {0}), 100}, 1);
  buffers.put({0}, b);
  buffers.add_tenant(b, {1});
  buffers.now = 5;
  buffers.give_back(*buffers.read({0}));
  buffers.take(64, 64, {});
  REQUIRE(timeline.tenancies.size() == 2);
  CHECK(timeline.tenancies[0].bytes == 128);  // whole cache lines
  CHECK(timeline.tenancies[0].first == 3);
  CHECK(timeline.tenancies[0].last == 5);
  CHECK(timeline.tenancies[0].values == weft::ir::Values{{0}, {1}});
  CHECK(timeline.tenancies[1].offset == 0);
  CHECK(timeline.tenancies[1].last == -1);
  CHECK(timeline.tenancies[1].values.empty());
}

TEST_CASE("offsets: once lifetimes are known, buffers lie closer than in the order of the work") {
  std::deque<Timeline> timelines(2);
  // A lives in steps 0 and 1, B in 1 to the end, C, too large for A's place, in 2 and 3; the arena
  // of a loop in 3.
  timelines[0].tenancies = {{0, 128, 0, 1, {}, -1},
                            {128, 64, 1, -1, {}, -1},
                            {192, 192, 2, 3, {}, -1},
                            {384, 256, 3, 3, {}, 1}};
  timelines[0].arena_bytes = 640;
  timelines[1].tenancies = {{0, 64, 0, 0, {}, -1}, {64, 192, 1, 1, {}, -1}};
  timelines[1].arena_bytes = 256;
  const Offsets found = fitted(timelines);
  CHECK(found.peaks == std::vector<int64_t>{448, 192});
  CHECK(found.of[1] == std::vector<int64_t>{0, 0});
  const std::vector<int64_t> bytes{128, 64, 192, 192};
  for (size_t i = 0; i < bytes.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const Timeline::Tenancy &a = timelines[0].tenancies[i], &b = timelines[0].tenancies[j];
      const bool meet = (a.last < 0 || b.first <= a.last) && (b.last < 0 || a.first <= b.last);
      CHECK((!meet || found.of[0][i] + bytes[i] <= found.of[0][j] ||
             found.of[0][j] + bytes[j] <= found.of[0][i]));
    }
  // What cannot be better stays where it was.
  timelines.resize(1);
  timelines[0].tenancies = {{64, 64, 0, 1, {}, -1}, {0, 64, 0, 1, {}, -1}};
  timelines[0].arena_bytes = 128;
  CHECK(fitted(timelines).of[0] == std::vector<int64_t>{64, 0});
}

TEST_CASE("offsets: a plan made again that takes other buffers is found out") {
  std::deque<Timeline> before(1);
  before[0].tenancies = {{0, 128, 0, 1, {}, -1}, {128, 64, 1, -1, {}, -1}, {192, 64, 1, 1, {}, 1}};
  std::deque<Timeline> again = before;
  again[0].tenancies[0].offset = 64, again[0].tenancies[2].bytes = 32;  // of a loop
  CHECK(same_buffers(before, again));
  again[0].tenancies[1].bytes = 128;
  CHECK(!same_buffers(before, again));
  again = before, again[0].tenancies[0].last = 2;
  CHECK(!same_buffers(before, again));
  again = before, again[0].tenancies.pop_back();
  CHECK(!same_buffers(before, again));
}
