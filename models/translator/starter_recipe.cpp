// models/translator/starter_recipe.cpp -- counts, choices, and their reasons as comments.
#include "models/translator/starter_recipe.h"

#include "ir/error.h"
#include "models/data/random.h"
#include "models/data/tokens/tokenizer.h"
#include "models/settings/toml_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

namespace weft {
namespace {

constexpr size_t kMostCounted = 1 << 18;  // distinct words of a side

class SideCounter {
 public:
  void add(std::string_view text) {
    const auto words = data::split_tokens(text);
    facts_.words += std::ssize(words);
    facts_.characters += std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // not the rest of a code point
    });
    facts_.longest = std::max<int64_t>(facts_.longest, std::ssize(words));
    for (const std::string& w : words)
      if (seen_.size() < kMostCounted) seen_.insert(data::hash(0, w));
  }
  SideFacts facts() const {
    SideFacts f = facts_;
    f.distinct_words = std::ssize(seen_);
    return f;
  }

 private:
  SideFacts facts_;
  std::unordered_set<uint64_t> seen_;
};

// Transformers, from small to large. `most_pairs`: beyond that a larger one learns more.
struct Size {
  std::string_view name;
  int64_t width, heads, feed_forward, layers;
  double dropout;
  int64_t most_pairs;
};
constexpr std::array<Size, 4> kSizes{{
    {"tiny", 128, 4, 256, 3, 0.3, 60'000},
    {"small", 256, 4, 1024, 3, 0.2, 400'000},
    {"medium", 384, 6, 1536, 4, 0.15, 2'000'000},
    {"base", 512, 8, 2048, 6, 0.1, INT64_MAX},
}};
constexpr int64_t kLeastEpochs = 15;  // a model that sees its data less often is too large
constexpr double kShareOfPeak = 0.5;  // that a training step reaches
constexpr double kWarmShare = 0.1;    // of all steps, at most, but for the first ten
constexpr int kLeastBetween = 100;    // steps between validations

struct Cut {
  data::TokenizerKind kind;
  std::string why;
};

double mean(int64_t sum, int64_t n) { return static_cast<double>(sum) / static_cast<double>(n); }

// Do symbols stand between spaces: few distinct ones, or single characters, as syllables are written?
bool is_symbols(const SideFacts& side, int64_t pairs) {
  const int64_t letters = side.characters - (side.words - pairs);
  return side.distinct_words < 400 ||
         (side.distinct_words < 4000 && mean(letters, side.words) < 1.2);
}

Cut cut_of(const CorpusFacts& f) {
  const bool cut = is_symbols(f.source, f.pairs) && is_symbols(f.target, f.pairs) &&
                   mean(f.source.words, f.pairs) > 1.5;
  if (cut)
    return {data::TokenizerKind::words,
            fmt::format("both sides are few distinct words ({} and {}): symbols that stand between "
                        "spaces",
                        f.source.distinct_words, f.target.distinct_words)};
  if (mean(f.source.words, f.pairs) < 2.5 && mean(f.source.characters, f.pairs) < 40)
    return {data::TokenizerKind::characters,
            fmt::format("lines are short ({:.0f} characters, {:.1f} words): spelling is what there "
                        "is to learn",
                        mean(f.source.characters, f.pairs), mean(f.source.words, f.pairs))};
  return {data::TokenizerKind::bpe,
          fmt::format("text of {}{} distinct words: pieces of words leave none unknown",
                      std::max(f.source.distinct_words, f.target.distinct_words) >=
                              static_cast<int64_t>(kMostCounted)
                          ? "more than "
                          : "",
                      f.source.distinct_words + f.target.distinct_words)};
}

// About as many pieces as a corpus of this size has examples for, and no more than it can yield.
int64_t vocabulary_for(const CorpusFacts& f) {
  const int64_t wanted = f.pairs < 10'000    ? 2000
                         : f.pairs < 60'000  ? 6000
                         : f.pairs < 400'000 ? 10'000
                                             : 32'000;
  const int64_t words = f.source.distinct_words + f.target.distinct_words;
  return std::min(wanted, std::max<int64_t>(600, words / 200 * 100));
}

double tokens_of(const SideFacts& side, const Cut& cut) {
  if (cut.kind == data::TokenizerKind::characters) return static_cast<double>(side.characters);
  return static_cast<double>(side.words) * (cut.kind == data::TokenizerKind::bpe ? 1.3 : 1.0);
}

// Floating-point operations of an epoch: six for each weight a token meets, forward and backward.
double arithmetic(const Size& s, const CorpusFacts& f, const Cut& cut, int64_t vocabulary) {
  const auto w = static_cast<double>(s.width), ff = static_cast<double>(s.feed_forward),
             layers = static_cast<double>(s.layers);
  const double encoder = layers * (4 * w * w + 2 * w * ff),
               decoder = layers * (8 * w * w + 2 * w * ff) + w * static_cast<double>(vocabulary);
  return 6 * (encoder * tokens_of(f.source, cut) + decoder * tokens_of(f.target, cut));
}

// "1 epoch", "4 epochs"
std::string counted(double n, std::string_view what) {
  return fmt::format("{:.0f} {}{}", n, what, fmt::format("{:.0f}", n) == "1" ? "" : "s");
}

}  // namespace

CorpusFacts corpus_facts(const data::NextExample& next) {
  CorpusFacts facts;
  SideCounter source, target;
  while (const auto pair = next()) {
    if (pair->source.empty() || pair->target.empty()) continue;
    ++facts.pairs;
    source.add(pair->source);
    target.add(pair->target);
  }
  facts.source = source.facts();
  facts.target = target.facts();
  return facts;
}

std::string starter_recipe(const CorpusFacts& f, const StarterRecipe& wanted) {
  if (f.pairs == 0) throw ir::GraphError("there are no pairs to train on");
  const Cut cut = cut_of(f);
  const bool pieces = cut.kind == data::TokenizerKind::bpe;
  const int64_t vocabulary = vocabulary_for(f);
  const double seconds = wanted.minutes * 60, speed = wanted.flops * kShareOfPeak;
  const auto epochs = [&](const Size& s) {
    return seconds * speed / arithmetic(s, f, cut, pieces ? vocabulary : 500);
  };
  const auto enough = std::find_if(kSizes.begin(), kSizes.end(),
                                   [&](const Size& s) { return f.pairs <= s.most_pairs; });
  auto size = enough;
  while (size != kSizes.begin() && epochs(*size) < kLeastEpochs) --size;

  const int batch_tokens = f.pairs < 10'000 ? 2048 : 4096;
  std::string text = fmt::format(
      "# Written by `weft init` for {} pairs: {:.1f} words a source, {:.1f} a target on average, "
      "{} "
      "and {} at most.\n# docs/recipes.md has all keys; docs/manual.md says what to turn.\n\n",
      f.pairs, mean(f.source.words, f.pairs), mean(f.target.words, f.pairs), f.source.longest,
      f.target.longest);
  text += "[data]\ntrain = " + wanted.train + "\nvalid = " + wanted.valid + "\n";
  text += fmt::format("tokens = \"{}\"  # {}\n", data::name(cut.kind), cut.why);
  if (pieces)
    text += fmt::format(
        "vocabulary_size = {}  # for {} pairs; refused with the largest possible where it is too "
        "many\n"
        "shared_vocabulary = true  # one for both sides: names and numbers are copied\n",
        vocabulary, f.pairs);
  text += "\n[model]\nfamily = \"transformer\"\n";
  text += fmt::format(
      "# {}: {}", size->name,
      size == enough
          ? fmt::format("enough for {} pairs", f.pairs)
          : fmt::format("{} pairs would feed a {} one, but {:g} minutes are {} "
                        "of that here",
                        f.pairs, enough->name, wanted.minutes, counted(epochs(*enough), "epoch")));
  text += fmt::format(
      "; {} cores at {:.0f} GFLOP/s, half of that in a step,\n# make about {} in {:g} minutes\n",
      wanted.cores, wanted.flops / 1e9, counted(epochs(*size), "epoch"), wanted.minutes);
  text += fmt::format(
      "width = {}\nheads = {}\nfeed_forward = {}\nencoder_layers = {}\ndecoder_layers = {}\n",
      size->width, size->heads, size->feed_forward, size->layers, size->layers);
  if (pieces) text += "shared_embedding = true\n";
  text +=
      fmt::format("dropout = {}  # the less data the more\nlabel_smoothing = 0.1\n", size->dropout);
  text += fmt::format(
      "\n[batch]\nmax_rows = 512\nmax_tokens = {}  # padding included; half of it where memory is "
      "short\n",
      batch_tokens);
  // An epoch of little data is a few steps: too few to judge progress by.
  const double steps = (tokens_of(f.source, cut) + tokens_of(f.target, cut)) / 2 / batch_tokens;
  const int64_t usual = f.pairs < 2'000 ? 50 : f.pairs < 10'000 ? 200 : 500;
  const auto warm = static_cast<int64_t>(kWarmShare * epochs(*size) * std::max(1.0, steps));
  text += fmt::format(
      "\n[optimizer]\nkind = \"adam\"\nbeta2 = 0.98\nlearning_rate = {}\nschedule = \"linear\"  # "
      "down to 0 when the time is up\nwarmup = {}\nclip_norm = 1.0\n",
      size->width <= 128   ? "3e-3"
      : size->width <= 256 ? "2e-3"
                           : "1e-3",
      std::clamp<int64_t>(warm, 10, usual));
  const bool symbols = cut.kind == data::TokenizerKind::words;
  text += fmt::format(
      "\n[training]\nminutes = {}\n{}validate = [{}]  # all of them in the log and in `weft "
      "curves`\n"
      "patience_on = \"{}\"\npatience = 10  # validations without progress: more time would not "
      "help\nseed = 1\n",
      wanted.minutes,
      steps < kLeastBetween
          ? fmt::format("validate_every = {}  # steps; an epoch is fewer\n", kLeastBetween)
          : "",
      symbols  ? "\"loss\", \"per\", \"wer\""
      : pieces ? "\"loss\", \"bleu\", \"chrf\""
               : "\"loss\", \"chrf\", \"accuracy\"",
      symbols ? "per" : "chrf");
  return text;
}

std::string fine_tuning_recipe(const FineTuning& w) {
  std::string text = fmt::format(
      "# Training {} model further. Paths are relative to this file.\n\n"
      "[data]\ntrain = {}\n",
      w.model.empty() ? "a published" : "a", settings::toml_string(w.train));
  if (!w.valid.empty()) text += fmt::format("valid = {}\n", settings::toml_string(w.valid));
  for (const auto& [key, language] :
       {std::pair("source_language", &w.source_language), {"target_language", &w.target_language}})
    if (!language->empty()) text += fmt::format("{} = {}\n", key, settings::toml_string(*language));
  if (!w.model.empty())
    text += fmt::format("vocabulary_from = {}\n", settings::toml_string(w.from));
  text += fmt::format(
      "long_lines = \"drop\"  # those that the model has no positions for\n\n"
      "[batch]\n"
      "max_tokens = 1024  # rows times the wider of both padded sides\n\n"
      "[optimizer]\n"
      "kind = \"adam\"\n"
      "learning_rate = {}  # {}\n"
      "schedule = \"linear\"  # down to 0 at the end\n\n"
      "[training]\n"
      "from = {}\n"
      "epochs = 3\n",
      w.adapter.on() ? "5e-4" : "5e-5",
      w.adapter.on() ? "of A and B alone, ten times that of a whole model"
                     : "small: the model is trained already",
      settings::toml_string(w.from));
  if (!w.model.empty()) text += "\n[model]  # as it is\n" + w.model;
  if (w.adapter.on()) text += "\n[adapter]\n" + settings::toml(settings::fields_of(w.adapter));
  return text;
}

}  // namespace weft
