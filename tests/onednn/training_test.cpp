// tests/onednn/training_test.cpp -- Bahdanau's decoder with its loss and gradients, before and
// after the passes.
#include "autodiff/gradient.h"
#include "backends/reference/reference.h"
#include "ir/passes/pipeline.h"
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/onednn/decoder_text.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

using namespace weft;

TEST_CASE("training: a decoder's loss and gradients, as built and as optimised") {
  const ir::Graph built = ir::parse(tests::kDecoder);
  const std::vector<std::string> wanted{"s0", "h", "Wa", "Ua", "va", "Wx", "Wc", "U", "Un", "Wo"};
  const ir::Graph plain = autodiff::gradient(built, "loss", wanted);
  ir::PassContext context;
  const ir::Graph recognised = ir::run_passes(built, ir::recognise_passes(), context).graph;
  const ir::Graph fast =
      ir::run_passes(autodiff::gradient(recognised, "loss", wanted), ir::optimise_passes(), context)
          .graph;
  for (uint64_t seed : {1, 2, 3}) {
    const ir::Bindings sizes{{"B", 3}, {"T", 5}, {"S", 4}, {"H", 6},
                             {"M", 3}, {"E", 5}, {"A", 7}, {"V", 11}};
    const auto arguments = tests::sample_arguments(plain, sizes, seed, ir::DType::f32);
    // Five steps of tanh and softmax with weights up to 1.6 amplify rounding.
    tests::check_same(plain, arguments, {.bindings = sizes, .tolerance = 1e-4});
    tests::check_same(fast, arguments, {.bindings = sizes, .tolerance = 1e-4});
  }
}
