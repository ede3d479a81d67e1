// frontend/formats/zip_directory.cpp -- the central directory, entry by entry.
#include "frontend/formats/zip_directory.h"

#include "frontend/formats/text.h"
#include "ir/error.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>

namespace weft::formats {
namespace {

using ir::concat;
using ir::GraphError;

constexpr int64_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56, kCentralBytes = 46,
                  kLocalBytes = 30, kMostComment = 0xFFFF;
constexpr int64_t kMostDirectory = int64_t{1} << 30;
constexpr std::string_view kEnd("PK\5\6", 4), kLocator("PK\6\7", 4), kEnd64("PK\6\6", 4),
    kCentral("PK\1\2", 4), kLocal("PK\3\4", 4);
constexpr uint64_t kIn64 = 0xFFFFFFFF;  // the number stands in the zip64 field

// A little-endian number of so many bytes; the caller has seen to it that they are there.
uint64_t number(std::string_view bytes, size_t at, size_t count) {
  uint64_t n = 0;
  for (size_t i = count; i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[at + i]);
  return n;
}

class Directory {
 public:
  explicit Directory(const InputFile& file) : file_(file), size_(file.size()) {}

  std::vector<ZipEntry> read() {
    find();
    const std::string bytes = file_.read_text(begin_, bytes_);
    std::vector<ZipEntry> entries;
    std::unordered_set<std::string> names;
    size_t at = 0;
    for (uint64_t i = 0; i < count_; ++i) {
      entries.push_back(entry(bytes, at, i));
      if (!names.insert(entries.back().name).second)
        fail(concat("has the entry '", entries.back().name, "' twice"));
    }
    if (at != bytes.size())
      fail(concat("its directory has ", bytes.size() - at, " bytes behind its ", count_,
                  " entries"));
    check_apart(entries);
    return entries;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw GraphError(concat(file_.path(), ": ", why));
  }

  // Where the directory lies, by the record at the file's end.
  void find() {
    const int64_t tail_size = std::min(size_, kEndBytes + kMostComment);
    const std::string tail = file_.read_text(size_ - tail_size, tail_size);
    size_t at = tail.size();
    for (;;) {
      at = at == 0 ? tail.npos : tail.rfind(kEnd, at - 1);
      if (at == tail.npos) fail("is a zip archive that is cut off: its directory is missing");
      if (at + kEndBytes > tail.size()) continue;
      if (at + kEndBytes + number(tail, at + 20, 2) == tail.size()) break;
    }
    const int64_t end = size_ - tail_size + static_cast<int64_t>(at);
    count_ = number(tail, at + 10, 2);
    uint64_t bytes = number(tail, at + 12, 4), begin = number(tail, at + 16, 4);
    if (number(tail, at + 4, 2) != number(tail, at + 6, 2)) fail("is a part of a zip archive");
    int64_t limit = end;
    if (end >= kLocatorBytes) {
      const std::string locator = file_.read_text(end - kLocatorBytes, kLocatorBytes);
      if (locator.starts_with(kLocator)) {
        const uint64_t place = number(locator, 8, 8);
        limit = end - kLocatorBytes;
        if (limit < kEnd64Bytes || place > static_cast<uint64_t>(limit - kEnd64Bytes))
          fail("its zip64 record is said to lie outside the file");
        limit = static_cast<int64_t>(place);
        const std::string record = file_.read_text(limit, kEnd64Bytes);
        if (!record.starts_with(kEnd64)) fail("has no zip64 record where it should be");
        count_ = number(record, 32, 8);
        bytes = number(record, 40, 8);
        begin = number(record, 48, 8);
      }
    }
    if (begin > static_cast<uint64_t>(limit) || bytes > static_cast<uint64_t>(limit) - begin)
      fail("its directory is said to lie outside the file");
    if (bytes > static_cast<uint64_t>(kMostDirectory))
      fail(
          concat("its directory has ", bytes, " bytes, at most ", kMostDirectory, " are accepted"));
    if (count_ > bytes / kCentralBytes)
      fail(concat("is said to have ", count_, " entries, for which its directory has no room"));
    begin_ = static_cast<int64_t>(begin);
    bytes_ = static_cast<int64_t>(bytes);
  }

  // The entry at `at`, which moves behind it.
  ZipEntry entry(const std::string& bytes, size_t& at, uint64_t index) const {
    const auto cut = [&] { fail(concat("its directory is cut off at entry ", index + 1)); };
    if (bytes.size() - at < static_cast<size_t>(kCentralBytes) ||
        bytes.compare(at, kCentral.size(), kCentral) != 0)
      cut();
    const std::string_view head = std::string_view(bytes).substr(at, kCentralBytes);
    const size_t name_size = number(head, 28, 2), extra_size = number(head, 30, 2),
                 comment_size = number(head, 32, 2);
    if (bytes.size() - at - kCentralBytes < name_size + extra_size + comment_size) cut();
    ZipEntry entry;
    entry.name = bytes.substr(at + kCentralBytes, name_size);
    const std::string_view extra =
        std::string_view(bytes).substr(at + kCentralBytes + name_size, extra_size);
    at += kCentralBytes + name_size + extra_size + comment_size;
    check_name(entry.name, index);
    const std::string where = concat("entry '", entry.name, "' ");
    const uint64_t made_by = number(head, 4, 2) >> 8, flags = number(head, 8, 2),
                   method = number(head, 10, 2), attributes = number(head, 38, 4);
    constexpr uint64_t kUnix = 3, kLink = 0120000, kKind = 0170000;
    if ((flags & 1) != 0 || (flags & 0x2040) != 0) fail(where + "is encrypted");
    if (method != 0)
      fail(concat(where, "is compressed by method ", method,
                  "; only stored ones are accepted here"));
    if (made_by == kUnix && (attributes >> 16 & kKind) == kLink) fail(where + "is a link");
    uint64_t packed = number(head, 20, 4), size = number(head, 24, 4), place = number(head, 42, 4);
    take_64(extra, size, packed, place);
    if (packed != size) fail(concat(where, "has ", size, " bytes, said to be stored in ", packed));
    entry.crc = static_cast<uint32_t>(number(head, 16, 4));
    place_of(entry, size, place, where);
    return entry;
  }

  void check_name(const std::string& name, uint64_t index) const {
    const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; };
    if (name.empty() || find_malformed_utf8(name) != std::string_view::npos ||
        std::any_of(name.begin(), name.end(), is_control))
      fail(concat("entry ", index + 1, " has a name that is not printable UTF-8"));
    const bool up = name == ".." || name.starts_with("../") || name.ends_with("/..") ||
                    name.find("/../") != name.npos;
    if (up || name[0] == '/' || name.find('\\') != name.npos || name.find(':') != name.npos)
      fail(concat("entry '", name, "' is named as a file outside the archive"));
  }

  // The zip64 field has the numbers that are too large, in this order.
  static void take_64(std::string_view extra, uint64_t& size, uint64_t& packed, uint64_t& place) {
    while (extra.size() >= 4) {
      const size_t id = number(extra, 0, 2), bytes = number(extra, 2, 2);
      if (bytes > extra.size() - 4) return;
      std::string_view field = extra.substr(4, bytes);
      extra.remove_prefix(4 + bytes);
      if (id != 1) continue;
      for (uint64_t* n : {&size, &packed, &place}) {
        if (*n != kIn64 || field.size() < 8) continue;
        *n = number(field, 0, 8);
        field.remove_prefix(8);
      }
      return;
    }
  }

  // Behind its local header, which says how long it is itself.
  void place_of(ZipEntry& entry, uint64_t size, uint64_t place, const std::string& where) const {
    const auto limit = static_cast<uint64_t>(begin_);
    if (place > limit || limit - place < static_cast<uint64_t>(kLocalBytes))
      fail(where + "is said to lie outside the file");
    const auto from = static_cast<int64_t>(place);
    const std::string head = file_.read_text(from, kLocalBytes);
    if (!head.starts_with(kLocal)) fail(where + "does not lie where the directory says");
    if (number(head, 8, 2) != 0) fail(where + "is compressed, its directory says that it is not");
    const int64_t name_size = static_cast<int64_t>(number(head, 26, 2)),
                  extra_size = static_cast<int64_t>(number(head, 28, 2));
    const int64_t begin = from + kLocalBytes + name_size + extra_size;
    if (begin > begin_ || size > static_cast<uint64_t>(begin_ - begin))
      fail(concat(where, "is said to have ", size, " bytes, the file has fewer"));
    if (name_size != std::ssize(entry.name) ||
        file_.read_text(from + kLocalBytes, name_size) != entry.name)
      fail(where + "has another name before its bytes");
    entry.begin = begin;
    entry.size = static_cast<int64_t>(size);
  }

  void check_apart(std::vector<ZipEntry> entries) const {
    std::sort(entries.begin(), entries.end(),
              [](const ZipEntry& a, const ZipEntry& b) { return a.begin < b.begin; });
    for (size_t i = 0; i + 1 < entries.size(); ++i)
      if (entries[i].begin + entries[i].size + kLocalBytes > entries[i + 1].begin)
        fail(concat("the entries '", entries[i].name, "' and '", entries[i + 1].name,
                    "' share bytes"));
  }

  const InputFile& file_;
  int64_t size_, begin_ = 0, bytes_ = 0;
  uint64_t count_ = 0;
};

}  // namespace

std::vector<ZipEntry> read_zip_directory(const InputFile& file) { return Directory(file).read(); }

std::string first_zip_name(const InputFile& file) {
  const std::string head = file.head(kLocalBytes);
  if (std::ssize(head) < kLocalBytes || !head.starts_with(kLocal)) return {};
  const auto size = static_cast<int64_t>(number(head, 26, 2));
  const std::string longer = file.head(kLocalBytes + size);
  return longer.substr(static_cast<size_t>(kLocalBytes));
}

}  // namespace weft::formats
