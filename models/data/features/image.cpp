// models/data/features/image.cpp -- decoding (libpng, libjpeg) and resampling.
#include "models/data/features/image.h"

#include "frontend/formats/input_file.h"
#include "ir/error.h"

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
// jpeglib.h needs the types of stdio.h before it.
#include <jpeglib.h>
#include <png.h>

namespace weft::data {
namespace {

using ir::concat;
using ir::GraphError;

constexpr int64_t kMostSide = 1 << 14, kMostBytes = int64_t{1} << 28;
constexpr std::string_view kPng = "\x89PNG", kJpeg = "\xFF\xD8\xFF";

void check_sides(const std::string& path, int64_t height, int64_t width) {
  if (height < 1 || width < 1 || height > kMostSide || width > kMostSide)
    throw GraphError(concat(path, ": has ", height, " by ", width, " pixels, needed are 1 to ",
                            kMostSide, " each"));
}

Pixels read_png(const std::string& path, const std::string& content, int64_t channels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  const auto fail = [&] {
    const std::string why = image.message;
    png_image_free(&image);
    throw GraphError(concat(path, ": cannot be read as PNG: ", why));
  };
  if (png_image_begin_read_from_memory(&image, content.data(), content.size()) == 0) fail();
  const bool colour = channels == 0 ? (image.format & PNG_FORMAT_FLAG_COLOR) != 0 : channels == 3;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Pixels pixels{image.height, image.width, colour ? 3 : 1, {}};
  try {
    check_sides(path, pixels.height, pixels.width);
  } catch (...) {
    png_image_free(&image);
    throw;
  }
  pixels.bytes.resize(PNG_IMAGE_SIZE(image));
  const png_color white{255, 255, 255};
  if (png_image_finish_read(&image, &white, pixels.bytes.data(), 0, nullptr) == 0) fail();
  return pixels;
}

struct JpegError {
  jpeg_error_mgr manager;  // first: libjpeg knows it by this
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];
};

void leave(j_common_ptr info) {
  auto* error = reinterpret_cast<JpegError*>(info->err);
  info->err->format_message(info, error->message);
  std::longjmp(error->back, 1);
}

// Data that are cut or damaged are warnings of libjpeg's: the rest would be grey.
void warn(j_common_ptr info, int level) {
  if (level < 0) leave(info);
}

// No object with a destructor may live in the frame that longjmp leaves.
bool decode_jpeg(jpeg_decompress_struct& info, JpegError& error, const std::string& content,
                 int64_t channels, Pixels& pixels) {
  if (setjmp(error.back) != 0) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(content.data()), content.size());
  jpeg_read_header(&info, TRUE);
  const bool colour = channels == 0 ? info.num_components != 1 : channels == 3;
  info.out_color_space = colour ? JCS_RGB : JCS_GRAYSCALE;
  pixels = {info.image_height, info.image_width, colour ? 3 : 1, {}};
  if (pixels.height > kMostSide || pixels.width > kMostSide) return true;
  jpeg_start_decompress(&info);
  const auto row_bytes = static_cast<size_t>(pixels.width * pixels.channels);
  pixels.bytes.resize(static_cast<size_t>(pixels.height) * row_bytes);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = pixels.bytes.data() + info.output_scanline * row_bytes;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  return true;
}

Pixels read_jpeg(const std::string& path, const std::string& content, int64_t channels) {
  jpeg_decompress_struct info{};
  JpegError error{};
  info.err = jpeg_std_error(&error.manager);
  error.manager.error_exit = leave;
  error.manager.emit_message = warn;
  Pixels pixels;
  const bool done = decode_jpeg(info, error, content, channels, pixels);
  jpeg_destroy_decompress(&info);
  if (!done) throw GraphError(concat(path, ": cannot be read as JPEG: ", error.message));
  check_sides(path, pixels.height, pixels.width);
  return pixels;
}

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// What an output is made of, in fixed point.
struct Taps {
  int64_t first = 0;
  std::vector<int32_t> weights;
};
constexpr int kBits = 32 - 8 - 2;

std::vector<Taps> taps(int64_t in, int64_t out, Resampling resampling) {
  const auto kernel = resampling == Resampling::bilinear ? triangle : cubic;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double widened = std::max(scale, 1.0);
  const double support = (resampling == Resampling::bilinear ? 1.0 : 2.0) * widened;
  std::vector<Taps> all;
  for (int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t last = std::min(in, static_cast<int64_t>(center + support + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int64_t at = first; at < last; ++at) {
      weights.push_back(kernel((static_cast<double>(at) - center + 0.5) * (1.0 / widened)));
      sum += weights.back();
    }
    Taps t{first, {}};
    for (const double w : weights) {
      const double share = sum != 0 ? w / sum : w;
      t.weights.push_back(static_cast<int32_t>(share * (1 << kBits) + (share < 0 ? -0.5 : 0.5)));
    }
    all.push_back(std::move(t));
  }
  return all;
}

uint8_t clipped(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

// Along an axis of [outer, in, inner] bytes.
std::vector<uint8_t> resample(const std::vector<uint8_t>& x, int64_t outer, int64_t in, int64_t out,
                              int64_t inner, Resampling resampling) {
  const std::vector<Taps> all = taps(in, out, resampling);
  std::vector<uint8_t> y(static_cast<size_t>(outer * out * inner));
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < out; ++i) {
      const Taps& t = all[static_cast<size_t>(i)];
      for (int64_t c = 0; c < inner; ++c) {
        int32_t sum = 1 << (kBits - 1);
        for (size_t k = 0; k < t.weights.size(); ++k)
          sum += t.weights[k] *
                 x[static_cast<size_t>((o * in + t.first + static_cast<int64_t>(k)) * inner + c)];
        y[static_cast<size_t>((o * out + i) * inner + c)] = clipped(sum);
      }
    }
  return y;
}

}  // namespace

bool is_image(std::string_view begin) {
  return begin.starts_with(kPng) || begin.starts_with(kJpeg);
}

Pixels read_image(const std::string& path, int64_t channels) {
  const formats::InputFile file(path);
  const int64_t size = file.size(kMostBytes);
  if (size > kMostBytes)
    throw GraphError(concat(path, ": has ", size, " bytes, at most ", kMostBytes, " are accepted"));
  const std::string content = file.read_text(0, size);
  if (content.starts_with(kPng)) return read_png(path, content, channels);
  if (content.starts_with(kJpeg)) return read_jpeg(path, content, channels);
  throw GraphError(path + ": is neither PNG nor JPEG");
}

Pixels resized(const Pixels& image, int64_t height, int64_t width, Resampling resampling) {
  Pixels x = image;
  if (width != x.width) {
    x.bytes = resample(x.bytes, x.height, x.width, width, x.channels, resampling);
    x.width = width;
  }
  if (height != x.height) {
    x.bytes = resample(x.bytes, 1, x.height, height, x.width * x.channels, resampling);
    x.height = height;
  }
  return x;
}

ir::Array image_array(const std::string& path, const ImageSettings& s) {
  const Pixels read = read_image(path, s.channels);
  const Pixels x = resized(read, s.height > 0 ? s.height : read.height,
                           s.width > 0 ? s.width : read.width, s.resampling);
  ir::Array y(ir::DType::f32, {x.height, x.width, x.channels});
  std::transform(x.bytes.begin(), x.bytes.end(), y.data<float>(),
                 [](uint8_t v) { return static_cast<float>(v) / 255.0F; });
  return y;
}

}  // namespace weft::data
