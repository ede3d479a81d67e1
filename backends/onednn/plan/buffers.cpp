// backends/onednn/plan/buffers.cpp -- taking and giving back the bytes of an arena.
#include "backends/onednn/plan/buffers.h"

#include "ir/check.h"

namespace weft::onednn {

int64_t Buffers::take(int64_t bytes, int64_t likely, ir::Value v, int loop) {
  int64_t offset = 0;
  if (offsets_ == nullptr) {
    offset = arena_.take(bytes, likely);
  } else {
    WEFT_CHECK(timeline_.tenancies.size() < offsets_->size());
    offset = (*offsets_)[timeline_.tenancies.size()];
    arena_.take_at(offset, bytes, likely);
  }
  open_[offset] = static_cast<int>(timeline_.tenancies.size());
  timeline_.tenancies.push_back({offset, Arena::rounded(bytes), now, -1, {}, loop});
  if (v.valid()) timeline_.tenancies.back().values.push_back(v);
  return offset;
}

void Buffers::give_back(Room room) {
  if (offsets_ == nullptr) arena_.give_back(room.offset, room.bytes);
  const auto tenancy = open_.find(room.offset);
  if (tenancy == open_.end()) return;
  timeline_.tenancies[static_cast<size_t>(tenancy->second)].last = now;
  open_.erase(tenancy);
}

int Buffers::add(Room room, int readers) {
  buffers_.push_back({room, readers, open_.at(room.offset)});
  return static_cast<int>(buffers_.size()) - 1;
}

std::optional<Buffers::Room> Buffers::read(ir::Value v) {
  const int buffer = of(v);
  if (buffer < 0) return std::nullopt;
  WEFT_CHECK(at(buffer).readers > 0);
  --at(buffer).readers;
  return unread(buffer);
}

std::optional<Buffers::Room> Buffers::unread(int buffer) {
  if (buffer < 0 || at(buffer).readers != 0) return std::nullopt;
  at(buffer).readers = -1;
  return at(buffer).room;
}

}  // namespace weft::onednn
