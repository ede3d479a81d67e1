// models/data/tokens/subwords.cpp -- libsentencepiece, its options and errors in our words.
#include "models/data/tokens/subwords.h"

#include "frontend/formats/input_file.h"
#include "ir/error.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

namespace weft::data {
namespace {

using ir::concat;
using ir::GraphError;

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, which begins a word

constexpr size_t kLongest = 4000;  // bytes of a sentence: the trainer passes over longer ones

// Does it leave anything to learn from? A trainer that is given nothing else ends the program. Spaces
// and what is not seen do not count; U+2585, of which the trainer makes use, spoils a sentence.
bool is_learnt_from(std::string_view text) {
  bool seen = false;
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const size_t bytes = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    const std::string_view c = text.substr(i, bytes);
    if (c == "\xE2\x96\x85" || c == "\t") return false;
    const bool blank = bytes == 1   ? first <= ' ' || first >= 0x7F
                       : bytes == 2 ? first == 0xC2 && (c < "\xC2\xA1" || c == "\xC2\xAD")
                       : bytes == 3 ? c == kSpace || c.starts_with("\xE2\x80") ||
                                          c.starts_with("\xE2\x81") || c == "\xE3\x80\x80" ||
                                          c.starts_with("\xEF\xBB") || c.starts_with("\xEF\xBF")
                                    : false;
    seen = seen || !blank;
    i += bytes;
  }
  return seen;
}

// The sentences of `next`, as the trainer asks for them; long ones in parts.
class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::function<std::optional<std::string>()>& next) : next_(next) {
    Next();
  }
  bool done() const override { return !sentence_; }
  void Next() override {
    do {
      if (rest_.empty()) {
        auto sentence = next_();
        if (!sentence) return sentence_.reset();
        rest_ = std::move(*sentence);
      }
      sentence_ = rest_.substr(0, end_of_part());
      rest_.erase(0, sentence_->size());
    } while (!is_learnt_from(*sentence_));
  }
  const std::string& value() const override { return *sentence_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  // Behind the last space that fits, or the last code point.
  size_t end_of_part() const {
    if (rest_.size() <= kLongest) return rest_.size();
    if (const size_t space = rest_.rfind(' ', kLongest - 1); space != rest_.npos) return space + 1;
    size_t end = kLongest;
    while ((static_cast<unsigned char>(rest_[end]) & 0xC0) == 0x80) --end;
    return end;
  }

  const std::function<std::optional<std::string>()>& next_;
  std::optional<std::string> sentence_;
  std::string rest_;  // of the text whose parts are given
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

// The number behind `before`, or -1.
int64_t number_behind(std::string_view text, std::string_view before) {
  const size_t at = text.find(before);
  int64_t n = -1;
  if (at != text.npos)
    std::from_chars(text.data() + at + before.size(), text.data() + text.size(), n);
  return n;
}

// What the trainer found wrong with the size, in words that name the cure.
std::string fault_of_training(const SubwordSettings& s, const sentencepiece::util::Status& status) {
  const std::string text = reason(status);
  if (const int64_t most = number_behind(text, "set it to a value <= "); most >= 0)
    return concat("a size of ", s.size, " is more than the text yields, at most ", most,
                  " are possible");
  if (const int64_t least = number_behind(text, " vs "); least >= 0)
    return concat("a size of ", s.size, " is too small: characters",
                  s.byte_fallback ? ", bytes" : "", " and special tokens alone take ", least,
                  ", fewer with a lower character coverage");
  return concat("subwords of size ", s.size, ": ", text);
}

}  // namespace

struct Subwords::Model {
  std::string bytes;
  sentencepiece::SentencePieceProcessor processor;
  bool merges;           // a BPE model: a piece's score is minus its rank
  int first_merge = -1;  // the piece of rank 0: only its place tells it from a symbol
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
    if (p.GetScore(i) == -1 && model->first_merge < 0) model->first_merge = i - 1;
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
  if (!status.ok()) throw GraphError(fault_of_training(settings, status));
  return from_bytes(std::move(bytes), "the model just learnt");
}

const std::string& Subwords::bytes() const { return model_->bytes; }
int64_t Subwords::size() const { return model_->processor.GetPieceSize(); }

const std::string& Subwords::piece(int32_t id) const {
  if (id < 0 || id >= size())
    throw GraphError(concat("there is no piece ", id, " in a subword model of ", size()));
  return model_->processor.IdToPiece(id);
}

bool Subwords::is_text(int32_t id) const {
  const auto& p = model_->processor;
  return id >= 0 && id < size() && !p.IsControl(id) && !p.IsUnknown(id) && !p.IsUnused(id);
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

std::vector<std::string> Subwords::pieces(std::string_view text) const {
  std::vector<std::string> pieces;
  const auto status = model_->processor.Encode(text, &pieces);
  if (!status.ok()) throw GraphError(concat("cannot be cut into subwords: ", reason(status)));
  return pieces;
}

std::string Subwords::decode(std::span<const int32_t> ids) const {
  for (const int32_t id : ids) piece(id);
  std::string text;
  const auto status = model_->processor.Decode(std::vector<int>(ids.begin(), ids.end()), &text);
  if (!status.ok()) throw GraphError(concat("cannot be made text: ", reason(status)));
  return text;
}

std::string Subwords::join(std::span<const std::string> pieces) const {
  std::string text;
  const auto status =
      model_->processor.Decode(std::vector<std::string>(pieces.begin(), pieces.end()), &text);
  if (!status.ok()) throw GraphError(concat("cannot be made text: ", reason(status)));
  return text;
}

namespace {

// A segmentation in the making: neighbours are merged, the best pair first, each merge left out
// with probability `drop` whenever it is looked at.
std::vector<int32_t> merge_with_dropout(const sentencepiece::SentencePieceProcessor& processor,
                                        std::vector<std::string> parts, double drop,
                                        Random& random) {
  constexpr int kNone = -1;
  const auto merged = [&](size_t i) {  // the piece that part i and the next one make
    if (i + 1 >= parts.size()) return kNone;
    const int id = processor.PieceToId(parts[i] + parts[i + 1]);
    return processor.IsUnknown(id) ? kNone : id;
  };
  std::vector<int> pairs;
  for (size_t i = 0; i < parts.size(); ++i) pairs.push_back(merged(i));
  for (;;) {
    int best = -1;
    float best_score = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      if (pairs[i] == kNone || random.uniform() < drop) continue;
      if (const float score = processor.GetScore(pairs[i]); best < 0 || score > best_score)
        best = static_cast<int>(i), best_score = score;
    }
    if (best < 0) break;
    const auto at = static_cast<size_t>(best);
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + best + 1);
    pairs.erase(pairs.begin() + best + 1);
    pairs[at] = merged(at);
    if (at > 0) pairs[at - 1] = merged(at - 1);
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

std::vector<int32_t> Subwords::sample(std::string_view text, double alpha, Random& random,
                                      int64_t best) const {
  return model_->merges ? sample_bpe(text, alpha, random)
                        : sample_unigram(text, alpha, random, best);
}

std::vector<int32_t> Subwords::sample_unigram(std::string_view text, double alpha, Random& random,
                                              int64_t best) const {
  const auto found = model_->processor.NBestEncodeAsImmutableProto(text, static_cast<int>(best));
  if (found.nbests_size() == 0) return {};
  std::vector<double> shares;
  for (size_t i = 0; i < found.nbests_size(); ++i)
    shares.push_back(
        std::exp(alpha * (found.nbests(static_cast<int>(i)).score() - found.nbests(0).score())));
  double total = 0;
  for (const double s : shares) total += s;
  double left = random.uniform() * total;
  size_t drawn = 0;
  while (drawn + 1 < shares.size() && (left -= shares[drawn]) >= 0) ++drawn;
  std::vector<int32_t> ids;
  const auto chosen = found.nbests(static_cast<int>(drawn));
  for (size_t k = 0; k < chosen.pieces_size(); ++k)
    ids.push_back(static_cast<int32_t>(chosen.pieces(static_cast<int>(k)).id()));
  return ids;
}

// Word by word: pieces of the usual segmentation tell the normalised text. What is unknown, a byte
// or a symbol stays as it is.
std::vector<int32_t> Subwords::sample_bpe(std::string_view text, double drop,
                                          Random& random) const {
  const auto& processor = model_->processor;
  std::vector<int32_t> ids;
  std::string word;
  const auto flush = [&] {
    if (word.empty()) return;
    const auto made = merge_with_dropout(processor, characters(word), drop, random);
    ids.insert(ids.end(), made.begin(), made.end());
    word.clear();
  };
  for (const int32_t id : encode(text)) {
    const std::string& p = processor.IdToPiece(id);
    const bool fixed =
        processor.IsUnknown(id) || processor.IsByte(id) || processor.IsControl(id) ||
        (processor.GetScore(id) == 0 && id != model_->first_merge && characters(p).size() > 1);
    if (fixed || p.starts_with(kSpace)) flush();
    if (fixed)
      ids.push_back(id);
    else
      word += p;
  }
  flush();
  return ids;
}

std::vector<int32_t> Subwords::resample(std::span<const int32_t> ids, double alpha, Random& random,
                                        int64_t best) const {
  std::vector<int32_t> result;
  const auto add = [&](std::span<const int32_t> some) {
    result.insert(result.end(), some.begin(), some.end());
  };
  const auto begins_word = [&](size_t i) { return i == 0 || piece(ids[i]).starts_with(kSpace); };
  // [known, word): whole words before the one at hand that are to be drawn anew
  size_t known = 0;
  const auto flush = [&](size_t end) {
    if (known < end) add(sample(decode(ids.subspan(known, end - known)), alpha, random, best));
  };
  for (size_t word = 0, end = 0; word < ids.size(); word = end) {
    for (end = word + 1; end < ids.size() && !begins_word(end);) ++end;
    const auto pieces = ids.subspan(word, end - word);
    if (std::find(pieces.begin(), pieces.end(), unknown()) == pieces.end()) continue;
    flush(word);
    add(pieces);
    known = end;
  }
  flush(ids.size());
  // A model that writes no space before a text gives words in the middle of one other pieces.
  return decode(result) == decode(ids) ? result : std::vector<int32_t>(ids.begin(), ids.end());
}

}  // namespace weft::data
