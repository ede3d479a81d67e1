// frontend/store/parameter_store.h -- the values of parameters and state, by path; one for many graphs.
#pragma once
#include "ir/graph.h"
#include "ir/host/array.h"
#include "ir/host/named_arrays.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

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
  // GraphError when it is not there. A matrix has two paths: transposed_path(path) is it the other
  // way round (ir/rewrite/transposed_parameters.h). What is not there in the order that is asked for is
  // made, and kept, when it is asked for first.
  const ir::Array& at(std::string_view path) const;
  void set(const std::string& path, ir::ArgumentKind kind, ir::Array array);

  // The same of a matrix that is there the other way round. Programs that run again and again read it
  // so (frontend/compile/session.h).
  void set_transposed(const std::string& path, ir::ArgumentKind kind, ir::Array array);
  bool is_transposed(std::string_view path) const;    // set so
  ir::Array transposed(std::string_view path) const;  // a copy, unless it is kept

  void erase(std::string_view path);
  std::vector<std::string> paths(ir::ArgumentKind kind) const;  // in their order

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
    mutable ir::Array array;       // empty: only the other one is there
    mutable ir::Array transposed;  // empty: nobody has asked for it
    ir::DType dtype() const { return any().dtype(); }
    ir::Dims dims() const;
    const ir::Array& any() const { return array.empty() ? transposed : array; }
  };
  const Entry& entry(std::string_view path) const;
  ir::Array as_held(ir::Array array) const;
  void put(const std::string& path, Entry entry);
  void changed();
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
