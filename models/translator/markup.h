// models/translator/markup.h -- markup carried from a source to its translation.
//
//   const MarkedText text = parse_markup("The <b>red <i>house</i></b> .");
//   text.text;                                   // "The red house ."
//   with_markup(text, {"das", "rote", "haus", "."}, {0, 1, 2, 3});
//   // "das <b>rote <i>haus</i></b> ."
//
// An element goes around the tokens that came from what it was around, from the first to the last of
// them; one that nothing came from, or that was around nothing, stands before the first token that
// came from what follows it, or else at the end. What comes out is nested as what went in.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct MarkedText {
  struct Element {
    std::string open, close;  // as they were spelled; close: empty of <br/> and of the unpaired
    int64_t begin, end;       // the words of `text` that it is around
    std::vector<Element> inner;
  };

  std::string text;  // words, one space between them, without tags
  std::vector<Element> elements;
};

// Tags of XML: <name ...>, </name>, <name .../>. A tag whose other half is missing stands for itself;
// '<' that begins none is text.
MarkedText parse_markup(std::string_view line);

// from: by token of the translation the word of the source that it came from.
std::string with_markup(const MarkedText& source, const std::vector<std::string>& tokens,
                        const std::vector<int64_t>& from);

}  // namespace weft
