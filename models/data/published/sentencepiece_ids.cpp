// models/data/published/sentencepiece_ids.cpp -- added tokens first, then pieces.
#include "models/data/published/sentencepiece_ids.h"

#include "models/data/published/unicode.h"

#include <algorithm>
#include <utility>

namespace weft::data::published {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, which begins a word

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

class SentencePieceIds final : public TokenModel {
 public:
  explicit SentencePieceIds(SentencePieceSettings settings) : s_(std::move(settings)) {
    s_.added.prepare([](std::string_view content) { return std::string(content); });
    for (const auto& [id, token] : s_.added.by_id()) {
      if (std::cmp_less_equal(s_.tokens.size(), id)) s_.tokens.resize(static_cast<size_t>(id) + 1);
      s_.tokens[static_cast<size_t>(id)] = token.content;
    }
    for (size_t id = 0; id < s_.tokens.size(); ++id)
      if (!s_.tokens[id].empty()) by_text_.emplace(s_.tokens[id], static_cast<int32_t>(id));
    for (size_t piece = 0; piece < s_.ids.size(); ++piece)
      if (s_.ids[piece] >= 0) pieces_.emplace(s_.ids[piece], static_cast<int32_t>(piece));
  }

  std::vector<Piece> encode(std::string_view text) const override {
    std::vector<Piece> pieces;
    bool behind_token = false;
    for (const auto& segment : s_.added.split(text, false)) {
      if (segment.token != nullptr)
        pieces.push_back({segment.token->id, segment.token->content});
      else
        cut(segment.text, behind_token, pieces);
      behind_token = segment.token != nullptr;
    }
    return pieces;
  }

  std::string decode(std::span<const int32_t> ids, bool skip_special) const override {
    std::vector<std::string> texts, pieces;
    const auto flush = [&] {
      if (pieces.empty()) return;
      if (std::string text = joined(pieces); !text.empty()) texts.push_back(std::move(text));
      pieces.clear();
    };
    for (const int32_t id : ids) {
      if (id < 0 || std::cmp_greater_equal(id, s_.tokens.size())) continue;
      const std::string& token = s_.tokens[static_cast<size_t>(id)];
      if (token.empty() || (skip_special && is_special(id))) continue;
      if (s_.added.find(id) == nullptr) {
        pieces.push_back(token);
        continue;
      }
      flush();
      texts.push_back(token);
    }
    flush();
    std::string text;
    for (const std::string& part : texts) text += (text.empty() ? "" : " ") + part;
    return s_.clean_up ? cleaned_up(std::move(text)) : text;
  }

  std::vector<int32_t> resample(std::span<const int32_t> ids, double alpha, int64_t best,
                                Random& random) const override {
    std::vector<int32_t> result, pieces;
    const auto flush = [&] {
      for (const int32_t piece : s_.encoder.resample(pieces, alpha, random, best))
        result.push_back(id_of(piece));
      pieces.clear();
    };
    for (const int32_t id : ids) {
      const auto at = pieces_.find(id);
      if (at != pieces_.end() && s_.added.find(id) == nullptr && id != s_.unknown) {
        pieces.push_back(at->second);
        continue;
      }
      flush();
      result.push_back(id);
    }
    flush();
    return result;
  }

  const std::vector<std::string>& tokens() const override { return s_.tokens; }
  const AddedTokens& added() const override { return s_.added; }

 private:
  int32_t id_of(int32_t piece) const {
    const int32_t id =
        std::cmp_less(piece, s_.ids.size()) ? s_.ids[static_cast<size_t>(piece)] : -1;
    return id < 0 ? s_.unknown : id;
  }

  void cut(std::string_view text, bool behind_token, std::vector<Piece>& pieces) const {
    if (s_.language_marks && text.starts_with(">>"))
      if (const size_t end = text.find("<<"); end != text.npos) {
        const std::string mark(text.substr(0, end + 2));
        const auto known = by_text_.find(mark);
        pieces.push_back({known == by_text_.end() ? s_.unknown : known->second, mark});
        text.remove_prefix(end + 2);
      }
    const bool inner = behind_token && s_.inner_encoder && !text.starts_with(' ');
    const Subwords& encoder = inner ? *s_.inner_encoder : s_.encoder;
    const std::vector<int32_t> own = encoder.encode(text);
    std::vector<std::string> spelled;  // needed where something is unknown only
    for (size_t i = 0; i < own.size(); ++i) {
      if (const int32_t id = id_of(own[i]); own[i] != encoder.unknown() && id != s_.unknown) {
        pieces.push_back({id, s_.tokens[static_cast<size_t>(id)]});
        continue;
      }
      if (spelled.empty()) spelled = encoder.pieces(text);
      const auto known = by_text_.find(spelled[i]);
      const bool other = known != by_text_.end() && s_.added.find(known->second) == nullptr;
      pieces.push_back({other ? known->second : s_.unknown, spelled[i]});
    }
  }

  std::string joined(std::span<const std::string> pieces) const {
    std::string text;
    if (s_.joining == Joining::pieces) {
      text = (s_.decoder ? *s_.decoder : s_.encoder).join(pieces);
    } else {
      for (const std::string& piece : pieces) text += piece;
    }
    replace_all(text, kSpace, " ");
    return std::string(stripped(text, true, true));
  }

  SentencePieceSettings s_;
  std::unordered_map<std::string, int32_t> by_text_;
  std::unordered_map<int32_t, int32_t> pieces_;  // the encoder's, by id
};

}  // namespace

std::shared_ptr<const TokenModel> sentencepiece_model(SentencePieceSettings settings) {
  return std::make_shared<const SentencePieceIds>(std::move(settings));
}

std::string cleaned_up(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kReplaced[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kReplaced) replace_all(text, from, to);
  return text;
}

}  // namespace weft::data::published
