// tests/data/audio_test.cpp -- decoding sound, and its features against Whisper's and Kaldi's.
#include "models/data/features/audio.h"

#include "frontend/formats/npz.h"
#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numbers>

namespace weft::data {
namespace {

using tests::message_of;
using tests::TemporaryFolder;

constexpr AudioSettings kLogMel{.features = AudioFeatures::log_mel};
constexpr AudioSettings kFbank{.features = AudioFeatures::fbank};

std::vector<double> tone(double hertz, int64_t samples, double rate = 16000) {
  std::vector<double> x;
  for (int64_t t = 0; t < samples; ++t)
    x.push_back(0.5 * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(t) / rate));
  return x;
}

std::string write(const TemporaryFolder& folder, const std::string& name, int format,
                  const std::vector<double>& samples, int channels = 1, int rate = 16000) {
  SF_INFO info{};
  info.samplerate = rate, info.channels = channels, info.format = format | SF_FORMAT_PCM_16;
  SNDFILE* file = sf_open((folder / name).c_str(), SFM_WRITE, &info);
  REQUIRE(file != nullptr);
  sf_writef_double(file, samples.data(), std::ssize(samples) / channels);
  sf_close(file);
  return folder / name;
}

// The largest difference of frames [n,F], and of [F,n] where it is so transposed.
double distance(const ir::Array& frames, const ir::Array& expected, bool transposed) {
  const int64_t width = frames.dim(1), count = expected.dim(transposed ? 1 : 0);
  REQUIRE(frames.dim(0) >= count);
  REQUIRE(expected.dim(transposed ? 0 : 1) == width);
  double worst = 0;
  for (int64_t t = 0; t < count; ++t)
    for (int64_t f = 0; f < width; ++f)
      worst = std::max(worst, std::abs(frames.at(t * width + f) -
                                       expected.at(transposed ? f * count + t : t * width + f)));
  return worst;
}

TEST_CASE("sound: features are Whisper's and Kaldi's to 1e-4") {
  const char* named = std::getenv("WEFT_SHARED");
  const std::filesystem::path folder =
      (named != nullptr ? std::filesystem::path(named)
                        : std::filesystem::path(WEFT_SOURCE_DIR).parent_path() / "shared") /
      "oracle/whisper_frontend";
  if (!std::filesystem::exists(folder)) {
    MESSAGE(
        "skipped: there is no oracle/whisper_frontend; WEFT_SHARED can name the folder it is in");
    return;
  }
  const ir::NamedArrays expected = formats::read_npz((folder / "features.npz").string());
  for (const std::string name : {"chirps", "silence_then_tone", "short"}) {
    CAPTURE(name);
    const std::vector<double> samples = read_audio((folder / (name + ".wav")).string(), 16000);
    // The file's values are those of a signal with silence behind it.
    std::vector<double> padded = samples;
    padded.resize(samples.size() + 4000);
    for (const int64_t bins : {80, 128}) {
      AudioSettings s = kLogMel;
      s.mel_bins = bins;
      const std::string key = name + "_mel" + std::to_string(bins);
      const FrameMaker maker(s);
      CHECK(distance(maker.frames(padded), expected.at(key + "_exact"), true) < 1e-4);
      if (const ir::Array* unpadded = expected.find(key + "_unpadded")) {
        CHECK(maker.frames(samples).dim(0) == unpadded->dim(1));
        CHECK(distance(maker.frames(samples), *unpadded, true) < 1e-4);
      }
    }
    AudioSettings s = kFbank;
    CHECK(distance(FrameMaker(s).frames(samples), expected.at(name + "_fbank80"), false) < 1e-4);
    s.normalize = true;
    CHECK(distance(FrameMaker(s).frames(samples), expected.at(name + "_fbank80_cmvn"), false) <
          1e-4);
  }
}

TEST_CASE("sound: the loudest band is the tone's, at any rate") {
  for (const AudioSettings& base : {kLogMel, kFbank}) {
    AudioSettings s = base;
    s.sample_rate = 8000;
    s.mel_bins = 40;
    const FrameMaker maker(s);
    int64_t last = -1;
    for (const double hertz : {300.0, 900.0, 1900.0, 3500.0}) {
      const ir::Array x = maker.frames(tone(hertz, 4000, 8000));
      CHECK(x.dim(0) == (s.features == AudioFeatures::log_mel ? 50 : 48));
      const float* row = x.data<float>() + 20 * 40;
      const int64_t loudest = std::max_element(row, row + 40) - row;
      CHECK(loudest > last);
      last = loudest;
    }
  }
}

TEST_CASE("sound: WAV and FLAC are the same samples, channels are averaged") {
  const TemporaryFolder folder;
  const std::vector<double> x = tone(440, 1000);
  const auto wav = read_audio(write(folder, "a.wav", SF_FORMAT_WAV, x), 16000);
  CHECK(wav.size() == 1000);
  CHECK(wav == read_audio(write(folder, "a.flac", SF_FORMAT_FLAC, x), 16000));
  for (size_t t = 0; t < x.size(); ++t) CHECK(std::abs(wav[t] - x[t]) < 1e-4);
  std::vector<double> stereo;
  for (const double v : x) stereo.push_back(v), stereo.push_back(0);
  const auto half = read_audio(write(folder, "s.wav", SF_FORMAT_WAV, stereo, 2), 16000);
  CHECK(half.size() == 1000);
  CHECK(std::abs(half[30] - wav[30] / 2) < 1e-9);
}

TEST_CASE("sound: what cannot be read is said in one line") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& path) {
    const std::string message = message_of<ir::GraphError>([&] { read_audio(path, 16000); });
    CHECK(message.starts_with(path + ": "));
    CHECK(message.find('\n') == std::string::npos);
    return message.substr(std::min(message.size(), path.size() + 2));
  };
  const std::string flac = write(folder, "a.flac", SF_FORMAT_FLAC, tone(440, 9000));
  const std::string whole = tests::bytes_of(flac);
  CHECK(refusal(write(folder, "b.wav", SF_FORMAT_WAV, tone(440, 100), 1, 8000)) ==
        "has 8000 samples a second, needed are 16000 (data.sample_rate)");
  CHECK(refusal(write(folder, "c.wav", SF_FORMAT_WAV, {})) == "holds no samples");
  for (const size_t size : {size_t{0}, size_t{10}, whole.size() / 2})
    CHECK(!refusal(folder.file("cut.flac", whole.substr(0, size))).empty());
  refusal(folder / "none.wav");
  const auto fault = [](const AudioSettings& s, int64_t samples) {
    return message_of<ir::GraphError>(
        [&] { FrameMaker(s).frames(std::vector<double>(static_cast<size_t>(samples))); });
  };
  CHECK(fault(kLogMel, 100) == "has 100 samples, at least 201 are needed");
  CHECK(fault(kFbank, 100) == "has 100 samples, at least 400 are needed");
  CHECK(fault({}, 100).find("data.audio is 'none'") == 0);
  CHECK(fault({.features = AudioFeatures::fbank, .window_ms = 5}, 100).find("a window of 80") == 0);
}

}  // namespace
}  // namespace weft::data
