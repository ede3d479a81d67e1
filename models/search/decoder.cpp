// models/search/decoder.cpp -- the graphs a search runs.
#include "models/search/decoder.h"

#include "ir/error.h"

namespace weft::search {
namespace {

int64_t beam_of(const ir::Graph& step) {
  for (const ir::Argument& a : step.arguments())
    if (step.info(a.value).name == "score")
      if (const auto beam = step.type(a.value).dim(-1).constant()) return *beam;
  throw ir::GraphError("graph '" + step.name + "' is no step of a search: it has no input 'score'");
}

}  // namespace

Decoder::Decoder(const ir::Graph& encode, const ir::Graph& step, const ProgramOptions& options)
    : encode(Program::inference(encode, options)),
      step(Program::inference(step, options)),
      beam(beam_of(step)),
      weights(false) {
  for (const ir::Output& o : step.outputs()) weights |= o.name == "weights";
}

}  // namespace weft::search
