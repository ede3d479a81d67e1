// backends/onednn/plan/arena.h -- offsets in one block of memory, given out and taken back in plan
// order.
//
// Among the gaps, the place where the fewest bytes are touched for the first time, in the smallest
// such gap; else at the end. Memory that nobody has touched takes no room in the machine, and what
// packed rows leave free behind them stays so. Neighbouring gaps join. Nothing is allocated here:
// the executable allocates `peak` bytes once.
#pragma once
#include <cstdint>
#include <map>

namespace weft::onednn {

class Arena {
 public:
  static constexpr int64_t kAlignment = 64;
  static int64_t rounded(int64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  // The bytes from `touched` on are expected to be left alone.
  int64_t take(int64_t bytes, int64_t touched);
  int64_t take(int64_t bytes) { return take(bytes, bytes); }
  void give_back(int64_t offset, int64_t bytes);
  // These bytes, wherever others lie: whoever asks knows that they are free.
  void take_at(int64_t offset, int64_t bytes, int64_t touched);
  int64_t peak() const { return peak_; }
  const std::map<int64_t, int64_t>& touched() const { return touched_; }

 private:
  int64_t untouched(int64_t offset, int64_t bytes) const;  // how many of these
  void touch(int64_t offset, int64_t bytes);

  std::map<int64_t, int64_t> gaps_;     // offset -> size
  std::map<int64_t, int64_t> touched_;  // offset -> end; runs do not meet
  int64_t end_ = 0, peak_ = 0;
};

}  // namespace weft::onednn
