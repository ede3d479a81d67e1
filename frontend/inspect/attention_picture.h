// frontend/inspect/attention_picture.h -- what the decoder looked at, drawn over what it was given: a
// picture for every token, dark where it was not looked at; or a line for every token below a
// spectrogram.
#pragma once
#include "ir/host/array.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weft::inspect {

struct PictureAttention {
  std::string title;
  std::string png;                // the picture, as a PNG file
  int64_t height = 0, width = 0;  // of it, in pixels
  int64_t rows = 0, columns = 0;  // of its patches
  std::vector<std::string> tokens;
  ir::Array weights;  // float[tokens,rows*columns], each in [0, 1]
};
// Throws GraphError when the weights are not of that shape.
std::string svg(const PictureAttention& drawing);

struct SoundAttention {
  std::string title;
  std::string png;  // the spectrogram, time to the right
  std::vector<std::string> tokens;
  ir::Array weights;  // float[tokens,positions]
};
// Throws GraphError when the weights are not of that shape.
std::string svg(const SoundAttention& drawing);

}  // namespace weft::inspect
