// models/data/features/audio.h -- sound files as samples, and samples as frames of features.
//
//   log_mel   as Whisper has it (Radford et al. 2022): log10 of the power in mel bands of Slaney's
//             scale, from frames around every hop, the signal reflected at both ends; no less than 8
//             below the loudest; (x + 4) / 4
//   fbank     as Kaldi has it: natural log of the energy in bands of the mel scale 1127 ln(1 + f / 700)
//             from 20 Hz up, of frames that lie in the signal, their mean taken off, pre-emphasised
//             by 0.97, under Povey's window; samples count in 16-bit units; no dither
//
// Transforms are computed in double.
#pragma once
#include "ir/host/array.h"
#include "models/settings/fields.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

enum class AudioFeatures { none, log_mel, fbank };
inline constexpr settings::Choices<AudioFeatures, 3> kAudioFeatures{
    {{"none", AudioFeatures::none},
     {"log_mel", AudioFeatures::log_mel},
     {"fbank", AudioFeatures::fbank}}};

struct AudioSettings {
  AudioFeatures features = AudioFeatures::none;  // none: sound is not read
  int64_t sample_rate = 16000;                   // of all files
  int64_t mel_bins = 80;
  double window_ms = 25, hop_ms = 10;
  bool normalize = false;  // each feature of an utterance to mean 0 and variance 1

  bool operator==(const AudioSettings&) const = default;
};

// Of all but `features`; each key begins with `prefix`.
void fields(AudioSettings& s, settings::Fields& f, const std::string& prefix);

// Is it sound, by how it begins: WAV, FLAC, Ogg, AIFF?
bool is_audio(std::string_view begin);

// In [-1, 1], several channels averaged. Throws GraphError "path: ..." where it cannot be decoded, is
// cut, empty or has another rate.
std::vector<double> read_audio(const std::string& path, int64_t sample_rate);

// f32[n,mel_bins]. Of S samples: log_mel n = S / hop, fbank n = 1 + (S - window) / hop.
class FrameMaker {
 public:
  // Throws GraphError where the settings do not go together.
  explicit FrameMaker(const AudioSettings& settings);
  ~FrameMaker();

  // Throws GraphError ("has 100 samples, ...") where there are too few for a frame.
  ir::Array frames(std::span<const double> samples) const;

 private:
  struct Content;
  std::unique_ptr<const Content> content_;
};

}  // namespace weft::data
