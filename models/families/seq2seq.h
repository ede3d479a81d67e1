// models/families/seq2seq.h -- questions to a model of any family, by its settings.
#pragma once
#include "models/families/family.h"
#include "models/search/decoder.h"

namespace weft::seq2seq {

// What model folders keep of them beside the settings of recipes.
void fields(Ends& e, settings::Fields& f);

// The settings that recipes have, as a walk (models/settings/fields.h).
void fields(Settings& s, settings::Fields& f);
void check(const Settings& s);

Ends ends(const Settings& s);
void set_ends(Settings& s, const Ends& ends);
int64_t source_vocabulary(const Settings& s);
int64_t target_vocabulary(const Settings& s);
void set_vocabularies(Settings& s, int64_t source, int64_t target);
uint64_t seed(const Settings& s);
void set_seed(Settings& s, uint64_t seed);
bool has_attention(const Settings& s);
// How many tokens of a source, or of a target with </s>, the model has positions for; 0: no limit.
int64_t most_positions(const Settings& s);
// How many positions of a source attention sees as one: a pyramid's.
int64_t reduction(const Settings& s);
// Of a target alone.
int64_t most_target_positions(const Settings& s);

// How many numbers its parameters are.
int64_t parameter_count(const Settings& s);

ir::Graph loss_graph(const Settings& s, bool training = true);
// The loss as it is measured, with what each token loses: -log P of it behind those before,
// token_losses: f32[B,T]. GraphError where the family does not show it.
ir::Graph score_graph(const Settings& s);
ir::Graph encode_graph(const Settings& s);
ir::Graph step_graph(const Settings& s, const search::StepOptions& options = {});
// The two, compiled.
search::Decoder decoder(const Settings& s, const search::StepOptions& options,
                        const ProgramOptions& program);
ir::Graph attention_graph(const Settings& s);

}  // namespace weft::seq2seq
