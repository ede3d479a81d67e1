// tests/onednn/workspace_test.cpp -- room that kernels of attention ask for.
//
// A plan asks for the room of all rows; in a loop over sequences a run has those that still live, and asks
// the same functions where its buffers are.
#include "backends/onednn/kernels/additive_attention_sizes.h"
#include "backends/onednn/kernels/dot_attention_sizes.h"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace weft::onednn;

namespace {

// How many pairs of batches are wrong: where the smaller one needs more.
template <class Args>
int less_room_for_more_rows(Args args) {
  int wrong = 0;
  int64_t before = 0;
  for (args.batch = 1; args.batch <= 130; ++args.batch) {
    const int64_t floats = kernels::shared_floats(args);
    wrong += floats < before;
    before = floats;
  }
  return wrong;
}

}  // namespace

TEST_CASE("workspace: fewer rows than were planned never need more room") {
  float none = 0;
  for (const int64_t queries : {1, 7, 40})
    for (const int64_t keys : {5, 64, 400}) {
      CAPTURE(queries);
      CAPTURE(keys);
      kernels::AdditiveAttention additive{};
      additive.queries = queries, additive.keys = keys, additive.hidden = 32, additive.width = 32;
      CHECK(less_room_for_more_rows(additive) == 0);
      kernels::AdditiveAttentionGrad additive_grad{};
      additive_grad.queries = queries, additive_grad.keys = keys, additive_grad.hidden = 32;
      CHECK(less_room_for_more_rows(additive_grad) == 0);
      kernels::DotAttention dot{};
      dot.heads = 1, dot.queries = queries, dot.keys = keys, dot.hidden = 32, dot.width = 32;
      CHECK(less_room_for_more_rows(dot) == 0);
      for (const int64_t heads : {1, 4}) {
        kernels::DotAttentionGrad dot_grad{};
        dot_grad.heads = heads, dot_grad.queries = queries, dot_grad.keys = keys;
        dot_grad.hidden = 32, dot_grad.width = 32, dot_grad.dq.data = &none;
        CHECK(less_room_for_more_rows(dot_grad) == 0);
      }
    }
}
