// models/translator/task_tokenizers.h -- what cuts a recipe's files into tokens.
#pragma once
#include "models/translator/task.h"

namespace weft {

// Those of a published model, of the folder that the recipe names, or learnt from the data. Throws
// GraphError at the recipe's or the data's line.
training::Tokenizers make_tokenizers(const Task& task);
// Sets `by_file` where files are in languages of their own, of a published model for many.
void add_tokenizers_by_file(Task& task);
// Of a file of examples, of a published model for many languages.
Languages languages_of(const training::Recipe& recipe, const data::ParallelFile& file);

}  // namespace weft
