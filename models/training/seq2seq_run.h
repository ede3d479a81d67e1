// models/training/seq2seq_run.h -- training a family's model on encoded examples.
#pragma once
#include "models/data/alignments.h"
#include "models/training/batches/risk_batches.h"
#include "models/training/trainer.h"

#include <optional>

namespace weft::training {

struct Seq2seqRun {
  seq2seq::Settings config;
  OptimizerSettings optimizer;
  Rate rate;
  Limits limits;
  ValidationSettings validation;
  DivergenceSettings divergence;
  data::BatchOptions batch;
  uint64_t seed = 1;
  data::ExampleStore train, valid;  // valid may be empty: no best model then
  data::SubwordSampling sampling;   // of the examples to train on
  RunSettings data;                 // what else they were made with, by the keys of recipes
  std::optional<data::Alignments> alignments;  // of `train`: for guided_alignment
  RiskSettings risk;
  Sampler sampler;              // needed where risks are learnt
  Scorer scorer;                // likewise, with risk.reference
  Cost cost = token_bleu_cost;  // of its candidates; risk.metric is its name
  ProgramOptions program;
  std::optional<ModelFolder> folder;  // none: nothing is written

  // The graphs of the model's loss, and the examples in batches. Throws GraphError where an example
  // is longer than the model has positions.
  operator TrainerSetup() const;
};

}  // namespace weft::training
