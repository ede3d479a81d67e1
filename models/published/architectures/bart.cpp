// models/published/architectures/bart.cpp -- BART (Lewis et al. 2020).
//
// Norms behind the sublayers and behind the embeddings; learned positions, the first two of which
// nobody reads.
#include "models/published/architectures/bart_layers.h"
#include "models/published/architectures/list.h"

namespace weft::published {
namespace {

Imported import_bart(const ConfigFile& f, const Inventory& tensors) {
  transformer::Config c = bart_config(f);
  c.pre_norm = c.final_norm = false;
  c.embedding_norm = true;
  c.positions = transformer::PositionKind::learned;
  c.first_position = 2;
  return import_bart_layers(c, f, tensors);
}

}  // namespace

constinit const Architecture kBart{"bart", "BART, DistilBART", import_bart};

}  // namespace weft::published
