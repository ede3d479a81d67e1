// models/published/architectures/marian.cpp -- OPUS-MT as converted from Marian (Tiedemann and
// Thottingal 2020).
//
// Norms behind the sublayers, none of the embeddings, sinusoidal positions. Targets begin with
// padding. Embeddings and vocabularies of the two sides may be their own.
#include "models/published/architectures/bart_layers.h"
#include "models/published/architectures/list.h"

namespace weft::published {
namespace {

Imported import_marian(const ConfigFile& f, const Inventory& tensors) {
  transformer::Config c = bart_config(f);
  c.pre_norm = c.final_norm = false;
  c.positions = transformer::PositionKind::sinusoidal;
  c.sinusoids = Sinusoids::halves;
  Imported imported = import_bart_layers(c, f, tensors);
  fix_padding(imported, f);
  return imported;
}

}  // namespace

constinit const Architecture kMarian{"marian", "OPUS-MT", import_marian};

}  // namespace weft::published
