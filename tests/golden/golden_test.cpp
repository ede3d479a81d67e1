// tests/golden/golden_test.cpp -- the optimised training graph of each model, as text, reviewed
// like code.
//
// tests/update_golden rewrites the files; the diff is what a change to the passes does to real
// models.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "backends/backend.h"
#include "frontend/compile/session.h"
#include "ir/text/text.h"
#include "models/families/rnn/rnn.h"
#include "models/families/seq2seq.h"
#include "models/families/transformer/transformer.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace weft;

namespace {

rnn::Config small() {
  rnn::Config c;
  c.source.vocabulary = 30;
  c.target_vocabulary = 40;
  c.embedding = 8;
  c.hidden = 16;
  return c;
}

rnn::Config luong(rnn::AttentionKind attention, bool feeding) {
  rnn::Config c = small();
  c.cell = CellKind::lstm;
  c.attention = attention;
  c.layers = 2;
  c.bidirectional = false;
  c.input_feeding = feeding;
  c.readout = rnn::Readout::plain;
  return c;
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void check_golden(const std::string& name, const seq2seq::Settings& config) {
  ProgramOptions options;
  options.backend = backends::make_reference();
  const Program program = Program::training(seq2seq::loss_graph(config), {}, options);
  const std::string text = ir::print(program.stage("optimised"));
  const std::string path = std::string(WEFT_SOURCE_DIR) + "/tests/golden/" + name + ".ir";
  if (std::getenv("WEFT_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  const std::string golden = read(path);
  REQUIRE_MESSAGE(!golden.empty(), path << " is missing; tests/update_golden makes it");
  CHECK_MESSAGE(text == golden, name << ": the graph is not the golden one; if that is meant, run "
                                        "tests/update_golden and review its diff");
  CHECK(ir::canonical_text(ir::parse(golden, path)) ==
        ir::canonical_text(program.stage("optimised")));
}

}  // namespace

TEST_CASE("golden: RNNsearch with additive attention") { check_golden("rnnsearch", small()); }

TEST_CASE("golden: Luong general without input feeding attends once over all steps") {
  check_golden("luong_general", luong(rnn::AttentionKind::general, false));
}

TEST_CASE("golden: Luong dot with input feeding") {
  check_golden("luong_dot_feeding", luong(rnn::AttentionKind::dot, true));
}

TEST_CASE("golden: Luong concat") {
  check_golden("luong_concat", luong(rnn::AttentionKind::concat, false));
}

TEST_CASE("golden: the attention-free baseline") {
  rnn::Config c = luong(rnn::AttentionKind::none, false);
  c.dropout = 0.2;
  check_golden("none", c);
}

TEST_CASE("golden: a pre-norm transformer with dropout and label smoothing") {
  transformer::Config c;
  c.source.vocabulary = 30;
  c.target_vocabulary = 40;
  c.width = 16;
  c.heads = 2;
  c.feed_forward = 32;
  c.encoder_layers = c.decoder_layers = 2;
  c.dropout = c.attention_dropout = 0.1;
  c.label_smoothing = 0.1;
  check_golden("transformer", c);
}
