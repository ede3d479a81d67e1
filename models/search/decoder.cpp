// models/search/decoder.cpp -- the graphs a search runs.
#include "models/search/decoder.h"

#include "ir/error.h"

namespace weft::search {
namespace {

bool has_output(const ir::Graph& graph, std::string_view name) {
  for (const ir::Output& o : graph.outputs())
    if (o.name == name) return true;
  return false;
}

// A step of one beam has that size; one of several has a size of any.
void check_beam(const ir::Graph& step, int64_t beam) {
  for (const ir::Argument& a : step.arguments()) {
    if (step.info(a.value).name != "token" ||
        !(has_output(step, "candidate_token") || has_output(step, "log_probability")))
      continue;
    const auto size = step.type(a.value).dim(-1).constant();
    if ((beam == 1) == size.has_value()) return;
    throw ir::GraphError(
        ir::concat("graph '", step.name, "' is no step of a search with a beam of ", beam));
  }
  throw ir::GraphError(
      ir::concat("graph '", step.name, "' is no step of a search: it has no candidates"));
}

}  // namespace

Decoder::Decoder(const ir::Graph& encode, const ir::Graph& step, const ProgramOptions& options,
                 const DecoderTraits& traits)
    : encode(Program::inference(encode, options)),
      step(Program::inference(step, options)),
      beam(traits.beam),
      weights(has_output(step, "weights")),
      scores(has_output(step, "candidate_score") || has_output(step, "log_probability")),
      distributions(has_output(step, "log_probability")),
      normalizer(has_output(step, "log_normalizer")),
      traits(traits) {
  check_beam(step, beam);
}

}  // namespace weft::search
