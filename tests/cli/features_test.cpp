// tests/cli/features_test.cpp -- models of speech and of images: trained, asked and looked into.
#include "frontend/formats/npz.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>
#include <png.h>

#include <cmath>
#include <numbers>

namespace weft::tests {
namespace {

// Words of one to three digits. A digit is spoken as two or three frames, or drawn as a patch, with
// its bit set and noise elsewhere.
struct Digits {
  uint32_t state = 7;
  uint32_t next(uint32_t n) { return (state = state * 1664525U + 1013904223U) / 65536U % n; }
  double noise() { return next(1000) / 5000.0; }

  void list(const Folder& folder, const std::string& name, int count, bool image) {
    ir::NamedArrays arrays;
    std::string lines;
    for (int i = 0; i < count; ++i) {
      std::vector<uint32_t> word(image ? 2 : 1 + next(3));
      std::vector<uint32_t> frames;
      std::string target;
      for (uint32_t& d : word) {
        d = next(4);
        target += (target.empty() ? "" : " ") + std::to_string(d);
        frames.insert(frames.end(), image ? 1 : 2 + next(2), d);
      }
      const auto n = static_cast<int64_t>(frames.size());
      ir::Array x(ir::DType::f32, image ? ir::Dims{2, 2 * n, 1} : ir::Dims{n, 4});
      for (int64_t t = 0; t < n; ++t)
        for (int64_t f = 0; f < 4; ++f)
          x.set(image ? f / 2 * 2 * n + 2 * t + f % 2 : 4 * t + f,
                noise() + (f == frames[static_cast<size_t>(t)] ? 1 : 0));
      const std::string key = "x" + std::to_string(i);
      arrays.add(key, x);
      lines += name + ".npz:" + key + "\t" + target + "\n";
    }
    formats::write_npz(folder / (name + ".npz"), arrays);
    folder.write(name + ".tsv", lines);
  }
};

void check_kind(const std::string& kind, const std::string& model) {
  CAPTURE(kind);
  CAPTURE(model);
  Folder folder;
  Digits digits;
  const bool image = kind == "image";
  digits.list(folder, "train", 300, image);
  digits.list(folder, "valid", 20, image);
  const std::string recipe = folder.write(
      "r.toml", "[data]\ntrain = \"train.tsv\"\nvalid = \"valid.tsv\"\nsource = \"" + kind +
                    "\"\npatch = 2\n[model]\n" + model +
                    "[batch]\nmax_rows = 16\n[optimizer]\nlearning_rate = 5e-3\n[training]\nsteps "
                    "= 200\nvalidate_every = 100\nseed = 3\n");
  const Outcome trained = weft({"train", recipe, "--out", folder / "m"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const Outcome rate = weft({"evaluate", folder / "m", "--data", folder / "valid.tsv"});
  INFO(rate.out << rate.err);
  const double per = std::stod(rate.out.substr(4));
  CHECK(per < 10);
  const std::string place = folder / "valid.npz:x3";
  CHECK(weft({"translate", folder / "m", "--beam", "3"}, place + "\n\n" + place + "\n").code == 0);
  const std::string drawn = weft({"attend", folder / "m", place}).out;
  CHECK(drawn.find("<svg") != std::string::npos);
  CHECK(drawn.find("href=\"data:image/png;base64,iVBORw0KGgo") != std::string::npos);
  for (const std::string& what : {recipe, folder / "m"})
    CHECK(weft({"dump", what, "--stage", "optimised"}).code == 0);
  CHECK(weft({"bench", recipe, "--steps", "1", "--threads", "1"}).code == 0);

  const Outcome missing = weft({"translate", folder / "m"}, place + "\nnone.npz\n");
  CHECK(missing.code == 1);
  CHECK(missing.err.find("standard input:2: names no features: none.npz") == 0);
  folder.write("valid.tsv", "valid.npz:x1\t1\nvalid.npz:y\t1\n");
  const Outcome refused = weft({"train", recipe, "--out", folder / "n"});
  CHECK(not_a_clear_refusal(refused) == "");
  CHECK(refused.err.find("valid.tsv:2: error: ") != std::string::npos);
  CHECK_FALSE(folder.has("n"));
}

TEST_CASE("frames: a model of speech is trained, asked and looked into") {
  check_kind("frames", "embedding = 16\nhidden = 24\n");
  check_kind("frames",
             "family = \"transformer\"\nwidth = 32\nheads = 2\nfeed_forward = "
             "64\nencoder_layers = 1\ndecoder_layers = 1\n");
}

// 16-bit samples behind a header of 44 bytes.
std::string wav(const std::vector<double>& samples, uint32_t rate) {
  std::string bytes;
  const auto number = [&](uint32_t value, int size) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * i);
  };
  const auto size = static_cast<uint32_t>(2 * samples.size());
  bytes += "RIFF";
  number(36 + size, 4);
  bytes += "WAVEfmt ";
  number(16, 4), number(1, 2), number(1, 2), number(rate, 4), number(2 * rate, 4);
  number(2, 2), number(16, 2);
  bytes += "data";
  number(size, 4);
  for (const double s : samples) number(static_cast<uint32_t>(std::lround(32767 * s)), 2);
  return bytes;
}

// Each digit is a tone of 60 ms.
std::string spoken(const std::vector<uint32_t>& digits) {
  std::vector<double> samples;
  for (const uint32_t d : digits)
    for (int t = 0; t < 480; ++t)
      samples.push_back(0.5 * std::sin(2 * std::numbers::pi * (400 + 700.0 * d) * t / 8000));
  return wav(samples, 8000);
}

TEST_CASE("frames: sound is read as it is, and a model hears it as it was trained") {
  Folder folder;
  Digits digits;
  for (const auto& [name, count] : {std::pair{"train", 60}, {"valid", 10}}) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      const std::vector<uint32_t> word{digits.next(4), digits.next(4)};
      const std::string file = name + std::to_string(i) + ".wav";
      folder.write(file, spoken(word));
      lines += file + "\t" + std::to_string(word[0]) + " " + std::to_string(word[1]) + "\n";
    }
    folder.write(name + std::string(".tsv"), lines);
  }
  const std::string text =
      "[data]\ntrain = \"train.tsv\"\nvalid = \"valid.tsv\"\nsource = \"frames\"\nsample_rate = "
      "8000\nmel_bins = 16\n[model]\nembedding = 16\nhidden = 24\n[batch]\nmax_rows = 16\n"
      "[optimizer]\nlearning_rate = 1e-2\n[training]\nsteps = 30\nseed = 3\n";
  const std::string recipe = folder.write("r.toml", text);
  const Outcome trained = weft({"train", recipe, "--out", folder / "m"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(trained.err.find("frames of 16 features") != std::string::npos);
  CHECK(folder.read("m/model.toml").find("source_sample_rate = 8000") != std::string::npos);
  const Outcome said = weft({"translate", folder / "m"}, folder / "valid1.wav\n");
  CHECK(said.code == 0);
  CHECK(said.out.size() > 1);
  std::string other = text;
  other.replace(other.find("8000"), 4, "9000");
  const Outcome refused = weft({"train", folder.write("s.toml", other), "--out", folder / "n"});
  CHECK(not_a_clear_refusal(refused) == "");
  CHECK(refused.err.find("train.tsv:1: error: ") != std::string::npos);
  CHECK(refused.err.find("has 8000 samples a second, needed are 9000") != std::string::npos);
}

TEST_CASE("images: files are resized to what the recipe says") {
  Folder folder;
  Digits digits;
  for (const auto& [name, count] : {std::pair{"train", 40}, {"valid", 8}}) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      const uint32_t digit = digits.next(4), height = 8 + digits.next(4);
      png_image image{};
      image.version = PNG_IMAGE_VERSION;
      image.width = 16, image.height = height, image.format = PNG_FORMAT_GRAY;
      const std::vector<uint8_t> pixels(16 * height, static_cast<uint8_t>(60 * digit));
      const std::string file = name + std::to_string(i) + ".png";
      REQUIRE(
          png_image_write_to_file(&image, (folder / file).c_str(), 0, pixels.data(), 0, nullptr));
      lines += file + "\t" + std::to_string(digit) + "\n";
    }
    folder.write(name + std::string(".tsv"), lines);
  }
  const std::string text =
      "[data]\ntrain = \"train.tsv\"\nvalid = \"valid.tsv\"\nsource = \"image\"\npatch = 4\nheight "
      "= "
      "4\nwidth = 8\n[model]\nembedding = 16\nhidden = 24\n[batch]\nmax_rows = "
      "16\n[training]\nsteps = 20\nseed = 3\n";
  const Outcome trained = weft({"train", folder.write("r.toml", text), "--out", folder / "m"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(trained.err.find("images of 4x8x1") != std::string::npos);
  CHECK(weft({"translate", folder / "m"}, folder / "valid1.png\n").code == 0);
  std::string as_they_are = text;
  as_they_are.replace(as_they_are.find("height = 4\nwidth = 8\n"), 21, "");
  const Outcome refused =
      weft({"train", folder.write("s.toml", as_they_are), "--out", folder / "n"});
  CHECK(not_a_clear_refusal(refused) == "");
}

TEST_CASE("images: a model of pictures is trained, asked and looked into") {
  check_kind("image", "embedding = 16\nhidden = 24\n");
}

}  // namespace
}  // namespace weft::tests
