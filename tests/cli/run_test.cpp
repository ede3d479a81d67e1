// tests/cli/run_test.cpp -- weft run: values and gradients, and data that does not fit.
#include "frontend/formats/npz.h"
#include "ir/host/array.h"
#include "tests/cli/graphs.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>

#include <cmath>

namespace weft::tests {
namespace {

using ir::Array;
using ir::DType;
using ir::NamedArrays;

Array waves(ir::Dims dims, double phase, DType dtype = DType::f64) {
  Array a(dtype, std::move(dims));
  for (int64_t i = 0; i < a.size(); ++i) a.set(i, std::sin(phase + 1.7 * static_cast<double>(i)));
  return a;
}

NamedArrays attention_inputs() {
  return {{"q", waves({3, 4}, 0)},
          {"k", waves({3, 5, 4}, 1)},
          {"n", Array::of<int64_t>(DType::s64, {3}, {5, 2, 0})},
          {"att/W", waves({4, 4}, 2)}};
}

struct Fixture {
  Folder folder;
  std::string graph = folder.write("g.ir", kAttention);
  std::string in = folder / "in.npz", out = folder / "out.npz";

  Fixture() { formats::write_npz(in, attention_inputs()); }
  Outcome run(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"run", graph, "--inputs", in, "--outputs", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return weft(arguments);
  }
  // Runs with these inputs; the refusal's line.
  std::string refusal(const NamedArrays& inputs, std::vector<std::string> more = {}) {
    formats::write_npz(in, inputs);
    const Outcome o = run(std::move(more));
    CHECK(not_a_clear_refusal(o) == "");
    CHECK_FALSE(folder.has("out.npz"));
    return o.err;
  }
};

NamedArrays with(NamedArrays arrays, const std::string& name, const Array& array) {
  NamedArrays changed;
  for (const auto& entry : arrays)
    changed.add(entry.name, entry.name == name ? array : entry.array);
  if (!changed.contains(name)) changed.add(name, array);
  return changed;
}
NamedArrays without(const NamedArrays& arrays, const std::string& name) {
  NamedArrays fewer;
  for (const auto& entry : arrays)
    if (entry.name != name) fewer.add(entry.name, entry.array);
  return fewer;
}

double difference(const Array& a, const Array& b) {
  REQUIRE(a.dims() == b.dims());
  double worst = 0;
  for (int64_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::fabs(a.at(i) - b.at(i)));
  return worst;
}

TEST_CASE_FIXTURE(Fixture,
                  "run: the reference computes in double, results bear the header's names") {
  CHECK(run().code == 0);
  const NamedArrays results = formats::read_npz(out);
  REQUIRE(results.size() == 2);
  CHECK(results.at("o").dtype() == DType::f64);
  // Row 1 by hand: two keys.
  const NamedArrays inputs = attention_inputs();
  const Array &q = inputs.at("q"), &k = inputs.at("k"), &w = inputs.at("att/W");
  double p[4] = {}, e[2] = {};
  for (int j = 0; j < 4; ++j)
    for (int i = 0; i < 4; ++i) p[j] += q.at(4 + i) * w.at(4 * i + j);
  for (int s = 0; s < 2; ++s)
    for (int j = 0; j < 4; ++j) e[s] += p[j] * k.at(20 + 4 * s + j);
  const double a0 = 1 / (1 + std::exp(e[1] - e[0]));
  for (int j = 0; j < 4; ++j)
    CHECK(results.at("o").at(4 + j) ==
          doctest::Approx(a0 * k.at(20 + j) + (1 - a0) * k.at(24 + j)).epsilon(1e-14));
  for (int j = 0; j < 4; ++j) CHECK(results.at("o").at(8 + j) == 0);  // nothing to look at
}

TEST_CASE_FIXTURE(Fixture,
                  "run: onednn agrees with the reference, gradients too, written or optimised") {
  REQUIRE(run({"--gradient", "loss"}).code == 0);
  const NamedArrays wanted = formats::read_npz(out);
  CHECK(wanted.size() == 5);
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"--optimise"}, {"--check-nan"}, {"--compare-reference"}}) {
    std::vector<std::string> options{"--backend", "onednn", "--gradient", "loss"};
    options.insert(options.end(), more.begin(), more.end());
    const Outcome o = run(options);
    INFO(o.err);
    REQUIRE(o.code == 0);
    const NamedArrays found = formats::read_npz(out);
    for (const auto& [name, array] : wanted) CHECK(difference(found.at(name), array) < 1e-5);
  }
}

TEST_CASE_FIXTURE(Fixture, "run: gradients are those of central differences") {
  REQUIRE(run({"--gradient", "loss:W,q"}).code == 0);
  const NamedArrays results = formats::read_npz(out);
  CHECK(results.size() == 4);
  const auto loss_with = [&](const std::string& name, int64_t i, double by) {
    Array moved = attention_inputs().at(name).clone();
    moved.set(i, moved.at(i) + by);
    formats::write_npz(in, with(attention_inputs(), name, moved));
    REQUIRE(run().code == 0);
    return formats::read_npz(out).at("loss").at(0);
  };
  constexpr double h = 1e-5;
  for (const auto& [argument, gradient] :
       {std::pair<std::string, std::string>{"att/W", "dW"}, {"q", "dq"}})
    for (const int64_t i : {0, 3, 6})
      CHECK(results.at(gradient).at(i) ==
            doctest::Approx((loss_with(argument, i, h) - loss_with(argument, i, -h)) / (2 * h))
                .epsilon(1e-7));
}

TEST_CASE_FIXTURE(Fixture, "run: gradients bear the name they were asked for by") {
  REQUIRE(run({"--gradient", "loss:att/W"}).code == 0);
  CHECK(formats::read_npz(out).contains("datt/W"));
}

TEST_CASE("run: the gradient of a gradient has a name of its own") {
  Folder folder;
  const std::string graph =
      folder.write("g.ir", "graph @g(input %x: f32[]) { %y = pow(%x, 3) return %y }");
  const std::string once = folder / "once.ir", out = folder / "out.npz";
  REQUIRE(weft({"dump", graph, "--stage", "differentiated", "-o", once}).code == 0);
  formats::write_npz(folder / "in.npz", {{"x", Array::of<double>(DType::f64, {}, {2})}});
  REQUIRE(weft({"run", once, "--inputs", folder / "in.npz", "--outputs", out, "--gradient", "dx"})
              .code == 0);
  CHECK(formats::read_npz(out).at("dx").at(0) == 12);
  CHECK(formats::read_npz(out).at("ddx").at(0) == 12);
}

TEST_CASE_FIXTURE(Fixture, "run: an array d<result> is the adjoint to start from") {
  formats::write_npz(in, with(attention_inputs(), "do", waves({3, 4}, 5)));
  REQUIRE(run({"--gradient", "o:q"}).code == 0);
  const Array weighted = formats::read_npz(out).at("dq");
  formats::write_npz(in, attention_inputs());
  REQUIRE(run({"--gradient", "o:q"}).code == 0);
  CHECK(difference(weighted, formats::read_npz(out).at("dq")) > 1e-3);
}

TEST_CASE("run: a loop, with lengths, forward and gradients") {
  Folder folder;
  const std::string graph = folder.write("g.ir", kLoop), in = folder / "in.npz",
                    out = folder / "out.npz";
  formats::write_npz(in, {{"x", waves({4, 2, 3}, 0)},
                          {"s0", waves({2, 5}, 1)},
                          {"n", Array::of<int64_t>(DType::s32, {2}, {4, 1})},
                          {"W", waves({3, 5}, 2)},
                          {"U", waves({5, 5}, 3)}});
  REQUIRE(weft({"run", graph, "--inputs", in, "--outputs", out, "--gradient", "y"}).code == 0);
  const NamedArrays wanted = formats::read_npz(out);
  for (int64_t i = 0; i < 5; ++i) {
    CHECK(wanted.at("y").at(10 + 5 + i) == 0);  // row 1 has ended at t = 1
    CHECK(wanted.at("s").at(5 + i) == wanted.at("y").at(5 + i));
  }
  REQUIRE(weft({"run", graph, "--inputs", in, "--outputs", out, "--gradient", "y", "--backend",
                "onednn", "--optimise"})
              .code == 0);
  const NamedArrays found = formats::read_npz(out);
  for (const auto& [name, array] : wanted) CHECK(difference(found.at(name), array) < 1e-5);
}

TEST_CASE("run: symbols that no array tells are bound") {
  Folder folder;
  const std::string graph = folder.write(
      "g.ir",
      "graph @g() -> (x: s32[S]) {\n  %x = iota() {shape=[S], dtype=s32}\n  return %x\n}\n");
  const Outcome without_size = weft({"run", graph});
  CHECK(not_a_clear_refusal(without_size) == "");
  CHECK(without_size.err.find("S") != std::string::npos);
  REQUIRE(weft({"run", graph, "--bind", "S=7", "--outputs", folder / "out.npz"}).code == 0);
  CHECK(formats::read_npz(folder / "out.npz").at("x").dims() == ir::Dims{7});
  CHECK(not_a_clear_refusal(weft({"run", graph, "--bind", "S=1000000000000000"})) == "");
  CHECK(not_a_clear_refusal(weft({"run", graph, "--bind", "S=9223372036854775807"})) == "");
  CHECK(not_a_clear_refusal(weft({"run", graph, "--bind", "S"}), 2) == "");
  CHECK(not_a_clear_refusal(weft({"run", graph, "--bind", "S=-1"}), 2) == "");
}

TEST_CASE_FIXTURE(Fixture, "run: data that does not fit is refused by name") {
  const NamedArrays good = attention_inputs();
  const auto says = [](const std::string& line, std::initializer_list<const char*> pieces) {
    for (const char* piece : pieces) {
      INFO(line);
      CHECK(line.find(piece) != line.npos);
    }
  };
  says(refusal(without(good, "k")), {"in.npz", "'k'"});
  says(refusal(with(good, "extra", waves({1}, 0))), {"in.npz", "'extra'"});
  says(refusal(with(good, "W", waves({4, 4}, 0))), {"in.npz", "'att/W'", "'W'"});
  says(refusal(with(good, "n", waves({3}, 0))), {"in.npz", "%n", "integers", "f64"});
  says(refusal(with(good, "n", Array::of<int64_t>(DType::s64, {3}, {1, int64_t{1} << 40, 0}))),
       {"%n", "1099511627776", "element 1"});
  says(refusal(with(good, "n", Array::of<int64_t>(DType::s64, {3, 1}, {1, 1, 0}))),
       {"%n", "rank 1"});
  says(refusal(with(good, "k", waves({2, 5, 4}, 0))), {"%k", "B", "2", "3"});
  says(refusal(good, {"--bind", "D=9"}), {"D"});
  says(refusal(good, {"--gradient", "nonsense"}), {"nonsense"});
  says(refusal(good, {"--gradient", "loss:n"}), {"n"});
  says(refusal(good, {"--gradient", "loss:nonsense"}), {"nonsense"});
}

TEST_CASE("run: an index out of range is refused by both backends") {
  Folder folder;
  const std::string graph =
      folder.write("g.ir",
                   "graph @g(input %t: f32[V,M], input %i: s32[N]) -> (y: f32[N,M]) {\n  %y = "
                   "gather(%t, %i) {axis=0}\n  return %y\n}\n");
  for (const int64_t index : {int64_t{3}, int64_t{-1}, int64_t{1} << 30})
    for (const std::string backend : {"reference", "onednn"}) {
      INFO(backend << " " << index);
      formats::write_npz(
          folder / "in.npz",
          {{"t", waves({3, 2}, 0)}, {"i", Array::of<int64_t>(DType::s32, {2}, {0, index})}});
      const Outcome o = weft({"run", graph, "--inputs", folder / "in.npz", "--outputs",
                              folder / "out.npz", "--backend", backend});
      CHECK(not_a_clear_refusal(o) == "");
      CHECK_FALSE(folder.has("out.npz"));
    }
}

TEST_CASE("run: an integer division by zero is refused by both backends, in the user's line") {
  Folder folder;
  for (const std::string dtype : {"s32", "s64", "u32", "u8"})
    for (const std::string op : {"div", "remainder"})
      for (const std::string backend : {"reference", "onednn"}) {
        INFO(op << " of " << dtype << " on " << backend);
        const std::string graph =
            folder.write("g.ir", "graph @g(input %a: " + dtype + "[2], input %b: " + dtype +
                                     "[2]) {\n  %c = add(" + "%b, 0)\n  %y = " + op +
                                     "(%a, %c)\n  %z = add(%y, 1)\n  return %z\n}\n");
        const auto run = [&](int64_t divisor) {
          formats::write_npz(folder / "in.npz",
                             {{"a", Array::of<int64_t>(DType::s64, {2}, {7, 8})},
                              {"b", Array::of<int64_t>(DType::s64, {2}, {5, divisor})}});
          return weft({"run", graph, "--inputs", folder / "in.npz", "--backend", backend});
        };
        CHECK(run(3).code == 0);
        const Outcome o = run(0);
        CHECK(not_a_clear_refusal(o) == "");
        CHECK(o.err.find("g.ir:3") != std::string::npos);
        CHECK(o.err.find("divides an integer by zero [binary.4]") != std::string::npos);
      }
}

TEST_CASE("run: the optimiser leaves the reference's numbers unrounded") {
  Folder folder;
  const std::string graph =
      folder.write("g.ir", "graph @g(input %x: f32[5]) { %y = mean(%x) {axes=[0]} return %y }");
  formats::write_npz(folder / "in.npz", {{"x", waves({5}, 0)}});
  REQUIRE(weft({"run", graph, "--inputs", folder / "in.npz", "--outputs", folder / "out.npz",
                "--gradient", "y", "--optimise"})
              .code == 0);
  CHECK(formats::read_npz(folder / "out.npz").at("dx").at(0) == 1.0 / 5);
}

TEST_CASE("run: --check-nan names the first node that makes one, and its line") {
  Folder folder;
  const std::string graph = folder.write("g.ir",
                                         "graph @g(input %x: f32[4]) -> (y: f32[4]) {\n  %l = "
                                         "log(%x)\n  %y = mul(%l, 2)\n  return %y\n}\n");
  formats::write_npz(folder / "in.npz", {{"x", Array::of<double>(DType::f64, {4}, {1, 2, -1, 3})}});
  const Outcome o =
      weft({"run", graph, "--inputs", folder / "in.npz", "--backend", "onednn", "--check-nan"});
  CHECK(not_a_clear_refusal(o) == "");
  CHECK(o.err.find("log") != std::string::npos);
  CHECK(o.err.find("g.ir:2") != std::string::npos);
}

TEST_CASE("run: --profile prints a table") {
  Folder folder;
  const std::string graph = folder.write(
      "g.ir",
      "graph @g(input %x: f32[4,4]) -> (y: f32[4,4]) {\n  %y = matmul(%x, %x)\n  return %y\n}\n");
  formats::write_npz(folder / "in.npz", {{"x", waves({4, 4}, 0)}});
  const Outcome o =
      weft({"run", graph, "--inputs", folder / "in.npz", "--backend", "onednn", "--profile"});
  CHECK(o.code == 0);
  CHECK(o.out.find("matmul") != std::string::npos);
}

TEST_CASE("run: what cannot be written leaves nothing behind") {
  Folder folder;
  const std::string graph = folder.write(
      "g.ir", "graph @g(input %x: f32[2]) -> (y: f32[2]) {\n  %y = exp(%x)\n  return %y\n}\n");
  formats::write_npz(folder / "in.npz", {{"x", waves({2}, 0)}});
  CHECK(not_a_clear_refusal(weft({"run", graph, "--inputs", folder / "in.npz", "--outputs",
                                  folder / "no/such/out.npz"})) == "");
  CHECK(folder.names() == std::vector<std::string>{"g.ir", "in.npz"});
}

}  // namespace
}  // namespace weft::tests
