// models/published/architectures/longt5.cpp -- LongT5 (Guo et al. 2022).
//
// T5 whose encoder sees a window on both sides, and with "transient-global" attention the sums of all
// blocks of tokens too.
#include "ir/error.h"
#include "models/published/architectures/list.h"
#include "models/published/architectures/t5_layers.h"

namespace weft::published {
namespace {

Imported import_longt5(const ConfigFile& f, const Inventory& tensors) {
  transformer::Config c = t5_config(f);
  c.encoder_window = f.integer("local_radius", {1, 1 << 20}, 127) + 1;
  const std::string_view key = "encoder_attention_type";
  const std::string type = f.text(key, "local");
  if (type == "transient-global")
    c.global_block = f.integer("global_block_size", {1, 1 << 16}, 16);
  else if (type != "local")
    f.fail(key, ir::concat("\"", key, "\" is \"", type.substr(0, 40),
                           "\", needed is local or transient-global"));
  return import_t5_layers(
      c, f, tensors, c.global_block > 0 ? "TransientGlobalSelfAttention" : "LocalSelfAttention");
}

}  // namespace

constinit const Architecture kLongT5{"longt5", "LongT5", import_longt5};

}  // namespace weft::published
