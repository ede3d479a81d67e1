// tests/cli/opt_test.cpp -- weft opt, weft dump, weft ops: graphs in, graphs and pictures out.
#include "ir/ops/table.h"
#include "ir/text/text.h"
#include "tests/cli/graphs.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>

namespace weft::tests {
namespace {

TEST_CASE("opt: without passes a graph comes out as it went in, and again the same") {
  Folder folder;
  for (const char* text : {kAttention, kLoop}) {
    const Outcome once = weft({"opt", folder.write("a.ir", text)});
    REQUIRE(once.code == 0);
    CHECK(ir::canonical_text(ir::parse(once.out)) == ir::canonical_text(ir::parse(text)));
    CHECK(weft({"opt", folder.write("b.ir", once.out)}).out == once.out);
  }
}

TEST_CASE("opt: attention is recognised, explained in the user's lines, and can be switched off") {
  Folder folder;
  const std::string graph = folder.write("att.ir", kAttention);
  const Outcome fused =
      weft({"opt", graph, "--passes=canonicalize,fuse_attention", "--explain", "--timing"});
  CHECK(fused.code == 0);
  CHECK(fused.out.find("= attention(") != fused.out.npos);
  CHECK(fused.err.find("att.ir:8: softmax %a") != fused.err.npos);
  CHECK(weft({"opt", graph, "--passes=recognise", "--disable=fuse_attention"})
            .out.find("= attention(") == std::string::npos);
}

TEST_CASE("opt: --list names every pass") {
  const Outcome o = weft({"opt", "--list"});
  CHECK(o.code == 0);
  for (const char* name : {"canonicalize", "split_scan", "fuse_attention", "fuse_cells"})
    CHECK(o.out.find(name) != o.out.npos);
}

TEST_CASE("opt: -o writes the file whole") {
  Folder folder;
  const std::string graph = folder.write("a.ir", kLoop);
  CHECK(weft({"opt", graph, "-o", folder / "b.ir"}).out.empty());
  CHECK(folder.read("b.ir") == weft({"opt", graph}).out);
}

TEST_CASE("dump: every stage as text that is read back, as dot and as svg") {
  Folder folder;
  const std::string graph = folder.write("a.ir", kAttention);
  for (const std::string stage : {"built", "fused", "differentiated", "optimised"}) {
    INFO(stage);
    const Outcome text = weft({"dump", graph, "--stage", stage});
    REQUIRE(text.code == 0);
    CHECK_NOTHROW(ir::parse(text.out));
    CHECK(weft({"dump", graph, "--stage", stage, "--format", "dot"}).out.starts_with("digraph"));
    REQUIRE(weft({"dump", graph, "--stage", stage, "-o", folder / "a.svg"}).code == 0);
    CHECK(folder.read("a.svg").ends_with("</svg>\n"));
  }
  CHECK(
      weft({"dump", graph, "--stage", "planned", "--bind", "B=2", "--bind", "S=3", "--bind", "D=4"})
          .out.find("arena") != std::string::npos);
  CHECK(not_a_clear_refusal(weft({"dump", graph, "--stage", "planned"}), 2) == "");
  CHECK(not_a_clear_refusal(weft({"dump", graph, "--stage", "planned", "--format", "svg"}), 2) ==
        "");
}

TEST_CASE("ops: the table has a row for every op") {
  const std::string table = weft({"ops"}).out;
  for (const ir::OpDef* op : ir::ops::table())
    CHECK(table.find("| `" + std::string(op->name) + "` |") != table.npos);
}

}  // namespace
}  // namespace weft::tests
