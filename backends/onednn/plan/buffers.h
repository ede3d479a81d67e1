// backends/onednn/plan/buffers.h -- the arena of a graph or of a loop's body: which value occupies
// which bytes, from which unit to which.
#pragma once
#include "backends/onednn/plan/arena.h"
#include "ir/graph.h"

#include <map>
#include <optional>
#include <vector>

namespace weft::onednn {

// Which value occupies which bytes, from which step to which; steps are units.
struct Timeline {
  struct Tenancy {
    int64_t offset = 0, bytes = 0;
    int first = 0, last = -1;  // -1: to the end
    ir::Values values;         // none: a workspace
    int loop = -1;             // the timeline of the loop whose arena this is
  };
  std::vector<std::vector<int>> units;  // nodes of each
  std::vector<Tenancy> tenancies;
  int64_t arena_bytes = 0;
};

// Buffers are numbered; a value lies in one, or in none: where somebody else owns the memory. A
// buffer is given back when the last unit or output that reads it, or a view of it, has.
class Buffers {
 public:
  struct Room {
    int64_t offset, bytes;
  };

  // `offsets`: of all that will be taken, in this order (offsets.h); null: as they come.
  Buffers(Timeline& timeline, int values, const std::vector<int64_t>* offsets = nullptr)
      : timeline_(timeline), offsets_(offsets), of_(static_cast<size_t>(values), -1) {}

  int now = 0;  // the unit being lowered

  // Bytes of the arena from now on: for a value, or (not valid) as a workspace. Of `likely` bytes
  // the arena expects that they are touched.
  int64_t take(int64_t bytes, int64_t likely, ir::Value v, int loop = -1);
  void give_back(Room room);

  // A buffer at an offset that was taken.
  int add(Room room, int readers);
  void put(ir::Value v, int buffer) { of_[static_cast<size_t>(v.id)] = buffer; }
  int of(ir::Value v) const { return of_[static_cast<size_t>(v.id)]; }  // -1: none
  void add_readers(int buffer, int count) { at(buffer).readers += count; }
  int readers(int buffer) const { return buffers_[static_cast<size_t>(buffer)].readers; }
  // Another value moves in, or all who are there.
  void add_tenant(int buffer, ir::Value v) { tenancy_of(buffer).values.push_back(v); }
  void set_tenants(int buffer, ir::Values values) { tenancy_of(buffer).values = std::move(values); }

  // A reader of the value has read it: what is to be given back, if it was the last.
  std::optional<Room> read(ir::Value v);
  // What is to be given back if nobody is going to read it.
  std::optional<Room> unread(int buffer);

  int64_t peak() const { return arena_.peak(); }
  const Arena& arena() const { return arena_; }

 private:
  struct Buffer {
    Room room;
    int readers;  // that have still to read it or a view of it; -1: given back
    int tenancy;
  };
  Buffer& at(int buffer) { return buffers_[static_cast<size_t>(buffer)]; }
  Timeline::Tenancy& tenancy_of(int buffer) {
    return timeline_.tenancies[static_cast<size_t>(at(buffer).tenancy)];
  }

  Timeline& timeline_;
  const std::vector<int64_t>* offsets_;
  Arena arena_;
  std::vector<int> of_;  // by value
  std::vector<Buffer> buffers_;
  std::map<int64_t, int> open_;  // tenancies that have not ended, by offset
};

}  // namespace weft::onednn
