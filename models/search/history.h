// models/search/history.h -- the tokens of all hypotheses that a sentence ever had.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace weft::search {

class History {
 public:
  static constexpr int32_t kStart = -1;  // the place of the empty hypothesis

  struct Token {
    int32_t before;  // its place; kStart: none
    int32_t id;
    double log_probability;      // of all up to here, as the model has it
    std::vector<float> weights;  // on the source's positions; may be empty
  };

  // -> its place
  int32_t add(Token token) {
    tokens_.push_back(std::move(token));
    return static_cast<int32_t>(tokens_.size()) - 1;
  }
  const Token& at(int32_t place) const { return tokens_[static_cast<size_t>(place)]; }
  double log_probability(int32_t place) const {
    return place == kStart ? 0 : at(place).log_probability;
  }

  // Places of the tokens up to the one at `last`, in order.
  std::vector<int32_t> places(int32_t last) const {
    std::vector<int32_t> list;
    for (int32_t at = last; at != kStart; at = tokens_[static_cast<size_t>(at)].before)
      list.push_back(at);
    return {list.rbegin(), list.rend()};
  }

 private:
  std::vector<Token> tokens_;
};

}  // namespace weft::search
