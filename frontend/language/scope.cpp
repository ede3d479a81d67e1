// frontend/language/scope.cpp -- paths, parameters, inputs and outputs.
#include "frontend/language/scope.h"

namespace weft {

namespace init {
namespace {
Initializer with(std::string_view name, double value) {
  return {ir::concat(name, "(", ir::str(ir::Attr(value)), ")")};
}
}  // namespace
Initializer zeros() { return {"zeros"}; }
Initializer ones() { return {"ones"}; }
Initializer constant(double value) { return with("constant", value); }
Initializer uniform(double bound) { return with("uniform", bound); }
Initializer normal(double deviation) { return with("normal", deviation); }
Initializer glorot_uniform() { return {"glorot_uniform"}; }
Initializer orthogonal() { return {"orthogonal"}; }
}  // namespace init

InScope::InScope(std::shared_ptr<Tracer> tracer, std::string path)
    : tracer_(std::move(tracer)), outer_(tracer_->scope()) {
  tracer_->set_scope(std::move(path));
}

InScope::InScope(std::shared_ptr<Tracer> tracer, std::string path, const SourceLoc& loc)
    : InScope(std::move(tracer), std::move(path)) {
  line_.emplace(loc);
}

InScope::~InScope() { tracer_->set_scope(outer_); }

Scope Scope::operator/(std::string_view name) const {
  return {tracer_, path_.empty() ? std::string(name) : ir::concat(path_, "/", name)};
}

Tensor Scope::parameter(std::string_view name, const Shape& shape, const Initializer& initializer,
                        SourceLoc loc) const {
  return (*this / name).parameter(shape, initializer, loc);
}

Tensor Scope::parameter(const Shape& shape, const Initializer& initializer, SourceLoc loc) const {
  if (path_.empty()) fail(loc, "a parameter needs a name");
  return {tracer_, tracer_->parameter(path_, {f32, shape}, initializer.text, true, loc)};
}

Tensor Scope::frozen(std::string_view name, const Shape& shape, const Initializer& initializer,
                     SourceLoc loc) const {
  return {tracer_,
          tracer_->parameter((*this / name).path(), {f32, shape}, initializer.text, false, loc)};
}

Tensor Model::input(std::string name, DType dtype, const Shape& shape, SourceLoc loc) {
  return {tracer_, tracer_->input(std::move(name), {dtype, shape}, loc)};
}

Tensor Model::state(std::string path, DType dtype, const Shape& shape,
                    const Initializer& initializer, SourceLoc loc) {
  return {tracer_, tracer_->state(path, {dtype, shape}, initializer.text, loc)};
}

void Model::output(std::string name, const Tensor& x, SourceLoc loc) {
  if (!x.valid()) fail(loc, "output '", name, "' is a tensor that was never made");
  if (x.tracer() != tracer_) fail(loc, "output '", name, "' is a tensor of another graph");
  tracer_->output(std::move(name), x.place(), loc);
}

}  // namespace weft
