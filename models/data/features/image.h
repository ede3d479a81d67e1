// models/data/features/image.h -- PNG and JPEG files as arrays.
//
// Bytes become numbers in [0, 1]. An image is resized before that, in 8 bits, as Pillow does it: a
// triangle or Keys' cubic (a = -1/2) that is widened where the image shrinks, along rows first, then
// along columns, each rounded to 8 bits.
#pragma once
#include "ir/host/array.h"
#include "models/settings/fields.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

enum class Resampling { bilinear, bicubic };
inline constexpr settings::Choices<Resampling, 2> kResamplings{
    {{"bilinear", Resampling::bilinear}, {"bicubic", Resampling::bicubic}}};

inline constexpr settings::Choices<int64_t, 3> kColours{{{"auto", 0}, {"grey", 1}, {"rgb", 3}}};

struct ImageSettings {
  int64_t height = 0, width = 0;  // pixels that images are resized to; 0: as they are
  Resampling resampling = Resampling::bilinear;
  int64_t channels = 0;  // 1: grey, 3: red, green, blue; 0: as the file has them

  bool operator==(const ImageSettings&) const = default;
};

struct Pixels {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> bytes;  // [height, width, channels]
};

// By how it begins.
bool is_image(std::string_view begin);

// What is transparent stands before white. Throws GraphError "path: ..." where it cannot be decoded.
Pixels read_image(const std::string& path, int64_t channels = 0);
Pixels resized(const Pixels& image, int64_t height, int64_t width, Resampling resampling);

// f32[H,W,C]
ir::Array image_array(const std::string& path, const ImageSettings& settings);

}  // namespace weft::data
