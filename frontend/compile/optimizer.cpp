// frontend/compile/optimizer.cpp -- each update rule, one parameter at a time; a pass makes one op of all.
#include "frontend/compile/optimizer.h"

#include "ir/check.h"
#include "ir/rewrite/builder.h"

#include <algorithm>

namespace weft {
namespace {

using ir::Value;
using ir::Values;

class Updater {
 public:
  Updater(ir::Graph& graph, const OptimizerSettings& settings, const std::string& weight)
      : graph_(graph), s_(settings), b_(graph, {"optimizer", {}, {}, ir::Part::optimizer}) {
    if (!weight.empty())
      share_ = b_.div(real(1), graph_.add_argument({ir::DType::f32, {}}, weight));
  }

  void run(const std::vector<std::string>& paths, const Values& gradients) {
    lr_ = graph_.add_argument({ir::DType::f32, {}}, "lr");
    Values g = gradients;
    clip(g);
    if (s_.kind == OptimizerKind::adam) count_steps();
    for (size_t i = 0; i < paths.size(); ++i) update(paths[i], g[i]);
  }

 private:
  Value real(double x) { return b_.scalar(x, ir::DType::f32); }
  Value sum_of_squares(Value g) { return b_.sum_all(b_.mul(g, g)); }

  Value shared(Value x) { return share_.valid() ? b_.mul(x, share_) : x; }

  // scale = min(1, clip / (norm + 1e-6)), as PyTorch has it. Of sums, the norm is that of the mean.
  void clip(Values& gradients) {
    Value total;
    for (const Value g : gradients)
      total = total.valid() ? b_.add(total, sum_of_squares(g)) : sum_of_squares(g);
    const Value norm = shared(b_.sqrt(total));
    outputs.push_back({"gradient_norm", norm});
    Value scale = share_;
    if (s_.clip_norm != 0)
      scale = shared(b_.emit(ir::ops::minimum,
                             {{real(1)}, {b_.div(real(s_.clip_norm), b_.add(norm, real(1e-6)))}}));
    if (!scale.valid()) return;
    for (Value& g : gradients) g = b_.mul(g, scale);
  }

  Value state(const std::string& path, const ir::TensorType& type) {
    return graph_.add_argument(type, path.substr(path.rfind('/') + 1), ir::ArgumentKind::state,
                               path);
  }
  void keep(const std::string& path, Value next) {
    outputs.push_back({output_name(path), next});
    graph_.set_donated(graph_.find_argument(path), true);
  }

  void count_steps() {
    const Value before = state("optimizer/step", {ir::DType::s64, {}});
    const Value now = b_.add(before, b_.scalar(1, ir::DType::s64));
    keep("optimizer/step", now);
    const Value t = b_.cast(now, ir::DType::f32);
    correction1_ = b_.sub(real(1), b_.emit(ir::ops::pow, {{real(s_.beta1)}, {t}}));
    correction2_ = b_.sub(real(1), b_.emit(ir::ops::pow, {{real(s_.beta2)}, {t}}));
  }

  void update(const std::string& path, Value g) {
    Value p = graph_.arguments()[static_cast<size_t>(graph_.find_argument(path))].value;
    switch (s_.kind) {
      case OptimizerKind::sgd:
        return keep(path, b_.sub(p, b_.mul(lr_, g)));
      case OptimizerKind::adam:
        return adam(path, p, g);
      case OptimizerKind::adadelta:
        return adadelta(path, p, g);
    }
  }

  // m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr m' / (sqrt(v') + eps), m', v'
  // bias-corrected
  void adam(const std::string& path, Value p, Value g) {
    const ir::TensorType type = b_.type(p);
    const Value old_m = state("optimizer/m/" + path, type),
                old_v = state("optimizer/v/" + path, type);
    if (s_.decay != 0 && !s_.decoupled) g = b_.add(g, b_.mul(p, real(s_.decay)));
    if (s_.decay != 0 && s_.decoupled) p = b_.sub(p, b_.mul(p, b_.mul(lr_, real(s_.decay))));
    const Value m = b_.add(b_.mul(old_m, real(s_.beta1)), b_.mul(g, real(1 - s_.beta1)));
    const Value v = b_.add(b_.mul(old_v, real(s_.beta2)), b_.mul(b_.mul(g, g), real(1 - s_.beta2)));
    const Value denominator = b_.add(b_.sqrt(b_.div(v, correction2_)), real(s_.eps));
    keep(path, b_.sub(p, b_.mul(lr_, b_.div(b_.div(m, correction1_), denominator))));
    keep("optimizer/m/" + path, m);
    keep("optimizer/v/" + path, v);
  }

  // a = rho a + (1-rho) g^2;  u = sqrt(d+eps) / sqrt(a+eps) g;  d = rho d + (1-rho) u^2;  p -= lr u
  void adadelta(const std::string& path, Value p, Value g) {
    const ir::TensorType type = b_.type(p);
    const Value old_a = state("optimizer/a/" + path, type),
                old_d = state("optimizer/d/" + path, type);
    const Value eps = real(s_.adadelta_eps), rho = real(s_.rho), rest = real(1 - s_.rho);
    const Value a = b_.add(b_.mul(old_a, rho), b_.mul(b_.mul(g, g), rest));
    const Value u = b_.mul(b_.div(b_.sqrt(b_.add(old_d, eps)), b_.sqrt(b_.add(a, eps))), g);
    const Value d = b_.add(b_.mul(old_d, rho), b_.mul(b_.mul(u, u), rest));
    keep(path, b_.sub(p, b_.mul(lr_, u)));
    keep("optimizer/a/" + path, a);
    keep("optimizer/d/" + path, d);
  }

  ir::Graph& graph_;
  const OptimizerSettings& s_;
  ir::Builder b_;
  Value lr_, correction1_, correction2_;
  Value share_;  // 1 / weight, where gradients are sums

 public:
  std::vector<ir::Output> outputs;
};

}  // namespace

OptimizerKind optimizer_named(std::string_view wanted) {
  for (const OptimizerKind kind :
       {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adadelta})
    if (name(kind) == wanted) return kind;
  throw ir::GraphError(
      ir::concat("there is no optimizer '", wanted, "'; there are sgd, adam, adadelta"));
}

std::string_view name(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return "sgd";
    case OptimizerKind::adam:
      return "adam";
    case OptimizerKind::adadelta:
      return "adadelta";
  }
  return {};
}

void check(const OptimizerSettings& s) {
  // Updates compute in single precision.
  const auto needs = [](std::string_view name, double value, bool holds, std::string_view what) {
    if (!holds) throw ir::GraphError(ir::concat(name, " is ", value, ", needed is ", what));
  };
  const auto share = [&](std::string_view name, double x) {
    needs(name, x, x >= 0 && static_cast<float>(x) < 1, "0 or more and below 1");
  };
  const auto small = [&](std::string_view name, double x) {
    needs(name, x, static_cast<float>(x) > 0 && x <= 1, "more than 0 and at most 1");
  };
  needs("clip_norm", s.clip_norm,
        s.clip_norm == 0 || (static_cast<float>(s.clip_norm) > 0 && s.clip_norm <= 1e30),
        "0, for none, to 1e30");
  needs("decay", s.decay, s.decay >= 0 && s.decay <= 1e6, "0 to 1e6");
  share("beta1", s.beta1);
  share("beta2", s.beta2);
  share("rho", s.rho);
  small("eps", s.eps);
  small("adadelta_eps", s.adadelta_eps);
}

std::string output_name(std::string path) {
  std::replace(path.begin(), path.end(), '/', '.');
  return path;
}

std::vector<std::string> trainable_parameters(const ir::Graph& graph) {
  std::vector<std::string> paths;
  for (const ir::Argument& a : graph.arguments())
    if (a.kind == ir::ArgumentKind::parameter && a.trainable) paths.push_back(a.path);
  return paths;
}

namespace {

// A graph whose last outputs are gradients, without them.
struct Differentiated {
  ir::Graph graph;
  std::vector<ir::Output> outputs;  // the others
  Values gradients;

  Differentiated(const ir::Graph& whole, const std::vector<std::string>& paths) : graph(whole) {
    if (paths.empty())
      throw ir::GraphError(ir::concat("graph '", graph.name, "' has no parameters to train"));
    WEFT_CHECK(graph.outputs().size() >= paths.size());
    const auto first = graph.outputs().end() - static_cast<int64_t>(paths.size());
    for (auto o = graph.outputs().begin(); o != first; ++o) outputs.push_back(*o);
    for (auto o = first; o != graph.outputs().end(); ++o) gradients.push_back(o->value);
  }
};

constexpr std::string_view kAccumulated = "accumulated/";

Value add_accumulator(ir::Graph& graph, const std::string& path, const ir::TensorType& type) {
  return graph.add_argument(type, path.substr(path.rfind('/') + 1), ir::ArgumentKind::state,
                            std::string(kAccumulated) + path);
}

}  // namespace

ir::Graph append_optimizer(const ir::Graph& differentiated, const std::vector<std::string>& paths,
                           const OptimizerSettings& settings, const std::string& weight) {
  check(settings);
  Differentiated d(differentiated, paths);
  Updater updater(d.graph, settings, weight);
  updater.run(paths, d.gradients);
  d.outputs.insert(d.outputs.end(), updater.outputs.begin(), updater.outputs.end());
  d.graph.set_outputs(std::move(d.outputs));
  return std::move(d.graph);
}

bool is_accumulator(std::string_view path) { return path.starts_with(kAccumulated); }

ir::Graph append_accumulators(const ir::Graph& differentiated,
                              const std::vector<std::string>& paths, const std::string& weight) {
  Differentiated d(differentiated, paths);
  const int at = d.graph.find_output(weight);
  if (at < 0)
    throw ir::GraphError(ir::concat("graph '", d.graph.name, "' has no output '", weight,
                                    "' to weigh the gradients of a batch's parts by"));
  const Value parts = d.graph.outputs()[static_cast<size_t>(at)].value;
  ir::Builder b(d.graph, {"accumulate", {}, {}, ir::Part::optimizer});
  const Value first = d.graph.add_argument({ir::DType::pred, {}}, "first");
  for (size_t i = 0; i < paths.size(); ++i) {
    const ir::TensorType type = b.type(d.gradients[i]);
    const Value old = add_accumulator(d.graph, paths[i], type);
    const Value kept = b.select(first, b.scalar(0, type.dtype), old);
    d.outputs.push_back({output_name(std::string(kAccumulated) + paths[i]),
                         b.add(kept, b.mul(d.gradients[i], parts))});
    d.graph.set_donated(d.graph.argument_index(old), true);
  }
  d.graph.set_outputs(std::move(d.outputs));
  return std::move(d.graph);
}

ir::Graph accumulated_gradients(const ir::Graph& built, const std::vector<std::string>& paths) {
  ir::Graph graph;
  graph.name = built.name + "_apply";
  for (const std::string& path : paths) {
    const ir::Argument& p = built.arguments()[static_cast<size_t>(built.find_argument(path))];
    graph.add_argument(built.type(p.value), built.info(p.value).name, p.kind, path, p.initializer);
    graph.add_output(output_name(std::string(kAccumulated) + path),
                     add_accumulator(graph, path, built.type(p.value)));
  }
  return graph;
}

ir::Graph accumulated_norm(const ir::Graph& built, const std::vector<std::string>& paths,
                           const std::string& weight) {
  ir::Graph graph;
  graph.name = built.name + "_norm";
  ir::Builder b(graph, {"norm", {}, {}, ir::Part::optimizer});
  Value total;
  for (const std::string& path : paths) {
    const ir::Argument& p = built.arguments()[static_cast<size_t>(built.find_argument(path))];
    const Value sum = add_accumulator(graph, path, built.type(p.value));
    const Value squares = b.sum_all(b.mul(sum, sum));
    total = total.valid() ? b.add(total, squares) : squares;
  }
  const Value share =
      b.div(b.scalar(1, ir::DType::f32), graph.add_argument({ir::DType::f32, {}}, weight));
  graph.add_output("gradient_norm", b.mul(b.sqrt(total), share));
  return graph;
}

}  // namespace weft
