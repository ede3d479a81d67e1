// models/cli/score.cpp -- weft score: how likely a model finds translations that are given.
#include "frontend/formats/text.h"
#include "ir/error.h"
#include "models/cli/command.h"
#include "models/cli/translator_flags.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <memory>
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

std::string line_of(const search::Hypothesis& h, const Translator& model, int64_t number,
                    bool json) {
  const auto n = std::ssize(h.token_log_probabilities);
  if (!json)
    return fmt::format("{:.6f}\t{}\t{:.6f}\n", h.log_probability, n,
                       h.log_probability / static_cast<double>(n));
  nlohmann::ordered_json line;
  line["line"] = number;
  line["log_probability"] = h.log_probability;
  line["tokens"] = model.tokens_of(h);
  line["tokens"].push_back("</s>");
  line["log_probabilities"] = h.token_log_probabilities;
  return line.dump() + "\n";
}

void score(ScoreOptions& o) {
  if (o.data.empty() == (o.source.empty() && o.target.empty()) ||
      o.source.empty() != o.target.empty())
    throw UsageError("score needs --data, or --source and --target");
  Translator model = o.model.translator();
  Pairs pairs(o);
  std::string text;
  double sum = 0;
  int64_t number = 0, tokens = 0, refused = 0;
  const auto refuse = [&](const std::string& why) {
    say(fmt::format("{}: {}; it is not scored", pairs.where(), why));
    ++refused;
  };
  for (bool more = true; more;) {
    std::vector<std::string> sources;
    std::vector<search::Demands> demands;
    while (sources.size() < kLinesAtOnce && more) {
      const auto pair = pairs.next();
      more = pair.has_value();
      if (!more) break;
      search::Demands given{.prefix = model.tokenizers().target.encode(pair->target),
                            .phrases = {}};
      given.prefix.push_back(model.tokenizers().target.special().end);
      sources.push_back(pair->source);
      const int64_t most = model.most_positions(), n = std::ssize(given.prefix);
      if (const auto why = model.refusal(pair->source)) {
        refuse(*why);
      } else if (data::split_tokens(pair->source).empty()) {
        refuse("the source is empty");
      } else if (most > 0 && n > most) {
        refuse(
            fmt::format("the target has {} tokens with </s>, the model has {} positions", n, most));
        sources.back().clear();
        given.prefix.clear();
      }
      demands.push_back(std::move(given));
    }
    for (const search::Hypotheses& found :
         model.search(sources, o.model.options.search, {.demands = demands})) {
      ++number;
      if (found.empty()) {
        if (!o.json) text += "nan\t0\tnan\n";
        continue;
      }
      text += line_of(found.front(), model, number, o.json);
      sum += found.front().log_probability;
      tokens += std::ssize(found.front().token_log_probabilities);
    }
  }
  put_result(o.output, text);
  if (tokens > 0)
    say(
        fmt::format("{} lines, {} tokens with </s>: log-probability {:.4f}, {:.6f} a token, "
                    "perplexity {:.4f}",
                    number - refused, tokens, sum, sum / static_cast<double>(tokens),
                    std::exp(-sum / static_cast<double>(tokens))));
  if (refused > 0)
    throw ir::GraphError(fmt::format("{} of {} lines were not scored", refused, number));
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
