// models/training/log/scores.h -- what a model can be validated by, by the names that recipes have.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::training {

struct ScoreKind {
  std::string name;   // "bleu"
  std::string title;  // "BLEU"
  std::string unit;   // "nats/token", "%", or nothing
  std::string doc;
  bool higher_is_better = false;
  bool decoded = false;  // of what the model says; else of its loss
};

// loss, perplexity, and what is measured on decoded text (models/metrics/table.h).
std::span<const ScoreKind> score_kinds();
const ScoreKind& score_kind(std::string_view name);  // GraphError listing them

struct Score {
  std::string name;
  double value = 0;
  bool operator==(const Score&) const = default;
};
using Scores = std::vector<Score>;

const Score* find(const Scores& scores, std::string_view name);  // null: not there
// "loss 2.3456 nats/token", "BLEU 34.12"
std::string str(const Score& score);
// Equal counts as better, so that a validation done again after a crash says the same.
bool better(const ScoreKind& kind, double value, double than);

// [training] keys of validation.
struct ValidationSettings {
  std::vector<std::string> scores{"loss"};
  std::string patience_on;        // of `scores`; empty: the first of them
  int64_t beam = 1;               // of a decoded score: beginnings kept; 1: greedy search
  int64_t sentences = 0;          // examples decoded, the first ones; 0: all
  std::string tokenizer = "13a";  // of BLEU

  bool operator==(const ValidationSettings&) const = default;

  const std::string& judge() const { return patience_on.empty() ? scores.front() : patience_on; }
  bool decodes() const;  // does it need what the model says?
};
// Throws GraphError where a name is unknown or patience is on a score that is not measured.
void check(const ValidationSettings& settings);

}  // namespace weft::training
