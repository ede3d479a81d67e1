// models/data/tokens/subwords.h -- raw text to pieces of words and back, by SentencePiece (Kudo and
// Richardson 2018).
//
// A model is learnt from raw sentences and kept as bytes; encoding and decoding are each other's
// inverse up to the normalisation (NFKC) and runs of spaces. Ids are the model's own. One object may
// be used by many threads at once.
#pragma once
#include "models/data/random.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

enum class SubwordKind { bpe, unigram };

struct SubwordSettings {
  SubwordKind kind = SubwordKind::bpe;
  int64_t size = 8000;               // ids in all, the special ones included
  double coverage = 1.0;             // share of the characters seen that get a piece of their own
  bool byte_fallback = true;         // other characters become their bytes, not <unk>
  std::vector<std::string> symbols;  // kept whole, each a piece
  int64_t sentences = 2'000'000;     // at most so many are learnt from, drawn with the seed
  uint64_t seed = 1;
  int threads = 1;
};

class Subwords {
 public:
  // Ids 0 to 3 are <pad>, <s>, </s> and <unk>. `next` gives one sentence after the other. Throws
  // GraphError where the sentences do not yield `size` pieces, or need more for their characters
  // alone, naming the size that is possible.
  static Subwords train(const SubwordSettings& settings,
                        const std::function<std::optional<std::string>()>& next);
  // A model as SentencePiece writes it. `name` (a path) stands in errors; GraphError if it is none.
  static Subwords from_bytes(std::string bytes, const std::string& name);
  static Subwords load(const std::string& path);

  const std::string& bytes() const;
  int64_t size() const;
  const std::string& piece(int32_t id) const;  // GraphError outside [0, size)
  bool is_text(int32_t id) const;              // neither a special symbol nor one that is not used
  int32_t id(std::string_view piece) const;    // the unknown id for what is no piece
  // Special ids; -1 where the model has none.
  int32_t pad() const, begin() const, end() const, unknown() const;

  std::vector<int32_t> encode(std::string_view text) const;
  std::vector<std::string> pieces(
      std::string_view text) const;  // the same; what is unknown as it is
  std::string decode(std::span<const int32_t> ids) const;
  // Of pieces by their spelling, those of other models too.
  std::string join(std::span<const std::string> pieces) const;

  // Subword regularisation: another segmentation of the same text each time, drawn from `random`
  // only. unigram: one of the `best` most probable, with probability proportional to P(x)^alpha (Kudo
  // 2018). bpe: each merge is left out with probability alpha (BPE-dropout, Provilkov et al. 2020).
  std::vector<int32_t> sample(std::string_view text, double alpha, Random& random,
                              int64_t best = 64) const;
  // The same for the text that `ids` is. Words that hold something unknown stay as they are.
  std::vector<int32_t> resample(std::span<const int32_t> ids, double alpha, Random& random,
                                int64_t best = 64) const;

 private:
  struct Model;
  explicit Subwords(std::shared_ptr<const Model> model) : model_(std::move(model)) {}
  std::vector<int32_t> sample_unigram(std::string_view text, double alpha, Random& random,
                                      int64_t best) const;
  std::vector<int32_t> sample_bpe(std::string_view text, double drop, Random& random) const;

  std::shared_ptr<const Model> model_;
};

}  // namespace weft::data
