// models/published/architectures/led.cpp -- LED, the Longformer encoder-decoder (Beltagy et al. 2020).
//
// BART whose encoder sees a window on both sides, and whose first token sees all and is seen by all
// (global attention is put there for every source). Positions are read from 0 on.
#include "models/published/architectures/bart_layers.h"
#include "models/published/architectures/list.h"

#include <algorithm>

namespace weft::published {
namespace {

Imported import_led(const ConfigFile& f, const Inventory& tensors) {
  transformer::Config c = bart_config(f);
  c.pre_norm = c.final_norm = false;
  c.embedding_norm = c.global_first = true;
  c.positions = transformer::PositionKind::learned;
  // A window of w is w/2 tokens on each side.
  for (const int64_t window : f.integers("attention_window", {2, 1 << 20}))
    c.layer_windows.push_back(window / 2 + 1);
  if (c.layer_windows.empty()) f.fail("attention_window", "\"attention_window\" is missing");
  if (std::equal(c.layer_windows.begin() + 1, c.layer_windows.end(), c.layer_windows.begin())) {
    c.encoder_window = c.layer_windows.front();
    c.layer_windows.clear();
  }
  return import_bart_layers(c, f, tensors, "led.");
}

}  // namespace

constinit const Architecture kLed{"led", "LED", import_led};

}  // namespace weft::published
