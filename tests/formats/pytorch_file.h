// tests/formats/pytorch_file.h -- files as torch.save writes them, made byte by byte.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weft::tests {

inline std::string little(uint64_t n, size_t bytes) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i) text += static_cast<char>(n >> (8 * i) & 0xFF);
  return text;
}

// Parts of a pickle of protocol 2.
namespace pickle {

inline std::string text(const std::string& t) { return "X" + little(t.size(), 4) + t; }
inline std::string name(const std::string& module, const std::string& n) {
  return "c" + module + "\n" + n + "\n";
}
inline std::string whole(int64_t n) {
  if (n >= 0 && n < 256) return "K" + little(static_cast<uint64_t>(n), 1);
  if (n >= INT32_MIN && n <= INT32_MAX) return "J" + little(static_cast<uint64_t>(n), 4);
  return std::string("\x8A\x08") + little(static_cast<uint64_t>(n), 8);
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string t = "(";
  for (const std::string& item : items) t += item;
  return t + "t";
}
inline std::string wholes(const std::vector<int64_t>& ns) {
  std::vector<std::string> items;
  for (const int64_t n : ns) items.push_back(whole(n));
  return tuple(items);
}
inline std::string call(const std::string& what, const std::vector<std::string>& arguments) {
  return what + tuple(arguments) + "R";
}
inline std::string storage(const std::string& type, const std::string& key, int64_t count) {
  return tuple({text("storage"), name("torch", type), text(key), text("cpu"), whole(count)}) + "Q";
}
inline std::string ordered_dict() { return name("collections", "OrderedDict") + ")R"; }
inline std::string tensor(const std::string& storage, int64_t offset,
                          const std::vector<int64_t>& dims, const std::vector<int64_t>& strides) {
  return call(name("torch._utils", "_rebuild_tensor_v2"),
              {storage, whole(offset), wholes(dims), wholes(strides), "\x89", ordered_dict()});
}
// A state_dict, with the versions of modules that PyTorch puts beside its entries.
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string d = "\x80\x02" + ordered_dict() + "(";
  for (const auto& [key, value] : entries) d += text(key) + value;
  return d + "u}" + text("_metadata") + ordered_dict() + "sb.";
}

}  // namespace pickle

// A zip archive with stored entries, the bytes of each at a multiple of 64.
struct ZipMaker {
  struct Entry {
    std::string name, bytes;
    uint16_t method = 0, flags = 0;
    uint32_t attributes = 0;
    int64_t claimed = -1;  // size; -1: the true one
  };
  std::vector<Entry> entries;
  bool zip64 = false;

  std::string make() const {
    std::string file, directory;
    for (const Entry& e : entries) {
      const auto crc = static_cast<uint32_t>(
          crc32_z(0, reinterpret_cast<const unsigned char*>(e.bytes.data()), e.bytes.size()));
      const uint64_t size = e.claimed < 0 ? e.bytes.size() : static_cast<uint64_t>(e.claimed);
      const uint64_t place = file.size();
      const auto common = [&](size_t extra) {
        const uint64_t shown = zip64 ? 0xFFFFFFFF : size;
        return little(e.flags, 2) + little(e.method, 2) + little(0, 4) + little(crc, 4) +
               little(shown, 4) + little(shown, 4) + little(e.name.size(), 2) + little(extra, 2);
      };
      const size_t padding = (64 - (place + 30 + e.name.size() + 4) % 64) % 64;
      file += "PK\3\4" + little(45, 2) + common(4 + padding) + e.name + "FB" + little(padding, 2) +
              std::string(padding, 'Z') + e.bytes;
      const std::string extra = zip64 ? little(1, 2) + little(24, 2) + little(size, 8) +
                                            little(size, 8) + little(place, 8)
                                      : std::string();
      directory += "PK\1\2" + little(3 << 8 | 45, 2) + little(45, 2) + common(extra.size()) +
                   little(0, 2) + little(0, 2) + little(0, 2) + little(e.attributes, 4) +
                   little(zip64 ? 0xFFFFFFFF : place, 4) + e.name + extra;
    }
    const uint64_t begin = file.size(), count = entries.size();
    file += directory;
    const uint64_t record = file.size();
    if (zip64)
      file += "PK\6\6" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) +
              little(count, 8) + little(count, 8) + little(directory.size(), 8) + little(begin, 8) +
              "PK\6\7" + little(0, 4) + little(record, 8) + little(1, 4);
    file += "PK\5\6" + little(0, 4) + little(zip64 ? 0xFFFF : count, 2) +
            little(zip64 ? 0xFFFF : count, 2) + little(zip64 ? 0xFFFFFFFF : directory.size(), 4) +
            little(zip64 ? 0xFFFFFFFF : begin, 4) + little(0, 2);
    return file;
  }
};

template <typename T>
std::string bytes_of_values(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace weft::tests
