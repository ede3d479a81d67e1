// frontend/nn/dropout.cpp -- masks from `random`, one stream for each scope.
#include "frontend/nn/dropout.h"

namespace weft {
namespace {

// 63 well-mixed bits of (seed, path, use): FNV-1a, then the finaliser of splitmix64.
int64_t stream_of(uint64_t seed, const std::string& path, int use) {
  uint64_t x = 0xCBF29CE484222325 ^ seed;
  for (const char c : path + "#" + std::to_string(use))
    x = (x ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return static_cast<int64_t>((x ^ (x >> 31)) >> 1);
}

// Do the masks of a use exist at all?
bool drops(double rate, const Noise& noise, std::string_view what, const SourceLoc& loc) {
  if (rate < 0 || rate >= 1) fail(loc, "'", what, "' rate must lie in [0, 1), found ", rate);
  return rate > 0 && noise.on();
}

// One stream for each use of a scope.
Tensor drawn(const Scope& p, const Shape& inner, const Noise& noise, const Tensor& positions,
             const std::string& form, double keep) {
  const Tensors position = positions.valid() ? Tensors{positions} : Tensors{};
  const int64_t stream = next_stream(p, noise);
  return apply(ir::ops::random, {{noise.step}, {noise.rows}, position},
               {{"stream", stream}, {"inner", inner}, {"form", form}, {"keep", keep}})[0];
}

}  // namespace

int64_t next_stream(const Scope& p, const Noise& noise) {
  return stream_of(noise.seed, p.path(), p.tracer()->next_use("dropout:" + p.path()));
}

Tensor keep_mask(const Scope& p, const Shape& inner, double rate, const Noise& noise,
                 const Tensor& positions, SourceLoc loc) {
  const CalledFrom from(loc);
  if (rate < 0 || rate >= 1) fail(loc, "'dropout' rate must lie in [0, 1), found ", rate);
  return drawn(p, inner, noise, positions, "keep", 1 - rate);
}

Tensor uniform(const Scope& p, const Shape& inner, const Noise& noise, const Tensor& positions,
               SourceLoc loc) {
  const CalledFrom from(loc);
  return drawn(p, inner, noise, positions, "uniform", 1);
}

Tensor dropout(const Scope& p, const Tensor& x, double rate, const Noise& noise,
               const Tensor& positions, SourceLoc loc) {
  if (!drops(rate, noise, "dropout", loc)) return x;
  const auto in = p.enter(loc);
  const size_t leading = positions.valid() ? static_cast<size_t>(positions.rank()) : 0;
  const Shape shape = x.shape();
  if (shape.size() < leading + 1)
    fail(loc, "'dropout' needs the rows behind ", leading, " axes of positions, found ", x.type());
  const Shape inner(shape.begin() + static_cast<int64_t>(leading) + 1, shape.end());
  const Tensor keep = keep_mask(p, inner, rate, noise, positions);
  return where(keep, x * (1 / (1 - rate)), 0);
}

Tensor sequence_dropout(const Scope& p, const Tensor& x, double rate, const Noise& noise,
                        SourceLoc loc) {
  const CalledFrom from(loc);
  if (rate == 0 || !noise.on()) return x;
  return dropout(p, x, rate, noise, iota(x, x.dim(0)));
}

Tensor variational_dropout(const Scope& p, const Tensor& x, double rate, const Noise& noise,
                           SourceLoc loc) {
  if (!drops(rate, noise, "variational_dropout", loc)) return x;
  const auto in = p.enter(loc);
  if (x.rank() != 3) fail(loc, "'variational_dropout' needs [P,B,M], found ", x.type());
  return where(keep_mask(p, {x.dim(2)}, rate, noise), x * (1 / (1 - rate)), 0);
}

Tensor word_dropout(const Scope& p, const Tensor& x, double rate, const Noise& noise,
                    const Tensor& positions, SourceLoc loc) {
  if (!drops(rate, noise, "word_dropout", loc)) return x;
  const auto in = p.enter(loc);
  if (x.rank() != 3) fail(loc, "'word_dropout' needs [B,S,M] or [P,B,M], found ", x.type());
  const Shape inner = positions.valid() ? Shape{} : Shape{x.dim(1)};
  const Tensor keep = keep_mask(p, inner, rate, noise, positions);
  return where(expand(keep, -1), x * (1 / (1 - rate)), 0);
}

}  // namespace weft
