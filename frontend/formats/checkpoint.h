// frontend/formats/checkpoint.h -- named tensors in a file, whatever its format.
//
//   const auto checkpoint = formats::open_checkpoint(path);
//   for (const TensorInfo& t : checkpoint->entries()) use(t.name, checkpoint->read(t.name));
//
// The format is told by the file's first bytes, never by its name: safetensors; what torch.save writes
// (frontend/formats/pytorch.h); the index of several of these, JSON with a "weight_map" of names to
// files beside it; npz; npy, whose one array has the name "". Paths may name pipes, but for an index.
#pragma once
#include "frontend/formats/safetensors.h"
#include "ir/host/array.h"
#include "ir/host/named_arrays.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::formats {

class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  virtual const std::string& path() const = 0;
  virtual const std::vector<TensorInfo>& entries() const = 0;
  virtual ir::Array read(std::string_view name) const = 0;  // GraphError when it is not there
  // The same, not to be written to: of safetensors the file's own pages, where it is a regular file.
  virtual ir::Array view(std::string_view name) const { return read(name); }
  // All of it will be read: what is mapped is read ahead.
  virtual void will_need() const {}
  virtual const Metadata& metadata() const;  // what a safetensors file says of itself

  const TensorInfo* find(std::string_view name) const;
  ir::NamedArrays read_all() const;
};

std::vector<TensorInfo> entries_of(const ir::NamedArrays& arrays);

// Throws GraphError "path: what was found and what is needed".
std::unique_ptr<Checkpoint> open_checkpoint(const std::string& path);
ir::NamedArrays read_checkpoint(const std::string& path, Metadata* metadata = nullptr);

// Of all tensors, whatever the format and order of the files: 16 hexadecimal digits (digest.h).
std::string content_digest(const Checkpoint& checkpoint);
std::string content_digest(const ir::NamedArrays& arrays);

// Throws GraphError unless exactly these tensors are there, of these shapes and of some float
// dtype. It names what is missing, what is there beside, and what has another shape.
struct WantedTensor {
  std::string name;
  ir::Dims dims;
};
void check_entries(const std::string& path, std::span<const TensorInfo> entries,
                   std::span<const WantedTensor> wanted);

}  // namespace weft::formats
