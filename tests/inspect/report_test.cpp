// tests/inspect/report_test.cpp -- what became of nodes, memory over time, traces, the page's data.
#include "frontend/inspect/report.h"

#include "frontend/inspect/hot_kernels.h"
#include "frontend/inspect/lineage.h"
#include "frontend/inspect/memory.h"
#include "frontend/inspect/trace.h"
#include "ir/text/text.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace weft::inspect {
namespace {

const ir::Graph& attention() {
  static const ir::Graph graph = ir::parse(R"(
    graph @a(input %q: f32[B,T,8], input %k: f32[B,S,8]) -> (o: f32[B,T,8]) {
      %e = matmul(%q, %k) {transpose_b=true}  // att
      %w = softmax(%e)  // att
      %o = matmul(%w, %k)  // att
      %y = tanh(%o)
      return %y
    })");
  return graph;
}

ir::Graph fused() {
  ir::PassContext context;
  return ir::find_pass("fuse_attention")->run(attention(), context);
}

TEST_CASE(
    "lineage: what a pass leaves alone keeps its number, what it makes knows what it replaced") {
  Lineage lineage;
  const ir::Graph before = attention(), after = fused();
  const auto first = lineage.next(places(before)), again = lineage.next(places(before));
  CHECK(first == again);
  CHECK(lineage.added() == 0);
  const auto second = lineage.next(places(after));
  CHECK(lineage.added() == 1);
  CHECK(lineage.removed() == 3);
  CHECK(second.front() == first.front());  // an argument
  CHECK(second.back() == first.back());    // tanh
  const auto& made = lineage.births()[static_cast<size_t>(second[second.size() - 2])];
  CHECK(made.step == 2);
  CHECK(made.from == std::vector<int>{first[2], first[3], first[4]});
}

TEST_CASE(
    "report: its JSON has the passes with their graphs, and nodes that stay stand in it once") {
  const Inspection page{
      .title = "a",
      .subtitle = "b",
      .built = attention(),
      .steps = {{"fuse_attention", "doc", 1.5, fused(), {{ir::Note::Kind::near_miss, "p", "why"}}},
                {"dce", "doc", 0.5, fused(), {}}}};
  const auto j = nlohmann::json::parse(report_json(page));
  REQUIRE(j["passes"].size() == 3);
  CHECK(j["passes"][1]["added"] == 1);
  CHECK(j["passes"][1]["removed"] == 3);
  CHECK(j["passes"][2]["added"] == 0);
  CHECK(j["passes"][1]["nodes"] == j["passes"][2]["nodes"]);
  CHECK(j["passes"][1]["notes"][0][1] == "why");
  const std::string html = report_html(page);
  CHECK(html.find("{{") == html.npos);
  CHECK(html.find("http://") == html.find("http://www.w3.org/2000/svg"));  // a name, not an address
}

TEST_CASE("report: what a user writes cannot break out of the page") {
  const Inspection page{.title = "</script><b>", .subtitle = "</script><!--", .built = attention()};
  const std::string html = report_html(page);
  CHECK(html.find("</script><b>") == html.npos);
  CHECK(html.find("</script><!--") == html.npos);
}

backends::Report run_report() {
  backends::Report r;
  r.graph = ir::parse(R"(
    graph @g(input %x: f32[64]) -> (y: f32[64]) {
      %a = exp(%x)  // body
      %b = tanh(%a)
      %y = exp(%b)
      return %y
    })");
  r.kernels = {
      {.kernel = "elementwise", .op = "exp", .nodes = {0}, .calls = 1, .seconds = 0.5},
      {.kernel = "loop",
       .op = "tanh",
       .nodes = {1},
       .calls = 1,
       .seconds = 1,
       .body = {{.kernel = "matmul", .op = "matmul", .flops = 1e9, .calls = 2, .seconds = 0.9}}}};
  r.memory.arena_bytes = 512;
  r.memory.steps = {{{0}, 256}, {{1}, 512}, {{2}, 256}};
  const ir::Values a = r.graph.nodes()[0].results, b = r.graph.nodes()[1].results;
  r.memory.allocations = {{.bytes = 256, .first = 0, .last = 1, .values = a},
                          {.offset = 256, .bytes = 256, .first = 1, .last = 2, .values = b}};
  r.trace = {{0, -1, 0, 0.5},   {2, -1, 0.6, 0.4},  {1, 0, 0.6, 0.45},
             {2, -1, 1.1, 0.4}, {1, 1, 1.05, 0.45}, {1, -1, 0.55, 1}};
  return r;
}

TEST_CASE("memory: the peak is the step with the most in use, and who holds it is listed") {
  const backends::Report r = run_report();
  const Peak peak = peak_of(r.memory);
  CHECK(peak.step == 1);
  CHECK(peak.bytes == 512);
  CHECK(peak.held.size() == 2);
  CHECK(without_reuse(r.memory).values == 2);
  const std::string text = memory_text(r.graph, r.memory);
  CHECK(text.find("arena of 0.5 kB over 3 steps") != text.npos);
  CHECK(text.find("%a: f32[64]") != text.npos);
  CHECK(text.find("<- peak") != text.npos);
  CHECK(memory_svg(r.graph, r.memory).ends_with("</svg>\n"));
  CHECK(memory_text(r.graph, {}).find("nothing lies in the arena") != std::string::npos);
}

TEST_CASE("trace: kernels, loops and their steps are nested events") {
  const auto j = nlohmann::json::parse(chrome_trace(run_report(), 100));
  std::vector<nlohmann::json> events;
  for (const auto& e : j["traceEvents"])
    if (e["ph"] == "X") events.push_back(e);
  REQUIRE(events.size() == 6);
  CHECK(events[0]["name"] == "exp");
  CHECK(events[1]["cat"] == "loop");
  CHECK(events[2]["name"] == "t = 0");  // before the kernel that starts with it
  CHECK(events[3]["name"] == "matmul");
  CHECK(events[3]["args"]["share of peak"].get<double>() == doctest::Approx(1e9 / 0.4 / 1e9 / 100));
}

TEST_CASE("hot kernels: those with the most above the hardware's limit come first") {
  const auto kernel = [](const char* name, const char* scope, double flops, double bytes,
                         double seconds) {
    backends::KernelReport k;
    k.kernel = name, k.scope = scope, k.flops = flops, k.bytes = bytes, k.seconds = seconds;
    k.calls = 2;  // in two runs
    return k;
  };
  backends::Report report;
  report.kernels = {kernel("matmul", "encoder", 1e9, 0, 0.030),
                    kernel("matmul", "decoder", 1e9, 0, 0.022), kernel("copy", "", 0, 1e7, 0.008)};
  backends::KernelReport loop = kernel("scan", "decoder", 0, 0, 0.050);
  loop.body = {kernel("copy", "", 0, 1e7, 0.044)};
  report.kernels.push_back(loop);
  const Hardware hardware{100, 10};  // 1e9 operations: 10 ms; 1e7 bytes: 1 ms
  const std::vector<HotKernel> all = hot_kernels({&report, 1}, 2, hardware, false);
  REQUIRE(all.size() == 3);
  CHECK(all[0].kernel == "copy");
  CHECK(all[0].milliseconds == doctest::Approx(26));
  CHECK(all[0].limit_milliseconds == doctest::Approx(2));
  CHECK(all[0].memory_milliseconds == doctest::Approx(2));
  CHECK(all[1].kernel == "matmul");
  CHECK(all[1].milliseconds == doctest::Approx(26));
  CHECK(all[1].limit_milliseconds == doctest::Approx(20));
  CHECK(all[2].milliseconds == doctest::Approx(3));  // the loop's own
  CHECK(hot_kernels({&report, 1}, 2, hardware, true).size() == 4);
  const std::string text = hot_kernels_text({&report, 1}, 2, hardware, 2);
  CHECK(text.find("55.0 ms a run, of which 33.0 ms above") != text.npos);
  CHECK(text.find("77% FMA") != text.npos);
  CHECK(text.find("3.000   5.5% in 1 more") != text.npos);
}

TEST_CASE("shares of engines: what has a primitive's name is oneDNN's, loops by what is in them") {
  backends::Report report;
  report.kernels = {
      {.kernel = "matmul", .implementation = "gemm:jit", .flops = 3e9, .calls = 1, .seconds = 0.03},
      {.kernel = "matmul", .flops = 1e9, .calls = 1, .seconds = 0.02},
      {.kernel = "loop",
       .calls = 1,
       .seconds = 0.05,
       .body = {{.kernel = "copy", .calls = 4, .seconds = 0.04}}}};
  CHECK(engine_shares({&report, 1}).text() ==
        "oneDNN 75% of the arithmetic, 30% of the time; Weft 25% and 70%");
  report.kernels.erase(report.kernels.begin(), report.kernels.begin() + 2);
  CHECK(engine_shares({&report, 1}).text() == "oneDNN 0% of the time; Weft 100%");
  CHECK(engine_shares({}).text().empty());
}

}  // namespace
}  // namespace weft::inspect
