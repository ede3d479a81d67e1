// models/data/parallel_text.h -- pairs of lines that belong together, from many files.
//
//   train.tsv                      source<TAB>target on each line
//   train.en, train.de             line n of one is the source of line n of the other
//   news.*.en.gz, news.*.de.gz     the first match of one with the first of the other, in the order
//                                  of their names
//
// Files may be packed (frontend/formats/decompression.h). Every line is one pair; the ids of all
// pairs of all files are 1, 2, ... in the order they are read: of a single file, the lines' numbers.
#pragma once
#include "frontend/formats/text.h"
#include "models/data/corpus.h"
#include "models/settings/fields.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weft::data {

// Files as a recipe names them: `file` of pairs, or `source` and `target`; each may be a pattern
// with *, ? and [...].
struct FilePattern {
  std::string file, source, target;
  double weight = 1;  // how often each of their pairs is drawn in an epoch
  // Of a published model for many languages; empty: those of all files.
  std::string source_language = {}, target_language = {};

  bool operator==(const FilePattern&) const = default;
};
void fields(FilePattern& p, settings::Fields& f);

// A file of pairs, or two.
struct ParallelFile {
  std::string source, target;  // target: empty where `source` holds pairs
  double weight = 1;
  std::string source_language = {}, target_language = {};

  bool is_tsv() const { return target.empty(); }
  std::string name() const;  // "train.tsv", "train.en and train.de"
};

// What a pattern names, relative to `folder`, in the order of the names. Throws GraphError where a
// pattern names nothing, where the two sides name different numbers of files or differ in what their
// stars stand for.
std::vector<ParallelFile> files_of(const FilePattern& pattern, const std::string& folder);

struct TextLimits {
  int64_t max_line_bytes = int64_t{1} << 20;
};

// The pairs of one file, one after the other; spaces at either end of a side are not part of it, and
// a tab in one of two files is a space.
//
// Throws GraphError "path:line: ..." for a line that has not one tab in a TSV file, for control
// characters and for what is not UTF-8, and GraphError naming both files and their lines where one
// has more than the other.
class PairReader {
 public:
  explicit PairReader(const ParallelFile& file, const TextLimits& limits = {});

  std::optional<Example> next();  // its id is the line's number
  int64_t line() const { return source_.line(); }

 private:
  [[noreturn]] void fail_at_end(bool source_ended);

  ParallelFile file_;
  formats::LineReader source_;
  std::optional<formats::LineReader> target_;
};

// The pairs of several files, one behind the other, read as often as they are asked for. What is no
// regular file (a pipe) is kept in memory.
class ParallelCorpus {
 public:
  explicit ParallelCorpus(std::vector<ParallelFile> files, const TextLimits& limits = {});

  // All pairs, from the first on; GraphError where a file has no lines.
  NextExample examples() const;
  // Of the bytes of all files; nothing where they cannot be read twice.
  std::optional<std::string> digest() const;
  std::string name() const;  // "train.tsv", "train.tsv and 3 more files"

  const std::vector<ParallelFile>& files() const { return files_; }
  // The last id of each file, as far as it was read; of all files where `examples` came to its end
  // once, which it is made to do here.
  const std::vector<int64_t>& last_ids() const;
  size_t file_of(int64_t id) const;            // of an id that was read
  std::string source_place(int64_t id) const;  // "train.en:12"
  std::string target_place(int64_t id) const;  // "train.de:12"

 private:
  struct Read {
    std::vector<int64_t> last_ids;  // of the files that were read to their end
  };
  std::string place(int64_t id, bool source) const;

  std::vector<ParallelFile> files_;
  TextLimits limits_;
  std::vector<std::shared_ptr<const Examples>> kept_;  // null: a regular file
  std::shared_ptr<Read> read_ = std::make_shared<Read>();
};

// All pairs of one file; GraphError at its line where a side is empty.
Examples read_pairs(const ParallelFile& file, const TextLimits& limits = {});

// 16 hexadecimal digits of a file's bytes.
std::string file_digest(const std::string& path);

}  // namespace weft::data
