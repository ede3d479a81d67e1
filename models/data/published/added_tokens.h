// models/data/published/added_tokens.h -- tokens that are looked for in a text before anything else is
// done with it: special ones, and those that users added to a vocabulary.
//
// Of several that begin at one place the longest counts, the first place first.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data::published {

struct AddedToken {
  std::string content = {};
  int32_t id = 0;
  bool single_word = false;  // not inside a word
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and behind it
  bool normalized = false;   // looked for in normalised text
  bool special = false;      // left out where ids become text
};

class AddedTokens {
 public:
  // A stretch of text, or the token that it is.
  struct Segment {
    std::string_view text;
    const AddedToken* token;  // null: text
    bool first;               // does it begin where the text does?
  };

  // Takes the place of one with the same content.
  void add(AddedToken token);
  const AddedToken* find(std::string_view content) const;
  const AddedToken* find(int32_t id) const;
  const std::map<int32_t, AddedToken>& by_id() const { return by_id_; }

  // `normalizer`: of the contents of those that are looked for in normalised text.
  void prepare(const std::function<std::string(std::string_view)>& normalizer);
  // `normalized`: by those that are looked for in normalised text, else by the others. Segments are
  // never empty. Needs `prepare`.
  std::vector<Segment> split(std::string_view text, bool normalized) const;

 private:
  struct Sought {
    std::string spelling;
    int32_t id;
  };
  using ByFirstByte = std::array<std::vector<Sought>, 256>;  // the longest first

  std::map<int32_t, AddedToken> by_id_;
  std::map<std::string, int32_t, std::less<>> by_content_;
  ByFirstByte raw_, normal_;
};

}  // namespace weft::data::published
