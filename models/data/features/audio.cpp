// models/data/features/audio.cpp -- decoding (libsndfile), framing, transforms (kissfft), mel bands.
#include "models/data/features/audio.h"

#include "ir/error.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <kissfft/kissfft.hh>
#include <numbers>
#include <optional>

namespace weft::data {
namespace {

using ir::concat;
using ir::GraphError;

constexpr int64_t kMostSamples = int64_t{1} << 28;  // an hour and a half at 48 kHz

double hertz_to_slaney(double f) {
  return f < 1000 ? 3 * f / 200 : 15 + 27 * std::log(f / 1000) / std::log(6.4);
}
double slaney_to_hertz(double m) {
  return m < 15 ? 200 * m / 3 : 1000 * std::exp(std::log(6.4) * (m - 15) / 27);
}
double hertz_to_kaldi(double f) { return 1127 * std::log(1 + f / 700); }

// A band's weights, from its first bin on.
struct Band {
  size_t first = 0;
  std::vector<double> weights;
};

// Triangles between neighbouring corners, over bins that stand at `at` on the corners' scale.
std::vector<Band> triangles(const std::vector<double>& corners, const std::vector<double>& at) {
  std::vector<Band> bands;
  for (size_t b = 0; b + 2 < corners.size(); ++b) {
    Band band;
    for (size_t i = 0; i < at.size(); ++i) {
      const double up = (at[i] - corners[b]) / (corners[b + 1] - corners[b]);
      const double down = (corners[b + 2] - at[i]) / (corners[b + 2] - corners[b + 1]);
      const double weight = std::min(up, down);
      if (weight <= 0) continue;
      if (band.weights.empty()) band.first = i;
      band.weights.resize(i - band.first);
      band.weights.push_back(weight);
    }
    bands.push_back(std::move(band));
  }
  return bands;
}

std::vector<double> evenly(double from, double to, int64_t count) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(from + (to - from) * static_cast<double>(i) / static_cast<double>(count - 1));
  return values;
}

std::vector<double> bins(int64_t transform, double rate) {
  return evenly(0, rate / 2, transform / 2 + 1);
}

// In hertz, each band's area the same.
std::vector<Band> slaney_bands(int64_t count, int64_t transform, double rate) {
  std::vector<double> corners = evenly(0, hertz_to_slaney(rate / 2), count + 2);
  for (double& c : corners) c = slaney_to_hertz(c);
  std::vector<Band> bands = triangles(corners, bins(transform, rate));
  for (size_t b = 0; b < bands.size(); ++b)
    for (double& w : bands[b].weights) w *= 2 / (corners[b + 2] - corners[b]);
  return bands;
}

// On the mel scale, of height 1.
std::vector<Band> kaldi_bands(int64_t count, int64_t transform, double rate) {
  std::vector<double> at = bins(transform, rate);
  for (double& f : at) f = hertz_to_kaldi(f);
  return triangles(evenly(hertz_to_kaldi(20), hertz_to_kaldi(rate / 2), count + 2), at);
}

// The window's length in samples; `period` of them make a whole turn.
std::vector<double> hann(int64_t length, int64_t period) {
  std::vector<double> window;
  for (int64_t i = 0; i < length; ++i)
    window.push_back(0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) /
                                          static_cast<double>(period)));
  return window;
}

int64_t samples_of(double milliseconds, int64_t rate) {
  return std::llround(milliseconds * static_cast<double>(rate) / 1000);
}

// Each column to mean 0 and variance 1 (of the population); one that never changes becomes 0.
void normalize(std::vector<double>& x, int64_t width) {
  const auto rows = std::ssize(x) / width;
  for (int64_t f = 0; f < width; ++f) {
    double mean = 0, square = 0;
    for (int64_t t = 0; t < rows; ++t) mean += x[static_cast<size_t>(t * width + f)];
    mean /= static_cast<double>(rows);
    for (int64_t t = 0; t < rows; ++t)
      square += std::pow(x[static_cast<size_t>(t * width + f)] - mean, 2);
    const double deviation = std::sqrt(square / static_cast<double>(rows));
    for (int64_t t = 0; t < rows; ++t) {
      double& value = x[static_cast<size_t>(t * width + f)];
      value = deviation > 0 ? (value - mean) / deviation : 0;
    }
  }
}

}  // namespace

void fields(AudioSettings& s, settings::Fields& f, const std::string& prefix) {
  f.integer(prefix + "sample_rate", s.sample_rate, {1000, 384000},
            "sound: samples a second of all files");
  f.integer(prefix + "mel_bins", s.mel_bins, {1, 1024},
            "sound: bands, that is, features of a frame");
  f.real(prefix + "window_ms", s.window_ms, {.least = 1, .most = 1000},
         "sound: length of a frame in milliseconds");
  f.real(prefix + "hop_ms", s.hop_ms, {.least = 1, .most = 1000},
         "sound: from one frame to the next");
  f.flag(prefix + "normalize", s.normalize,
         "sound: each feature to mean 0 and variance 1 over an utterance");
}

bool is_audio(std::string_view begin) {
  for (const std::string_view mark : {"RIFF", "RF64", "fLaC", "OggS", "FORM"})
    if (begin.starts_with(mark)) return true;
  return false;
}

std::vector<double> read_audio(const std::string& path, int64_t sample_rate) {
  SF_INFO info{};
  const std::unique_ptr<SNDFILE, int (*)(SNDFILE*)> file(sf_open(path.c_str(), SFM_READ, &info),
                                                         sf_close);
  if (file == nullptr) {
    const std::string why = sf_strerror(nullptr);
    throw GraphError(concat(path, ": cannot be read as sound: ", why.substr(0, why.find('\n'))));
  }
  if (info.samplerate != sample_rate)
    throw GraphError(concat(path, ": has ", info.samplerate, " samples a second, needed are ",
                            sample_rate, " (data.sample_rate)"));
  if (info.frames <= 0) throw GraphError(path + ": holds no samples");
  if (info.channels < 1 || info.frames > kMostSamples / info.channels)
    throw GraphError(concat(path, ": holds ", info.frames, " samples of ", info.channels,
                            " channels, at most ", kMostSamples, " in all are accepted"));
  const auto channels = static_cast<size_t>(info.channels);
  constexpr sf_count_t kPiece = 1 << 14;  // a header's count is believed when the samples are there
  std::vector<double> piece(static_cast<size_t>(kPiece) * channels), samples;
  for (sf_count_t n = 0; (n = sf_readf_double(file.get(), piece.data(), kPiece)) > 0;)
    for (size_t t = 0; t < static_cast<size_t>(n); ++t) {
      double sum = 0;
      for (size_t c = 0; c < channels; ++c) sum += piece[t * channels + c];
      samples.push_back(sum / static_cast<double>(channels));
    }
  if (std::ssize(samples) != info.frames)
    throw GraphError(
        concat(path, ": ends after ", samples.size(), " of ", info.frames, " samples"));
  for (size_t t = 0; t < samples.size(); ++t)
    if (!std::isfinite(samples[t]))
      throw GraphError(concat(path, ": sample ", t, " is not finite"));
  return samples;
}

struct FrameMaker::Content {
  AudioSettings settings;
  int64_t window = 0, hop = 0, transform = 0;
  std::vector<double> weights;  // of the window
  std::vector<Band> bands;
  kissfft<double> fft;  // of a real signal twice as long

  explicit Content(const AudioSettings& s)
      : settings(s),
        window(samples_of(s.window_ms, s.sample_rate)),
        hop(samples_of(s.hop_ms, s.sample_rate)),
        transform(s.features == AudioFeatures::fbank ? 2 : window),
        fft(1, false) {
    if (s.features == AudioFeatures::none)
      throw GraphError("data.audio is 'none': it says which features of sound are computed");
    if (window < 4 || hop < 1 || hop > window)
      throw GraphError(concat("a window of ", window, " samples and a hop of ", hop,
                              ": needed is a window of 4 or more, and a hop of 1 up to it"));
    while (transform < window) transform *= 2;
    transform += transform % 2;
    fft.assign(static_cast<size_t>(transform / 2), false);
    const auto rate = static_cast<double>(s.sample_rate);
    if (s.features == AudioFeatures::log_mel) {
      weights = hann(window, window);
      bands = slaney_bands(s.mel_bins, transform, rate);
    } else {
      weights = hann(window, window - 1);
      for (double& w : weights) w = std::pow(w, 0.85);
      bands = kaldi_bands(s.mel_bins, transform, rate);
    }
  }

  // Power in each band of the windowed `frame`, which is padded to the transform's length.
  void add_powers(std::vector<double>& frame, std::vector<double>& x) const {
    for (size_t i = 0; i < weights.size(); ++i) frame[i] *= weights[i];
    std::vector<std::complex<double>> spectrum(static_cast<size_t>(transform / 2 + 1));
    fft.transform_real(frame.data(), spectrum.data());
    spectrum.back() = spectrum.front().imag();  // kissfft keeps the last there: both are real
    spectrum.front() = spectrum.front().real();
    for (const Band& band : bands) {
      double power = 0;
      for (size_t i = 0; i < band.weights.size(); ++i)
        power += band.weights[i] * std::norm(spectrum[band.first + i]);
      x.push_back(power);
    }
  }

  std::vector<double> log_mel(std::span<const double> samples) const {
    const int64_t n = std::ssize(samples), half = transform / 2;
    if (n <= half || n < hop)
      throw GraphError(
          concat("has ", n, " samples, at least ", std::max(half + 1, hop), " are needed"));
    std::vector<double> x;
    for (int64_t t = 0; t < n / hop; ++t) {
      std::vector<double> frame(static_cast<size_t>(transform));
      for (int64_t i = 0; i < window; ++i) {
        int64_t at = t * hop + i - half;
        at = at < 0 ? -at : at >= n ? 2 * (n - 1) - at : at;
        frame[static_cast<size_t>(i)] = samples[static_cast<size_t>(at)];
      }
      add_powers(frame, x);
    }
    double loudest = -10;
    for (double& v : x) loudest = std::max(loudest, v = std::log10(std::max(v, 1e-10)));
    for (double& v : x) v = (std::max(v, loudest - 8) + 4) / 4;
    return x;
  }

  std::vector<double> fbank(std::span<const double> samples) const {
    const int64_t n = std::ssize(samples);
    if (n < window)
      throw GraphError(concat("has ", n, " samples, at least ", window, " are needed"));
    constexpr double kScale = 32768, kEmphasis = 0.97, kFloor = 0x1p-23;
    std::vector<double> x;
    for (int64_t t = 0; t <= (n - window) / hop; ++t) {
      std::vector<double> frame(static_cast<size_t>(transform));
      double mean = 0;
      for (int64_t i = 0; i < window; ++i)
        mean += frame[static_cast<size_t>(i)] = kScale * samples[static_cast<size_t>(t * hop + i)];
      mean /= static_cast<double>(window);
      for (size_t i = 0; i < static_cast<size_t>(window); ++i) frame[i] -= mean;
      for (auto i = static_cast<size_t>(window - 1); i > 0; --i)
        frame[i] -= kEmphasis * frame[i - 1];
      frame[0] *= 1 - kEmphasis;
      add_powers(frame, x);
    }
    for (double& v : x) v = std::log(std::max(v, kFloor));
    return x;
  }
};

FrameMaker::FrameMaker(const AudioSettings& settings)
    : content_(std::make_unique<const Content>(settings)) {}
FrameMaker::~FrameMaker() = default;

ir::Array FrameMaker::frames(std::span<const double> samples) const {
  const AudioSettings& s = content_->settings;
  std::vector<double> x =
      s.features == AudioFeatures::log_mel ? content_->log_mel(samples) : content_->fbank(samples);
  if (s.normalize) normalize(x, s.mel_bins);
  ir::Array y(ir::DType::f32, {std::ssize(x) / s.mel_bins, s.mel_bins});
  std::transform(x.begin(), x.end(), y.data<float>(),
                 [](double v) { return static_cast<float>(v); });
  return y;
}

}  // namespace weft::data
