// models/families/table.cpp -- the one list of every family.
#include "models/families/table.h"

#include "ir/error.h"
#include "models/families/convolutional/convolutional.h"
#include "models/families/hybrid/hybrid.h"
#include "models/families/rnn/rnn.h"
#include "models/families/transformer/transformer.h"

namespace weft::seq2seq {

Families families() {
  static constexpr const Family* all[] = {
      &rnn::kFamily,
      &transformer::kFamily,
      &convolutional::kFamily,
      &hybrid::kFamily,
  };
  return all;
}

const Family& family_named(std::string_view name, Families known) {
  std::string names;
  for (const Family* f : known) {
    if (f->name == name) return *f;
    names += (names.empty() ? "" : ", ") + std::string(f->name);
  }
  throw ir::GraphError(ir::concat("there is no family '", name, "'; there are ", names));
}

}  // namespace weft::seq2seq
