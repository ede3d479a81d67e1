// tests/models/published_oracle.h -- checkpoints in a hub's form with the values that the originals
// compute from them.
//
// They lie in `oracle/hf` of a folder beside the project ($WEFT_SHARED, else ../shared).
#pragma once
#include "frontend/formats/checkpoint.h"
#include "models/published/folder.h"
#include "tests/models/oracle.h"

#include <filesystem>
#include <string>
#include <vector>

namespace weft::tests {

// Empty, after a message, where the folder is not there.
inline std::filesystem::path published_oracle() {
  const std::filesystem::path torch = oracle_folder();
  return torch.empty() ? torch : torch.parent_path() / "hf";
}

inline const std::vector<std::string> kPublished{"bart",           "led",          "longt5_local",
                                                 "longt5_tglobal", "m2m100",       "marian",
                                                 "mbart_prenorm",  "t5_relu_tied", "t5_v11_gated"};

inline NamedArrays published_arrays(const std::string& model, const std::string& file) {
  return formats::read_checkpoint((published_oracle() / model / file).string());
}

// A tensor of the checkpoint's form as the parameter here.
inline Array as_parameter(const Array& a, published::Layout layout) {
  switch (layout) {
    case published::Layout::same:
      return a;
    case published::Layout::transposed:
      return transposed(a, 0, -1);
    case published::Layout::row:
      return a.reshaped({a.dim(1)});
  }
  return a;
}

}  // namespace weft::tests
