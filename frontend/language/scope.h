// frontend/language/scope.h -- Model, the graph a user writes, and Scope, the paths of its parameters.
//
//   Model m("rnnsearch");
//   Tensor x = m.input("x", f32, {dim("B"), 8});
//   m.output("y", linear(m.scope() / "out", x, 4));
//
// A parameter is its path: asked for twice with the same type it is the same argument, with another
// type it is an error that names both lines.
//
// Throws GraphError for a name or path that is taken, naming both lines.
#pragma once
#include "frontend/language/tensor.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weft {

// How a parameter starts; ParameterStore draws it from the seed and the path.
struct Initializer {
  std::string text;  // as printed in graphs: "normal(0.01)"
};
namespace init {
Initializer zeros();
Initializer ones();
Initializer constant(double value);
Initializer uniform(double bound);     // in [-bound, bound)
Initializer normal(double deviation);  // mean 0
Initializer glorot_uniform();  // Glorot and Bengio 2010, eq. 16: bound sqrt(6 / (fan in + fan out))
Initializer orthogonal();      // Saxe et al. 2014
}  // namespace init

// While it lives, nodes are made in its scope. Not copied, not stored.
class InScope {
 public:
  InScope(std::shared_ptr<Tracer> tracer, std::string path);
  // And stand for the line of this call (CalledFrom).
  InScope(std::shared_ptr<Tracer> tracer, std::string path, const SourceLoc& loc);
  InScope(const InScope&) = delete;
  InScope& operator=(const InScope&) = delete;
  ~InScope();

 private:
  std::shared_ptr<Tracer> tracer_;
  std::string outer_;
  std::optional<CalledFrom> line_;
};

class Scope {
 public:
  Scope(std::shared_ptr<Tracer> tracer, std::string path)
      : tracer_(std::move(tracer)), path_(std::move(path)) {}

  Scope operator/(std::string_view name) const;
  Scope operator/(int64_t index) const { return *this / std::string_view(std::to_string(index)); }

  // -> f32[shape] at path/name
  Tensor parameter(std::string_view name, const Shape& shape,
                   const Initializer& initializer = init::glorot_uniform(),
                   SourceLoc loc = SourceLoc::here()) const;
  // -> f32[shape] at the scope's own path
  Tensor parameter(const Shape& shape, const Initializer& initializer = init::glorot_uniform(),
                   SourceLoc loc = SourceLoc::here()) const;
  // The same, not trained.
  Tensor frozen(std::string_view name, const Shape& shape, const Initializer& initializer,
                SourceLoc loc = SourceLoc::here()) const;

  // Nodes made while the result lives bear this scope: `const auto in = p.enter();`
  [[nodiscard]] InScope enter() const { return {tracer_, path_}; }
  // For functions of a library, which are given the line they are called from: within, operators
  // and functions need no line, they all name that one.
  //
  //   Tensor dense(const Scope& p, const Tensor& x, int64_t n, SourceLoc loc = SourceLoc::here()) {
  //     const auto in = p.enter(loc);
  //     return tanh(linear(p / "a", x, n) + linear(p / "b", x, n));
  //   }
  [[nodiscard]] InScope enter(const SourceLoc& loc) const { return {tracer_, path_, loc}; }

  const std::string& path() const { return path_; }
  const std::shared_ptr<Tracer>& tracer() const { return tracer_; }

 private:
  std::shared_ptr<Tracer> tracer_;
  std::string path_;
};

class Model {
 public:
  explicit Model(std::string name = "main") : tracer_(std::make_shared<Tracer>(std::move(name))) {}

  // -> dtype[shape]; names and sizes are what a run is given
  Tensor input(std::string name, DType dtype, const Shape& shape,
               SourceLoc loc = SourceLoc::here());
  // -> dtype[shape], kept between runs under its path, from zeros unless an initializer says
  // otherwise; its next value is the output of that name, '/' as '.'
  Tensor state(std::string path, DType dtype, const Shape& shape,
               const Initializer& initializer = {}, SourceLoc loc = SourceLoc::here());
  void output(std::string name, const Tensor& x, SourceLoc loc = SourceLoc::here());

  Scope scope() const { return {tracer_, ""}; }
  Scope operator/(std::string_view name) const { return scope() / name; }
  const ir::Graph& graph() const { return tracer_->root(); }

 private:
  std::shared_ptr<Tracer> tracer_;
};

}  // namespace weft
