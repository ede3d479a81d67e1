// tests/passes/pipeline_test.cpp -- the passes in their order.
#include "ir/text/text.h"
#include "tests/support/check_rewrite.h"
#include "tests/support/decoder_text.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace weft;
using namespace weft::test;

namespace {

using tests::kDecoder;

constexpr const char* kRecognised = R"(
graph @decoder(input %s0: f32[B,H], input %y: f32[T,B,M], input %h: f32[B,S,E], input %sl: s32[B], input %tl: s32[B],
    parameter %Wa: f32[H,A], parameter %Ua: f32[E,A], parameter %va: f32[A], parameter %Wx: f32[M,3*H],
    parameter %Wc: f32[E,3*H], parameter %U: f32[H,2*H], parameter %Un: f32[H,H], parameter %Wo: f32[H,V]) -> (o: f32[T,B,V]) {
  %m = length_mask(%sl) {size=S}
  %k = matmul(%h, %Ua)
  %gx = matmul(%y, %Wx)
  %sN, %ss = scan(%s0; %gx; %Wa, %k, %h, %va, %m, %Wc, %U, %Un; %tl) {axes=[0], out_axes=[0]}
  (%s, %x, %Wa, %k, %h, %va, %m, %Wc, %U, %Un, %live) {
    %q = matmul(%s, %Wa)
    %c = attention(%q, %k, %h; %va; %m) {score="additive"}
    %gc = matmul(%c, %Wc)
    %g = add(%x, %gc)
    %s1 = gru_cell(%g, %s, %U, %Un) {reset="before"}
    yield %s1; %s1
  }
  %o = matmul(%ss, %Wo)
  return %o
})";

}  // namespace

TEST_CASE("pipeline: the worked decoder becomes what the manual says") {
  check_rewrite("recognise", kDecoder, kRecognised);
}

TEST_CASE("pipeline: the worked decoder keeps its values, with ended and empty rows") {
  check_keeps_values("recognise", kDecoder);
  check_keeps_values("recognise", kDecoder, {{"T", 1}, {"S", 1}});
  check_keeps_values("recognise", kDecoder, {{"B", 1}, {"S", 3}});
}

TEST_CASE("pipeline: passes are found by name, sorted, and have a doc line") {
  std::string_view last;
  for (const ir::Pass& p : ir::all_passes()) {
    CHECK(last < p.name);
    last = p.name;
    CHECK_FALSE(p.doc.empty());
    CHECK(ir::find_pass(p.name) == &p);
  }
  CHECK(ir::find_pass("no_such_pass") == nullptr);
  for (const ir::Pass* p : ir::recognise_passes()) CHECK(p != nullptr);
  for (const ir::Pass* p : ir::optimise_passes()) CHECK(p != nullptr);
}

TEST_CASE("pipeline: passes are recorded, observed and switched off by name") {
  ir::PassContext context;
  std::vector<std::string> seen;
  ir::PipelineOptions options;
  options.disabled = {"fuse_cells"};
  options.observe = [&](std::string_view pass, const ir::Graph&, const ir::Graph&) {
    seen.emplace_back(pass);
  };
  const ir::PipelineResult r =
      ir::run_passes(ir::parse(kDecoder), ir::recognise_passes(), context, options);
  CHECK(seen.size() == r.records.size());
  CHECK(seen.size() + 1 == ir::recognise_passes().size());
  CHECK(ir::print(r.graph).find("gru_cell") == std::string::npos);
  CHECK(r.records[0].nodes_before == 33);
  const auto changed = std::count_if(r.records.begin(), r.records.end(),
                                     [](const ir::PassRecord& p) { return p.changed; });
  CHECK(changed >= 2);
}

TEST_CASE("pipeline: where a node comes from is told by file, line and scope") {
  const ir::Graph g =
      ir::parse("graph(%x: f32[2]) {\n %y = tanh(%x) // encoder\n return %y }", "model.ir");
  CHECK(ir::where(g.nodes()[0]) == "model.ir:2 encoder");
}

TEST_CASE("pipeline: a pass to leave out that there is not is an error") {
  const ir::Graph g = ir::parse(kDecoder);
  ir::PassContext context;
  CHECK_THROWS_WITH_AS(
      ir::run_passes(g, ir::recognise_passes(), context, {.disabled = {"fuse_atention"}}),
      "there is no pass 'fuse_atention' to leave out", ir::GraphError);
}
