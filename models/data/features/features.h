// models/data/features/features.h -- frames and images: arrays in files, sound, pictures.
//
// An example names its features by a place, relative to the list it stands in:
//   speech.npz:george_1    the array of that name in a file of tensors (npz, safetensors)
//   digits/7.npz           the only array of the file; or an .npy
//   speech/george_1.wav    sound (WAV, FLAC, Ogg): its frames are computed (models/data/features/audio.h)
//   digits/7.png           a picture (PNG, JPEG), of its size or resized (models/data/features/image.h)
// Frames are [n,F], an image is [H,W,C], of floats or integers, which become f32.
#pragma once
#include "ir/host/named_arrays.h"
#include "models/data/corpus.h"
#include "models/data/source.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weft::data {

// How files become features that hold none.
struct FeatureSettings {
  AudioSettings audio;
  ImageSettings image;
};

// Opens each file of arrays once, as long as they are few.
class FeatureReader {
 public:
  explicit FeatureReader(SourceKind kind, const FeatureSettings& settings = {})
      : kind_(kind), settings_(settings) {}
  // As a model's sources are read.
  explicit FeatureReader(const Source& source);

  // f32[n,F] or f32[H,W,C], all finite, none empty. Throws GraphError "path: ...".
  ir::Array read(const std::string& place);
  // What examples must look like that are as this one is, and how files are read; see source_of.
  Source source(const std::string& place, int64_t stack, int64_t patch);
  // The file that a place is in.
  static std::string file_of(const std::string& place);

 private:
  const ir::NamedArrays& file(const std::string& path);
  ir::Array array(const std::string& path, const std::string& key);
  ir::Array sound(const std::string& path);

  SourceKind kind_;
  FeatureSettings settings_;
  std::optional<FrameMaker> frames_;  // made when they are needed
  std::map<std::string, ir::NamedArrays> files_;
};

// A place that stands in a list is taken from the list's folder.
std::string located(const std::string& place, const std::string& list);

// What examples must look like: a kind, with the sizes that an array of it has. `stack` frames, or
// patches of an image of `patch` pixels, are one position.
Source source_of(SourceKind kind, const ir::Array& features, int64_t stack, int64_t patch);

// The example's features as this source has them: frames stacked, sizes checked; and how many
// positions they take. GraphError saying what was found and needed.
EncodedExample with_features(EncodedExample example, const ir::Array& features,
                             const Source& source);

// Of an example whose source is a place.
EncodedExample encode(const Example& example, FeatureReader& reader, const Source& source,
                      const Tokenizer& target);

}  // namespace weft::data
