// models/training/recipe.cpp -- reading recipes.
#include "models/training/recipe.h"

#include "frontend/compile/memory_budget.h"
#include "ir/error.h"

#include <filesystem>

namespace weft::training {
namespace {

constexpr int64_t kMost = int64_t{1} << 40;

constexpr Interval up_to(double most) { return {.least = 0, .most = most}; }
constexpr Interval above_zero(double most) {
  return {.least = 0, .most = most, .open_below = true};
}
// Of what is left where a share of this size is taken away: all of it is too much.
constexpr Interval kShare{.least = 0, .most = 1, .open_above = true};

void read_data(TomlTable& t, DataFiles& d, const std::filesystem::path& folder) {
  for (const auto& [key, file] : {std::pair{"train", &d.train}, {"valid", &d.valid}}) {
    t.take(key, *file);
    if (file->empty()) t.fail(key, ir::concat("'data.", key, "' must name a TSV file"));
    *file = (folder / *file).string();  // ".." is the system's business: the folder may be a link
  }
  t.take("source_min_count", d.source_min_count, 1, kMost);
  t.take("target_min_count", d.target_min_count, 1, kMost);
  for (const auto& [key, size] : {std::pair{"source_max_size", &d.source_max_size},
                                  {"target_max_size", &d.target_max_size}}) {
    t.take(key, *size, 0, kMost);
    if (*size != 0 && *size <= data::kSpecialTokens)
      t.fail(key, ir::concat("'data.", key, "' must be 0, for no limit, or more than the ",
                             data::kSpecialTokens, " special tokens take, found ", *size));
  }
  t.take("max_tokens", d.tsv.max_tokens, 1, 1 << 20);
  t.finish();
}

void read_batch(TomlTable& t, data::BatchOptions& b) {
  t.take("max_rows", b.max_rows, 1, 1 << 20);
  t.take("max_tokens", b.max_tokens, 0, kMost);
  t.take("round_source", b.round_source, 1, 1 << 16);
  t.take("round_target", b.round_target, 1, 1 << 16);
  t.take("pool_batches", b.pool_batches, 1, 1 << 20);
  t.take("accumulate", b.accumulate, 1, b.max_rows);
  if (const int64_t least = std::max(b.round_source, b.round_target);
      b.max_tokens != 0 && b.max_tokens < least)
    t.fail("max_tokens", ir::concat("'batch.max_tokens' is ", b.max_tokens,
                                    ", but one row is padded to a multiple of ", least,
                                    " tokens (round_source, round_target)"));
  t.finish();
}

void read_optimizer(TomlTable& t, OptimizerSettings& o, Rate& r) {
  t.take_word("kind", [&](const std::string& w) { o.kind = optimizer_named(w); });
  if (o.kind == OptimizerKind::adadelta) r.learning_rate = 1;
  t.take("learning_rate", r.learning_rate, above_zero(1e6));
  t.take_word("schedule", [&](const std::string& w) { r.schedule = schedule_named(w); });
  t.take("warmup", r.warmup, 0, kMost);
  t.take("shrink", r.shrink, above_zero(1));
  t.take("clip_norm", o.clip_norm, up_to(1e30));
  t.take("beta1", o.beta1, kShare);
  t.take("beta2", o.beta2, kShare);
  t.take("eps", o.eps, above_zero(1));
  t.take("rho", o.rho, kShare);
  t.take("adadelta_eps", o.adadelta_eps, above_zero(1));
  t.take("decay", o.decay, up_to(1e6));
  t.take("decoupled", o.decoupled);
  if (o.kind != OptimizerKind::adam && o.decay != 0)
    t.fail("decay", ir::concat("'optimizer.decay' is taken by adam only, 'optimizer.kind' is ",
                               name(o.kind)));
  if (o.decoupled && r.learning_rate * o.decay >= 1)
    t.fail("decay",
           ir::concat("'optimizer.decay' times the learning rate is ", r.learning_rate * o.decay,
                      ": each step would take off more than the parameters"));
  t.finish();
}

void read_limits(TomlTable& t, Limits& l, uint64_t& seed, int64_t& memory_budget) {
  t.take("seed", seed);
  t.take("epochs", l.epochs, 0, kMost);
  t.take("steps", l.steps, 0, kMost);
  t.take("minutes", l.minutes, up_to(1e9));
  t.take("patience", l.patience, 0, kMost);
  t.take("validate_every", l.validate_every, 0, kMost);
  t.take("save_every", l.save_every, 0, kMost);
  t.take_word("memory_budget", [&](const std::string& w) { memory_budget = bytes_named(w); });
  t.finish();
}

constexpr int64_t kMostWidth = 1 << 16;

void read(TomlTable& t, rnn::Config& c) {
  t.take_word("cell", [&](const std::string& w) { c.cell = rnn::cell_named(w); });
  t.take_word("attention", [&](const std::string& w) { c.attention = rnn::attention_named(w); });
  t.take_word("readout", [&](const std::string& w) { c.readout = rnn::readout_named(w); });
  t.take("embedding", c.embedding, 1, kMostWidth);
  t.take("hidden", c.hidden, 1, kMostWidth);
  t.take("attention_width", c.attention_width, 0, kMostWidth);
  t.take("readout_width", c.readout_width, 0, kMostWidth);
  t.take("layers", c.layers, 1, 64);
  t.take("bidirectional", c.bidirectional);
  t.take("input_feeding", c.input_feeding);
  t.take("cell_bias", c.cell_bias);
  t.take("output_bias", c.output_bias);
  t.take("dropout", c.dropout, kShare);
}

void read(TomlTable& t, transformer::Config& c) {
  t.take("width", c.width, 1, kMostWidth);
  t.take("heads", c.heads, 1, 1024);
  t.take("feed_forward", c.feed_forward, 1, kMostWidth);
  t.take("encoder_layers", c.encoder_layers, 1, 64);
  t.take("decoder_layers", c.decoder_layers, 1, 64);
  t.take_word("activation",
              [&](const std::string& w) { c.activation = transformer::activation_named(w); });
  t.take_word("norm", [&](const std::string& w) { c.norm = transformer::norm_named(w); });
  t.take_word("positions",
              [&](const std::string& w) { c.positions = transformer::positions_named(w); });
  t.take("max_positions", c.max_positions, 1, 1 << 20);
  t.take("window", c.window, 0, 1 << 20);
  t.take("pre_norm", c.pre_norm);
  t.take("final_norm", c.final_norm);
  t.take("bias", c.bias);
  t.take("tied_output", c.tied_output);
  t.take("output_bias", c.output_bias);
  t.take("shared_embedding", c.shared_embedding);
  t.take("dropout", c.dropout, kShare);
  t.take("attention_dropout", c.attention_dropout, kShare);
  t.take("label_smoothing", c.label_smoothing, kShare);
}

const char* flag(bool b) { return b ? "true" : "false"; }
std::string real(double x) { return ir::str(ir::Attr(x)); }

std::string toml(const rnn::Config& c) {
  return ir::concat(
      "cell = ", toml_string(rnn::name(c.cell)),
      "\nattention = ", toml_string(rnn::name(c.attention)),
      "\nreadout = ", toml_string(rnn::name(c.readout)), "\nembedding = ", c.embedding,
      "\nhidden = ", c.hidden, "\nattention_width = ", c.attention_width,
      "\nreadout_width = ", c.readout_width, "\nlayers = ", c.layers,
      "\nbidirectional = ", flag(c.bidirectional), "\ninput_feeding = ", flag(c.input_feeding),
      "\ncell_bias = ", flag(c.cell_bias), "\noutput_bias = ", flag(c.output_bias),
      "\ndropout = ", real(c.dropout), "\n");
}

std::string toml(const transformer::Config& c) {
  return ir::concat(
      "width = ", c.width, "\nheads = ", c.heads, "\nfeed_forward = ", c.feed_forward,
      "\nencoder_layers = ", c.encoder_layers, "\ndecoder_layers = ", c.decoder_layers,
      "\nactivation = ", toml_string(transformer::name(c.activation)),
      "\nnorm = ", toml_string(transformer::name(c.norm)),
      "\npositions = ", toml_string(transformer::name(c.positions)),
      "\nmax_positions = ", c.max_positions, "\nwindow = ", c.window,
      "\npre_norm = ", flag(c.pre_norm), "\nfinal_norm = ", flag(c.final_norm),
      "\nbias = ", flag(c.bias), "\ntied_output = ", flag(c.tied_output),
      "\noutput_bias = ", flag(c.output_bias), "\nshared_embedding = ", flag(c.shared_embedding),
      "\ndropout = ", real(c.dropout), "\nattention_dropout = ", real(c.attention_dropout),
      "\nlabel_smoothing = ", real(c.label_smoothing), "\n");
}

}  // namespace

void read_config(TomlTable& table, seq2seq::Config& config) {
  std::visit([&](auto& c) { read(table, c); }, config);
}

std::string config_toml(const seq2seq::Config& config) {
  return std::visit([](const auto& c) { return toml(c); }, config);
}

const std::string& Recipe::where(const std::string& key) const {
  const auto found = places.find(key);
  return found == places.end() ? path : found->second;
}

Recipe read_recipe(const std::string& path) {
  TomlTable file = TomlTable::parse_file(path);
  Recipe r;
  TomlTable data = file.table("data"), model = file.table("model"), batch = file.table("batch"),
            optimizer = file.table("optimizer"), training = file.table("training");
  file.finish();
  r.path = path;
  r.places = file.places();
  // A recipe that comes through a pipe stands nowhere: its paths start where the program does.
  const bool is_file = std::filesystem::is_regular_file(path);
  read_data(data, r.data, is_file ? std::filesystem::path(path).parent_path() : "");
  model.take_word("family", [&](const std::string& w) { r.model = seq2seq::family_named(w); });
  read_config(model, r.model);
  model.finish();
  read_batch(batch, r.batch);
  read_optimizer(optimizer, r.optimizer, r.rate);
  read_limits(training, r.limits, r.seed, r.memory_budget);
  try {
    check(r.rate, r.limits);
  } catch (const ir::GraphError& e) {
    optimizer.fail(r.limits.steps == 0 ? "schedule" : "warmup", e.what());
  }
  r.batch.seed = r.seed;
  seq2seq::set_seed(r.model, r.seed);
  seq2seq::Config whole = r.model;
  seq2seq::set_vocabularies(whole, 1, 1);
  try {
    seq2seq::check(whole);
  } catch (const ir::GraphError& e) {
    model.fail("", e.what());
  }
  return r;
}

}  // namespace weft::training
