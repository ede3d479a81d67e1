// tests/cli/features_test.cpp -- models of speech and of images: trained, asked and looked into.
#include "frontend/formats/npz.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>

#include <cmath>

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
  CHECK(weft({"attend", folder / "m", place}).out.find("<svg") != std::string::npos);
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

TEST_CASE("images: a model of pictures is trained, asked and looked into") {
  check_kind("image", "embedding = 16\nhidden = 24\n");
}

}  // namespace
}  // namespace weft::tests
