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

// What a product computes of a row may differ in the last bits with the row's place. Where rows
// move with the lengths of the others, a sentence would not be decoded alike in every batch.
ProgramOptions rows_stay(ProgramOptions options) {
  options.rows_move = false;
  return options;
}

}  // namespace

Decoder::Decoder(const ir::Graph& encode, const ir::Graph& step, const ProgramOptions& options,
                 const DecoderTraits& traits)
    : encode(Program::inference(encode, rows_stay(options))),
      step(Program::inference(step, options)),
      beam(beam_of(step)),
      weights(false),
      traits(traits) {
  for (const ir::Output& o : step.outputs()) weights |= o.name == "weights";
}

}  // namespace weft::search
