// models/translator/task.h -- a recipe with its data: what a training run, or a picture of its graph,
// starts from.
#pragma once
#include "models/data/example_store.h"
#include "models/data/parallel_text.h"
#include "models/training/recipe/recipe.h"
#include "models/training/seq2seq_run.h"
#include "models/translator/opened_model.h"

#include <optional>
#include <string>
#include <vector>

namespace weft {

// Files of examples, as text and encoded: those that are kept (models/data/filters.h).
struct TaskFile {
  std::optional<data::ParallelCorpus> text;
  std::vector<training::Tokenizers> by_file;  // where files are in languages of their own
  data::ExampleStore encoded;

  int64_t size() const { return encoded.size(); }
};

struct Task {
  training::Recipe recipe;
  training::Tokenizers tokenizers;
  seq2seq::Settings config;  // the recipe's, with the vocabularies' sizes
  TaskFile train, valid;     // valid may be none
  std::vector<std::string>
      remarks;  // of caches that were made anew, and of lines that were dropped
};

struct TaskOptions {
  const training::Tokenizers* tokenizers = nullptr;  // to go on with; else learnt from the data
  std::string from =
      {};  // the model to begin with, whatever the recipe says; empty: what that says
  const low_rank::Settings* adapter = nullptr;  // likewise
  Languages languages = {};                     // likewise, of a published model for many
  // Encoded examples are kept there, in train.examples and valid.examples, and mapped; in memory where
  // it is empty.
  std::string cache;
  // Told of the recipe before its files are opened.
  std::function<void(const training::Recipe&)> begin = {};
  // Examples are counted and not kept: their counts are all that the task knows of them.
  bool counted = false;
};

// Throws GraphError "file:line: ..." for what is wrong in the recipe or in its data.
Task read_task(const std::string& recipe, const TaskOptions& options = {});

// How many tokens the vocabularies do not know, by file, and the first of them: "; 3 of 50 tokens of
// valid.tsv are not in the vocabulary, the first is 'q' on line 7".
std::string unknown_tokens(const Task& task);

}  // namespace weft
