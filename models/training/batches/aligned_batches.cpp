// models/training/batches/aligned_batches.cpp -- one more input for each part of a batch.
#include "models/training/batches/aligned_batches.h"

#include "models/data/batch_names.h"

namespace weft::training {

TrainingBatch AlignedBatches::next() {
  TrainingBatch batch = batches_->next();
  for (ir::NamedArrays& part : batch.parts)
    part.add(data::kAlignment,
             alignments_.of(part.at(data::kRowIds), part.at(data::kSourceLengths),
                            part.at(data::kTargetLengths), part.at(data::kSource).dim(1),
                            part.at(data::kTargetIn).dim(1)));
  return batch;
}

RunSettings AlignedBatches::settings() const {
  RunSettings s = batches_->settings();
  s["data.alignments"] = alignments_.digest();
  return s;
}

}  // namespace weft::training
