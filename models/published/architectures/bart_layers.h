// models/published/architectures/bart_layers.h -- what BART and its kin have in common: the names of
// their tensors and of their settings.
#pragma once
#include "models/published/architecture.h"

namespace weft::published {

// Sizes, activation, dropout and embedding scale; nothing of norms and positions.
transformer::Config bart_config(const ConfigFile& config);

// The parameters of such a model under `body` ("model."), which base models lack; final_logits_bias
// is a bias of the vocabulary's scores where it is there. Sets what the tensors decide.
Imported import_bart_layers(const transformer::Config& config, const ConfigFile& file,
                            const Inventory& tensors, const std::string& body = "model.");

// The first token of targets is padding, whose embedding is not trained where it is looked up.
void fix_padding(Imported& imported, const ConfigFile& file);

}  // namespace weft::published
