// models/data/published/added_tokens.cpp -- looking for added tokens, place by place.
#include "models/data/published/added_tokens.h"

#include "models/data/published/unicode.h"

#include <algorithm>
#include <utility>

namespace weft::data::published {
namespace {

bool ends_in_word(std::string_view text) {
  size_t end = text.size();
  return end > 0 && is_word(previous_code_point(text, end));
}
bool begins_with_word(std::string_view text) {
  size_t at = 0;
  return !text.empty() && is_word(next_code_point(text, at));
}

}  // namespace

void AddedTokens::add(AddedToken token) {
  if (const auto at = by_content_.find(token.content); at != by_content_.end()) {
    by_id_.erase(at->second);
    by_content_.erase(at);
  }
  if (const auto at = by_id_.find(token.id); at != by_id_.end()) {
    by_content_.erase(at->second.content);
    by_id_.erase(at);
  }
  by_content_.emplace(token.content, token.id);
  by_id_.emplace(token.id, std::move(token));
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto at = by_content_.find(content);
  return at == by_content_.end() ? nullptr : &by_id_.at(at->second);
}

const AddedToken* AddedTokens::find(int32_t id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &at->second;
}

void AddedTokens::prepare(const std::function<std::string(std::string_view)>& normalizer) {
  raw_ = normal_ = {};
  for (const auto& [id, token] : by_id_) {
    const std::string spelling = token.normalized ? normalizer(token.content) : token.content;
    if (spelling.empty()) continue;
    ByFirstByte& sought = token.normalized ? normal_ : raw_;
    sought[static_cast<unsigned char>(spelling[0])].push_back({spelling, id});
  }
  for (ByFirstByte* sought : {&raw_, &normal_})
    for (std::vector<Sought>& same : *sought)
      std::stable_sort(same.begin(), same.end(), [](const Sought& a, const Sought& b) {
        return a.spelling.size() > b.spelling.size();
      });
}

std::vector<AddedTokens::Segment> AddedTokens::split(std::string_view text, bool normalized) const {
  std::vector<Segment> segments;
  const ByFirstByte& sought = normalized ? normal_ : raw_;
  size_t done = 0;
  const auto add = [&](size_t begin, size_t end, const AddedToken* token) {
    if (begin < end) segments.push_back({text.substr(begin, end - begin), token, begin == 0});
  };
  for (size_t at = 0; at < text.size();) {
    const auto& same = sought[static_cast<unsigned char>(text[at])];
    const auto found = std::find_if(same.begin(), same.end(), [&](const Sought& s) {
      return text.substr(at, s.spelling.size()) == s.spelling;
    });
    if (found == same.end()) {
      ++at;
      continue;
    }
    const AddedToken& token = by_id_.at(found->id);
    size_t begin = at, end = at + found->spelling.size();
    at = end;
    if (token.single_word &&
        (ends_in_word(text.substr(0, begin)) || begins_with_word(text.substr(end))))
      continue;
    if (token.lstrip) begin = std::max(done, stripped(text.substr(0, begin), false, true).size());
    if (token.rstrip) end = text.size() - stripped(text.substr(end), true, false).size();
    add(done, begin, nullptr);
    add(begin, end, &token);
    at = done = end;
  }
  add(done, text.size(), nullptr);
  return segments;
}

}  // namespace weft::data::published
