// models/data/subwords.cpp -- libsentencepiece, its options and errors in our words.
#include "models/data/subwords.h"

#include "frontend/formats/input_file.h"
#include "ir/error.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace weft::data {
namespace {

using ir::concat;
using ir::GraphError;

constexpr int kBest = 64;  // segmentations that a unigram model is sampled from

// The sentences of `next`, as the trainer asks for them.
class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::function<std::optional<std::string>()>& next) : next_(next) {
    Next();
  }
  bool done() const override { return !sentence_; }
  void Next() override { sentence_ = next_(); }
  const std::string& value() const override { return *sentence_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::function<std::optional<std::string>()>& next_;
  std::optional<std::string> sentence_;
};

std::unordered_map<std::string, std::string> options_of(const SubwordSettings& s) {
  std::string symbols;
  for (const std::string& symbol : s.symbols) {
    if (symbol.empty() || symbol.find_first_of(", \t\n") != std::string::npos)
      throw GraphError(
          concat("the symbol '", symbol, "' is empty or holds a space or a comma; pieces cannot"));
    symbols += (symbols.empty() ? "" : ",") + symbol;
  }
  return {{"model_type", s.kind == SubwordKind::bpe ? "bpe" : "unigram"},
          {"vocab_size", std::to_string(s.size)},
          {"character_coverage", std::to_string(s.coverage)},
          {"byte_fallback", s.byte_fallback ? "true" : "false"},
          {"user_defined_symbols", symbols},
          {"input_sentence_size", std::to_string(s.sentences)},
          {"shuffle_input_sentence", "true"},
          {"num_threads", std::to_string(s.threads)},
          {"pad_id", "0"},
          {"bos_id", "1"},
          {"eos_id", "2"},
          {"unk_id", "3"},
          {"minloglevel", "2"}};
}

// "Internal: src/trainer.cc(587) [...] Vocabulary size too high (9). Please set it to a value <= 7."
std::string reason(const sentencepiece::util::Status& status) {
  std::string text = status.error_message();
  const size_t end = text.find("] ");
  return end == std::string::npos ? text : text.substr(end + 2);
}

}  // namespace

struct Subwords::Model {
  std::string bytes;
  sentencepiece::SentencePieceProcessor processor;
  bool merges;  // a BPE model: a piece's score is minus its rank
};

Subwords Subwords::from_bytes(std::string bytes, const std::string& name) {
  auto model = std::make_shared<Model>();
  const auto status = model->processor.LoadFromSerializedProto(bytes);
  if (!status.ok() || model->processor.GetPieceSize() == 0)
    throw GraphError(concat(name, ": is not a SentencePiece model"));
  model->bytes = std::move(bytes);
  // Ranks are whole numbers, log-probabilities are not.
  const auto& p = model->processor;
  bool merges = true, any = false;
  for (int i = 0; i < p.GetPieceSize(); ++i) {
    if (p.IsControl(i) || p.IsUnknown(i) || p.IsByte(i)) continue;
    merges = merges && p.GetScore(i) == std::round(p.GetScore(i));
    any = any || p.GetScore(i) != 0;
  }
  model->merges = merges && any;
  return Subwords(model);
}

Subwords Subwords::load(const std::string& path) {
  const formats::InputFile file(path);
  constexpr int64_t kMost = int64_t{256} << 20;
  if (file.size() > kMost)
    throw GraphError(
        concat(path, ": has ", file.size(), " bytes, at most ", kMost, " are accepted"));
  return from_bytes(file.read_text(0, file.size()), path);
}

Subwords Subwords::train(const SubwordSettings& settings,
                         const std::function<std::optional<std::string>()>& next) {
  Sentences sentences(next);
  if (sentences.done()) throw GraphError("subwords cannot be learnt from no text");
  std::string bytes;
  sentencepiece::SetRandomGeneratorSeed(static_cast<unsigned>(settings.seed));
  const auto status =
      sentencepiece::SentencePieceTrainer::Train(options_of(settings), &sentences, &bytes);
  if (!status.ok())
    throw GraphError(concat("subwords of size ", settings.size, ": ", reason(status)));
  return from_bytes(std::move(bytes), "the model just learnt");
}

const std::string& Subwords::bytes() const { return model_->bytes; }
int64_t Subwords::size() const { return model_->processor.GetPieceSize(); }

const std::string& Subwords::piece(int32_t id) const {
  if (id < 0 || id >= size())
    throw GraphError(concat("there is no piece ", id, " in a subword model of ", size()));
  return model_->processor.IdToPiece(id);
}

int32_t Subwords::id(std::string_view piece) const { return model_->processor.PieceToId(piece); }
int32_t Subwords::pad() const { return model_->processor.pad_id(); }
int32_t Subwords::begin() const { return model_->processor.bos_id(); }
int32_t Subwords::end() const { return model_->processor.eos_id(); }
int32_t Subwords::unknown() const { return model_->processor.unk_id(); }

std::vector<int32_t> Subwords::encode(std::string_view text) const {
  std::vector<int> ids;
  const auto status = model_->processor.Encode(text, &ids);
  if (!status.ok()) throw GraphError(concat("cannot be cut into subwords: ", reason(status)));
  return {ids.begin(), ids.end()};
}

std::string Subwords::decode(std::span<const int32_t> ids) const {
  for (const int32_t id : ids) piece(id);
  std::string text;
  const auto status = model_->processor.Decode(std::vector<int>(ids.begin(), ids.end()), &text);
  if (!status.ok()) throw GraphError(concat("cannot be made text: ", reason(status)));
  return text;
}

namespace {

// A segmentation in the making: neighbours are merged, the best pair first, each merge left out
// with probability `drop` whenever it is looked at.
std::vector<int32_t> merge_with_dropout(const sentencepiece::SentencePieceProcessor& processor,
                                        std::vector<std::string> parts, double drop,
                                        Random& random) {
  for (;;) {
    int best = -1;
    float best_score = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const int id = processor.PieceToId(parts[i] + parts[i + 1]);
      if (processor.IsUnknown(id) || random.uniform() < drop) continue;
      if (const float score = processor.GetScore(id); best < 0 || score > best_score)
        best = static_cast<int>(i), best_score = score;
    }
    if (best < 0) break;
    const auto at = parts.begin() + best;
    *at += *(at + 1);
    parts.erase(at + 1);
  }
  std::vector<int32_t> ids;
  for (const std::string& part : parts) ids.push_back(processor.PieceToId(part));
  return ids;
}

std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> parts;
  for (const char c : text) {
    if (parts.empty() || (static_cast<unsigned char>(c) & 0xC0) != 0x80) parts.emplace_back();
    parts.back() += c;
  }
  return parts;
}

}  // namespace

std::vector<int32_t> Subwords::sample(std::string_view text, double alpha, Random& random) const {
  const auto& processor = model_->processor;
  if (!model_->merges) {
    const auto best = processor.NBestEncodeAsImmutableProto(text, kBest);
    if (best.nbests_size() == 0) return {};
    std::vector<double> shares;
    for (size_t i = 0; i < best.nbests_size(); ++i)
      shares.push_back(
          std::exp(alpha * (best.nbests(static_cast<int>(i)).score() - best.nbests(0).score())));
    double total = 0;
    for (const double s : shares) total += s;
    double left = random.uniform() * total;
    size_t drawn = 0;
    while (drawn + 1 < shares.size() && (left -= shares[drawn]) >= 0) ++drawn;
    std::vector<int32_t> ids;
    const auto chosen = best.nbests(static_cast<int>(drawn));
    for (size_t k = 0; k < chosen.pieces_size(); ++k)
      ids.push_back(static_cast<int32_t>(chosen.pieces(static_cast<int>(k)).id()));
    return ids;
  }
  // Word by word: pieces of the usual segmentation tell the normalised text. What is unknown, a byte
  // or a symbol stays as it is.
  std::vector<int32_t> ids;
  std::string word;
  const auto flush = [&] {
    if (word.empty()) return;
    const auto made = merge_with_dropout(processor, characters(word), alpha, random);
    ids.insert(ids.end(), made.begin(), made.end());
    word.clear();
  };
  for (const int32_t id : encode(text)) {
    const std::string& p = processor.IdToPiece(id);
    const bool fixed = processor.IsUnknown(id) || processor.IsByte(id) || processor.IsControl(id) ||
                       (processor.GetScore(id) == 0 && characters(p).size() > 1);
    if (fixed || p.rfind("\xE2\x96\x81", 0) == 0) flush();
    if (fixed)
      ids.push_back(id);
    else
      word += p;
  }
  flush();
  return ids;
}

}  // namespace weft::data
