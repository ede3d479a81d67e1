// tests/models/toy_model.h -- decoders whose probabilities are known, to search in.
#pragma once
#include "models/search/beam_search.h"
#include "tests/models/backends.h"

#include <cmath>
#include <vector>

namespace weft::tests {

// log p(v | t, v'', v'): a table over the step and the two tokens before, <s> being what stands
// before the first (twice). Log-probabilities f64[steps,V,V,V].
struct TableModel {
  int64_t steps, vocabulary;
  ir::Array table;

  double log_probability(const std::vector<int32_t>& tokens, int32_t begin = kIds.begin) const {
    double sum = 0;
    int64_t two = begin, one = begin;
    for (size_t t = 0; t < tokens.size(); ++t) {
      const auto row = (static_cast<int64_t>(t) * vocabulary + two) * vocabulary + one;
      sum += table.at(row * vocabulary + tokens[t]);
      two = one, one = tokens[t];
    }
    return sum;
  }

  search::Decoder decoder(int64_t beam, const data::SpecialIds& ids = kIds) const {
    Model encode("encode");
    const Dim b = dim("B");
    const Tensor source = encode.input("source", s32, {b, dim("S")});
    encode.input("source_lengths", s32, {b});
    encode.output("state.before", full(source, ids.begin, {b}, f32));

    search::StepGraph step("step", {.beam = beam, .ids = ids});
    const Tensor rows =
        step.scope().frozen("table", {steps * vocabulary * vocabulary, vocabulary}, init::zeros());
    const Tensor two = cast(step.state("state.before", {}), s32);
    step.next("state.before", cast(step.token(), f32));
    const Tensor at = (step.position() * vocabulary + two) * vocabulary + step.token();
    return {encode.graph(),
            step.finish(gather(rows, at)),
            reference_options(),
            {.beam = beam, .ids = ids}};
  }

  ParameterStore store() const {
    ParameterStore s(1, ir::DType::f64);
    s.set("table", ir::ArgumentKind::parameter,
          table.reshaped({steps * vocabulary * vocabulary, vocabulary}));
    return s;
  }

  // One sentence; it has no say in what follows.
  search::Hypotheses search(int64_t beam, search::SearchOptions options) const {
    search::Decoder d = decoder(beam);
    ParameterStore parameters = store();
    if (options.max_length == search::LengthLimit{}) options.max_length = {0, steps};
    ir::Array source(ir::DType::s32, {1, 1}), lengths(ir::DType::s32, {1});
    source.set_integer(0, kIds.unknown);
    lengths.set_integer(0, 1);
    return search::search(d, parameters, source, lengths, options).front();
  }
};

}  // namespace weft::tests
