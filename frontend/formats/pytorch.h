// frontend/formats/pytorch.h -- files of tensors as torch.save writes them (pytorch_model.bin), read
// without running anything that stands in them.
//
//   since 1.6   a zip archive NAME/: data.pkl, which describes the tensors, and data/0, data/1, ...,
//               their elements
//   before      pickles of a magic number, a version, the machine, the tensors and the names of their
//               storages, one behind the other, then for each storage u64 count and its elements
//
// Stored elements are used where they lie in the file, by memory map; views with strides become dense.
// Storages of an archive are compared with its checksums when they are first read.
#pragma once
#include "frontend/formats/input_file.h"
#include "ir/host/array.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft::formats {

// Does a file begin like one? Of archives those are meant whose first entry is no NumPy array.
bool begins_like_pytorch(const InputFile& file);

class PytorchReader {
 public:
  struct Entry {
    std::string name;
    ir::DType dtype;
    ir::Dims dims;
  };

  // Throws GraphError "path: what was found and what is needed".
  explicit PytorchReader(InputFile file);
  PytorchReader(PytorchReader&&) noexcept;
  ~PytorchReader();

  const std::string& path() const;
  const std::vector<Entry>& entries() const;  // in the file's order
  // Writing into it changes no file. GraphError where the name is not there or its bytes are damaged.
  ir::Array read(std::string_view name) const;
  ir::Array view(std::string_view name) const;  // the same, not to be written to (Array::release)
  void will_need() const;                       // all of it is read ahead

 private:
  struct Content;
  ir::Array array(std::string_view name, bool kept) const;

  std::unique_ptr<Content> content_;
};

}  // namespace weft::formats
