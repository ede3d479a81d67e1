// models/published/architectures/t5.cpp -- T5 (Raffel et al. 2020), T5 1.1, Flan-T5, mT5.
//
// No biases, RMS norms before the sublayers, distances between tokens as a bias of self-attention
// that the layers of a stack share, scores that are not divided by the root of a head's width. The
// first version's vocabulary is tied to the embedding and reads the decoder's output divided by the
// root of the width.
#include "models/published/architectures/list.h"
#include "models/published/architectures/t5_layers.h"

namespace weft::published {
namespace {

Imported import_t5(const ConfigFile& f, const Inventory& tensors) {
  return import_t5_layers(t5_config(f), f, tensors);
}

}  // namespace

constinit const Architecture kT5{"t5", "T5, T5 1.1, Flan-T5, ByT5", import_t5};
constinit const Architecture kMt5{"mt5", "mT5", import_t5};

}  // namespace weft::published
