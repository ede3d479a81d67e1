// frontend/store/parameter_store.cpp -- initialisers, on Random123's Philox.
#include "frontend/store/parameter_store.h"

#include "ir/error.h"
#include "ir/rewrite/transposed_parameters.h"

#include <Random123/philox.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <numbers>
#include <vector>

namespace weft {
namespace {

using ir::Array;
using ir::concat;
using ir::GraphError;

// Numbers of one (seed, path): the n-th is a function of n alone.
class Draw {
 public:
  Draw(uint64_t seed, std::string_view path) : seed_(seed) {
    for (const char c : path) stream_ = (stream_ ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  }
  double uniform() {  // [0, 1), 53 bits; two to a block
    if (n_ % 2 == 0) {
      const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
      const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
      const r123::Philox4x32::ctr_type counter{
          {low(n_ / 2), high(n_ / 2), low(stream_), high(stream_)}};
      words_ = r123::Philox4x32()(counter, {{low(seed_), high(seed_)}});
    }
    const size_t at = n_++ % 2 * 2;
    return static_cast<double>((uint64_t{words_[at]} << 32 | words_[at + 1]) >> 11) * 0x1p-53;
  }
  double normal() {  // Box and Muller
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  uint64_t seed_, stream_ = 0xCBF29CE484222325, n_ = 0;
  r123::Philox4x32::ctr_type words_{};
};

struct Call {
  std::string_view name;
  double argument = 0;
  bool has_argument = false;
};

// "normal(0.01)"
Call parse(std::string_view text) {
  const size_t open = text.find('(');
  if (open == text.npos || text.back() != ')') return {text};
  const std::string inside(text.substr(open + 1, text.size() - open - 2));
  char* end = nullptr;
  const double value = std::strtod(inside.c_str(), &end);
  if (inside.empty() || *end != '\0' || !std::isfinite(value))
    throw GraphError(concat("initializer '", text, "' needs a number in its brackets"));
  return {text.substr(0, open), value, true};
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  constexpr size_t kLanes = 8;  // so that the sum is not one chain of additions
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes)
    for (size_t k = 0; k < kLanes; ++k) lanes[k] += a[i + k] * b[i + k];
  double sum = 0;
  for (; i < a.size(); ++i) sum += a[i] * b[i];
  for (const double lane : lanes) sum += lane;
  return sum;
}

// n vectors of n numbers, orthonormal: Gram-Schmidt, done twice for exactness.
std::vector<std::vector<double>> orthonormal(Draw& draw, size_t n) {
  std::vector<std::vector<double>> rows(n, std::vector<double>(n));
  for (size_t i = 0; i < n; ++i) {
    for (double& x : rows[i]) x = draw.normal();
    for (int round = 0; round < 2; ++round) {
      for (size_t j = 0; j < i; ++j) {
        const double along = dot(rows[i], rows[j]);
        for (size_t k = 0; k < n; ++k) rows[i][k] -= along * rows[j][k];
      }
      const double norm = std::sqrt(dot(rows[i], rows[i]));
      for (double& x : rows[i]) x /= norm;
    }
  }
  return rows;
}

void fill_orthogonal(Array& a, Draw& draw, std::string_view path) {
  if (a.rank() != 2)
    throw GraphError(concat("parameter '", path, "' must be a matrix to start orthogonal"));
  const int64_t rows = a.dim(0), columns = a.dim(1), side = std::min(rows, columns);
  if (side == 0) return;
  for (int64_t r = 0; r < rows; r += side)
    for (int64_t c = 0; c < columns; c += side) {
      const auto block = orthonormal(draw, static_cast<size_t>(side));
      for (int64_t i = 0; i < side && r + i < rows; ++i)
        for (int64_t j = 0; j < side && c + j < columns; ++j)
          a.set((r + i) * columns + c + j, block[static_cast<size_t>(i)][static_cast<size_t>(j)]);
    }
}

double glorot_bound(const ir::Dims& dims) {
  double outer = 1;
  for (size_t i = 0; i + 2 < dims.size(); ++i) outer *= static_cast<double>(dims[i]);
  const double in =
      dims.empty() ? 1 : static_cast<double>(dims[dims.size() < 2 ? 0 : dims.size() - 2]);
  const double out = dims.size() < 2 ? 1 : static_cast<double>(dims.back());
  return std::sqrt(6 / (outer * (in + out)));
}

// Of a matrix that is asked for the other way round, its own path.
bool take_transposed(std::string_view& path) {
  if (!path.ends_with(ir::kTransposed)) return false;
  path.remove_suffix(ir::kTransposed.size());
  return true;
}

}  // namespace

Array initial_value(std::string_view initializer, ir::DType dtype, const ir::Dims& dims,
                    uint64_t seed, std::string_view path) {
  Array a(dtype, dims);
  Draw draw(seed, path);
  const Call call = parse(initializer);
  const auto fill = [&](const auto& next) {
    for (int64_t i = 0; i < a.size(); ++i) a.set(i, next());
  };
  const auto unknown = [&] {
    return GraphError(concat("parameter '", path, "' has no initializer '", initializer,
                             "'; there are zeros, ones, constant(c), uniform(a), normal(s), "
                             "glorot_uniform, orthogonal"));
  };
  constexpr std::string_view kNames[] = {"",        "zeros",  "ones",           "constant",
                                         "uniform", "normal", "glorot_uniform", "orthogonal"};
  if (std::find(std::begin(kNames), std::end(kNames), call.name) == std::end(kNames))
    throw unknown();
  const bool needs_argument =
      call.name == "constant" || call.name == "uniform" || call.name == "normal";
  if (needs_argument != call.has_argument)
    throw GraphError(
        concat("parameter '", path, "': initializer '", initializer, "' ",
               needs_argument ? "needs a number, as in normal(0.01)" : "takes no number"));
  const auto uniform = [&](double bound) {
    fill([&] { return (2 * draw.uniform() - 1) * bound; });
  };
  if (call.name == "zeros" || call.name.empty()) return a;
  if (call.name == "ones")
    fill([] { return 1.0; });
  else if (call.name == "constant")
    fill([&] { return call.argument; });
  else if (call.name == "uniform")
    uniform(call.argument);
  else if (call.name == "normal")
    fill([&] { return draw.normal() * call.argument; });
  else if (call.name == "glorot_uniform")
    uniform(glorot_bound(dims));
  else if (call.name == "orthogonal")
    fill_orthogonal(a, draw, path);
  return a;
}

void ParameterStore::prepare(const ir::Graph& graph) {
  for (const ir::Argument& argument : graph.arguments()) {
    if (argument.kind == ir::ArgumentKind::input) continue;
    const ir::TensorType& type = graph.type(argument.value);
    ir::Dims dims;
    for (const ir::Dim& d : type.shape) {
      const auto size = d.constant();
      if (!size)
        throw GraphError(concat("'", argument.path, "' is ", type,
                                "; what is kept between runs needs a fixed shape"));
      dims.push_back(*size);
    }
    const ir::DType dtype = ir::is_float(type.dtype) ? real_ : type.dtype;
    std::string_view path = argument.path;
    if (take_transposed(path)) std::swap(dims.at(0), dims.at(1));
    const auto found = entries_.find(path);
    if (found == entries_.end()) {
      const bool drawn =
          argument.kind == ir::ArgumentKind::parameter || !argument.initializer.empty();
      set(argument.path, argument.kind,
          drawn ? initial_value(argument.initializer, dtype, dims, seed_, argument.path)
                : Array(dtype, dims));
      continue;
    }
    const Entry& entry = found->second;
    if (entry.dims() != dims || entry.dtype() != dtype)
      throw GraphError(concat("'", argument.path, "' is ", ir::name(entry.dtype()),
                              ir::dims_str(entry.dims()), " where the graph needs ",
                              ir::name(dtype), ir::dims_str(dims)));
  }
}

ir::Dims ParameterStore::Entry::dims() const {
  ir::Dims dims = any().dims();
  if (array.empty()) std::swap(dims.at(0), dims.at(1));
  return dims;
}

const ParameterStore::Entry& ParameterStore::entry(std::string_view path) const {
  const auto found = entries_.find(path);
  if (found == entries_.end())
    throw GraphError(concat("there is no parameter or state '", path, "'"));
  return found->second;
}

const Array& ParameterStore::at(std::string_view path) const {
  const bool turned = take_transposed(path);
  const Entry& e = entry(path);
  Array &wanted = turned ? e.transposed : e.array, &other = turned ? e.array : e.transposed;
  if (wanted.empty() && !other.empty()) {
    wanted = other.transposed();
    other.release();
  }
  return wanted;
}

void ParameterStore::set(const std::string& path, ir::ArgumentKind kind, Array array) {
  put(path, {.kind = kind, .array = as_held(std::move(array)), .transposed = {}});
}

void ParameterStore::set_transposed(const std::string& path, ir::ArgumentKind kind, Array array) {
  put(path, {.kind = kind, .array = {}, .transposed = as_held(std::move(array))});
}

bool ParameterStore::is_transposed(std::string_view path) const {
  const auto found = entries_.find(path);
  return found != entries_.end() && !found->second.transposed.empty();
}

Array ParameterStore::transposed(std::string_view path) const {
  const Entry& e = entry(path);
  return e.transposed.empty() ? e.array.transposed() : e.transposed;
}

Array ParameterStore::as_held(Array array) const {
  return ir::is_float(array.dtype()) && array.dtype() != real_ ? array.cast(real_) : array;
}

void ParameterStore::put(const std::string& path, Entry entry) {
  entries_.insert_or_assign(path, std::move(entry));
  changed();
}

void ParameterStore::changed() {
  static std::atomic<uint64_t> changes = 0;
  version_ = ++changes;
}

ir::NamedArrays ParameterStore::all(ir::ArgumentKind kind) const {
  ir::NamedArrays arrays;
  for (const auto& [path, entry] : entries_)
    if (entry.kind == kind) arrays.add(path, at(path));
  return arrays;
}

void ParameterStore::erase(std::string_view path) {
  if (const auto found = entries_.find(path); found != entries_.end()) entries_.erase(found);
  changed();
}

std::vector<std::string> ParameterStore::paths(ir::ArgumentKind kind) const {
  std::vector<std::string> paths;
  for (const auto& [path, entry] : entries_)
    if (entry.kind == kind) paths.push_back(path);
  return paths;
}

int64_t ParameterStore::parameter_count() const {
  int64_t n = 0;
  for (const auto& [path, entry] : entries_)
    if (entry.kind == ir::ArgumentKind::parameter) n += entry.any().size();
  return n;
}

ParameterStore ParameterStore::clone() const {
  ParameterStore copy(seed_, real_);
  copy.version_ = version_;
  const auto cloned = [](const Array& a) { return a.empty() ? a : a.clone(); };
  for (const auto& [path, entry] : entries_)
    copy.entries_.emplace(path, Entry{entry.kind, cloned(entry.array), cloned(entry.transposed)});
  return copy;
}

}  // namespace weft
