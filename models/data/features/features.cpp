// models/data/features/features.cpp -- reading, checking and stacking.
#include "models/data/features/features.h"

#include "frontend/formats/checkpoint.h"
#include "frontend/formats/input_file.h"
#include "ir/error.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace weft::data {
namespace {

using ir::Array;
using ir::concat;
using ir::GraphError;

constexpr size_t kMostFiles = 16;  // that are kept open

int rank_of(SourceKind kind) { return kind == SourceKind::frames ? 2 : 3; }

// Is what stands behind the last colon the name of an array? Not where the whole is a file.
std::pair<std::string, std::string> split_place(const std::string& place) {
  const size_t colon = place.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(place)) return {place, ""};
  return {place.substr(0, colon), place.substr(colon + 1)};
}

// n frames of F become ceil(n / stack) of stack * F, zeros behind the last.
Array stacked(const Array& x, int64_t stack) {
  if (stack == 1) return x;
  const int64_t n = (x.dim(0) + stack - 1) / stack;
  Array y(ir::DType::f32, {n, stack * x.dim(1)});
  std::copy_n(x.data<float>(), x.size(), y.data<float>());
  return y;
}

// The first bytes of a regular file; empty for all else.
std::string beginning(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) return {};
  const formats::InputFile file(path);
  return file.read_text(0, std::min<int64_t>(16, file.size()));
}

FeatureSettings settings_of(const Source& s) {
  return {s.audio,
          {.height = s.resize ? s.height : 0,
           .width = s.resize ? s.width : 0,
           .resampling = s.resampling,
           .channels = s.kind == SourceKind::image ? s.features : 0}};
}

}  // namespace

FeatureReader::FeatureReader(const Source& source)
    : FeatureReader(source.kind, settings_of(source)) {}

const ir::NamedArrays& FeatureReader::file(const std::string& path) {
  const auto known = files_.find(path);
  if (known != files_.end()) return known->second;
  if (files_.size() == kMostFiles) files_.clear();
  return files_.emplace(path, formats::read_checkpoint(path)).first->second;
}

Array FeatureReader::sound(const std::string& path) {
  if (!frames_) frames_.emplace(settings_.audio);
  try {
    return frames_->frames(read_audio(path, settings_.audio.sample_rate));
  } catch (const GraphError& e) {
    const std::string why = e.what();
    throw GraphError(why.starts_with(path) ? why : concat(path, ": ", why));
  }
}

Array FeatureReader::read(const std::string& place) {
  const auto [path, key] = split_place(place);
  const std::string begin = key.empty() ? beginning(path) : std::string();
  if (is_audio(begin)) {
    if (kind_ == SourceKind::frames) return sound(path);
    throw GraphError(path + ": is sound, an image is needed");
  }
  if (is_image(begin)) {
    if (kind_ == SourceKind::image) return image_array(path, settings_.image);
    throw GraphError(path + ": is an image, frames are needed");
  }
  return array(path, key);
}

Source FeatureReader::source(const std::string& place, int64_t stack, int64_t patch) {
  Source s = source_of(kind_, read(place), stack, patch);
  const std::string begin = beginning(place);
  if (is_audio(begin)) s.audio = settings_.audio;
  if (is_image(begin)) {
    s.resize = settings_.image.height > 0 || settings_.image.width > 0;
    s.resampling = settings_.image.resampling;
  }
  return s;
}

Array FeatureReader::array(const std::string& path, const std::string& key) {
  const ir::NamedArrays& arrays = file(path);
  if (key.empty() && arrays.size() != 1)
    throw GraphError(concat(path, ": holds ", arrays.size(), " arrays; ", path,
                            ":NAME says which one is meant"));
  const Array* found = key.empty() ? &arrays.begin()->array : arrays.find(key);
  if (found == nullptr) throw GraphError(concat(path, ": has no '", key, "'"));
  const std::string what = key.empty() ? path : concat(path, ": '", key, "'");
  if (found->rank() != rank_of(kind_) || found->size() == 0)
    throw GraphError(
        concat(what, ": is ", ir::dims_str(found->dims()), ", ",
               kind_ == SourceKind::frames ? "frames are [n,F]" : "an image is [H,W,C]"));
  const Array x = found->cast(ir::DType::f32);
  const auto values = x.values<float>();
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (bad != values.end())
    throw GraphError(concat(what, ": element ", bad - values.begin(), " is not finite"));
  return x;
}

std::string located(const std::string& place, const std::string& list) {
  return (std::filesystem::path(list).parent_path() / place).lexically_normal().string();
}

std::string FeatureReader::file_of(const std::string& place) { return split_place(place).first; }

Source source_of(SourceKind kind, const Array& x, int64_t stack, int64_t patch) {
  if (kind == SourceKind::frames)
    return {.kind = kind, .features = x.dim(1) * stack, .stack = stack};
  return {
      .kind = kind, .features = x.dim(2), .height = x.dim(0), .width = x.dim(1), .patch = patch};
}

EncodedExample with_features(EncodedExample e, const Array& x, const Source& s) {
  const Source found = source_of(s.kind, x, s.stack, s.patch);
  if (s.kind == SourceKind::frames && found.features != s.features)
    throw GraphError(
        concat("frames have ", x.dim(1), " features, needed are ", s.features / s.stack));
  const bool same_size =
      found.height == s.height && found.width == s.width && found.features == s.features;
  if (s.kind == SourceKind::image && !same_size)
    throw GraphError(concat("an image is ", ir::dims_str(x.dims()), ", needed is [", s.height, ",",
                            s.width, ",", s.features, "]"));
  e.features = s.kind == SourceKind::frames ? stacked(x, s.stack) : x;
  e.positions = s.kind == SourceKind::frames ? e.features.dim(0) : s.patches();
  return e;
}

EncodedExample encode(const Example& example, FeatureReader& reader, const Source& source,
                      const Tokenizer& target) {
  return with_features({.source = {}, .target = target.encode(example.target), .id = example.id},
                       reader.read(example.source), source);
}

}  // namespace weft::data
