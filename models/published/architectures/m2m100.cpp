// models/published/architectures/m2m100.cpp -- M2M-100 (Fan et al. 2021), NLLB (NLLB team 2022).
//
// Norms before the sublayers and behind each stack, none of the embeddings. Positions are fairseq's
// sinusoids, counted from the one behind the padding's id.
#include "models/published/architectures/bart_layers.h"
#include "models/published/architectures/list.h"

namespace weft::published {
namespace {

Imported import_m2m100(const ConfigFile& f, const Inventory& tensors) {
  transformer::Config c = bart_config(f);
  c.pre_norm = c.final_norm = true;
  c.positions = transformer::PositionKind::sinusoidal;
  c.sinusoids = Sinusoids::tensor2tensor;
  c.first_position = f.integer("pad_token_id", {0, 1 << 16}, 1) + 1;
  return import_bart_layers(c, f, tensors);
}

}  // namespace

constinit const Architecture kM2m100{"m2m_100", "M2M-100, NLLB-200", import_m2m100};

}  // namespace weft::published
