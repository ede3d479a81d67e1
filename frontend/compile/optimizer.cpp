// frontend/compile/optimizer.cpp -- the norm of all gradients, and one op that updates all parameters.
#include "frontend/compile/optimizer.h"

#include "ir/check.h"
#include "ir/rewrite/builder.h"

#include <algorithm>
#include <array>
#include <functional>

namespace weft {
namespace {

using ir::Value;
using ir::Values;

constexpr std::array kKinds{OptimizerKind::sgd,       OptimizerKind::adam,
                            OptimizerKind::adadelta,  OptimizerKind::adagrad,
                            OptimizerKind::adafactor, OptimizerKind::lion};

// All parameters, their gradients, and what goes with them in an update.
struct Parameters {
  std::vector<std::string> paths;
  Values p, g;
};

class Updater {
 public:
  Updater(ir::Graph& graph, const OptimizerSettings& settings, const std::string& weight)
      : graph_(graph), s_(settings), b_(graph, {"optimizer", {}, {}, ir::Part::optimizer}) {
    if (!weight.empty())
      scale_ = b_.div(real(1), graph_.add_argument({ir::DType::f32, {}}, weight));
  }

  void run(const std::vector<std::string>& paths, const Values& gradients) {
    lr_ = graph_.add_argument({ir::DType::f32, {}}, "lr");
    clip(gradients);
    Parameters all{paths, {}, gradients};
    for (const std::string& path : paths)
      all.p.push_back(graph_.arguments()[static_cast<size_t>(graph_.find_argument(path))].value);
    update(all);
    if (s_.average_decay > 0) average(all);
  }

  std::vector<ir::Output> outputs;

 private:
  Value real(double x) { return b_.scalar(x, ir::DType::f32); }
  Value sum_of_squares(Value g) { return b_.sum_all(b_.mul(g, g)); }
  Value least(Value a, Value b) { return b_.emit(ir::ops::minimum, {{a}, {b}}); }
  Value power(Value x, double y) { return b_.emit(ir::ops::pow, {{x}, {real(y)}}); }

  // scale = min(1, clip / (norm + 1e-6)), as PyTorch has it. Of sums, the norm is that of the mean.
  void clip(const Values& gradients) {
    Value total;
    for (const Value g : gradients)
      total = total.valid() ? b_.add(total, sum_of_squares(g)) : sum_of_squares(g);
    const auto shared = [&, share = scale_](Value x) {
      return share.valid() ? b_.mul(x, share) : x;
    };
    const Value norm = shared(b_.sqrt(total));
    outputs.push_back({"gradient_norm", norm});
    if (s_.clip_norm != 0)
      scale_ = shared(least(real(1), b_.div(real(s_.clip_norm), b_.add(norm, real(1e-6)))));
  }

  Value state(const std::string& path, const ir::TensorType& type) {
    return graph_.add_argument(type, path.substr(path.rfind('/') + 1), ir::ArgumentKind::state,
                               path);
  }
  void keep(const std::string& path, Value next) {
    outputs.push_back({output_name(path), next});
    graph_.set_donated(graph_.find_argument(path), true);
  }

  // What a state says before this update; it is one more behind it.
  Value counted(const std::string& path) {
    const Value before = state(path, {ir::DType::s64, {}});
    keep(path, b_.add(before, b_.scalar(1, ir::DType::s64)));
    return before;
  }
  Value step() {  // from 1
    counted("optimizer/step");
    return outputs.back().value;
  }

  // A kind of state: its name, and its type beside a parameter's.
  struct State {
    std::string name;
    std::function<ir::TensorType(const ir::TensorType&)> type = [](const auto& t) { return t; };
  };

  // The op takes p, g, the states, the scalars and the scale; new parameters take the place of the
  // old ones. A group of states that is not there has no name.
  void apply(const ir::OpDef& op, Parameters& all, const std::vector<State>& states,
             const Values& scalars, ir::Attrs attrs) {
    if (all.p.empty()) return;
    ir::OperandGroups groups{all.p, all.g};
    std::vector<std::string> kept = all.paths;
    for (const State& s : states) {
      groups.emplace_back();
      for (size_t i = 0; i < all.p.size() && !s.name.empty(); ++i) {
        kept.push_back("optimizer/" + s.name + "/" + all.paths[i]);
        groups.back().push_back(state(kept.back(), s.type(b_.type(all.p[i]))));
      }
    }
    for (const Value v : scalars) groups.push_back({v});
    groups.push_back(scale_.valid() ? Values{scale_} : Values{});
    if (s_.decay != 0) {
      attrs.set("decay", s_.decay);
      attrs.set("decoupled", s_.decoupled);
    }
    const Values results = b_.emit_all(op, groups, std::move(attrs));
    for (size_t i = 0; i < results.size(); ++i) keep(kept[i], results[i]);
    std::copy_n(results.begin(), all.p.size(), all.p.begin());
  }

  void update(Parameters& all) {
    switch (s_.kind) {
      case OptimizerKind::sgd:
        return apply(ir::ops::sgd_update, all, {{s_.momentum > 0 ? "m" : ""}}, {lr_},
                     {{"momentum", s_.momentum}, {"nesterov", s_.nesterov}});
      case OptimizerKind::adam:
        return apply(ir::ops::adam_update, all, {{"m"}, {"v"}}, {step(), lr_},
                     {{"beta1", s_.beta1}, {"beta2", s_.beta2}, {"eps", s_.eps}});
      case OptimizerKind::adadelta:
        return apply(ir::ops::adadelta_update, all, {{"a"}, {"d"}}, {lr_},
                     {{"rho", s_.rho}, {"eps", s_.adadelta_eps}});
      case OptimizerKind::adagrad:
        return apply(ir::ops::adagrad_update, all, {{"a"}}, {lr_},
                     {{"eps", s_.adagrad_eps}, {"initial", s_.initial_squares}});
      case OptimizerKind::adafactor:
        return adafactor(all);
      case OptimizerKind::lion:
        return apply(ir::ops::lion_update, all, {{"m"}}, {lr_},
                     {{"beta1", s_.beta1}, {"beta2", s_.beta2}});
    }
  }

  // Matrices have second moments of rows and columns, vectors of elements: an op for each of both.
  void adafactor(Parameters& all) {
    const Value t = b_.cast(step(), ir::DType::f32);
    const Value beta2 = b_.sub(real(1), power(t, -s_.decay_rate));
    Value rate = lr_;
    if (s_.relative_step) {
      const Value most = s_.relative_warmup ? b_.mul(t, real(1e-6)) : real(1e-2);
      rate = b_.mul(rate, least(most, power(t, -0.5)));
    }
    const ir::Attrs attrs{{"beta1", s_.beta1},
                          {"eps", s_.adafactor_eps},
                          {"clip", s_.clip_update},
                          {"least_scale", s_.least_scale},
                          {"scaled", s_.scale_by_parameter}};
    const State first{s_.beta1 > 0 ? "m" : ""};
    const State rows{"r", [](ir::TensorType type) {
                       type.shape.pop_back();
                       return type;
                     }};
    const State columns{"c", [](ir::TensorType type) {
                          type.shape.erase(type.shape.end() - 2);
                          return type;
                        }};
    for (const bool matrices : {true, false}) {
      Parameters some;
      std::vector<size_t> places;
      for (size_t i = 0; i < all.p.size(); ++i) {
        if ((b_.type(all.p[i]).rank() >= 2) != matrices) continue;
        places.push_back(i);
        some.paths.push_back(all.paths[i]);
        some.p.push_back(all.p[i]);
        some.g.push_back(all.g[i]);
      }
      apply(ir::ops::adafactor_update, some,
            {first, matrices ? rows : State{"v"}, matrices ? columns : State{""}}, {beta2, rate},
            attrs);
      for (size_t k = 0; k < places.size(); ++k) all.p[places[k]] = some.p[k];
    }
  }

  void average(const Parameters& all) {
    const Value t = b_.cast(counted("average_updates"), ir::DType::f32);
    const Value decay = least(real(s_.average_decay), b_.div(t, b_.add(t, real(10))));
    Values old;
    for (size_t i = 0; i < all.p.size(); ++i)
      old.push_back(state(average_path(all.paths[i]), b_.type(all.p[i])));
    const Values now = b_.emit_all(ir::ops::moving_average, {all.p, old, {decay}});
    for (size_t i = 0; i < now.size(); ++i) keep(average_path(all.paths[i]), now[i]);
  }

  ir::Graph& graph_;
  const OptimizerSettings& s_;
  ir::Builder b_;
  Value lr_, scale_;  // scale: what gradients are multiplied by, where they are
};

}  // namespace

OptimizerKind optimizer_named(std::string_view wanted) {
  std::string names;
  for (const OptimizerKind kind : kKinds) {
    if (name(kind) == wanted) return kind;
    names += (names.empty() ? "" : ", ") + std::string(name(kind));
  }
  throw ir::GraphError(ir::concat("there is no optimizer '", wanted, "'; there are ", names));
}

std::string_view name(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return "sgd";
    case OptimizerKind::adam:
      return "adam";
    case OptimizerKind::adadelta:
      return "adadelta";
    case OptimizerKind::adagrad:
      return "adagrad";
    case OptimizerKind::adafactor:
      return "adafactor";
    case OptimizerKind::lion:
      return "lion";
  }
  return {};
}

OptimizerSettings default_settings(OptimizerKind kind) {
  OptimizerSettings s{.kind = kind};
  s.decoupled = kind == OptimizerKind::lion || kind == OptimizerKind::adafactor;
  if (kind == OptimizerKind::lion) s.beta2 = 0.99;
  if (kind == OptimizerKind::adafactor) s.beta1 = 0;
  return s;
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
  share("momentum", s.momentum);
  share("average_decay", s.average_decay);
  small("eps", s.eps);
  small("adadelta_eps", s.adadelta_eps);
  small("adagrad_eps", s.adagrad_eps);
  small("adafactor_eps", s.adafactor_eps);
  small("least_scale", s.least_scale);
  small("decay_rate", s.decay_rate);
  needs("clip_update", s.clip_update,
        static_cast<float>(s.clip_update) > 0 && s.clip_update <= 1e30,
        "more than 0, at most 1e30");
  needs("initial_squares", s.initial_squares, s.initial_squares >= 0 && s.initial_squares <= 1e30,
        "0 to 1e30");
  if (s.nesterov && s.momentum == 0) throw ir::GraphError("nesterov needs a momentum above 0");
}

std::string average_path(std::string_view parameter) { return "average/" + std::string(parameter); }

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
