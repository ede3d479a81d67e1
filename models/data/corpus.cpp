// models/data/corpus.cpp -- pairs of texts, and their ids.
#include "models/data/corpus.h"

namespace weft::data {

EncodedExample encode(const Example& example, const Tokenizer& source, const Tokenizer& target) {
  return {.source = source.encode(example.source),
          .target = target.encode(example.target),
          .id = example.id};
}

}  // namespace weft::data
