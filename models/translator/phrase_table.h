// models/translator/phrase_table.h -- phrases of sources, and what must be in their translations.
//
//   red house => rotes Haus       wherever the source has "red house"
//   Weft                          in every translation
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class PhraseTable {
 public:
  // A line as above; GraphError where a side of "=>" is empty.
  void add(std::string_view line);
  // Of a file, empty lines left out; GraphError "file:line: ...".
  static PhraseTable read(const std::string& path);

  struct Entry {
    std::string source, target;  // source: empty where it counts everywhere
  };
  const std::vector<Entry>& entries() const { return entries_; }

  // What must be in the translation of a source, each once. A phrase is in it where letters and
  // digits neither stand right before nor right behind it.
  std::vector<std::string> targets(std::string_view source) const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace weft
