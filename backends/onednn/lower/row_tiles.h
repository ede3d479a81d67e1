// backends/onednn/lower/row_tiles.h -- a product of any number of rows with one matrix, as a few
// oneDNN primitives of fixed numbers of rows.
//
// brgemm, oneDNN's best product, is made for fixed sizes, in milliseconds. Rows are cut into tiles
// of kTileRows, which threads share; what is left over is a tile of its own, rounded up to a
// multiple of kRowStep. A tile's primitive is made for one thread, so that it, and a row's bits, do
// not depend on how many there are. Where there are too few rows to share they are one primitive of
// the team's. Primitives are made when they are first needed and kept; oneDNN keeps them for all
// products alike (its primitive cache).
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
#include <vector>

namespace weft::onednn {

class RowTiles {
 public:
  static constexpr int64_t kTileRows = 64, kRowStep = 8;

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
  struct Arguments {
    static constexpr int kMost = 5;
    dnnl::memory memories[kMost];
    char* at[kMost];
    dnnl_exec_arg_t args[kMost];
    int count = 0;

    void add(int name, const dnnl::memory::desc& desc, const dnnl::engine& engine);
    void set(int i, char* address);
  };
  // Of a number of rows, for one thread or for all.
  struct Tile {
    dnnl::matmul primitive;
    int64_t scratch_bytes;
    std::vector<Arguments> by_thread;
  };

  RowTiles(const dnnl::engine& engine, const Setup& setup);
  dnnl::matmul::primitive_desc describe(int64_t rows, const dnnl::memory::desc& weights) const;
  Tile& tile(int64_t rows, bool of_team);
  int64_t rounded(int64_t rows, int64_t first) const;
  bool shares_tiles(int64_t rows) const;
  void make_room(int64_t bytes);
  void copy_residual(const Operands& operands, int64_t first, int64_t rows) const;
  dnnl_status_t run_tile(Tile& tile, int thread, const Operands& operands, int64_t first);

  const dnnl::engine engine_;
  const Setup setup_;
  dnnl::memory::desc weights_;
  std::string implementation_;
  std::map<std::pair<int64_t, bool>, Tile> tiles_;  // by rows, of the team
  std::vector<dnnl::stream> streams_;               // by thread
  std::vector<ir::Memory> scratch_;                 // by thread
  int64_t scratch_bytes_ = 0;
};

}  // namespace weft::onednn
