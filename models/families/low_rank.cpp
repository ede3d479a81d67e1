// models/families/low_rank.cpp -- which matrices, the second way of their products, and the sum.
#include "models/families/low_rank.h"

#include "frontend/language/scope.h"
#include "ir/error.h"
#include "ir/ops/all.h"
#include "ir/rewrite/rewrite.h"
#include "models/data/batch_names.h"
#include "models/data/random.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace weft::low_rank {
namespace {

using ir::concat;
using ir::Graph;
using ir::GraphError;
using ir::Node;
using ir::Value;

constexpr std::string_view kA = "/lora_A", kB = "/lora_B", kMatrix = "/W";

const std::vector<std::string> kUsualTargets{"q", "v"};  // Hu et al. 2022, section 4.2

std::string module_path(const std::string& matrix) {
  return matrix.ends_with(kMatrix) ? matrix.substr(0, matrix.size() - kMatrix.size()) : matrix;
}

// x W, both as they are.
bool is_product(const Graph& graph, const Node& node) {
  const ir::OpView op(graph, node);
  return node.op == &ir::ops::matmul && !op.flag("transpose_a") && !op.flag("transpose_b");
}

std::string last_part(const std::string& name, char between) {
  return name.substr(name.rfind(between) + 1);
}

bool matches(const std::string& pattern, const Module& m, const std::string& elsewhere) {
  const auto is = [&](const std::string& name) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  };
  return is(m.path) || is(last_part(m.path, '/')) ||
         (!elsewhere.empty() &&
          (is(elsewhere) || elsewhere.ends_with("." + pattern) || is(last_part(elsewhere, '.'))));
}

// What dropout draws masks from: inputs of the loss, if need be new ones.
struct Noise {
  Value step, rows;
};
Noise noise_of(ir::Builder& b, const Graph& from, const ir::Rewriter& r) {
  Graph& g = b.graph();
  const auto input = [&](const char* name, const ir::Shape& shape) {
    const int at = from.find_argument(name);
    if (at >= 0) return r(from.arguments()[static_cast<size_t>(at)].value);
    return g.add_argument({ir::DType::s64, shape}, name);
  };
  return {input(data::kStep, {}), input(data::kRowIds, {ir::Dim::symbol("B")})};
}

Value dropped(ir::Builder& b, Value x, double rate, const Noise& noise, int64_t stream) {
  const ir::Shape& shape = b.type(x).shape;
  const ir::Shape inner(shape.begin() + 1, shape.end());
  const Value keep =
      b.emit(ir::ops::random, {{noise.step}, {noise.rows}, {}},
             {{"stream", stream}, {"inner", inner}, {"form", "keep"}, {"keep", 1 - rate}});
  const ir::DType dtype = b.type(x).dtype;
  return b.select(keep, b.mul(x, b.scalar(1 / (1 - rate), dtype)), b.scalar(0, dtype));
}

}  // namespace

double Settings::scale() const {
  const double r = static_cast<double>(rank), a = alpha > 0 ? alpha : 2 * r;
  return a / (rslora ? std::sqrt(r) : r);
}

void fields(Settings& s, settings::Fields& f) {
  f.integer(
      "rank", s.rank, {0, 1 << 12},
      "low-rank adaptation (LoRA, Hu et al. 2022): matrices W become W + s A B with A and B of "
      "this rank, and those alone are trained; 0: the model itself is");
  f.real("alpha", s.alpha, settings::up_to(1e6), "s is this by the rank; 0: twice the rank");
  f.real("dropout", s.dropout, settings::kShare, "of what A is multiplied with");
  f.flag("rslora", s.rslora, "s is alpha by the root of the rank (Kalajdzievski 2023)");
  f.texts(
      "targets", s.targets,
      "which matrices, by patterns of their names as in \"decoder/*/q\", by the last part of "
      "them, or as the published model calls them, as in \"q_proj\"; none: q and v of attention");
}

std::string a_path(const Module& m) { return m.path + std::string(kA); }
std::string b_path(const Module& m) { return m.path + std::string(kB); }
bool is_adapter(std::string_view parameter) {
  return parameter.ends_with(kA) || parameter.ends_with(kB);
}

std::vector<Module> modules(const Graph& loss) {
  const auto uses = ir::uses(loss);
  std::vector<Module> all;
  for (const ir::Argument& a : loss.arguments()) {
    if (a.kind != ir::ArgumentKind::parameter) continue;
    const ir::Shape& shape = loss.type(a.value).shape;
    const auto& readers = uses[static_cast<size_t>(a.value.id)];
    const auto multiplies = [&](int reader) {
      if (reader < 0) return false;
      const Node& node = loss.nodes()[static_cast<size_t>(reader)];
      return is_product(loss, node) && node.operands[1] == a.value && node.operands[0] != a.value;
    };
    if (shape.size() != 2 || readers.empty() ||
        !std::all_of(readers.begin(), readers.end(), multiplies))
      continue;
    const ir::Dims dims = ir::values(shape, {});
    all.push_back({module_path(a.path), a.path, dims[0], dims[1]});
  }
  std::sort(all.begin(), all.end(),
            [](const Module& a, const Module& b) { return a.path < b.path; });
  return all;
}

std::vector<Module> chosen(const std::vector<Module>& all, const Settings& s,
                           const std::function<std::string(const Module&)>& name_of) {
  const auto elsewhere = [&](const Module& m) { return name_of ? name_of(m) : std::string(); };
  const std::vector<std::string>& patterns = s.targets.empty() ? kUsualTargets : s.targets;
  std::vector<bool> taken(all.size(), false);
  for (const std::string& pattern : patterns) {
    bool some = false;
    for (size_t i = 0; i < all.size(); ++i)
      if (matches(pattern, all[i], elsewhere(all[i]))) taken[i] = some = true;
    if (some) continue;
    std::string names;
    for (const Module& m : all) names += (names.empty() ? "" : ", ") + m.path;
    throw GraphError(concat("no matrix that can be adapted matches '", pattern, "'; there are ",
                            names.empty() ? "none" : names));
  }
  std::vector<Module> list;
  for (size_t i = 0; i < all.size(); ++i)
    if (taken[i]) list.push_back(all[i]);
  return list;
}

Graph adapted(const Graph& loss, const std::vector<Module>& list, const Settings& s, bool training,
              uint64_t seed) {
  ir::Rewriter r(loss);
  ir::Builder& b = r.builder;
  Graph& g = b.graph();
  for (size_t i = 0; i < g.arguments().size(); ++i)
    if (g.arguments()[i].kind == ir::ArgumentKind::parameter)
      g.set_trainable(static_cast<int>(i), false);
  const bool drops = training && s.dropout > 0;
  const Noise noise = drops ? noise_of(b, loss, r) : Noise();
  struct Pair {
    const Module* module;
    Value a, b;
    int uses = 0;
  };
  std::map<int, Pair> pairs;  // by the value of W
  for (const Module& m : list) {
    const int at = loss.find_argument(m.matrix);
    if (at < 0) throw GraphError(concat("there is no parameter '", m.matrix, "' to be adapted"));
    const Value w = loss.arguments()[static_cast<size_t>(at)].value;
    const ir::DType dtype = loss.type(w).dtype;
    const auto parameter = [&](const std::string& path, int64_t rows, int64_t columns,
                               const std::string& initializer) {
      return g.add_argument({dtype, {ir::Dim(rows), ir::Dim(columns)}}, "",
                            ir::ArgumentKind::parameter, path, initializer);
    };
    const double bound = 1 / std::sqrt(static_cast<double>(m.in));
    const Value a = parameter(a_path(m), m.in, s.rank, init::uniform(bound).text),
                second = parameter(b_path(m), s.rank, m.out, init::zeros().text);
    pairs[w.id] = {&m, a, second};
  }
  for (const Node& node : loss.nodes()) {
    r.at(node);
    r.copy(node);
    if (!is_product(loss, node)) continue;
    const auto found = pairs.find(node.operands[1].id);
    if (found == pairs.end()) continue;
    Pair& pair = found->second;
    Value x = r(node.operands[0]);
    if (drops)
      x = dropped(b, x, s.dropout, noise,
                  static_cast<int64_t>(
                      data::hash(seed, concat(a_path(*pair.module), "#", pair.uses)) >> 1));
    ++pair.uses;
    const Value product = r(node.results[0]), second = b.matmul(b.matmul(x, pair.a), pair.b);
    r.replace(node.results[0],
              b.add(product, b.mul(second, b.scalar(s.scale(), b.type(second).dtype))));
  }
  return r.finish();
}

ParameterStore merged(const ParameterStore& store, double scale) {
  ParameterStore result = store;
  const std::vector<std::string> parameters = store.paths(ir::ArgumentKind::parameter);
  for (const std::string& name : store.paths(ir::ArgumentKind::state)) result.erase(name);
  for (const std::string& name : parameters)
    if (is_adapter(name)) result.erase(name);
  for (const std::string& first : parameters) {
    if (!first.ends_with(kA)) continue;
    const std::string path = first.substr(0, first.size() - kA.size()),
                      second = path + std::string(kB);
    const std::string matrix = store.contains(path) ? path : path + std::string(kMatrix);
    const auto fail = [&](const std::string& why) {
      throw GraphError(concat("the adapter of '", path, "' ", why));
    };
    if (!store.contains(matrix)) fail("adapts a matrix that the model does not have");
    if (!store.contains(second)) fail("has no B");
    const ir::Array &w = store.at(matrix), &a = store.at(first), &b = store.at(second);
    if (w.rank() != 2 || a.rank() != 2 || b.rank() != 2 || a.dim(0) != w.dim(0) ||
        b.dim(1) != w.dim(1) || a.dim(1) != b.dim(0))
      fail(concat("is ", ir::dims_str(a.dims()), ir::dims_str(b.dims()), ", the matrix ",
                  ir::dims_str(w.dims())));
    ir::Array sum = w.clone();
    std::vector<double> row(static_cast<size_t>(w.dim(1)));
    for (int64_t i = 0; i < w.dim(0); ++i) {
      std::fill(row.begin(), row.end(), 0.0);
      for (int64_t k = 0; k < a.dim(1); ++k) {
        const double x = a.at(i * a.dim(1) + k);
        for (int64_t j = 0; j < w.dim(1); ++j)
          row[static_cast<size_t>(j)] += x * b.at(k * w.dim(1) + j);
      }
      for (int64_t j = 0; j < w.dim(1); ++j)
        sum.set(i * w.dim(1) + j, w.at(i * w.dim(1) + j) + scale * row[static_cast<size_t>(j)]);
    }
    result.set(matrix, ir::ArgumentKind::parameter, std::move(sum));
  }
  return result;
}

}  // namespace weft::low_rank
