// models/training/recipe/run_settings.cpp -- settings as text, and how two runs differ.
#include "models/training/recipe/run_settings.h"

#include "ir/attrs.h"
#include "models/training/recipe/recipe.h"
#include "models/training/schedule_end.h"

namespace weft::training {
namespace {

std::string real(double x) { return ir::str(ir::Attr(x)); }
std::string flag(bool b) { return b ? "true" : "false"; }

// Do its examples come in an order of their own?
bool has_groups(const data::ExampleStore& examples, const data::BatchOptions& b) {
  int64_t bytes = 0;
  for (const data::ExampleBlock& block : examples.blocks()) bytes += block.bytes;
  return bytes > b.shuffle_bytes;
}

// An optimiser's settings as far as its rule knows them.
void add_rule(RunSettings& s, const OptimizerSettings& o) {
  using enum OptimizerKind;
  const bool adam_or_lion = o.kind == adam || o.kind == lion;
  if (adam_or_lion || o.kind == adafactor) s["optimizer.beta1"] = real(o.beta1);
  if (adam_or_lion) s["optimizer.beta2"] = real(o.beta2);
  if (o.kind == adam) s["optimizer.eps"] = real(o.eps);
  if (o.kind == sgd && o.momentum > 0) {
    s["optimizer.momentum"] = real(o.momentum);
    s["optimizer.nesterov"] = flag(o.nesterov);
  }
  if (o.kind == adadelta) {
    s["optimizer.rho"] = real(o.rho);
    s["optimizer.adadelta_eps"] = real(o.adadelta_eps);
  }
  if (o.kind == adagrad) {
    s["optimizer.adagrad_eps"] = real(o.adagrad_eps);
    s["optimizer.initial_squares"] = real(o.initial_squares);
  }
  if (o.kind == adafactor) {
    s["optimizer.adafactor_eps"] = real(o.adafactor_eps);
    s["optimizer.least_scale"] = real(o.least_scale);
    s["optimizer.clip_update"] = real(o.clip_update);
    s["optimizer.decay_rate"] = real(o.decay_rate);
    s["optimizer.scale_by_parameter"] = flag(o.scale_by_parameter);
    s["optimizer.relative_step"] = flag(o.relative_step);
    s["optimizer.relative_warmup"] = flag(o.relative_warmup);
  }
  if (o.kind == adam || o.decay > 0) {
    s["optimizer.decay"] = real(o.decay);
    s["optimizer.decoupled"] = flag(o.decoupled);
  }
  if (o.average_decay > 0) s["optimizer.average_decay"] = real(o.average_decay);
}

// A rate's settings as far as its schedule knows them.
void add_rate(RunSettings& s, const Rate& r, const Limits& l) {
  s["optimizer.learning_rate"] = real(r.learning_rate);
  s["optimizer.schedule"] = name(r.schedule);
  s["optimizer.warmup"] = std::to_string(r.warmup);
  s["optimizer.shrink"] = real(r.shrink);
  if (r.shrink < 1) s["optimizer.shrink_patience"] = std::to_string(r.shrink_patience);
  if (r.floor > 0) s["optimizer.floor"] = real(r.floor);
  if (r.warmup_from > 0) s["optimizer.warmup_from"] = real(r.warmup_from);
  if (r.schedule == Schedule::polynomial) s["optimizer.power"] = real(r.power);
  if (r.schedule == Schedule::noam) s["optimizer.width"] = std::to_string(r.width);
  if (r.restart_every > 0) {
    s["optimizer.restart_every"] = std::to_string(r.restart_every);
    s["optimizer.restart_stretch"] = real(r.restart_stretch);
  }
  if (r.schedule == Schedule::halving) {
    s["optimizer.halving_start"] = std::to_string(r.halving_start);
    s["optimizer.halving_every"] = std::to_string(r.halving_every);
    s["optimizer.halving_factor"] = real(r.halving_factor);
    s["optimizer.halving_unit"] = name(r.halving_unit);
  }
  // Elsewhere the number of steps only says when to stop.
  if (!has_end(r)) return;
  if (r.schedule_steps > 0)
    s["optimizer.schedule_steps"] = std::to_string(r.schedule_steps);
  else if (is_timed(r, l))
    s["training.minutes"] = real(l.minutes);
  else
    s["training.steps"] = std::to_string(l.steps);
}

}  // namespace

RunSettings settings_of(const seq2seq::Settings& config) {
  RunSettings s{{"model.family", std::string(config.family().name)},
                {"training.seed", std::to_string(seq2seq::seed(config))},
                {"target vocabulary", std::to_string(seq2seq::target_vocabulary(config))}};
  const data::Source source = seq2seq::ends(config).source;
  if (source.kind == data::SourceKind::tokens)
    s["source vocabulary"] = std::to_string(source.vocabulary);
  else
    for (const settings::FieldValue& v :
         settings::values(settings::fields_of(seq2seq::ends(config))))
      if (v.key.starts_with("source")) s["model." + v.key] = v.value;
  for (const settings::FieldValue& v : settings::values(settings::fields_of(config)))
    s["model." + v.key] = v.value;
  return s;
}

RunSettings settings_of(const data::BatchOptions& b, const data::ExampleStore& train,
                        const data::ExampleStore& valid) {
  RunSettings s{{"data.train", train.digest()},
                {"data.valid", valid.digest()},
                {"batch.max_rows", std::to_string(b.max_rows)},
                {"batch.max_tokens", std::to_string(b.max_tokens)},
                {"batch.round_source", std::to_string(b.round_source)},
                {"batch.round_target", std::to_string(b.round_target)},
                {"batch.pool_batches", std::to_string(b.pool_batches)},
                {"batch.accumulate", std::to_string(b.accumulate)}};
  if (has_groups(train, b)) s["batch.shuffle_bytes"] = std::to_string(b.shuffle_bytes);
  return s;
}

RunSettings settings_of(const ValidationSettings& v) {
  const ScoreKind& kind = score_kind(v.judge());
  if (kind.name == "loss") return {};  // as it was before there was a choice
  RunSettings s{{"training.patience_on", kind.name}};
  if (!kind.decoded) return s;
  s["training.validate_beam"] = std::to_string(v.beam);
  s["training.validate_sentences"] = std::to_string(v.sentences);
  if (kind.name == "bleu") s["training.validate_tokenizer"] = v.tokenizer;
  return s;
}

RunSettings settings_of(const DivergenceSettings& d) {
  if (d.action == OnDivergence::stop) return {};
  RunSettings s{{"training.on_divergence", std::string(settings::name_of(kOnDivergence, d.action))},
                {"training.divergence_factor", real(d.factor)}};
  if (d.action == OnDivergence::restore) s["training.divergence_shrink"] = real(d.shrink);
  return s;
}

RunSettings settings_of(ir::Precision precision) {
  if (precision == ir::Precision::f32) return {};  // as it was before there was a choice
  return {{"training.precision", std::string(ir::name(precision))}};
}

RunSettings settings_of(const low_rank::Settings& adapter) {
  RunSettings s;
  if (!adapter.on()) return s;  // as it was before there was a choice
  for (const settings::FieldValue& v : settings::values(settings::fields_of(adapter)))
    s["adapter." + v.key] = v.value;
  return s;
}

RunSettings settings_of(const OptimizerSettings& o, const Rate& r, const Limits& l) {
  RunSettings s{{"optimizer.kind", std::string(name(o.kind))},
                {"optimizer.clip_norm", real(o.clip_norm)},
                {"training.validate_every", std::to_string(l.validate_every)}};
  add_rule(s, o);
  add_rate(s, r, l);
  return s;
}

RunSettings settings_of(const DataFiles& d, const SideTokens& sides) {
  RunSettings s;
  bool subwords = false;
  for (const auto& [side, t] :
       {std::pair{std::string("data.source_"), &sides.source}, {"data.target_", &sides.target}}) {
    if (side == "data.source_" && d.source != data::SourceKind::tokens) continue;
    if (t->kind == data::TokenizerKind::words) continue;
    s[side + "tokens"] = std::string(data::name(t->kind));
    if (!data::has_subwords(t->kind)) continue;
    subwords = true;
    s[t->size == d.tokens.size ? "data.vocabulary_size" : side + "max_size"] =
        std::to_string(t->size);
  }
  std::string weights;
  bool weighted = false;
  for (const data::FilePattern& p : d.train) {
    weights += (weights.empty() ? "" : ", ") + real(p.weight);
    weighted = weighted || p.weight != 1;
  }
  if (weighted) s["data.weights"] = weights;
  if (!d.source_language.empty()) s["data.source_language"] = d.source_language;
  if (!d.target_language.empty()) s["data.target_language"] = d.target_language;
  std::string languages;
  for (const data::FilePattern& p : d.train)
    if (!p.source_language.empty() || !p.target_language.empty())
      languages +=
          ir::concat(languages.empty() ? "" : ", ", p.source_language, "-", p.target_language);
  if (!languages.empty()) s["data.languages"] = languages;
  if (d.shared_vocabulary) s["data.shared_vocabulary"] = flag(true);
  if (d.subword_alpha > 0) {
    s["data.subword_alpha"] = real(d.subword_alpha);
    s["data.subword_nbest"] = std::to_string(d.subword_nbest);
  }
  if (!subwords) return s;
  s["data.character_coverage"] = real(d.tokens.coverage);
  s["data.byte_fallback"] = flag(d.tokens.byte_fallback);
  std::string symbols;
  for (const std::string& symbol : d.tokens.symbols)
    symbols += (symbols.empty() ? "" : " ") + symbol;
  if (!symbols.empty()) s["data.user_symbols"] = symbols;
  return s;
}

std::string SettingChange::str() const {
  if (key == "data.train" || key == "data.valid") return key + " holds other examples than before";
  if (before.empty()) return key + " was not used, is " + now;
  if (now.empty()) return key + " was " + before + ", is not used";
  return key + " was " + before + ", is " + now;
}

std::vector<SettingChange> changes(const RunSettings& before, const RunSettings& now) {
  std::vector<SettingChange> list;
  RunSettings all = before;
  all.insert(now.begin(), now.end());
  const auto at = [](const RunSettings& s, const std::string& key) {
    const auto found = s.find(key);
    return found == s.end() ? std::string() : found->second;
  };
  for (const auto& [key, value] : all)
    if (at(before, key) != at(now, key)) list.push_back({key, at(before, key), at(now, key)});
  return list;
}

// By what is fixed rather than by what is not: a key that nobody thought of is said.
bool is_fixed(std::string_view key) {
  if (key == "batch.accumulate") return false;  // rounding only
  return key.starts_with("model.") || key.starts_with("adapter.") || key.starts_with("batch.") ||
         key.ends_with(" vocabulary") || key == "training.seed" || key == "optimizer.kind" ||
         (key.starts_with("data.") && !key.starts_with("data.subword_") && key != "data.valid");
}

std::string OtherRun::text(const std::vector<SettingChange>& changed) {
  std::string all;
  for (const SettingChange& c : changed) all += (all.empty() ? "" : "; ") + c.str();
  return "cannot go on: " + all + "; another folder takes another run";
}

OtherRun::OtherRun(const std::string& folder, std::vector<SettingChange> list)
    : ir::GraphError(folder + ": error: " + text(list)), changed(std::move(list)) {}

}  // namespace weft::training
