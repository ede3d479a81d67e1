// backends/onednn/lower/row_tiles.cpp -- see row_tiles.h.
#include "backends/onednn/lower/row_tiles.h"

#include "backends/onednn/lower/primitive.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
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

// Elements to copy from which on a parallel region pays.
constexpr int64_t kWorthSharing = 1 << 15;

int64_t bytes_of(memory::data_type type) { return type == memory::data_type::bf16 ? 2 : 4; }

}  // namespace

void RowTiles::Arguments::add(int name, const memory::desc& desc, const dnnl::engine& engine) {
  memories[count] = memory(desc, engine, DNNL_MEMORY_NONE);
  at[count] = nullptr;
  args[count] = {name, memories[count].get()};
  ++count;
}

// oneDNN fills what pads a blocked layout whenever it is told an address, be it the same.
void RowTiles::Arguments::set(int i, char* address) {
  if (at[i] == address) return;
  dnnl_memory_set_data_handle(args[i].memory, address);
  at[i] = address;
}

RowTiles::RowTiles(const dnnl::engine& engine, const Setup& setup)
    : engine_(engine), setup_(setup), scratch_(static_cast<size_t>(setup.threads)) {
  for (int t = 0; t < setup.threads; ++t) streams_.emplace_back(engine);
}

std::unique_ptr<RowTiles> RowTiles::make(const dnnl::engine& engine, const Setup& setup) {
  std::unique_ptr<RowTiles> tiles(new RowTiles(engine, setup));
  const bool shared = tiles->shares_tiles(setup.rows);
  const int64_t rows = shared ? kTileRows : setup.rows;
  {
    const TeamOf team(shared ? 1 : setup.threads);
    const memory::desc any({setup.k, setup.n}, setup.operands, memory::format_tag::any);
    const auto pd = described([&] { return tiles->describe(rows, any); });
    if (!pd || compat::blocking(pd->weights_desc()).blocks.empty()) return nullptr;
    tiles->weights_ = pd->weights_desc();
    tiles->implementation_ = pd->impl_info_str();
  }
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

RowTiles::Tile& RowTiles::tile(int64_t rows, bool of_team) {
  const auto found = tiles_.find({rows, of_team});
  if (found != tiles_.end()) return found->second;
  const TeamOf team(of_team ? setup_.threads : 1);
  const dnnl::matmul::primitive_desc pd = describe(rows, weights_);
  if (is_reference(pd.impl_info_str()))
    throw ir::RuntimeError(ir::concat("error: oneDNN has only reference loops for a product of ",
                                      rows, " rows with weights ", layout_text(weights_)));
  Tile made{dnnl::matmul(pd), static_cast<int64_t>(pd.scratchpad_desc().get_size()), {}};
  for (int t = 0; t < (of_team ? 1 : setup_.threads); ++t) {
    Arguments& a = made.by_thread.emplace_back();
    a.add(DNNL_ARG_SRC, pd.src_desc(), engine_);
    a.add(DNNL_ARG_DST, pd.dst_desc(), engine_);
    a.add(DNNL_ARG_WEIGHTS, weights_, engine_);
    if (setup_.bias)
      a.add(DNNL_ARG_BIAS,
            memory::desc({1, setup_.n}, memory::data_type::f32, memory::format_tag::ab), engine_);
    if (made.scratch_bytes > 0) a.add(DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), engine_);
  }
  return tiles_.emplace(std::pair{rows, of_team}, std::move(made)).first->second;
}

int64_t RowTiles::rounded(int64_t rows, int64_t first) const {
  return std::min((rows + kRowStep - 1) / kRowStep * kRowStep, setup_.rows - first);
}

bool RowTiles::shares_tiles(int64_t rows) const { return rows >= 4 * kTileRows * setup_.threads; }

void RowTiles::make_room(int64_t bytes) {
  if (bytes <= scratch_bytes_) return;
  for (ir::Memory& m : scratch_) m = ir::allocate(static_cast<size_t>(bytes));
  scratch_bytes_ = bytes;
}

void RowTiles::copy_residual(const Operands& o, int64_t first, int64_t rows) const {
  if (o.residual == nullptr) return;
  const int64_t bytes = bytes_of(setup_.results);
  for (int64_t i = first; i < first + rows; ++i)
    std::memcpy(o.c + i * setup_.c_row * bytes, o.residual + i * o.residual_row * bytes,
                static_cast<size_t>(setup_.n * bytes));
}

dnnl_status_t RowTiles::run_tile(Tile& tile, int thread, const Operands& o, int64_t first) {
  Arguments& a = tile.by_thread[static_cast<size_t>(thread)];
  a.set(0, o.a + first * setup_.a_row * bytes_of(setup_.operands));
  a.set(1, o.c + first * setup_.c_row * bytes_of(setup_.results));
  a.set(2, o.weights);
  if (setup_.bias) a.set(3, o.bias);
  if (tile.scratch_bytes > 0)
    a.set(a.count - 1, static_cast<char*>(scratch_[static_cast<size_t>(thread)].get()));
  return dnnl_primitive_execute(tile.primitive.get(), streams_[static_cast<size_t>(thread)].get(),
                                a.count, a.args);
}

void RowTiles::run(const Operands& o) {
  if (o.rows == 0) return;
  std::atomic<dnnl_status_t> status = dnnl_success;
  if (!shares_tiles(o.rows)) {
    Tile& whole = tile(rounded(o.rows, 0), true);
    make_room(whole.scratch_bytes);
    if (o.residual != nullptr && o.rows * setup_.n >= kWorthSharing) {
#pragma omp parallel
      {
        const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
        const int64_t begin = o.rows * thread / threads, end = o.rows * (thread + 1) / threads;
        copy_residual(o, begin, end - begin);
      }
    } else {
      copy_residual(o, 0, o.rows);
    }
    status = run_tile(whole, 0, o, 0);
  } else {
    const int64_t count = (o.rows + kTileRows - 1) / kTileRows, begin = (count - 1) * kTileRows;
    Tile& full = tile(kTileRows, false);
    Tile& last = tile(rounded(o.rows - begin, begin), false);
    make_room(std::max(full.scratch_bytes, last.scratch_bytes));
#pragma omp parallel
    {
      const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
      for (int64_t i = count * thread / threads; i < count * (thread + 1) / threads; ++i) {
        const int64_t first = i * kTileRows;
        copy_residual(o, first, std::min(kTileRows, o.rows - first));
        const dnnl_status_t s =
            run_tile(i + 1 < count ? full : last, static_cast<int>(thread), o, first);
        if (s != dnnl_success) status = s;
      }
    }
  }
  if (status != dnnl_success)
    throw ir::RuntimeError(ir::concat("error: oneDNN's matmul failed with status ",
                                      static_cast<int64_t>(status.load())));
}

}  // namespace weft::onednn
