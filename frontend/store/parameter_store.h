// frontend/store/parameter_store.h -- the values of parameters and state, by path; one for many graphs.
#pragma once
#include "ir/graph.h"
#include "ir/host/array.h"
#include "ir/host/named_arrays.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace weft {

class ParameterStore {
 public:
  // `real` is the dtype floats are held in: f64 is for the reference backend.
  explicit ParameterStore(uint64_t seed = 1, ir::DType real = ir::DType::f32)
      : seed_(seed), real_(real) {}

  // Makes what the graph's parameters (by their initialisers) and states (zeros) need and is not
  // there yet; GraphError where something is there with another type, or a shape is not fixed.
  void prepare(const ir::Graph& graph);

  bool contains(std::string_view path) const { return entries_.find(path) != entries_.end(); }
  const ir::Array& at(std::string_view path) const;  // GraphError when it is not there
  void set(const std::string& path, ir::ArgumentKind kind, ir::Array array);

  ir::NamedArrays parameters() const { return all(ir::ArgumentKind::parameter); }
  ir::NamedArrays states() const { return all(ir::ArgumentKind::state); }
  int64_t parameter_count() const;  // elements of all parameters

  uint64_t seed() const { return seed_; }
  ir::DType real() const { return real_; }
  // Another number after every change through `set` or `prepare`; no two stores that differ have
  // the same. What is written straight into an array is not noticed.
  uint64_t version() const { return version_; }
  // A store with arrays of its own.
  ParameterStore clone() const;

 private:
  struct Entry {
    ir::ArgumentKind kind;
    ir::Array array;
  };
  ir::NamedArrays all(ir::ArgumentKind kind) const;

  uint64_t seed_, version_ = 0;
  ir::DType real_;
  std::map<std::string, Entry, std::less<>> entries_;
};

// A parameter's first value: a function of (initialiser, dims, seed, path) alone. Initialisers are
// zeros, ones, constant(c), uniform(a), normal(s), glorot_uniform, orthogonal (by square blocks
// where one side is a multiple of the other); GraphError for any other.
ir::Array initial_value(std::string_view initializer, ir::DType dtype, const ir::Dims& dims,
                        uint64_t seed, std::string_view path);

}  // namespace weft
