// models/cli/translating/score.cpp -- weft score: how likely a model finds translations that are given.
#include "frontend/formats/text.h"
#include "ir/error.h"
#include "models/cli/command.h"
#include "models/cli/translating/translator_flags.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <memory>
#include <numeric>
#include <optional>

namespace weft::cli {
namespace {

constexpr size_t kLinesAtOnce = 1024;

struct ScoreOptions {
  TranslatorFlags model;
  std::string data, source, target, output;
  bool json = false;
};

struct Pair {
  std::string source, target;
};

// Pairs out of one file with tabs, or out of two.
class Pairs {
 public:
  explicit Pairs(const ScoreOptions& o) : sources_(o.data.empty() ? o.source : o.data) {
    if (o.data.empty()) targets_.emplace(o.target);
  }

  std::optional<Pair> next() {
    const auto line = sources_.next();
    if (!targets_) {
      if (!line) return std::nullopt;
      const size_t tab = line->find('\t');
      if (tab == line->npos) sources_.fail("error: a line is source<TAB>target, found no tab");
      if (line->find('\t', tab + 1) != line->npos)
        sources_.fail("error: a line is source<TAB>target, found more tabs");
      return Pair{std::string(line->substr(0, tab)), std::string(line->substr(tab + 1))};
    }
    const auto target = targets_->next();
    if (line.has_value() != target.has_value())
      throw ir::GraphError(fmt::format(
          "{} ends before {} does, after {} lines", line ? targets_->where() : sources_.where(),
          line ? sources_.where() : targets_->where(), line ? targets_->line() : sources_.line()));
    if (!line) return std::nullopt;
    return Pair{std::string(*line), std::string(*target)};
  }
  std::string where() const { return sources_.where(); }

 private:
  formats::LineReader sources_;
  std::optional<formats::LineReader> targets_;
};

// Of a pair what its tokens score, </s> the last.
std::string line_of(const std::vector<double>& scores, const search::Phrase& target,
                    const Translator& model, int64_t number, bool json) {
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  if (!json)
    return fmt::format("{:.6f}\t{}\t{:.6f}\n", sum, scores.size(),
                       sum / static_cast<double>(scores.size()));
  nlohmann::ordered_json line;
  line["line"] = number;
  line["log_probability"] = sum;
  line["tokens"] = model.tokens_of(target);
  line["tokens"].push_back("</s>");
  line["log_probabilities"] = scores;
  return line.dump() + "\n";
}

// Why a pair is not scored, or nothing.
std::optional<std::string> refusal(const Translator& model, const Pair& pair,
                                   const search::Phrase& target) {
  if (const auto why = model.refusal(pair.source)) return in_flags(*why);
  if (data::split_tokens(pair.source).empty()) return "the source is empty";
  const int64_t most = model.most_target_positions(), n = std::ssize(target) + 1;
  if (most > 0 && n > most)
    return fmt::format("the target has {} tokens with </s>, the model has {} positions", n, most);
  return std::nullopt;
}

// What was scored so far.
struct Totals {
  int64_t lines = 0, refused = 0, tokens = 0;
  double sum = 0;
};

// The lines of some pairs; one that is not scored is said, and has a line of its own unless it is JSON.
std::string score(Translator& model, Pairs& pairs, bool json, Totals& totals, bool& more) {
  std::vector<std::string> sources;
  std::vector<search::Phrase> targets;
  while (sources.size() < kLinesAtOnce) {
    auto pair = pairs.next();
    more = pair.has_value();
    if (!more) break;
    search::Phrase target = model.tokenizers().target.encode(pair->target);
    if (const auto why = refusal(model, *pair, target)) {
      say(fmt::format("{}: {}; it is not scored", pairs.where(), *why));
      ++totals.refused;
      pair->source.clear(), target.clear();
    }
    sources.push_back(std::move(pair->source));
    targets.push_back(std::move(target));
  }
  std::string text;
  const auto scores = model.score(sources, targets);
  for (size_t i = 0; i < scores.size(); ++i) {
    ++totals.lines;
    if (scores[i].empty()) {
      if (!json) text += "nan\t0\tnan\n";
      continue;
    }
    text += line_of(scores[i], targets[i], model, totals.lines, json);
    totals.sum += std::accumulate(scores[i].begin(), scores[i].end(), 0.0);
    totals.tokens += std::ssize(scores[i]);
  }
  return text;
}

void score(ScoreOptions& o) {
  if (o.data.empty() == (o.source.empty() && o.target.empty()) ||
      o.source.empty() != o.target.empty())
    throw UsageError("score needs --data, or --source and --target");
  Translator model = o.model.translator();
  Pairs pairs(o);
  Totals totals;
  std::string text;
  for (bool more = true; more;) text += score(model, pairs, o.json, totals, more);
  put_result(o.output, text);
  if (totals.tokens > 0) {
    const double mean = totals.sum / static_cast<double>(totals.tokens);
    say(fmt::format(
        "{} lines, {} tokens with </s>: log-probability {:.4f}, {:.6f} a token, "
        "perplexity {:.4f}",
        totals.lines - totals.refused, totals.tokens, totals.sum, mean, std::exp(-mean)));
  }
  if (totals.refused > 0)
    throw ir::GraphError(
        fmt::format("{} of {} lines were not scored", totals.refused, totals.lines));
}

}  // namespace

void add_score(Command& program) {
  Command* command = program.add_command(
      "score",
      "Log-probabilities of given translations: of a line the sum, its tokens with </s>, and the "
      "mean; at the end the perplexity of all",
      "weft score en-de --source test.en --target test.de --json");
  const auto o = std::make_shared<ScoreOptions>();
  o->model.add_model_to(*command);
  command->add_option("--data", o->data, "Pairs, source<TAB>target")->type_name("FILE.tsv");
  command->add_option("--source", o->source, "Sources, one a line")->type_name("FILE");
  command->add_option("--target", o->target, "Their translations, line by line")->type_name("FILE");
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE");
  command->add_flag("--json", o->json,
                    "Write JSON lines, with the tokens and their log-probabilities");
  command->callback([o] { score(*o); });
}

}  // namespace weft::cli
