// models/published/architectures/pegasus.cpp -- Pegasus (Zhang et al. 2020).
//
// Norms before the sublayers and behind each stack, none of the embeddings, sinusoidal positions.
// Targets begin with padding.
#include "models/published/architectures/bart_layers.h"
#include "models/published/architectures/list.h"

namespace weft::published {
namespace {

Imported import_pegasus(const ConfigFile& f, const Inventory& tensors) {
  transformer::Config c = bart_config(f);
  c.pre_norm = c.final_norm = true;
  c.positions = transformer::PositionKind::sinusoidal;
  c.sinusoids = Sinusoids::halves;
  Imported imported = import_bart_layers(c, f, tensors);
  fix_padding(imported, f);
  return imported;
}

}  // namespace

constinit const Architecture kPegasus{"pegasus", "Pegasus", import_pegasus};

}  // namespace weft::published
