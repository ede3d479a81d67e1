// models/translator/decoded_scores.cpp -- search, text, scores.
#include "models/translator/decoded_scores.h"

#include "models/metrics/table.h"
#include "models/search/beam_search.h"

#include <algorithm>
#include <map>
#include <memory>

namespace weft {
namespace {

using training::Scores;

// Few rows: the arena is there beside that of a training step.
constexpr data::BatchOptions kBatches{.max_rows = 64, .max_tokens = 8192, .round_source = 8};
constexpr size_t kBetweenStops = 128;  // examples

class Decoding {
 public:
  Decoding(const Task& task, ProgramOptions program)
      : settings_(task.recipe.validation),
        config_(task.config),
        target_(task.tokenizers.target),
        program_(std::move(program)) {
    program_.memory_budget = 0;  // that of a training step
    for (const std::string& name : settings_.scores)
      if (training::score_kind(name).decoded)
        metrics_.emplace_back(name, metrics::metric_named(name, settings_.tokenizer));
    add_examples(task);
  }

  std::optional<Scores> scores(ParameterStore& store, const training::Stop& stop) {
    if (!decoder_)
      decoder_ = std::make_unique<search::Decoder>(
          seq2seq::decoder(config_, {.beam = settings_.beam, .ids = target_.special()}, program_));
    corpus_.hypotheses.clear();
    for (size_t begin = 0; begin < examples_.size(); begin += kBetweenStops) {
      if (stop && stop()) return std::nullopt;
      const size_t count = std::min(kBetweenStops, examples_.size() - begin);
      for (const search::Hypotheses& found :
           search::search(*decoder_, store, std::span(examples_).subspan(begin, count), kBatches))
        corpus_.hypotheses.push_back(target_.decode(found.front().tokens));
    }
    Scores scores;
    for (const auto& [name, metric] : metrics_)
      scores.push_back({name, metrics::corpus_score(metric, corpus_)});
    return scores;
  }

 private:
  // By length, so that what is decoded between two stops is few batches, and full ones.
  void add_examples(const Task& task) {
    struct Segment {
      data::EncodedExample first;
      std::vector<std::string> references;
    };
    std::map<std::string, size_t> places;  // by source
    std::vector<Segment> segments;
    const data::NextExample next = task.valid.text->examples();
    for (int64_t i = 0; i < task.valid.size(); ++i) {
      if (settings_.sentences > 0 && i >= settings_.sentences) break;
      auto e = next();
      while (e && e->id != task.valid.encoded.id(i)) e = next();  // lines that are left out
      if (!e) break;
      const auto [at, is_new] = places.emplace(e->source, segments.size());
      if (is_new) segments.push_back({task.valid.encoded.at(i), {}});
      segments[at->second].references.push_back(e->target);
    }
    std::stable_sort(segments.begin(), segments.end(), [](const Segment& a, const Segment& b) {
      return a.first.source_length() < b.first.source_length();
    });
    for (Segment& segment : segments) {
      examples_.push_back(std::move(segment.first));
      corpus_.references.push_back(std::move(segment.references));
    }
  }

  training::ValidationSettings settings_;
  seq2seq::Settings config_;
  data::Tokenizer target_;
  ProgramOptions program_;
  std::vector<std::pair<std::string, metrics::Metric>> metrics_;
  std::vector<data::EncodedExample> examples_;  // of each segment the first
  metrics::Corpus corpus_;
  std::unique_ptr<search::Decoder> decoder_;
};

}  // namespace

training::DecodedScores decoded_scores(const Task& task, const ProgramOptions& program) {
  if (!task.recipe.validation.decodes() || task.valid.size() == 0) return {};
  const auto decoding = std::make_shared<Decoding>(task, program);
  return [decoding](ParameterStore& store, const training::Stop& stop) {
    return decoding->scores(store, stop);
  };
}

}  // namespace weft
