// models/families/training_loss.h -- what the losses of all families have in common.
#pragma once
#include "frontend/weft.h"
#include "models/families/batch_inputs.h"
#include "models/settings/fields.h"

namespace weft::seq2seq {

// Guided alignment (Chen et al. 2016, "Guided Alignment Training for Topic-Aware Neural Machine
// Translation"): attention is pulled towards word alignments that come with the examples.
struct GuidedAlignment {
  double weight = 0;  // of its loss beside that of the words; 0: there is none
  double decay = 1;   // of the weight, with each update

  bool on() const { return weight > 0; }
  bool operator==(const GuidedAlignment&) const = default;
};
void fields(GuidedAlignment& g, settings::Fields& f);

// Of every target token.
struct TokenLosses {
  Tensor losses;  // T[B,T], or T[T,B] with `time_major`; what lies behind the lengths is ignored
  Tensor live;    // pred, of the same shape
  Tensor target_lengths;  // s32[B]
  bool time_major = false;
  bool shown = false;  // they are a result too
};

// Attention that is guided: weights T[B,T,S], or T[T,B,S] of a decoder that runs over time first.
struct Guided {
  GuidedAlignment by;
  Tensor weights, step;  // step: s64[], of training
};

// Sets the outputs
//   loss    f32[], the mean of the losses over live tokens
//   tokens  f32[], the number of those
//   token_losses  f32[B,T], where they are shown: 0 behind the lengths
// `weighted`: each row's losses are multiplied by the input row_weights: f32[B] (the mean is still
// over tokens).
// `guided`, where it is on: added is weight * decay^step times the mean over live tokens t of
//   -sum_s alignment[t,s] log weights[t,s]      with the input alignment: f32[B,T,S]
void set_training_loss(Model& m, const TokenLosses& of, bool weighted = false,
                       const Guided& guided = {}, SourceLoc loc = SourceLoc::here());

// What a graph of the loss reads, and what chance and guided alignment do in it.
struct LossInputs {
  SourceInputs source;
  TargetInputs target;
  GuidedAlignment guided;  // off where it is only measured
  Noise noise;             // none where nothing is random
};

// `config` is a family's; `random`: more of it draws than words that are dropped, SpecAugment and guided
// alignment's decay, which count steps too.
template <typename Config>
LossInputs loss_inputs(Model& m, const Config& config, bool training, bool random) {
  LossInputs in{.source = source_inputs(m, config.source), .target = target_inputs(m)};
  if (!training) return in;
  in.guided = config.guided;
  if (random || in.guided.on() || config.spec_augment.on() || config.source_word_dropout > 0 ||
      config.target_word_dropout > 0)
    in.noise = noise_inputs(m, config.seed);
  return in;
}

// losses: T[B,T], or T[T,B] with `time_major`; weights: of attention, likewise, where it is guided
template <typename Config>
void set_training_loss(Model& m, const Config& config, bool training, const LossInputs& in,
                       const Tensor& losses, const Tensor& weights, bool time_major) {
  const Tensor live = length_mask(in.target.lengths, in.target.in.dim(1));
  set_training_loss(m,
                    {losses, time_major ? swap_axes(live, 0, 1) : live, in.target.lengths,
                     time_major, !training && config.by_token},
                    training && config.weighted, {in.guided, weights, in.noise.step});
}

}  // namespace weft::seq2seq
