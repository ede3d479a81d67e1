// models/data/corpora/picture_strings.cpp -- reading IDX, putting pictures side by side, writing PNG (libpng).
#include "models/data/corpora/picture_strings.h"

#include "frontend/formats/decompression.h"
#include "ir/error.h"

#include <png.h>

#include <algorithm>

namespace weft::data {
namespace {

using ir::concat;
using ir::GraphError;

constexpr int64_t kMostPictures = 1 << 16, kMostSide = 1 << 10;

class IdxReader {
 public:
  explicit IdxReader(const std::string& path) : source_(formats::ByteSource(path)) {}

  std::vector<int64_t> sizes(size_t rank) {
    const std::vector<uint8_t> head = take(4);
    if (head[0] != 0 || head[1] != 0 || head[2] != 8 || head[3] != rank)
      fail(concat("is no IDX file of bytes with ", rank, rank == 1 ? " axis" : " axes"));
    std::vector<int64_t> list;
    for (size_t axis = 0; axis < rank; ++axis) {
      const std::vector<uint8_t> b = take(4);
      list.push_back(int64_t{b[0]} << 24 | b[1] << 16 | b[2] << 8 | b[3]);
      const int64_t most = axis == 0 ? kMostPictures : kMostSide;
      if (list.back() < 1 || list.back() > most)
        fail(concat("says it has ", list.back(), axis == 0 ? " entries" : " pixels along a side",
                    ", needed are 1 to ", most));
    }
    return list;
  }

  std::vector<uint8_t> take(int64_t count) {
    std::vector<uint8_t> bytes;
    while (std::ssize(bytes) < count) {
      // What a head says is there is not made room for before it comes.
      const auto had = bytes.size(),
                 more = std::min<size_t>(static_cast<size_t>(count) - had, 1 << 20);
      bytes.resize(had + more);
      const size_t got = source_.read(bytes.data() + had, more);
      if (got == 0) fail("ends too early");
      bytes.resize(had + got);
    }
    return bytes;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw GraphError(source_.name() + ": " + what);
  }

 private:
  formats::DecompressedSource source_;
};

}  // namespace

LabelledPictures read_labelled_pictures(const std::string& pictures, const std::string& labels,
                                        int64_t classes) {
  LabelledPictures all;
  IdxReader picture_file(pictures), label_file(labels);
  const std::vector<int64_t> sizes = picture_file.sizes(3);
  const int64_t named = label_file.sizes(1)[0];
  if (named != sizes[0])
    label_file.fail(concat("has ", named, " labels for ", sizes[0], " pictures"));
  all.height = sizes[1], all.width = sizes[2];
  all.pixels = picture_file.take(sizes[0] * sizes[1] * sizes[2]);
  all.labels = label_file.take(named);
  for (const uint8_t label : all.labels)
    if (label >= classes)
      label_file.fail(concat("has the label ", int{label}, ", needed are 0 to ", classes - 1));
  return all;
}

PictureString draw_string(const LabelledPictures& from, int64_t first, int64_t last,
                          int64_t longest, Random& random) {
  PictureString s;
  s.image = {from.height, longest * from.width, 1, {}};
  s.image.bytes.assign(static_cast<size_t>(s.image.height * s.image.width), 0);
  const auto count = 1 + static_cast<int64_t>(random.below(static_cast<uint64_t>(longest)));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at =
        first + static_cast<int64_t>(random.below(static_cast<uint64_t>(last - first)));
    s.labels.push_back(from.labels[static_cast<size_t>(at)]);
    for (int64_t y = 0; y < from.height; ++y)
      std::copy_n(from.pixels.begin() + (at * from.height + y) * from.width, from.width,
                  s.image.bytes.begin() + y * s.image.width + i * from.width);
  }
  return s;
}

std::string png_bytes(const Pixels& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = image.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = 0;
  std::string bytes;
  const bool sized =
      png_image_write_to_memory(&png, nullptr, &size, 0, image.bytes.data(), 0, nullptr) != 0;
  bytes.resize(size);
  if (!sized ||
      png_image_write_to_memory(&png, bytes.data(), &size, 0, image.bytes.data(), 0, nullptr) == 0)
    throw ir::RuntimeError(concat("a picture cannot be written as PNG: ", png.message));
  bytes.resize(size);
  return bytes;
}

}  // namespace weft::data
