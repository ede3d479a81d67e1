// backends/onednn/lower/row_tiles.cpp -- see row_tiles.h.
#include "backends/onednn/lower/row_tiles.h"

#include "backends/onednn/lower/primitive.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

namespace weft::onednn {

using dnnl::memory;

namespace {

// What is made meanwhile is made for a team of so many.
class TeamOf {
 public:
  explicit TeamOf(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~TeamOf() { omp_set_num_threads(before_); }
  TeamOf(const TeamOf&) = delete;
  TeamOf& operator=(const TeamOf&) = delete;

 private:
  const int before_;
};

// Rows of a tile are rounded up to a multiple of so many: what is computed for nothing is a few
// hundredths of them.
int64_t step_of(int64_t rows) { return rows <= 64 ? 2 : 8; }

// Elements to copy from which on a parallel region pays.
constexpr int64_t kWorthSharing = 1 << 15;

int64_t bytes_of(memory::data_type type) { return type == memory::data_type::bf16 ? 2 : 4; }

}  // namespace

void RowTiles::Tile::add(int name, const memory::desc& desc, const dnnl::engine& engine) {
  memories[count] = memory(desc, engine, DNNL_MEMORY_NONE);
  at[count] = nullptr;
  args[count] = {name, memories[count].get()};
  ++count;
}

// oneDNN fills what pads a blocked layout whenever it is told an address, be it the same.
void RowTiles::Tile::set(int i, char* address) {
  if (at[i] == address) return;
  dnnl_memory_set_data_handle(args[i].memory, address);
  at[i] = address;
}

std::unique_ptr<RowTiles> RowTiles::make(const dnnl::engine& engine, const Setup& setup) {
  if (compat::miswrites_column(setup.rows, setup.n, setup.c_row)) return nullptr;
  std::unique_ptr<RowTiles> tiles(new RowTiles(engine, setup));
  const TeamOf team(setup.threads);
  const memory::desc any({setup.k, setup.n}, setup.operands, memory::format_tag::any);
  const auto pd = described([&] { return tiles->describe(std::min(setup.rows, kMostRows), any); });
  if (!pd || compat::blocking(pd->weights_desc()).blocks.empty()) return nullptr;
  tiles->weights_ = pd->weights_desc();
  tiles->implementation_ = pd->impl_info_str();
  return tiles;
}

dnnl::matmul::primitive_desc RowTiles::describe(int64_t rows, const memory::desc& weights) const {
  std::optional<memory::desc> bias;
  if (setup_.bias)
    bias = memory::desc({1, setup_.n}, memory::data_type::f32, memory::format_tag::ab);
  return compat::matmul_desc(
      engine_, memory::desc({rows, setup_.k}, setup_.operands, memory::dims{setup_.a_row, 1}),
      weights, bias, memory::desc({rows, setup_.n}, setup_.results, memory::dims{setup_.c_row, 1}),
      setup_.attributes);
}

RowTiles::Tile& RowTiles::tile(int64_t rows) {
  const auto found = tiles_.find(rows);
  if (found != tiles_.end()) return found->second;
  const TeamOf team(setup_.threads);
  const dnnl::matmul::primitive_desc pd = describe(rows, weights_);
  if (is_reference(pd.impl_info_str()))
    throw ir::RuntimeError(ir::concat("error: oneDNN has only reference loops for a product of ",
                                      rows, " rows with weights ", layout_text(weights_)));
  Tile& made = tiles_[rows];
  made.primitive = dnnl::matmul(pd);
  made.add(DNNL_ARG_SRC, pd.src_desc(), engine_);
  made.add(DNNL_ARG_DST, pd.dst_desc(), engine_);
  made.add(DNNL_ARG_WEIGHTS, weights_, engine_);
  if (setup_.bias)
    made.add(DNNL_ARG_BIAS,
             memory::desc({1, setup_.n}, memory::data_type::f32, memory::format_tag::ab), engine_);
  if (const auto bytes = static_cast<int64_t>(pd.scratchpad_desc().get_size()); bytes > 0) {
    made.add(DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), engine_);
    if (bytes > scratch_bytes_) scratch_ = ir::allocate(static_cast<size_t>(bytes));
    scratch_bytes_ = std::max(scratch_bytes_, bytes);
  }
  return made;
}

void RowTiles::copy_residual(const Operands& o, int64_t first, int64_t rows) const {
  if (o.residual == nullptr) return;
  const int64_t bytes = bytes_of(setup_.results);
#pragma omp parallel for if (rows * setup_.n >= kWorthSharing)
  for (int64_t i = first; i < first + rows; ++i)
    std::memcpy(o.c + i * setup_.c_row * bytes, o.residual + i * o.residual_row * bytes,
                static_cast<size_t>(setup_.n * bytes));
}

dnnl_status_t RowTiles::run_tile(const Operands& o, int64_t first, int64_t rows) {
  Tile& t = tile(rows);
  t.set(0, o.a + first * setup_.a_row * bytes_of(setup_.operands));
  t.set(1, o.c + first * setup_.c_row * bytes_of(setup_.results));
  t.set(2, o.weights);
  if (setup_.bias) t.set(3, o.bias);
  if (t.count > (setup_.bias ? 4 : 3)) t.set(t.count - 1, static_cast<char*>(scratch_.get()));
  return dnnl_primitive_execute(t.primitive.get(), stream_.get(), t.count, t.args);
}

void RowTiles::run(const Operands& o) {
  if (o.rows == 0) return;
  const int64_t tiles = (o.rows + kMostRows - 1) / kMostRows, least = (o.rows + tiles - 1) / tiles,
                step = step_of(least), rows = (least + step - 1) / step * step;
  for (int64_t first = 0; first < o.rows; first += rows) {
    copy_residual(o, first, std::min(rows, o.rows - first));
    const dnnl_status_t status = run_tile(o, first, std::min(rows, setup_.rows - first));
    if (status != dnnl_success)
      throw ir::RuntimeError(
          ir::concat("error: oneDNN's matmul failed with status ", static_cast<int64_t>(status)));
  }
}

}  // namespace weft::onednn
