// models/training/log/overfitting.h -- notices when validation and training part.
#pragma once
#include "models/training/trainer.h"

namespace weft::training {

// Says so where the last three validations each had a loss at least 1 % above the lowest one, no
// lower than the one before, while the loss of training fell: once for each lowest one.
Trainer::Observer overfitting_watch(std::function<void(const std::string&)> say);

}  // namespace weft::training
