// models/data/tokens/subword_sampling.cpp -- pieces drawn anew.
#include "models/data/tokens/subword_sampling.h"

namespace weft::data {

EncodedExample SubwordSampling::sample(EncodedExample e, int64_t epoch) const {
  if (!is_on()) return e;
  // Apart from what else uses the seed, and each (epoch, example) from any other.
  Random random(seed, hash(static_cast<uint64_t>(epoch), "subwords") ^ static_cast<uint64_t>(e.id));
  const auto draw = [&](const Tokenizer& tokenizer, std::vector<int32_t>& ids, int64_t end) {
    std::vector<int32_t> drawn = tokenizer.resample(ids, alpha, best, random);
    const int64_t positions = std::ssize(drawn) + end;
    if (!drawn.empty() && (most_positions == 0 || positions <= most_positions))
      ids = std::move(drawn);
  };
  if (e.features.empty()) draw(source, e.source, 0);
  draw(target, e.target, 1);
  return e;
}

}  // namespace weft::data
