// models/data/corpora/picture_strings.h -- labelled pictures in the files of MNIST and its kin, and strings of
// them: several side by side, with their labels as a sentence.
#pragma once
#include "models/data/features/image.h"
#include "models/data/random.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

// The classes of Fashion-MNIST (Xiao et al. 2017, table 2), as words.
inline constexpr std::string_view kFashionItems[] = {
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"};

struct LabelledPictures {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> pixels;  // [n,height,width], grey
  std::vector<uint8_t> labels;  // [n]

  int64_t count() const { return static_cast<int64_t>(labels.size()); }
};

// IDX files of unsigned bytes (LeCun's format: 0 0 8 rank, the sizes as 32 bits, the greatest first),
// packed by gzip or not. Throws GraphError "path: ..." for what is none, is cut, or has a label
// without a name; "at most" 65536 pictures of 1024 by 1024 pixels.
LabelledPictures read_labelled_pictures(const std::string& pictures, const std::string& labels,
                                        int64_t classes);

struct PictureString {
  Pixels image;  // [height, longest * width, 1]; black behind the last picture
  std::vector<int64_t> labels;
};
// 1 to `longest` of the pictures [first, last), each number and each picture equally likely.
PictureString draw_string(const LabelledPictures& from, int64_t first, int64_t last,
                          int64_t longest, Random& random);

// As a PNG file's bytes. One channel is grey, three are red, green and blue.
std::string png_bytes(const Pixels& image);

}  // namespace weft::data
