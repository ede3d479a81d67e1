// backends/onednn/lower/row_tiles.h -- a product of any number of rows with one matrix, as a few
// oneDNN primitives of fixed numbers of rows.
//
// brgemm, oneDNN's best product, is made for fixed sizes, in 50 to 260 us. Rows are cut into tiles
// of one size, of at most kMostRows, rounded up to a multiple of few rows: so few primitives serve
// every number of rows. Each is the team's, which divides it without changing a row's bits.
// Primitives are made when they are first needed and kept; oneDNN keeps them for all products alike
// (its primitive cache).
//
// Rows behind the last one, up to the rounded number, are read and written, within the rows that a
// and c have room for: they must be of no account.
#pragma once
#include "ir/host/memory.h"

#include <dnnl.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace weft::onednn {

class RowTiles {
 public:
  // Larger tiles are no faster; smaller ones read the weights more often.
  static constexpr int64_t kMostRows = 320;

  // c[rows,n] = a[rows,k] w[k,n] (+ bias[n]), with post-ops.
  struct Setup {
    int64_t k, n;
    int64_t rows;  // there is room for
    int threads;
    int64_t a_row, c_row;  // elements between rows
    dnnl::memory::data_type operands, results;
    bool bias;
    dnnl::primitive_attr attributes;  // with a scratchpad of the user's
  };

  // Null where oneDNN has no code for it, reference loops aside, or no layout of its own for w.
  static std::unique_ptr<RowTiles> make(const dnnl::engine& engine, const Setup& setup);

  const dnnl::memory::desc& weights() const { return weights_; }  // the layout w has to be in
  const std::string& implementation() const { return implementation_; }

  struct Operands {
    int64_t rows;
    char *a, *weights, *bias, *residual;  // residual: copied to c before, null: there is none
    int64_t residual_row;                 // elements
    char* c;
  };
  // Throws RuntimeError where oneDNN fails.
  void run(const Operands& operands);

 private:
  // Of a number of rows.
  struct Tile {
    static constexpr int kMost = 5;
    dnnl::matmul primitive;
    dnnl::memory memories[kMost];
    char* at[kMost];
    dnnl_exec_arg_t args[kMost];
    int count = 0;

    void add(int name, const dnnl::memory::desc& desc, const dnnl::engine& engine);
    void set(int i, char* address);
  };

  RowTiles(const dnnl::engine& engine, const Setup& setup) : engine_(engine), setup_(setup) {}
  dnnl::matmul::primitive_desc describe(int64_t rows, const dnnl::memory::desc& weights) const;
  Tile& tile(int64_t rows);
  void copy_residual(const Operands& operands, int64_t first, int64_t rows) const;
  dnnl_status_t run_tile(const Operands& operands, int64_t first, int64_t rows);

  const dnnl::engine engine_;
  const Setup setup_;
  dnnl::stream stream_{engine_};
  dnnl::memory::desc weights_;
  std::string implementation_;
  std::map<int64_t, Tile> tiles_;  // by rows
  ir::Memory scratch_;
  int64_t scratch_bytes_ = 0;
};

}  // namespace weft::onednn
