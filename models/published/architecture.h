// models/published/architecture.h -- what a published checkpoint's model is here: an entry of a table.
//
// An architecture is known by "model_type" of config.json. Its entry reads that file, and says which
// family and settings the model is and which tensor of the checkpoint is which parameter. A new
// architecture is a file in architectures/ and a line in table.cpp; docs/published.md has an example.
#pragma once
#include "models/families/transformer/transformer.h"
#include "models/published/config_file.h"
#include "models/published/inventory.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::published {

// How a tensor of the file lies in the parameter.
enum class Layout {
  same,
  transposed,  // [out,in] there, [in,out] here
  row          // [1,n] there, [n] here
};

struct TensorName {
  std::string path, name;  // here, there
  Layout layout = Layout::same;
};

// A table [positions,width] of sinusoids, which are computed here: if it is there, it must say the
// same.
struct SinusoidTable {
  std::string name;
  int64_t zero_row = -1;  // zeros, which nobody reads; -1: none
};

struct Imported {
  transformer::Config config;
  std::vector<TensorName> tensors;     // of all parameters
  std::vector<TensorName> copies;      // of tables: may be there, and hold what the parameter holds
  std::vector<std::string> unneeded;   // may be there, and say nothing that is not said elsewhere
  std::vector<std::string> untrained;  // parameters that the original does not train, by path
  std::vector<SinusoidTable> sinusoids;
  std::vector<std::string> remarks;  // what contradicts itself, and what was made of it
};

struct Architecture {
  std::string_view model_type;
  std::string_view doc;
  Imported (*import)(const ConfigFile& config, const Inventory& tensors);
};

std::span<const Architecture* const> architectures();
// GraphError, naming those there are, where there is no such entry.
const Architecture& architecture_of(const ConfigFile& config);

// --- what entries are made of

inline constexpr settings::Whole kWidths{1, 1 << 16}, kHeads{1, 1024}, kLayers{1, 64},
    kVocabularies{1, 1 << 24}, kIds{0, (1 << 24) - 1};

// The names of modules' parameters.
class Names {
 public:
  explicit Names(std::vector<TensorName>& list) : list_(list) {}

  void linear(const std::string& path, const std::string& name, bool bias);
  void norm(const std::string& path, const std::string& name, NormKind kind);
  void table(const std::string& path, const std::string& name);

 private:
  std::vector<TensorName>& list_;
};

// "relu", "gelu", "gelu_new", ... as transformers spells activations. GraphError naming the key.
FeedForwardKind activation_of(const ConfigFile& config, std::string_view key,
                              const std::string& name, bool gated);

// Which tables of embeddings a model has is told by the tensors that are there, whatever the
// configuration says: one that is missing, or is the same as another, is tied to it.
struct TableNames {
  std::string shared, source, target, output;  // of both sides, of each, of the vocabulary's scores
};
// Sets shared_embedding and tied_output, and names the tensors of the tables. `tied`: what the
// configuration says of the output; a remark is made where the tensors say something else.
void import_tables(Imported& imported, const TableNames& names, bool tied,
                   const Inventory& tensors);

}  // namespace weft::published
