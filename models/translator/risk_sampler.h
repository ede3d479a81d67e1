// models/translator/risk_sampler.h -- what minimum risk training (models/training/batches/risk_batches.h) asks:
// translations that the model draws, and what their text costs.
#pragma once
#include "frontend/compile/session.h"
#include "models/data/tokens/tokenizer.h"
#include "models/training/batches/risk_batches.h"

#include <string>

namespace weft {

// Draws `samples` translations of each sentence with the parameters it is given, and leaves out those
// that do not end within the limit of length. What is drawn of a sentence is a function of
// parameters, sentence and seed.
training::Sampler risk_sampler(const seq2seq::Settings& config, const data::SpecialIds& target_ids,
                               int64_t samples, ProgramOptions program);

// Scores by the model as it decodes. GraphError for a family that does not show what single tokens
// lose.
training::Scorer risk_scorer(const seq2seq::Settings& config, ProgramOptions program);

// By the text that tokens are: 1 - the score of the sentence, or its rate of errors. `metric`: one of
// models/metrics/table.h; `tokenizer`: of BLEU.
training::Cost text_cost(const data::Tokenizer& target, const std::string& metric,
                         const std::string& tokenizer);

}  // namespace weft
