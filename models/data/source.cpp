// models/data/source.cpp -- kinds and their sizes.
#include "models/data/source.h"

#include "ir/error.h"

namespace weft::data {
namespace {

void in_range(std::string_view name, int64_t value, int64_t least, int64_t most) {
  if (value < least || value > most)
    throw ir::GraphError(ir::concat(name, " is ", value, ", needed is ", least, " to ", most));
}

}  // namespace

std::string_view name(SourceKind kind) { return settings::name_of(kSourceKinds, kind); }

void check(const Source& s) {
  constexpr int64_t kMostTokens = 1 << 24, kMostFeatures = 1 << 16, kMostPixels = 1 << 14;
  switch (s.kind) {
    case SourceKind::tokens:
      return in_range("source_vocabulary", s.vocabulary, 1, kMostTokens);
    case SourceKind::frames:
      return in_range("source_features", s.features, 1, kMostFeatures);
    case SourceKind::image:
      in_range("source_features", s.features, 1, kMostFeatures);
      in_range("source_height", s.height, 1, kMostPixels);
      in_range("source_width", s.width, 1, kMostPixels);
      in_range("source_patch", s.patch, 1, kMostPixels);
      if (s.height % s.patch != 0 || s.width % s.patch != 0)
        throw ir::GraphError(ir::concat("an image of ", s.height, " by ", s.width,
                                        " pixels is not divided into patches of ", s.patch));
  }
}

}  // namespace weft::data
