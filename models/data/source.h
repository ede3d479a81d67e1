// models/data/source.h -- what a model reads.
//
//   tokens   s32[B,S]        ids of a vocabulary
//   frames   f32[B,S,F]      features of speech, F at a time
//   image    f32[B,H,W,C]    cut into S patches
#pragma once
#include "models/data/features/audio.h"
#include "models/data/features/image.h"
#include "models/settings/fields.h"

#include <cstdint>
#include <string_view>

namespace weft::data {

enum class SourceKind { tokens, frames, image };
inline constexpr settings::Choices<SourceKind, 3> kSourceKinds{
    {{"tokens", SourceKind::tokens}, {"frames", SourceKind::frames}, {"image", SourceKind::image}}};
std::string_view name(SourceKind kind);

struct Source {
  SourceKind kind = SourceKind::tokens;
  int64_t vocabulary = 0;                        // of tokens
  int64_t features = 0;                          // of frames F, of an image C
  int64_t stack = 1;                             // so many frames of the file were made one
  int64_t height = 0, width = 0, patch = 0;      // of an image, in pixels; patches are square
  AudioSettings audio = {};                      // of frames: how files of sound become features
  bool resize = false;                           // image files to height and width,
  Resampling resampling = Resampling::bilinear;  // like this

  // How many positions an image is.
  int64_t patches() const { return (height / patch) * (width / patch); }
  bool operator==(const Source&) const = default;
};

// Throws GraphError where a size is missing or out of range.
void check(const Source& source);

}  // namespace weft::data
