// models/training/folder/checkpoint.cpp -- safetensors with a checksum.
#include "models/training/folder/checkpoint.h"

#include "frontend/formats/byte_source.h"
#include "frontend/formats/checkpoint.h"
#include "frontend/formats/digest.h"
#include "ir/error.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace weft::training {
namespace {

using formats::Metadata;
using ir::concat;
using ir::NamedArray;
using ir::NamedArrays;

constexpr const char* kFormatKey = "format";
// Files of "weft 1" have no checksum.
constexpr const char *kFormat = "weft 2", *kFormatBefore = "weft 1";

template <typename T>
bool all_finite(const ir::Array& array) {
  const T* x = array.data<T>();
  return std::all_of(x, x + array.size(), [](T value) { return std::isfinite(value); });
}

}  // namespace

std::optional<std::string> first_not_finite(const NamedArrays& arrays) {
  for (const NamedArray& a : arrays) {
    if (a.array.dtype() == ir::DType::f32 && !all_finite<float>(a.array)) return a.name;
    if (a.array.dtype() == ir::DType::f64 && !all_finite<double>(a.array)) return a.name;
  }
  return std::nullopt;
}

std::string checksum_of(const NamedArrays& arrays, const Metadata& metadata) {
  formats::Digest digest;
  for (const auto& [key, value] : metadata) {
    if (key == kChecksumKey) continue;
    digest.add_text(key);
    digest.add_text(value);
  }
  std::vector<const NamedArray*> sorted;
  for (const NamedArray& a : arrays) sorted.push_back(&a);
  std::sort(sorted.begin(), sorted.end(),
            [](const NamedArray* a, const NamedArray* b) { return a->name < b->name; });
  for (const NamedArray* a : sorted) {
    digest.add_text(a->name);
    digest.add_text(concat(ir::name(a->array.dtype()), ir::dims_str(a->array.dims())));
    digest.add(a->array.raw(), static_cast<size_t>(a->array.bytes()));
  }
  return digest.str();
}

std::string write_checkpoint(const std::string& path, const NamedArrays& arrays,
                             Metadata metadata) {
  if (const auto name = first_not_finite(arrays))
    throw ir::RuntimeError(concat(path, ": is not written: '", *name, "' is no longer finite"));
  metadata[kFormatKey] = kFormat;
  const std::string checksum = checksum_of(arrays, metadata);
  metadata[kChecksumKey] = checksum;
  formats::write_safetensors(path, arrays, metadata);
  return checksum;
}

NamedArrays read_checkpoint(const std::string& path, Metadata* metadata) {
  Metadata found;
  formats::require_regular(path);
  NamedArrays arrays = formats::read_checkpoint(path, &found);
  const auto format = found.find(kFormatKey), checksum = found.find(kChecksumKey);
  const bool ours = format != found.end() && format->second.starts_with("weft");
  if (ours && format->second != kFormat && format->second != kFormatBefore)
    throw ir::GraphError(
        concat(path, ": error: is of format '", format->second, "', '", kFormat, "' can be read"));
  if (ours && format->second == kFormat && checksum == found.end())
    throw ir::GraphError(concat(path, ": error: is damaged: it has no checksum"));
  if (checksum != found.end() && checksum->second != checksum_of(arrays, found))
    throw ir::GraphError(concat(path, ": error: is damaged: its content has the checksum ",
                                checksum_of(arrays, found), ", written with it was ",
                                checksum->second));
  if (metadata != nullptr) *metadata = std::move(found);
  return arrays;
}

}  // namespace weft::training
