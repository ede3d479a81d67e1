// frontend/formats/pickle.h -- what a Python pickle of tensors says, without doing what it says.
//
// A pickle is a program that calls what it names. This one calls nothing: it knows the opcodes that
// build numbers, texts, tuples, lists and dictionaries, and the few names with which PyTorch describes
// tensors (kKnownNames in the source). Every other opcode, and every other name, ends it with a
// GraphError that says which. Of protocols up to 5; time and memory are proportional to its bytes.
#pragma once
#include "ir/host/array.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::formats {

// Elements of one type, by the name of where they lie.
struct PickledStorage {
  std::string_view key;  // of the pickle
  ir::DType dtype = ir::DType::f32;
  int64_t count = 0;
};

// Element (i, j, ...) is the storage's offset + i * strides[0] + j * strides[1] + ...; all of them lie
// in the storage, and there are no more of them than it has.
struct PickledTensor {
  const PickledStorage* storage = nullptr;
  int64_t offset = 0;
  ir::Dims dims, strides;

  bool is_dense() const;
};

class Pickle {
 public:
  // Reads one, from the beginning of `bytes`. `where` ("model.bin: data.pkl") stands in errors.
  Pickle(std::string_view bytes, std::string where);
  ~Pickle();

  size_t bytes() const;  // that it took

  // What it is in the end; GraphError where it is something else.
  // A dictionary of names to tensors, in its order.
  std::vector<std::pair<std::string, PickledTensor>> tensors() const;
  std::vector<std::string> texts() const;  // a list of them
  std::string integer() const;             // in hexadecimal, of any size, without sign
  // In a dictionary, whether `key` is true; `otherwise` where it does not have it.
  bool flag(std::string_view key, bool otherwise) const;

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace weft::formats
