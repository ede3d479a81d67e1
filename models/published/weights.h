// models/published/weights.h -- a checkpoint's tensors as a model's parameters.
#pragma once
#include "frontend/formats/checkpoint.h"
#include "frontend/store/parameter_store.h"
#include "models/published/architecture.h"

namespace weft::published {

// All parameters of the model, floats as `real`. GraphError "path: error: ..." naming what is missing,
// what is there beside, what has another shape than is needed, and tables of sinusoids that are
// others than are computed here. `own`: none is a view of the file.
ParameterStore load_weights(const formats::Checkpoint& checkpoint, const Imported& imported,
                            ir::DType real = ir::DType::f32, bool own = false);

// The same tensors out of parameters: what a checkpoint of this form holds. Tables of sinusoids and
// second copies are left out.
ir::NamedArrays tensors_of(const ParameterStore& store, const Imported& imported);

// A safetensors file of the same tensors as `form`: names, types and shapes are its own, and so is the
// tying: copies of a table hold what it holds now. What is no parameter is as it is there.
void write_weights(const std::string& path, const formats::Checkpoint& form,
                   const Imported& imported, const ParameterStore& store);

}  // namespace weft::published
