// ir/passes/fuse/attention/attention_product.h -- queries times keys, or v . tanh(queries + keys), read back.
#pragma once
#include "ir/rewrite/pattern.h"

namespace weft::ir {

// A value and the shape it is read in: its own but for axes of size 1, and for the last two
// exchanged where `swapped`.
struct Shaped {
  Value value;
  Shape shape;
  bool swapped = false;
};

struct Product {
  std::vector<Shaped> q, k;  // to be added up, in q's and k's own shape (no broadcast axes)
  Value v_a;                 // additive only
  bool single = false;       // one query: scores [...,S]
  Shape shape;               // of the scores
  std::vector<int> nodes;    // matched
  std::string reason;        // why it is none, in the user's names
};

// Reads a score before it is scaled, biased or masked. Where it is none, `product` is as it was but
// for the reason.
bool find_product(const GraphUses& readers, Value e, Product& product);

// `dim` counted from the end, 1 where there is no such axis; a shape without such an axis.
Dim at(const Shape& shape, size_t from_end);
Shape erased(Shape shape, size_t from_end);
// What terms broadcast to.
Shape widest(const std::vector<Shaped>& terms);

}  // namespace weft::ir
