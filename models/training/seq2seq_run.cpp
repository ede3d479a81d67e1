// models/training/seq2seq_run.cpp -- from settings and examples to graphs and batches.
#include "models/training/seq2seq_run.h"

#include "models/training/example_batches.h"

namespace weft::training {

Seq2seqRun::operator TrainerSetup() const {
  seq2seq::Settings seeded = config;
  seq2seq::set_seed(seeded, seed);
  data::BatchOptions options = batch;
  options.seed = seed;
  options.widest = seq2seq::most_positions(seeded);
  data::SubwordSampling drawn = sampling;
  drawn.seed = seed;
  drawn.most_positions = options.widest;
  return {.training = seq2seq::loss_graph(seeded, true),
          .evaluation = seq2seq::loss_graph(seeded, false),
          .batches = std::make_shared<ExampleBatches>(train, valid, options, drawn, data),
          .model = settings_of(seeded),
          .optimizer = optimizer,
          .rate = rate,
          .limits = limits,
          .validation = validation,
          .divergence = divergence,
          .seed = seed,
          .in_parts = batch.accumulate > 1,
          .program = program,
          .folder = folder};
}

}  // namespace weft::training
