// models/training/seq2seq_run.cpp -- from settings and examples to graphs and batches.
#include "models/training/seq2seq_run.h"

#include "ir/error.h"
#include "models/training/batches/aligned_batches.h"
#include "models/training/batches/example_batches.h"

namespace weft::training {
namespace {

// The examples in batches, with what else the run wants of them.
std::shared_ptr<BatchMaker> maker_of(const Seq2seqRun& run, const data::BatchOptions& options,
                                     const data::SubwordSampling& drawn) {
  std::shared_ptr<BatchMaker> batches =
      std::make_shared<ExampleBatches>(run.train, run.valid, options, drawn, run.data);
  if (run.alignments && run.risk.on())
    throw ir::GraphError("risk_samples does not go with guided_alignment");
  if (run.alignments && drawn.is_on())
    throw ir::GraphError(
        "alignments are of one segmentation: they do not go with sampling of them");
  if (run.alignments) run.alignments->check(run.train);
  if (run.alignments) return std::make_shared<AlignedBatches>(batches, *run.alignments);
  if (!run.risk.on()) return batches;
  if (!run.sampler) throw ir::GraphError("risk_samples needs a sampler");
  return std::make_shared<RiskBatches>(batches, run.sampler, run.risk, options, run.cost,
                                       run.scorer);
}

}  // namespace

Seq2seqRun::operator TrainerSetup() const {
  seq2seq::Settings seeded = config;
  seq2seq::Ends ends = seq2seq::ends(seeded);
  ends.seed = seed;
  ends.weighted = risk.on();
  seq2seq::set_ends(seeded, ends);
  data::BatchOptions options = batch;
  options.seed = seed;
  options.widest = seq2seq::most_positions(seeded);
  data::SubwordSampling drawn = sampling;
  drawn.seed = seed;
  drawn.most_positions = options.widest;
  return {.training = seq2seq::loss_graph(seeded, true),
          .evaluation = seq2seq::loss_graph(seeded, false),
          .batches = maker_of(*this, options, drawn),
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
