// models/data/parallel_text.cpp -- patterns into files, lines into pairs.
#include "models/data/parallel_text.h"

#include "frontend/formats/byte_source.h"
#include "frontend/formats/digest.h"
#include "ir/error.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>

namespace weft::data {
namespace {

using ir::concat;
using ir::GraphError;

bool is_pattern(const std::string& text) { return text.find_first_of("*?[") != text.npos; }

// ".." is the system's business: the folder may be a link.
std::string joined(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).string();
}

// A folder's own name is no pattern.
std::string escaped(const std::string& folder) {
  std::string text;
  for (const char c : folder) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text;
}

std::vector<std::string> matches(const std::string& folder, const std::string& pattern) {
  const std::string whole = joined(folder, pattern);
  if (!is_pattern(pattern) || std::filesystem::exists(whole)) return {whole};
  glob_t found{};
  const int status = ::glob(joined(escaped(folder), pattern).c_str(), GLOB_ERR, nullptr, &found);
  std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (status == GLOB_NOSPACE) throw ir::RuntimeError(whole + ": out of memory");
  if (paths.empty()) throw GraphError(concat("no file is named as in '", whole, "'"));
  std::sort(paths.begin(), paths.end());
  return paths;
}

// What the only star of a pattern stands for in one of its matches; nothing where there are more.
std::optional<std::string> captured(const std::string& folder, const std::string& pattern,
                                    const std::string& path) {
  const size_t star = pattern.find('*');
  if (star == pattern.npos || pattern.find_first_of("*?[", star + 1) != pattern.npos ||
      pattern.find_first_of("?[") < star)
    return std::nullopt;
  const size_t before = joined(folder, pattern).size() - (pattern.size() - star);
  const size_t behind = pattern.size() - star - 1;
  return path.substr(before, path.size() - before - behind);
}

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  std::string inner(text.substr(first, text.find_last_not_of(" \t") - first + 1));
  std::replace(inner.begin(), inner.end(), '\t', ' ');
  return inner;
}

void check_characters(std::string_view line, const formats::LineReader& lines) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7F; };
  if (const auto bad = std::find_if(line.begin(), line.end(), is_control); bad != line.end())
    lines.fail(concat("has the control character ", static_cast<int>(*bad), " at byte ",
                      bad - line.begin() + 1));
}

[[noreturn]] void fail_without_lines(const ParallelFile& file) {
  throw GraphError(concat(file.source, ": has no lines, at least one ",
                          file.is_tsv() ? "source<TAB>target" : "source", " is needed"));
}

int64_t count_rest(formats::LineReader& lines) {
  while (lines.next()) {
  }
  return lines.line();
}

}  // namespace

void fields(FilePattern& p, settings::Fields& f) {
  f.text("file", p.file, "a TSV file of source<TAB>target, relative to the recipe, or");
  f.text("source", p.source, "a file of sources, a line each, with");
  f.text("target", p.target, "the file of their targets");
  f.real("weight", p.weight, settings::above_zero(1000),
         "how often each pair is drawn in an epoch: 0.5 is half of them, others each time");
  f.text("source_language", p.source_language,
         "of a published model for many: that of these files; by default data.source_language");
  f.text("target_language", p.target_language, "of the target likewise");
}

std::string ParallelFile::name() const {
  return is_tsv() ? source : concat(source, " and ", target);
}

std::vector<ParallelFile> files_of(const FilePattern& p, const std::string& folder) {
  if (p.file.empty() ? p.source.empty() || p.target.empty()
                     : !p.source.empty() || !p.target.empty())
    throw GraphError("needed is a TSV file, or a source and a target");
  std::vector<ParallelFile> files;
  if (!p.file.empty()) {
    for (const std::string& path : matches(folder, p.file))
      files.push_back({.source = path,
                       .target = "",
                       .weight = p.weight,
                       .source_language = p.source_language,
                       .target_language = p.target_language});
    return files;
  }
  const std::vector<std::string> sources = matches(folder, p.source),
                                 targets = matches(folder, p.target);
  if (sources.size() != targets.size())
    throw GraphError(concat("'", p.source, "' names ", sources.size(), " files, '", p.target, "' ",
                            targets.size()));
  for (size_t i = 0; i < sources.size(); ++i) {
    const auto a = captured(folder, p.source, sources[i]),
               b = captured(folder, p.target, targets[i]);
    if (a && b && *a != *b)
      throw GraphError(concat(sources[i], " would be read with ", targets[i],
                              ": one of the two has no counterpart"));
    files.push_back({.source = sources[i],
                     .target = targets[i],
                     .weight = p.weight,
                     .source_language = p.source_language,
                     .target_language = p.target_language});
  }
  return files;
}

PairReader::PairReader(const ParallelFile& file, const TextLimits& limits)
    : file_(file), source_(file.source, {.max_bytes = limits.max_line_bytes}) {
  if (!file.is_tsv()) target_.emplace(file.target, formats::LineLimits{limits.max_line_bytes});
}

std::optional<Example> PairReader::next() {
  const auto line = source_.next();
  if (!target_) {
    if (!line) return std::nullopt;
    const auto tabs = std::count(line->begin(), line->end(), '\t');
    if (tabs != 1) source_.fail(concat("has ", tabs, " tabs, source<TAB>target needs one"));
    check_characters(*line, source_);
    const size_t tab = line->find('\t');
    return Example{trimmed(line->substr(0, tab)), trimmed(line->substr(tab + 1)), source_.line()};
  }
  const auto other = target_->next();
  if (line.has_value() != other.has_value()) fail_at_end(!line.has_value());
  if (!line) return std::nullopt;
  check_characters(*line, source_);
  check_characters(*other, *target_);
  return Example{trimmed(*line), trimmed(*other), source_.line()};
}

void PairReader::fail_at_end(bool source_ended) {
  const int64_t rest = count_rest(source_ended ? *target_ : source_);
  const int64_t source = source_ended ? source_.line() : rest;
  const int64_t target = source_ended ? rest : target_->line();
  throw GraphError(concat(file_.source, ": has ", source, " lines, ", file_.target, " has ", target,
                          "; line n of one belongs to line n of the other"));
}

namespace {

Examples all_pairs(const ParallelFile& file, const TextLimits& limits) {
  PairReader reader(file, limits);
  Examples examples;
  while (auto e = reader.next()) examples.push_back(std::move(*e));
  return examples;
}

}  // namespace

Examples read_pairs(const ParallelFile& file, const TextLimits& limits) {
  Examples examples = all_pairs(file, limits);
  for (const Example& e : examples)
    if (e.source.empty() || e.target.empty())
      throw GraphError(concat(e.source.empty() || file.is_tsv() ? file.source : file.target, ":",
                              e.id, ": the ", e.source.empty() ? "source" : "target", " is empty"));
  if (examples.empty()) fail_without_lines(file);
  return examples;
}

ParallelCorpus::ParallelCorpus(std::vector<ParallelFile> files, const TextLimits& limits)
    : files_(std::move(files)), limits_(limits) {
  const auto is_regular = [](const std::string& path) {
    return path.empty() || !std::filesystem::exists(path) || std::filesystem::is_regular_file(path);
  };
  for (const ParallelFile& f : files_)
    kept_.push_back(is_regular(f.source) && is_regular(f.target)
                        ? nullptr
                        : std::make_shared<const Examples>(all_pairs(f, limits_)));
}

NextExample ParallelCorpus::examples() const {
  struct State {
    size_t file = 0, i = 0;  // i: of those kept
    int64_t before = 0, last = 0;
    std::unique_ptr<PairReader> reader;
  };
  const auto state = std::make_shared<State>();
  return [state, files = files_, kept = kept_, limits = limits_,
          read = read_]() -> std::optional<Example> {
    for (State& s = *state; s.file < files.size();) {
      std::optional<Example> e;
      if (const auto& examples = kept[s.file]; examples != nullptr) {
        if (s.i < examples->size()) e = (*examples)[s.i++];
      } else {
        if (s.reader == nullptr) s.reader = std::make_unique<PairReader>(files[s.file], limits);
        e = s.reader->next();
      }
      if (e) {
        e->id = s.last = s.before + e->id;
        return e;
      }
      if (s.last == s.before) fail_without_lines(files[s.file]);
      if (read->last_ids.size() == s.file) read->last_ids.push_back(s.last);
      s.before = s.last, s.i = 0, ++s.file;
      s.reader.reset();
    }
    return std::nullopt;
  };
}

std::optional<std::string> ParallelCorpus::digest() const {
  formats::Digest digest;
  for (size_t i = 0; i < files_.size(); ++i) {
    if (kept_[i] != nullptr) return std::nullopt;
    digest.add_text(file_digest(files_[i].source));
    digest.add_text(files_[i].is_tsv() ? "" : file_digest(files_[i].target));
  }
  return digest.str();
}

std::string ParallelCorpus::name() const {
  const size_t more = files_.size() - 1;
  return more == 0
             ? files_.front().name()
             : concat(files_.front().name(), " and ", more, " more", more > 1 ? " files" : "");
}

const std::vector<int64_t>& ParallelCorpus::last_ids() const {
  if (read_->last_ids.size() < files_.size())
    for (const NextExample next = examples(); next();) {
    }
  return read_->last_ids;
}

// Of an id behind all files that were read to their end: the one that is being read.
size_t ParallelCorpus::file_of(int64_t id) const {
  const auto& last = read_->last_ids;
  const auto at = std::lower_bound(last.begin(), last.end(), id) - last.begin();
  return std::min(static_cast<size_t>(at), files_.size() - 1);
}

std::string ParallelCorpus::place(int64_t id, bool source) const {
  const size_t i = file_of(id);
  const int64_t before = i == 0 ? 0 : read_->last_ids[i - 1];
  const ParallelFile& f = files_[i];
  return concat(source || f.is_tsv() ? f.source : f.target, ":", id - before);
}

std::string ParallelCorpus::source_place(int64_t id) const { return place(id, true); }
std::string ParallelCorpus::target_place(int64_t id) const { return place(id, false); }

std::string file_digest(const std::string& path) {
  formats::ByteSource file(path);
  formats::Digest digest;
  std::vector<char> bytes(1 << 20);
  while (const size_t count = file.read(bytes.data(), bytes.size()))
    digest.add(bytes.data(), count);
  return digest.str();
}

}  // namespace weft::data
