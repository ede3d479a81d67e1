// models/training/folder/checkpoint.h -- files of parameters and state that notice when a bit has changed.
//
// Safetensors whose metadata names its format and holds, as "checksum", a digest of all the rest:
// metadata, names, types and values. What is not finite is never written.
#pragma once
#include "frontend/formats/safetensors.h"

#include <optional>
#include <string>

namespace weft::training {

inline constexpr const char* kChecksumKey = "checksum";  // of the metadata

// The digest that belongs to these.
std::string checksum_of(const ir::NamedArrays& arrays, const formats::Metadata& metadata);

// Returns the checksum. Throws RuntimeError before the file is touched where a value is infinite or
// NaN.
std::string write_checkpoint(const std::string& path, const ir::NamedArrays& arrays,
                             formats::Metadata metadata);

// Throws GraphError where the content is not what was written. A file without format and checksum
// is another program's and is taken as it is.
ir::NamedArrays read_checkpoint(const std::string& path, formats::Metadata* metadata = nullptr);

// The first array with a value that is infinite or NaN.
std::optional<std::string> first_not_finite(const ir::NamedArrays& arrays);

}  // namespace weft::training
