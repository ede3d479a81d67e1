// models/published/architectures/t5_layers.h -- what T5 and its kin have in common: the names of their
// tensors and of their settings.
#pragma once
#include "models/published/architecture.h"

namespace weft::published {

transformer::Config t5_config(const ConfigFile& config);

// `encoder_attention`: what the encoder's self-attention is called ("SelfAttention"). Sets what the
// tensors decide, and the scale of the output.
Imported import_t5_layers(const transformer::Config& config, const ConfigFile& file,
                          const Inventory& tensors,
                          std::string_view encoder_attention = "SelfAttention");

}  // namespace weft::published
