// models/training/recipe/recipe_fields.cpp -- what recipes say beside the model.
#include "models/metrics/tokenizers.h"
#include "models/training/recipe/recipe.h"

namespace weft {
namespace {

using settings::above_zero;
using settings::kShare;
using settings::up_to;

constexpr int64_t kMost = int64_t{1} << 40;
constexpr settings::Whole kCounts{1, kMost}, kLimits{0, kMost}, kVocabularies{0, 1 << 24};

}  // namespace

namespace data {

void fields(BatchOptions& b, settings::Fields& f) {
  f.integer("max_rows", b.max_rows, {1, 1 << 20}, "examples in a batch at most");
  f.integer("max_tokens", b.max_tokens, kLimits,
            "rows times the wider of both padded sides at most; 0: no limit");
  f.integer("round_source", b.round_source, {1, 1 << 16},
            "sources are padded to a multiple of this: few shapes occur");
  f.integer("round_target", b.round_target, {1, 1 << 16}, "targets likewise");
  f.integer("pool_batches", b.pool_batches, {1, 1 << 20},
            "batches' worth of shuffled examples that are sorted by length together");
  f.integer("shuffle_bytes", b.shuffle_bytes, {1 << 20, kMost},
            "of encoded examples, that are shuffled together; larger corpora are shuffled by "
            "blocks of 1 MB, dealt to groups of so many bytes");
  f.integer("accumulate", b.accumulate, {1, b.max_rows},
            "parts in which a batch is computed, one after the other; up to max_rows");
}

}  // namespace data

void fields(OptimizerSettings& o, settings::Fields& f) {
  static const settings::Choices<OptimizerKind, 6> kinds{
      {{name(OptimizerKind::sgd), OptimizerKind::sgd},
       {name(OptimizerKind::adam), OptimizerKind::adam},
       {name(OptimizerKind::adadelta), OptimizerKind::adadelta},
       {name(OptimizerKind::adagrad), OptimizerKind::adagrad},
       {name(OptimizerKind::adafactor), OptimizerKind::adafactor},
       {name(OptimizerKind::lion), OptimizerKind::lion}}};
  f.choice("kind", o.kind, kinds,
           "the rule of the update; AdamW is adam with decay and decoupled = true");
  f.real("clip_norm", o.clip_norm, up_to(1e30),
         "the norm of all gradients together is at most this; 0: no limit");
  f.real("momentum", o.momentum, kShare, "sgd: decay of the sum of gradients it steps along");
  f.flag("nesterov", o.nesterov, "sgd: with the gradient where the momentum leads");
  f.real("beta1", o.beta1, kShare,
         "adam, lion: decay of the mean of gradients; adafactor: of updates, by default 0, none");
  f.real("beta2", o.beta2, kShare,
         "adam: decay of the mean of their squares; lion: of the mean, by default 0.99");
  f.real("eps", o.eps, above_zero(1), "adam: added to the root of the latter");
  f.real("rho", o.rho, kShare, "adadelta: decay of both means");
  f.real("adadelta_eps", o.adadelta_eps, above_zero(1), "adadelta: added below the roots");
  f.real("adagrad_eps", o.adagrad_eps, above_zero(1), "adagrad: added to the root");
  f.real("initial_squares", o.initial_squares, up_to(1e30),
         "adagrad: what the sum of squares begins with");
  f.real("adafactor_eps", o.adafactor_eps, above_zero(1), "adafactor: added to squares");
  f.real("least_scale", o.least_scale, above_zero(1),
         "adafactor: a parameter's size counts as at least this");
  f.real("clip_update", o.clip_update, above_zero(1e30),
         "adafactor: the root mean square of a parameter's update is at most this");
  f.real("decay_rate", o.decay_rate, above_zero(1),
         "adafactor: squares decay by 1 - step^-decay_rate");
  f.flag("scale_by_parameter", o.scale_by_parameter,
         "adafactor: steps go with the root mean square of the parameter");
  f.flag("relative_step", o.relative_step,
         "adafactor: the rate is multiplied by min(0.01, step^-0.5); learning_rate is then 1 by "
         "default");
  f.flag("relative_warmup", o.relative_warmup, "adafactor: by min(1e-6 step, step^-0.5) instead");
  f.real("decay", o.decay, up_to(1e6),
         "of weights: this times the parameter is added to its gradient, or");
  f.flag("decoupled", o.decoupled,
         "times the rate, taken off the parameter (Loshchilov and Hutter 2019); by default so for "
         "adafactor and lion");
  f.real(
      "average_decay", o.average_decay, kShare,
      "a moving average of the parameters is validated and saved as the model; this is how much "
      "of it stays in each update (with batches k times as large, take its k-th power); 0: none");
}

namespace training {

void fields(DataFiles& d, settings::Fields& f) {
  f.list("train", d.train,
         "examples to train on: files relative to the recipe, or patterns as news.*.tsv.gz; plain, "
         "or packed by gzip or Zstandard");
  f.list("valid", d.valid, "examples to validate on; empty: none, and no best model");
  f.text("vocabulary_from", d.vocabulary_from,
         "a model folder whose vocabularies are used, as for --from; empty: made of the examples");
  f.text("alignments", d.alignments,
         "for model.guided_alignment: a line of pairs 0-0 1-2 (source-target, by tokens) for each "
         "line of data.train");
  f.text(
      "source_language", d.source_language,
      "of a published model for many languages (training.from): that of the source, as the model "
      "spells it; empty: what its folder says");
  f.text("target_language", d.target_language, "likewise, that of the target");
  f.choice("source", d.source, data::kSourceKinds,
           "what stands before the tab: tokens, or the place of features: file.npz, "
           "file.npz:NAME; sound: WAV, FLAC; an image: PNG, JPEG");
  f.integer("stack", d.stack, {1, 1 << 10}, "frames: so many, one behind the other, become one");
  f.choice("audio", d.features.audio.features, data::kAudioFeatures,
           "frames: what is computed of sound, Whisper's log mel spectrum or Kaldi's filter banks");
  data::fields(d.features.audio, f, "");
  f.integer("height", d.features.image.height, {0, 1 << 14},
            "image: pixels that files are resized to; 0: as they are");
  f.integer("width", d.features.image.width, {0, 1 << 14}, "image: likewise");
  f.choice("resampling", d.features.image.resampling, data::kResamplings, "image: how");
  f.choice("colours", d.features.image.channels, data::kColours,
           "image: what files become; auto: as each has them");
  f.integer("patch", d.patch, {1, 1 << 14}, "image: side of a square patch in pixels");
  f.choice(
      "tokens", d.tokens.kind, data::kLearntTokenizerKinds,
      "what text is cut into: words (at spaces: it is tokenised already), characters, or pieces "
      "that SentencePiece learns, which takes and gives raw text");
  f.integer("vocabulary_size", d.tokens.size, kVocabularies,
            "ids of each side, the special ones included: of words and characters at most so many, "
            "0: no limit; of bpe and unigram exactly so many, 0: 8000");
  f.flag("shared_vocabulary", d.shared_vocabulary,
         "one for both sides, of the text of both; needed where they share an embedding");
  f.real("character_coverage", d.tokens.coverage, {.least = 0.5, .most = 1},
         "bpe, unigram: share of the text's characters that have pieces of their own");
  f.flag("byte_fallback", d.tokens.byte_fallback,
         "bpe, unigram: other characters are 1 to 4 of 256 pieces for bytes, not unknown");
  f.texts("user_symbols", d.tokens.symbols,
          "bpe, unigram: each is a piece that is never cut or merged");
  f.real("subword_alpha", d.subword_alpha, up_to(1),
         "bpe, unigram: above 0, other pieces of each text in each epoch (subword regularisation); "
         "bpe: the probability that a merge is left out, as 0.1 (Provilkov et al. 2020); unigram: "
         "pieces are drawn with P(x)^alpha, as 0.2 (Kudo 2018)");
  f.integer("subword_nbest", d.subword_nbest, {1, 512},
            "unigram: of so many most probable segmentations");
}

void fields(SideTokens& s, settings::Fields& f) {
  f.choice("source_tokens", s.source.kind, data::kLearntTokenizerKinds,
           "of the source; by default as tokens");
  f.choice("target_tokens", s.target.kind, data::kLearntTokenizerKinds,
           "of the target; by default as tokens");
  f.integer("source_min_count", s.source.min_count, kCounts,
            "words, characters: rarer ones of the source are unknown");
  f.integer("target_min_count", s.target.min_count, kCounts, "of the target likewise");
  f.integer("source_max_size", s.source.size, kVocabularies,
            "ids in the source's vocabulary; by default as vocabulary_size");
  f.integer("target_max_size", s.target.size, kVocabularies, "in the target's likewise");
}

void fields(Rate& r, settings::Fields& f) {
  static const settings::Choices<Schedule, 7> kSchedules{
      {{name(Schedule::constant), Schedule::constant},
       {name(Schedule::linear), Schedule::linear},
       {name(Schedule::cosine), Schedule::cosine},
       {name(Schedule::polynomial), Schedule::polynomial},
       {name(Schedule::inverse_sqrt), Schedule::inverse_sqrt},
       {name(Schedule::noam), Schedule::noam},
       {name(Schedule::halving), Schedule::halving}}};
  static const settings::Choices<Unit, 2> kUnits{
      {{name(Unit::epochs), Unit::epochs}, {name(Unit::steps), Unit::steps}}};
  f.real("learning_rate", r.learning_rate, above_zero(1e6),
         "the largest of the schedule (noam: its factor); by default 1 for adadelta, noam and "
         "adafactor with relative_step, 0.01 for adagrad, 1e-4 for lion");
  f.choice("schedule", r.schedule, kSchedules,
           "linear, cosine and polynomial come down to the floor; inverse_sqrt and noam fall with "
           "the root of the step, halving in stairs");
  f.integer("warmup", r.warmup, kLimits, "steps over which the rate rises");
  f.real("warmup_from", r.warmup_from, up_to(1e6), "the rate it rises from");
  f.real("floor", r.floor, up_to(1e6), "once warm, the rate falls no further than this");
  f.integer("schedule_steps", r.schedule_steps, kLimits,
            "linear, cosine, polynomial: the step at which the floor is reached; 0: "
            "training.steps, else as many as training.epochs or training.minutes allow; by minutes "
            "that is estimated again and again while the run goes");
  f.real("power", r.power, above_zero(100), "polynomial: of the share of steps left");
  f.integer("restart_every", r.restart_every, kLimits,
            "cosine: steps until the rate starts anew from the top; 0: it does not");
  f.real("restart_stretch", r.restart_stretch, {.least = 1, .most = 100},
         "cosine: each period is so many times as long as the one before");
  f.integer("width", r.width, {0, 1 << 20},
            "noam: the rate goes with its root's inverse; 0: the width of the model");
  f.integer("halving_start", r.halving_start, kLimits,
            "halving: epochs (or steps) before the rate falls first");
  f.integer("halving_every", r.halving_every, kCounts, "halving: from one fall to the next");
  f.real("halving_factor", r.halving_factor, above_zero(1), "halving: of each fall");
  f.choice("halving_unit", r.halving_unit, kUnits, "halving: what the two are counted in");
  f.real("shrink", r.shrink, above_zero(1), "the rate is multiplied by it after");
  f.integer("shrink_patience", r.shrink_patience, kCounts,
            "so many validations in a row that are not the best (1: after each)");
}

void fields(Limits& l, settings::Fields& f) {
  f.integer("epochs", l.epochs, kLimits, "end after so many; 0: no limit, as below");
  f.integer("steps", l.steps, kLimits, "end after so many updates");
  f.real("minutes", l.minutes, up_to(1e9), "end this run after so many");
  f.integer("patience", l.patience, kLimits,
            "end after so many validations in a row that are not the best");
  f.integer("validate_every", l.validate_every, kLimits,
            "steps between validations; 0: at the end of each epoch");
  f.integer("save_every", l.save_every, kLimits,
            "steps between checkpoints; 0: with each validation");
  f.integer("keep", l.keep, {0, 10000},
            "so many checkpoints stay, for `weft average`; 0: the best and the last alone");
}

void fields(ValidationSettings& v, settings::Fields& f) {
  static const std::string scores = [] {
    std::string names;
    for (const ScoreKind& kind : score_kinds())
      names += (names.empty() ? "" : ", ") + kind.name + " (" + kind.doc + ")";
    return "what validation measures: " + names;
  }();
  f.texts("validate", v.scores, scores);
  f.text("patience_on", v.patience_on,
         "of these, what patience, shrink and the best model go by; empty: the first");
  f.integer("validate_beam", v.beam, {1, 64},
            "of scores of decoded text: beginnings kept; 1: greedy search");
  f.integer("validate_sentences", v.sentences, kLimits,
            "examples that are decoded, the first ones of the file; 0: all");
  std::vector<std::string_view> tokenizers;
  size_t chosen = 0;
  for (const metrics::Tokenizer& t : metrics::tokenizers()) {
    if (t.name == v.tokenizer) chosen = tokenizers.size();
    tokenizers.push_back(t.name);
  }
  f.word("validate_tokenizer", chosen, tokenizers, "how bleu cuts text into words, as sacreBLEU");
  v.tokenizer = tokenizers[chosen];
}

void fields(DivergenceSettings& d, settings::Fields& f) {
  f.choice(
      "on_divergence", d.action, kOnDivergence,
      "where a step is not sound: end, leave its update out, or go back to the last checkpoint "
      "that was due and on with a lower rate");
  f.real(
      "divergence_factor", d.factor, up_to(1e30),
      "a loss, or unless on_divergence is stop a norm of gradients, above this times its running "
      "mean (of at least 1) is not sound; 0: only what is not finite");
  f.integer("divergence_limit", d.limit, {1, kMost},
            "then it ends: skips without 100 sound steps between them, or restores in all");
  f.real("divergence_shrink", d.shrink, above_zero(1), "restore: the rate is multiplied by it");
}

void fields(RunOptions& r, settings::Fields& f) {
  settings::seed_field(f, "seed", r.seed, "of parameters, batches and dropout");
  static const settings::Choices<ir::Precision, 2> kPrecisions{
      {{ir::name(ir::Precision::f32), ir::Precision::f32},
       {ir::name(ir::Precision::bf16), ir::Precision::bf16}}};
  f.choice("precision", r.precision, kPrecisions,
           "what products compute in; bf16 reads their operands rounded to 8 bits of fraction and "
           "adds up in f32, as all else is: it needs a processor with AVX512_BF16");
  f.text("memory_budget", r.memory_budget,
         "what a step may take, as in 200MB: less is kept, more computed again; empty: no limit");
  f.text(
      "from", r.from,
      "a model to begin with, as --from: a model folder, or a file of tensors, whose parameters "
      "are "
      "taken over by name; or a folder of a model hub, which is trained with its own tokeniser and "
      "settings and written back in its form (docs/published.md); empty: none");
  f.texts("freeze", r.freeze,
          "parameters that stay as they are, by patterns of their names, as in \"encoder/*\"");
}

std::vector<RecipeTable> recipe_tables() {
  using settings::fields_of;
  return {
      {"data",
       "examples and vocabularies",
       {fields_of(DataFiles()), fields_of(SideTokens()), fields_of(data::FilterSettings())}},
      {"batch", "how examples are put together", {fields_of(data::BatchOptions())}},
      {"optimizer", "updates and their rate", {fields_of(OptimizerSettings()), fields_of(Rate())}},
      {"training",
       "when a run ends and saves",
       {fields_of(Limits()), fields_of(ValidationSettings()), fields_of(DivergenceSettings()),
        fields_of(RiskSettings()), fields_of(RunOptions())}},
      {"adapter",
       "training few parameters beside a model's own",
       {fields_of(low_rank::Settings())}}};
}

}  // namespace training
}  // namespace weft
