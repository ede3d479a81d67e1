// backends/onednn/arena.h -- offsets in one block of memory, given out and taken back in plan
// order.
//
// Best fit among the gaps, else at the end; neighbouring gaps join. Nothing is allocated here: the
// executable allocates `peak` bytes once.
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

  int64_t take(int64_t bytes);
  void give_back(int64_t offset, int64_t bytes);
  int64_t peak() const { return peak_; }

 private:
  std::map<int64_t, int64_t> gaps_;  // offset -> size
  int64_t end_ = 0, peak_ = 0;
};

}  // namespace weft::onednn
