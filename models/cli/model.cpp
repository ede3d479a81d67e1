// models/cli/model.cpp -- loading, and search from words to hypotheses.
#include "models/cli/model.h"

#include "backends/backend.h"
#include "models/data/tsv.h"

#include <algorithm>

namespace weft::cli {
namespace {

constexpr int64_t kMostTokens = 1000;  // of a source

// CLI11's own ranges let NaN pass, and print every digit of their limits.
CLI::Validator number_within(double least, double most) {
  return {[=](const std::string& text) {
            double value = 0;
            return CLI::detail::lexical_cast(text, value) && value >= least && value <= most
                       ? std::string()
                       : ir::concat("'", text, "' must be a number from ", least, " to ", most);
          },
          ""};
}

}  // namespace

ProgramOptions program_options() { return {.backend = backends::make_onednn()}; }

namespace {

// Examples that the model has too few positions for are refused at their line.
void check_positions(const data::Examples& examples, const std::string& file,
                     const training::Recipe& recipe, int64_t most) {
  const auto check = [&](const data::Example& e, const char* side, int64_t tokens, int64_t end) {
    if (most > 0 && tokens + end > most)
      throw ir::GraphError(ir::concat(file, ":", e.id, ": error: the ", side, " has ", tokens,
                                      " tokens", end > 0 ? " and </s>" : "",
                                      ", model.max_positions is ", most, " (",
                                      recipe.where("model.max_positions"), ")"));
  };
  for (const data::Example& e : examples) {
    check(e, "source", std::ssize(e.source), 0);
    check(e, "target", std::ssize(e.target), 1);
  }
}

data::Vocabulary vocabulary_of(const data::TokenCounts& counts, const training::Recipe& recipe,
                               const std::string& side, int64_t least, int64_t most) {
  try {
    return data::Vocabulary::from_counts(counts, side + " vocabulary", least, most);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(
        ir::concat(recipe.where("data." + side + "_min_count"), ": error: ", e.what()));
  }
}

}  // namespace

training::Vocabularies make_vocabularies(const Task& task) {
  const training::DataFiles& files = task.recipe.data;
  return {vocabulary_of(data::count_source_tokens(task.train), task.recipe, "source",
                        files.source_min_count, files.source_max_size),
          vocabulary_of(data::count_target_tokens(task.train), task.recipe, "target",
                        files.target_min_count, files.target_max_size)};
}

Task read_task(const std::string& path, const training::Vocabularies* vocabularies) {
  Task task{.recipe = training::read_recipe(path)};
  const training::DataFiles& files = task.recipe.data;
  task.train = data::read_tsv(files.train, files.tsv);
  if (!files.valid.empty()) task.valid = data::read_tsv(files.valid, files.tsv);
  const int64_t positions = seq2seq::most_positions(task.recipe.model);
  check_positions(task.train, files.train, task.recipe, positions);
  check_positions(task.valid, files.valid, task.recipe, positions);
  task.recipe.batch.widest = positions;
  task.vocabularies = vocabularies != nullptr ? *vocabularies : make_vocabularies(task);
  task.config = task.recipe.model;
  seq2seq::set_vocabularies(task.config, task.vocabularies.source.size(),
                            task.vocabularies.target.size());
  seq2seq::set_seed(task.config, task.recipe.seed);
  task.recipe.batch.seed = task.recipe.seed;
  try {
    seq2seq::check(task.config);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(
        ir::concat(task.recipe.where("model.shared_embedding"), ": error: ", e.what()));
  }
  return task;
}

void SearchFlags::add_to(CLI::App& command) {
  command.add_option("--beam", beam, "Keep the N best beginnings at every step; 1: greedy search")
      ->type_name("N")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command
      .add_option("--length-penalty", options.length_penalty,
                  "Rank by log-probability / length^A: 0 favours short results, 1 is the mean")
      ->type_name("A")
      ->check(number_within(0, search::kMostLengthPenalty))
      ->capture_default_str();
  command
      .add_option_function<std::string>(
          "--max-length",
          [this](const std::string& text) {
            try {
              options.max_length = search::length_limit_named(text);
            } catch (const ir::GraphError& e) {
              throw CLI::ValidationError("--max-length", e.what());
            }
          },
          "Cut a result at so many tokens: a number, or by those of its source, as 3x or 2x+10")
      ->type_name("N")
      ->default_str(search::str(options.max_length));
}

void ModelFlags::add_to(CLI::App& command) {
  command.add_option("MODEL", folder, "The model's folder")->required();
  command
      .add_option_function<std::string>(
          "--checkpoint",
          [this](const std::string& name) {
            which = name == "best" ? training::Which::best : training::Which::last;
          },
          "Take the parameters of the best validation, or the last ones saved (default: the best, "
          "or the last where none was validated)")
      ->type_name("best|last")
      ->check(CLI::IsMember({"best", "last"}));
}

Model::Model(const ModelFlags& flags, const search::StepOptions& step)
    : config(training::ModelFolder(flags.folder).config()),
      vocabularies(training::ModelFolder(flags.folder).vocabularies()),
      store(training::ModelFolder(flags.folder).load(ir::DType::f32, flags.which)),
      decoder(seq2seq::decoder(config, step, program_options())) {}

std::optional<std::string> Model::refusal(const Tokens& source) const {
  const auto n = std::ssize(source);
  const int64_t positions = decoder.limits.max_positions;
  if (n > kMostTokens)
    return ir::concat("has ", n, " tokens, at most ", kMostTokens, " are translated");
  if (positions > 0 && n > positions)
    return ir::concat("has ", n, " tokens, the model has ", positions, " positions");
  return std::nullopt;
}

std::string Model::limit_text(const search::SearchOptions& o) const {
  const int64_t positions = decoder.limits.max_positions;
  return ir::concat("--max-length ", search::str(o.max_length),
                    positions > 0 ? ir::concat(", ", positions, " positions") : "");
}

std::vector<search::Hypotheses> Model::translate(std::span<const Tokens> sources,
                                                 const search::SearchOptions& options) {
  std::vector<data::EncodedExample> examples;
  std::vector<size_t> places;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].empty() || refusal(sources[i])) continue;
    data::EncodedExample e{.source = vocabularies.source.encode(sources[i]),
                           .target = {},
                           .id = static_cast<int64_t>(i)};
    unknown_tokens += std::count(e.source.begin(), e.source.end(), data::kUnk);
    examples.push_back(std::move(e));
    places.push_back(i);
  }
  std::vector<search::Hypotheses> results(sources.size());
  if (examples.empty()) return results;
  auto found = search::search(decoder, store, examples,
                              {.max_rows = 128, .max_tokens = 16384, .round_source = 8}, options);
  for (size_t i = 0; i < found.size(); ++i) results[places[i]] = std::move(found[i]);
  return results;
}

}  // namespace weft::cli
