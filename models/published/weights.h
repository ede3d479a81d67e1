// models/published/weights.h -- a checkpoint's tensors as a model's parameters.
#pragma once
#include "frontend/formats/checkpoint.h"
#include "frontend/store/parameter_store.h"
#include "models/published/architecture.h"

namespace weft::published {

// All parameters of the model, floats as `real`. GraphError "path: error: ..." naming what is missing,
// what is there beside, what has another shape than is needed, and tables of sinusoids that are
// others than are computed here.
ParameterStore load_weights(const formats::Checkpoint& checkpoint, const Imported& imported,
                            ir::DType real = ir::DType::f32);

// The same tensors out of parameters: what a checkpoint of this form holds. Tables of sinusoids and
// second copies are left out.
ir::NamedArrays tensors_of(const ParameterStore& store, const Imported& imported);

}  // namespace weft::published
