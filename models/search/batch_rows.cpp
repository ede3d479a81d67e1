// models/search/batch_rows.cpp -- see batch_rows.h.
#include "models/search/batch_rows.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace weft::search {
namespace {

using ir::Array;

// Caches grow with the hypotheses: they begin this long, or a multiple of the unit where the limit
// is less, and double.
constexpr int64_t kFirstCapacity = 32, kCapacityUnit = 16;
constexpr int64_t kExact = 16;  // rows up to which executables have no more than there are

int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

char* row_of(Array& x, int64_t row) {
  return static_cast<char*>(x.raw()) + row * (x.bytes() / x.dim(0));
}

// `x` with `rows` rows: more, which repeat the first one, or itself.
Array with_rows(const Array& x, int64_t rows) {
  if (x.dim(0) == rows) return x;
  ir::Dims dims = x.dims();
  dims[0] = rows;
  Array y(x.dtype(), dims);
  std::memcpy(y.raw(), x.raw(), static_cast<size_t>(x.bytes()));
  for (int64_t row = x.dim(0); row < rows; ++row)
    std::memcpy(row_of(y, row), x.raw(), static_cast<size_t>(x.bytes() / x.dim(0)));
  return y;
}

// The first rows of `x`, in its buffer.
Array first_rows(Array x, int64_t rows) {
  ir::Dims dims = x.dims();
  dims[0] = rows;
  void* const data = x.raw();
  return Array::view(x.dtype(), std::move(dims), data, std::make_shared<Array>(std::move(x)));
}

// Blocks of `x` that stay contiguous in an array of larger sizes, and where there the i-th of them
// is, in bytes.
class Blocks {
 public:
  Blocks(const Array& x, const ir::Dims& dims) : x_(x.dims()), y_(dims), axis_(x.rank() - 1) {
    while (axis_ > 0 && x_[at(axis_)] == y_[at(axis_)]) --axis_;
    bytes = ahead_ = ir::bytes(x.dtype());
    for (int i = axis_; i < x.rank(); ++i) bytes *= x_[at(i)], ahead_ *= y_[at(i)];
    for (int i = 0; i < axis_; ++i) count *= x_[at(i)];
  }

  int64_t count = 1, bytes = 1;

  int64_t place(int64_t i) const {
    int64_t place = 0, stride = ahead_;
    for (int a = axis_ - 1; a >= 0; --a) {
      place += i % x_[at(a)] * stride;
      i /= x_[at(a)];
      stride *= y_[at(a)];
    }
    return place;
  }

 private:
  static size_t at(int axis) { return static_cast<size_t>(axis); }

  ir::Dims x_, y_;
  int axis_;
  int64_t ahead_ = 1;  // bytes from one block to the next in the innermost of the axes before
};

}  // namespace

int64_t padded_rows(int64_t n) {
  int64_t unit = 1;
  while (kExact * unit < n) unit *= 2;
  return round_up(n, unit);
}

BatchRows::BatchRows(Decoder& decoder, ParameterStore& store, const Array& source,
                     const Array& lengths, int64_t longest)
    : decoder_(decoder),
      store_(store),
      count_(source.dim(0)),
      padded_(padded_rows(count_)),
      longest_(longest),
      capacity_(decoder.beam == 1 ? std::min(most_capacity(), kFirstCapacity) : 1) {
  const auto hypotheses = static_cast<size_t>(padded_ * decoder_.beam);
  tokens_.assign(hypotheses, decoder_.traits.ids.begin);
  origins_.assign(hypotheses, 0);
  start(source, lengths);
}

// Rings hold a window; until they have gone round they are caches like any other.
int64_t BatchRows::most_capacity() const {
  const int64_t all = round_up(longest_, kCapacityUnit), window = decoder_.traits.window;
  return window > 0 ? std::min(all, window) : all;
}

void BatchRows::start(const Array& source, const Array& lengths) {
  const Array padded = with_rows(lengths, padded_);
  RepeatedRun encode = decoder_.encode.repeated(
      store_, {{"source", with_rows(source, padded_)}, {"source_lengths", padded}});
  encode.run();
  const ir::Graph& graph = decoder_.step.graph();
  const ir::Bindings sizes{
      {"B", padded_},
      {"K", beams_},
      {"C", capacity_},
      {"S", decoder_.traits.patches > 0
                ? decoder_.traits.patches
                : round_up(source.dim(1), decoder_.traits.reduction) / decoder_.traits.reduction}};
  Inputs inputs;
  for (const ir::Argument& a : graph.arguments()) {
    if (a.kind != ir::ArgumentKind::input) continue;
    const std::string& name = graph.info(a.value).name;
    const ir::TensorType& type = graph.type(a.value);
    const ir::DType dtype = ir::is_float(type.dtype) ? decoder_.step.options().real : type.dtype;
    if (name == "source_lengths")
      inputs.add(name, padded.clone());
    else if (const Array* const given = encode.find_result(name))
      inputs.add(name, given->reshaped(ir::values(type.shape, sizes)));
    else
      inputs.add(name, zeros(name, dtype, ir::values(type.shape, sizes)));
  }
  bind(inputs);
}

Array BatchRows::zeros(const std::string& name, ir::DType dtype, const ir::Dims& dims) {
  const int64_t bytes = ir::element_count(dims) * ir::bytes(dtype);
  Array& held = decoder_.room[name];
  if (held.bytes() < bytes)
    held = Array(ir::DType::u8, {bytes});
  else
    std::memset(held.raw(), 0, static_cast<size_t>(bytes));
  return Array::view(dtype, dims, held.raw(), std::make_shared<Array>(held));
}

// `x` in the corner of the lowest indices, zeros around it: where it lies, from its end on, if there
// is room, else elsewhere.
Array BatchRows::enlarged(const std::string& name, const Array& x, const ir::Dims& dims) {
  if (x.dims() == dims) return x;
  const Blocks blocks(x, dims);
  const int64_t bytes = ir::element_count(dims) * ir::bytes(x.dtype());
  Array& held = decoder_.room[name];
  const bool in_place = held.raw() == x.raw() && held.bytes() >= bytes;
  Array y = in_place ? Array::view(x.dtype(), dims, held.raw(), std::make_shared<Array>(held))
                     : zeros(name, x.dtype(), dims);
  const char* const from = static_cast<const char*>(x.raw());
  char* const to = static_cast<char*>(y.raw());
  for (int64_t i = blocks.count - 1, end = bytes; i >= 0; --i) {
    const int64_t place = blocks.place(i), after = place + blocks.bytes;
    std::memmove(to + place, from + i * blocks.bytes, static_cast<size_t>(blocks.bytes));
    if (in_place) std::memset(to + after, 0, static_cast<size_t>(end - after));
    end = place;
  }
  return y;
}

void BatchRows::bind(const Inputs& inputs) {
  step_.emplace(decoder_.step.repeated(store_, inputs));
}

void BatchRows::resize() {
  const ir::Graph& graph = decoder_.step.graph();
  Inputs inputs;
  for (const ir::Argument& a : graph.arguments()) {
    if (a.kind != ir::ArgumentKind::input) continue;
    const std::string& name = graph.info(a.value).name;
    const ir::Shape& shape = graph.type(a.value).shape;
    const Array& x = step_->input(name);
    ir::Dims dims = x.dims();
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == ir::Dim::symbol("K")) dims[i] = beams_;
      if (shape[i] == ir::Dim::symbol("C")) dims[i] = capacity_;
    }
    inputs.add(name, enlarged(name, x, dims));
  }
  bind(inputs);
}

void BatchRows::run() {
  if (steps_ == 1 && beams_ < decoder_.beam) {
    beams_ = decoder_.beam;
    capacity_ = std::min(most_capacity(), kFirstCapacity);
    resize();
  } else if (steps_ == capacity_ && capacity_ < most_capacity()) {
    capacity_ = std::min(2 * capacity_, most_capacity());
    resize();
  }
  if (Array* const position = step_->find_input("position")) position->set_integer(0, steps_);
  const auto hypotheses = static_cast<size_t>(padded_ * beams_);
  std::copy_n(tokens_.begin(), hypotheses, step_->input("token").data<int32_t>());
  if (Array* const origin = step_->find_input("origin"))
    std::copy_n(origins_.begin(), hypotheses, origin->data<int32_t>());
  step_->run();
  ++steps_;
}

void BatchRows::continue_with(int64_t row, int64_t beam, int32_t token, int32_t origin) {
  const auto at = static_cast<size_t>(row * decoder_.beam + beam);
  tokens_[at] = token;
  origins_[at] = origin;
}

std::vector<int64_t> BatchRows::keep(std::span<const int64_t> kept) {
  // Rows that stay below the new count stay where they are; the others fill the places left.
  const auto count = std::ssize(kept);
  std::vector<int64_t> order(static_cast<size_t>(count), -1);
  for (const int64_t row : kept)
    if (row < count) order[static_cast<size_t>(row)] = row;
  size_t last = kept.size();
  for (int64_t& row : order)
    if (row < 0) row = kept[--last];
  const int64_t rows = padded_rows(count);
  const ir::Graph& graph = decoder_.step.graph();
  Inputs inputs;
  for (const ir::Argument& a : graph.arguments()) {
    if (a.kind != ir::ArgumentKind::input) continue;
    const std::string& name = graph.info(a.value).name;
    Array x = step_->input(name);
    if (x.rank() > 0) {
      const auto bytes = static_cast<size_t>(x.bytes() / x.dim(0));
      for (int64_t row = 0; row < count; ++row)
        if (const int64_t from = order[static_cast<size_t>(row)]; from != row)
          std::memcpy(row_of(x, row), row_of(x, from), bytes);
      x = first_rows(std::move(x), rows);
    }
    inputs.add(name, x);
  }
  const auto beam = static_cast<size_t>(decoder_.beam);
  for (size_t row = 0; row < order.size(); ++row)
    for (std::vector<int32_t>* v : {&tokens_, &origins_})
      std::copy_n(v->begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(order[row]) * beam),
                  beam, v->begin() + static_cast<std::ptrdiff_t>(row * beam));
  count_ = count;
  padded_ = rows;
  bind(inputs);
  return order;
}

}  // namespace weft::search
