// frontend/formats/safetensors.h -- the safetensors container: named arrays and string metadata.
//
//   u64 header length | JSON header, padded with spaces | data
//
// The header gives each tensor's dtype, shape and place. Everything in it is checked when the file
// is opened: names are unique, places lie in the file without overlap or hole and agree with dtype
// and shape. What does not hold is a GraphError "path: what was found and what was needed".
// Data is read when asked for; or mapped: `view` is of a regular file's pages, which are read when they
// are touched. Written files are ordered by element size, then name, so that every
// tensor is aligned and the same arrays give the same bytes; data starts at a multiple of 64.
#pragma once
#include "frontend/formats/input_file.h"
#include "frontend/formats/mapped_file.h"
#include "ir/host/array.h"
#include "ir/host/named_arrays.h"

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::formats {

using Metadata = std::map<std::string, std::string>;

struct TensorInfo {
  std::string name;
  ir::DType dtype;
  ir::Dims dims;
};

struct TensorEntry {
  std::string name;
  ir::DType dtype;
  ir::Dims dims;
  int64_t begin, end;  // bytes, counted from the start of the file
};

class SafetensorsReader {
 public:
  explicit SafetensorsReader(InputFile file);
  explicit SafetensorsReader(const std::string& path) : SafetensorsReader(InputFile(path)) {}

  const std::vector<TensorEntry>& entries() const { return entries_; }  // in the order of the data
  const Metadata& metadata() const { return metadata_; }
  const TensorEntry* find(std::string_view name) const;

  ir::Array read(const TensorEntry& entry) const;
  ir::Array read(std::string_view name) const;  // GraphError when the name is not there
  ir::NamedArrays read_all() const;
  // The same without a copy, where the file is a regular one and the data stands at an even place;
  // it must not be written to.
  ir::Array view(std::string_view name) const;
  void will_need() const;  // all of it is read ahead

 private:
  const TensorEntry& entry(std::string_view name) const;
  bool can_view(const TensorEntry& entry) const;

  InputFile file_;
  std::shared_ptr<MappedFile> mapped_;  // null: of no regular file
  std::vector<TensorEntry> entries_;
  Metadata metadata_;
};

ir::NamedArrays read_safetensors(const std::string& path, Metadata* metadata = nullptr);
void write_safetensors(const std::string& path, const ir::NamedArrays& arrays,
                       const Metadata& metadata = {});
// The same of tensors that are made one by one, when their turn comes; each must be as it was said to
// be.
using MakeTensor = std::function<ir::Array(const TensorInfo& tensor)>;
void write_safetensors(const std::string& path, std::span<const TensorInfo> tensors,
                       const MakeTensor& make, const Metadata& metadata = {});

}  // namespace weft::formats
