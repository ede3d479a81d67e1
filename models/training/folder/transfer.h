// models/training/folder/transfer.h -- a model that was trained before as the beginning of another.
#pragma once
#include "models/training/folder/model_folder.h"

#include <optional>
#include <string>
#include <vector>

namespace weft::training {

struct Pretrained {
  std::string path;
  ir::NamedArrays parameters;
  std::optional<Tokenizers> tokenizers;  // of a model folder
};

// A model folder (its best parameters, or the last where none was validated), or a file of tensors
// (frontend/formats/checkpoint.h). Throws GraphError.
Pretrained open_pretrained(const std::string& path);

struct Transfer {
  struct Rows {
    std::string side;  // "source", "target"
    int64_t taken = 0, fresh = 0;
  };
  int64_t parameters = 0;  // by name
  std::vector<Rows> rows;  // of vocabularies that are others than before

  // "26 parameters; of the source vocabulary 120 tokens, 8 are new"
  std::string str() const;
};

// Sets the parameters of the model, by name. Where a vocabulary is another one than before, the rows
// of tokens that both have are taken over, and the rest stays as the store has it, that is, as it was
// initialised. Throws GraphError "PATH: ..." naming the parameters that are missing, there beside,
// or of another shape, with the shapes.
Transfer take_over(ParameterStore& store, const Pretrained& before, const seq2seq::Settings& config,
                   const Tokenizers& now);

// Parameters whose name one of these globs matches ("encoder/*"; '*' also stands for slashes) are no
// longer trained: they get no gradient and no optimiser state. Throws GraphError for a glob that
// matches none, with the names there are.
void freeze(ir::Graph& graph, const std::vector<std::string>& globs);

}  // namespace weft::training
