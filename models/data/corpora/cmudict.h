// models/data/corpora/cmudict.h -- the pronunciation dictionary of Debian's package festlex-cmu.
//
//   ("abacus" nil (((ae) 1) ((b ax) 0) ((k ax s) 0)))   ->   a b a c u s  |  ae b ax k ax s
//
// Letters are the source, phones the target. Stress, syllable and part-of-speech marks are dropped,
// `ax` is kept. A word is taken if it consists of small letters a-z and apostrophes; others (names
// and abbreviations with capitals: 126 of 105,901 entries) are counted and left out. Entries of one
// word that differ only in what was dropped are merged.
#pragma once
#include "models/data/corpus.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

inline constexpr std::string_view kCmudictPath = "/usr/share/festival/dicts/cmu/cmudict-0.4.out";

using Phones = std::vector<std::string>;

struct Pronunciation {
  Phones phones;
  int64_t line;  // in the dictionary's file
};

struct Word {
  std::string spelling;
  std::vector<Pronunciation> pronunciations;  // distinct, at least one
};

struct Dictionary {
  std::vector<Word> words;  // in the order of the file, each spelling once
  int64_t entries = 0;      // read
  int64_t not_plain = 0;    // left out: capitals, digits, signs
  int64_t merged = 0;       // the same word with the same phones
};

// GraphError "path:line: ..." on what is not such a dictionary; names the package when it is
// missing.
Dictionary read_cmudict(const std::string& path = std::string(kCmudictPath));

// Each word falls on one side, decided by hash(seed, spelling) alone, so that removing or adding
// words moves no other.
struct DictionarySplit {
  std::vector<Word> train, valid, test;
};
DictionarySplit split_dictionary(const Dictionary& dictionary, uint64_t seed = 1,
                                 double valid_share = 0.05, double test_share = 0.05);

std::vector<std::string> letters(std::string_view spelling);

// One example for each pronunciation; its id is the line.
Examples pronunciation_examples(std::span<const Word> words);
// One example for each word, with its first pronunciation: what a search is run on.
Examples word_examples(std::span<const Word> words);
// The phones of every pronunciation, for metrics with several references.
std::vector<Phones> references(const Word& word);

}  // namespace weft::data
