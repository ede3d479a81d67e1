// tests/data/image_test.cpp -- decoding pictures, and resizing them as Pillow does.
#include "models/data/features/image.h"

#include "frontend/formats/npz.h"
#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>
#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace weft::data {
namespace {

using tests::message_of;
using tests::TemporaryFolder;

Pixels gradient(int64_t height, int64_t width, int64_t channels) {
  Pixels p{height, width, channels, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c)
        p.bytes.push_back(static_cast<uint8_t>((5 * x + 3 * y + 40 * c) % 256));
  return p;
}

std::string write_png(const TemporaryFolder& folder, const std::string& name, const Pixels& p,
                      uint32_t format = 0) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<uint32_t>(p.width), image.height = static_cast<uint32_t>(p.height);
  image.format = format != 0 ? format : p.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  REQUIRE(png_image_write_to_file(&image, (folder / name).c_str(), 0, p.bytes.data(), 0, nullptr));
  return folder / name;
}

std::string write_jpeg(const TemporaryFolder& folder, const std::string& name, Pixels p) {
  jpeg_compress_struct info{};
  jpeg_error_mgr error{};
  info.err = jpeg_std_error(&error);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(p.width);
  info.image_height = static_cast<JDIMENSION>(p.height);
  info.input_components = static_cast<int>(p.channels);
  info.in_color_space = p.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  jpeg_start_compress(&info, TRUE);
  for (int64_t y = 0; y < p.height; ++y) {
    JSAMPROW row = p.bytes.data() + y * p.width * p.channels;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const std::string path =
      folder.file(name, std::string_view(reinterpret_cast<const char*>(bytes), size));
  std::free(bytes);
  return path;
}

TEST_CASE("image: PNG is read byte for byte, grey or in colours") {
  const TemporaryFolder folder;
  for (const int64_t channels : {1, 3}) {
    const Pixels p = gradient(7, 9, channels);
    const std::string path = write_png(folder, "a.png", p);
    const Pixels back = read_image(path);
    CHECK(back.height == 7);
    CHECK(back.width == 9);
    CHECK(back.channels == channels);
    CHECK(back.bytes == p.bytes);
    const ir::Array x = image_array(path, {.height = 4, .channels = 3});
    CHECK(x.dims() == ir::Dims{4, 9, 3});
    CHECK(image_array(path, {.channels = 1}).dims() == ir::Dims{7, 9, 1});
    CHECK(image_array(path, {}).at(1) == doctest::Approx(p.bytes[1] / 255.0));
  }
  // What is transparent stands before white.
  const Pixels clear{1, 2, 4, {10, 20, 30, 255, 10, 20, 30, 0}};
  CHECK(read_image(write_png(folder, "t.png", clear, PNG_FORMAT_RGBA)).bytes ==
        std::vector<uint8_t>{10, 20, 30, 255, 255, 255});
}

TEST_CASE("image: JPEG is read as it was, nearly") {
  const TemporaryFolder folder;
  const Pixels p{16, 16, 3, std::vector<uint8_t>(16 * 16 * 3, 90)};
  const Pixels back = read_image(write_jpeg(folder, "a.jpg", p));
  REQUIRE(back.bytes.size() == p.bytes.size());
  for (const uint8_t v : back.bytes) CHECK(std::abs(v - 90) <= 1);
  CHECK(read_image(write_jpeg(folder, "g.jpg", gradient(8, 8, 1))).channels == 1);
}

TEST_CASE("image: the same size is the same image; halves are means") {
  const Pixels p = gradient(8, 6, 3);
  CHECK(resized(p, 8, 6, Resampling::bicubic).bytes == p.bytes);
  const Pixels flat{5, 4, 1, std::vector<uint8_t>(20, 77)};
  for (const Resampling r : {Resampling::bilinear, Resampling::bicubic})
    CHECK(resized(flat, 3, 9, r).bytes == std::vector<uint8_t>(27, 77));
}

TEST_CASE("image: resizing is Pillow's to the byte") {
  const char* named = std::getenv("WEFT_SHARED");
  const std::filesystem::path shared =
      named != nullptr ? std::filesystem::path(named)
                       : std::filesystem::path(WEFT_SOURCE_DIR).parent_path() / "shared";
  for (const auto& [model, resampling] :
       {std::pair{"trocr_vit", Resampling::bilinear}, {"trocr_deit", Resampling::bicubic}}) {
    const std::filesystem::path folder = shared / "oracle/hf" / model;
    if (!std::filesystem::exists(folder)) {
      MESSAGE("skipped: there is no oracle/hf; WEFT_SHARED can name the folder it is in");
      return;
    }
    const ir::NamedArrays expected = formats::read_npz((folder / "preprocess.npz").string());
    for (int i = 0; i < 6; ++i) {
      CAPTURE(i);
      const std::string n = std::to_string(i);
      const Pixels p = read_image((folder / ("image_" + n + ".png")).string());
      const ir::Array& decoded = expected.at("decoded_" + n);
      REQUIRE(decoded.size() == std::ssize(p.bytes));
      CHECK(std::equal(p.bytes.begin(), p.bytes.end(), decoded.data<uint8_t>()));
      const ir::Array& small = expected.at("resized_" + n);
      const Pixels rgb = read_image((folder / ("image_" + n + ".png")).string(), 3);
      const Pixels mine = resized(rgb, small.dim(0), small.dim(1), resampling);
      REQUIRE(small.size() == std::ssize(mine.bytes));
      CHECK(std::equal(mine.bytes.begin(), mine.bytes.end(), small.data<uint8_t>()));
    }
  }
}

TEST_CASE("image: what cannot be read is said in one line") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& path) {
    const std::string message = message_of<ir::GraphError>([&] { read_image(path); });
    CHECK(message.starts_with(path + ": "));
    CHECK(message.find('\n') == std::string::npos);
    return message.substr(std::min(message.size(), path.size() + 2));
  };
  CHECK(refusal(folder.file("x.png", "hello")) == "is neither PNG nor JPEG");
  const std::string png = tests::bytes_of(write_png(folder, "a.png", gradient(20, 20, 3)));
  const std::string jpeg = tests::bytes_of(write_jpeg(folder, "a.jpg", gradient(40, 40, 3)));
  for (size_t size = 5; size + 20 < png.size(); size += 37)
    CHECK(refusal(folder.file("cut", png.substr(0, size))).find("cannot be read as PNG: ") == 0);
  for (size_t size = 5; size + 20 < jpeg.size(); size += 37)
    CHECK(refusal(folder.file("cut", jpeg.substr(0, size))).find("cannot be read as JPEG: ") == 0);
}

}  // namespace
}  // namespace weft::data
