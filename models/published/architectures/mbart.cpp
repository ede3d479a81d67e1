// models/published/architectures/mbart.cpp -- mBART-25 and -50 (Liu et al. 2020).
//
// BART with the norms before the sublayers, and one behind each stack.
#include "models/published/architectures/bart_layers.h"
#include "models/published/architectures/list.h"

namespace weft::published {
namespace {

Imported import_mbart(const ConfigFile& f, const Inventory& tensors) {
  transformer::Config c = bart_config(f);
  c.pre_norm = c.final_norm = c.embedding_norm = true;
  c.positions = transformer::PositionKind::learned;
  c.first_position = 2;
  return import_bart_layers(c, f, tensors);
}

}  // namespace

constinit const Architecture kMbart{"mbart", "mBART-25, mBART-50", import_mbart};

}  // namespace weft::published
