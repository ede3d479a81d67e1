// models/translator/markup.cpp -- reading tags, and writing them around other words.
#include "models/translator/markup.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace weft {
namespace {

using Element = MarkedText::Element;

struct Tag {
  std::string_view text, name;
  bool closes = false, is_empty = false;
};

// The tag that stands at `at`.
std::optional<Tag> tag_at(std::string_view line, size_t at) {
  const size_t end = line.find('>', at);
  if (end == line.npos) return std::nullopt;
  Tag tag{.text = line.substr(at, end - at + 1), .name = {}};
  std::string_view inside = tag.text.substr(1, tag.text.size() - 2);
  if (inside.starts_with('/')) tag.closes = true, inside.remove_prefix(1);
  if (inside.ends_with('/')) tag.is_empty = true, inside.remove_suffix(1);
  if (inside.empty() || inside.find('<') != inside.npos) return std::nullopt;
  const auto in_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':' || c == '-' ||
           c == '.' || static_cast<unsigned char>(c) >= 0x80;
  };
  if (std::isdigit(static_cast<unsigned char>(inside[0])) != 0) return std::nullopt;
  size_t n = 0;
  while (n < inside.size() && in_name(inside[n])) ++n;
  if (n == 0 || (n < inside.size() && inside[n] != ' ')) return std::nullopt;
  tag.name = inside.substr(0, n);
  if (tag.closes && (tag.is_empty || n < inside.size())) return std::nullopt;
  return tag;
}

struct Reader {
  MarkedText result;
  std::vector<std::pair<std::string, Element>> open;  // by name
  int64_t words = 0;
  bool in_word = false;

  std::vector<Element>& inner() {
    return open.empty() ? result.elements : open.back().second.inner;
  }
  void add(char c) {
    if (c == ' ') {
      in_word = false;
      return;
    }
    if (!in_word) {
      if (words++ > 0) result.text += ' ';
      in_word = true;
    }
    result.text += c;
  }
  // The word that a tag stands in is inside of what it opens or closes.
  int64_t begin() const { return in_word ? words - 1 : words; }
  int64_t end() const { return words; }
  void leave(std::optional<std::string> close) {
    Element e = std::move(open.back().second);
    open.pop_back();
    if (close) {
      e.close = *close;
      e.end = end();
    } else {  // its other half is missing
      std::vector<Element> of_it = std::move(e.inner);
      e.inner.clear();
      e.end = e.begin;
      inner().push_back(std::move(e));
      for (Element& x : of_it) inner().push_back(std::move(x));
      return;
    }
    inner().push_back(std::move(e));
  }
  void take(const Tag& tag) {
    const std::string text(tag.text), name(tag.name);
    if (!tag.closes) {
      if (tag.is_empty) {  // parts words, as a space does
        inner().push_back({text, {}, end(), end(), {}});
        in_word = false;
      } else {
        open.emplace_back(name, Element{text, {}, begin(), end(), {}});
      }
      return;
    }
    const auto has_name = [&](const auto& o) { return o.first == name; };
    if (std::any_of(open.begin(), open.end(), has_name)) {
      while (open.back().first != name) leave(std::nullopt);
      leave(text);
    } else {
      inner().push_back({text, {}, end(), end(), {}});
    }
  }
};

struct Placed {
  const Element* element;
  int64_t begin, end;  // of the translation's tokens
};

class Writer {
 public:
  Writer(const std::vector<std::string>& tokens, const std::vector<int64_t>& from)
      : tokens_(tokens), from_(from) {}

  void write(const std::vector<Element>& elements, int64_t begin, int64_t end) {
    std::vector<Placed> list;
    for (const Element& e : elements) list.push_back(placed(e));
    std::stable_sort(list.begin(), list.end(),
                     [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
    int64_t at = begin;
    for (const Placed& p : list) {
      const int64_t first = std::clamp(p.begin, at, end), last = std::clamp(p.end, first, end);
      add_tokens(at, first);
      const bool is_pair = !p.element->close.empty();
      add(p.element->open, is_pair);
      write(p.element->inner, first, last);
      if (is_pair) text_ += p.element->close, touches_ = false;
      at = last;
    }
    add_tokens(at, end);
  }
  std::string text() && { return std::move(text_); }

 private:
  Placed placed(const Element& e) const {
    Placed p{&e, std::ssize(tokens_), 0};
    for (size_t t = 0; t < from_.size(); ++t)
      if (from_[t] >= e.begin && from_[t] < e.end) {
        p.begin = std::min(p.begin, static_cast<int64_t>(t));
        p.end = static_cast<int64_t>(t) + 1;
      }
    if (p.end > 0) return p;
    for (size_t t = 0; t < from_.size() && p.end == 0; ++t)
      if (from_[t] >= e.end) return {&e, static_cast<int64_t>(t), static_cast<int64_t>(t)};
    return {&e, std::ssize(tokens_), std::ssize(tokens_)};
  }
  void add_tokens(int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) add(tokens_[static_cast<size_t>(t)], false);
  }
  void add(const std::string& item, bool next_touches) {
    if (!text_.empty() && !touches_) text_ += ' ';
    text_ += item;
    touches_ = next_touches;
  }

  const std::vector<std::string>& tokens_;
  const std::vector<int64_t>& from_;
  std::string text_;
  bool touches_ = false;
};

}  // namespace

MarkedText parse_markup(std::string_view line) {
  Reader reader;
  for (size_t at = 0; at < line.size();) {
    const auto tag = line[at] == '<' ? tag_at(line, at) : std::nullopt;
    if (tag) {
      reader.take(*tag);
      at += tag->text.size();
    } else {
      reader.add(line[at++]);
    }
  }
  while (!reader.open.empty()) reader.leave(std::nullopt);
  return std::move(reader.result);
}

std::string with_markup(const MarkedText& source, const std::vector<std::string>& tokens,
                        const std::vector<int64_t>& from) {
  Writer writer(tokens, from);
  writer.write(source.elements, 0, std::ssize(tokens));
  return std::move(writer).text();
}

}  // namespace weft
