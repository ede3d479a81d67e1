// tests/frontend/einsum_test.cpp -- equations: which graphs they become, their values, their errors.
#include "backends/reference/reference.h"
#include "tests/frontend/graph_text.h"

#include <algorithm>
#include <map>

using namespace weft;
using ir::Array;
using weft::tests::check_graph;
using weft::tests::error_of;
using weft::tests::has;

namespace {

// The graph of an equation over inputs a, b, c, ... of these shapes.
Model model_of(std::string_view equation, const std::vector<Shape>& shapes) {
  Model m;
  Tensors operands;
  for (size_t i = 0; i < shapes.size(); ++i)
    operands.push_back(m.input(std::string(1, static_cast<char>('a' + i)), f32, shapes[i]));
  m.output("y", einsum(equation, operands));
  return m;
}

Array counted(const ir::Dims& dims, int seed) {
  Array a(f64, dims);
  for (int64_t i = 0; i < a.size(); ++i) a.set(i, static_cast<double>((i * 7 + seed * 3) % 11) - 4);
  return a;
}

int64_t at(const std::string& letters, const ir::Dims& dims,
           const std::map<char, int64_t>& places) {
  int64_t i = 0;
  for (size_t d = 0; d < dims.size(); ++d)
    i = i * dims[d] + (dims[d] == 1 ? 0 : places.at(letters[d]));
  return i;
}

// Every product of one element of each operand, added where the result's indices say.
Array summed(const std::vector<std::string>& in, const std::string& out,
             const std::vector<Array>& operands, const std::map<char, int64_t>& sizes) {
  ir::Dims dims;
  for (const char c : out) dims.push_back(sizes.at(c));
  Array y(f64, dims);
  std::map<char, int64_t> places;
  int64_t count = 1;
  for (const auto& [c, n] : sizes) count *= n;
  for (int64_t n = 0; n < count; ++n) {
    int64_t rest = n;
    for (const auto& [c, size] : sizes) {
      places[c] = rest % size;
      rest /= size;
    }
    double product = 1;
    for (size_t i = 0; i < in.size(); ++i)
      product *= operands[i].at(at(in[i], operands[i].dims(), places));
    const int64_t to = at(out, dims, places);
    y.set(to, y.at(to) + product);
  }
  return y;
}

// With sizes as numbers, and as symbols that are bound to them.
void check_values(const std::vector<std::string>& in, const std::string& out,
                  const std::map<char, int64_t>& sizes) {
  std::string equation;
  for (size_t i = 0; i < in.size(); ++i) equation += (i == 0 ? "" : ",") + in[i];
  equation += "->" + out;
  CAPTURE(equation);
  std::vector<Array> operands;
  for (size_t i = 0; i < in.size(); ++i) {
    ir::Dims dims;
    for (const char c : in[i]) dims.push_back(sizes.at(c));
    operands.push_back(counted(dims, static_cast<int>(i)));
  }
  const Array want = summed(in, out, operands, sizes);
  for (const bool symbols : {false, true}) {
    std::vector<Shape> shapes;
    ir::Bindings bindings;
    for (const std::string& letters : in) {
      shapes.emplace_back();
      for (const char c : letters) {
        const std::string symbol(1, static_cast<char>(std::toupper(c)));
        shapes.back().push_back(symbols ? dim(symbol) : Dim(sizes.at(c)));
        if (symbols) bindings[symbol] = sizes.at(c);
      }
    }
    const Model m = model_of(equation, shapes);
    ir::verify(m.graph());
    const Array y = backends::reference::evaluate(m.graph(), operands, bindings)[0];
    REQUIRE(y.dims() == want.dims());
    for (int64_t i = 0; i < y.size(); ++i) CHECK(y.at(i) == want.at(i));
  }
}

Shape shape(std::string_view text) {
  Shape s;
  for (const char c : text) s.push_back(dim(std::string(1, c)));
  return s;
}

}  // namespace

TEST_CASE("einsum: scores of attention are one matmul of what is there as it lies") {
  check_graph(model_of("bhqd,bhkd->bhqk", {shape("BHQD"), shape("BHKD")}),
              "graph @main(input %a: f32[B,H,Q,D], input %b: f32[B,H,K,D]) {"
              " %y = matmul(%a, %b) {transpose_b=true} return %y }");
}

TEST_CASE("einsum: heads that stand behind positions are moved, and nothing else") {
  check_graph(model_of("bqhd,bkhd->bhqk", {shape("BQHD"), shape("BKHD")}),
              "graph @main(input %a: f32[B,Q,H,D], input %b: f32[B,K,H,D]) {"
              " %q = transpose(%a) {perm=[0,2,1,3]} %k = transpose(%b) {perm=[0,2,1,3]}"
              " %y = matmul(%q, %k) {transpose_b=true} return %y }");
  check_graph(model_of("bhqk,bkhd->bqhd", {shape("BHQK"), shape("BKHD")}),
              "graph @main(input %a: f32[B,H,Q,K], input %b: f32[B,K,H,D]) {"
              " %v = transpose(%b) {perm=[0,2,1,3]} %c = matmul(%a, %v)"
              " %y = transpose(%c) {perm=[0,2,1,3]} return %y }");
}

TEST_CASE("einsum: a matrix shared by the batch meets its rows as they lie") {
  check_graph(model_of("bsd,dn->bsn", {shape("BSD"), shape("DN")}),
              "graph @main(input %a: f32[B,S,D], input %b: f32[D,N]) {"
              " %y = matmul(%a, %b) return %y }");
  check_graph(model_of("dn,bsd->bsn", {shape("DN"), shape("BSD")}),
              "graph @main(input %a: f32[D,N], input %b: f32[B,S,D]) {"
              " %y = matmul(%b, %a) return %y }");
}

TEST_CASE("einsum: heads become one matmul, then one transpose") {
  check_graph(
      model_of("bsd,dhk->bhsk", {shape("BSD"), shape("DHK")}),
      "graph @main(input %a: f32[B,S,D], input %b: f32[D,H,K]) {"
      " %w = reshape(%b) {shape=[D,H*K]} %m = matmul(%a, %w)"
      " %r = reshape(%m) {shape=[B,S,H,K]} %y = transpose(%r) {perm=[0,2,1,3]} return %y }");
}

TEST_CASE("einsum: rows that lie the other way round are read so") {
  check_graph(model_of("ki,kj->ij", {shape("KI"), shape("KJ")}),
              "graph @main(input %a: f32[K,I], input %b: f32[K,J]) {"
              " %y = matmul(%a, %b) {transpose_a=true} return %y }");
}

TEST_CASE(
    "einsum: without a sum it is a product that broadcasts, without more than a sum a product "
    "that is summed") {
  check_graph(model_of("bi,bj->bij", {shape("BI"), shape("BJ")}),
              "graph @main(input %a: f32[B,I], input %b: f32[B,J]) {"
              " %r = reshape(%a) {shape=[B,I,1]} %s = reshape(%b) {shape=[B,1,J]}"
              " %y = mul(%r, %s) return %y }");
  check_graph(model_of("bi,bi->b", {shape("BI"), shape("BI")}),
              "graph @main(input %a: f32[B,I], input %b: f32[B,I]) {"
              " %m = mul(%a, %b) %y = sum(%m) {axes=[1]} return %y }");
}

TEST_CASE("einsum: values are those of the sum, with sizes as numbers and as symbols") {
  const std::map<char, int64_t> ij{{'i', 2}, {'j', 3}}, ijk{{'i', 2}, {'j', 3}, {'k', 4}};
  const std::map<char, int64_t> bijk{{'b', 2}, {'i', 3}, {'j', 2}, {'k', 4}};
  check_values({"ij"}, "ji", ij);
  check_values({"ij"}, "", ij);
  check_values({"ij"}, "j", ij);
  check_values({"ii"}, "i", {{'i', 4}});
  check_values({"ii"}, "", {{'i', 3}});
  check_values({"iij"}, "ji", ij);
  check_values({"iji"}, "j", ij);
  check_values({"iii"}, "i", {{'i', 3}});
  check_values({"ij", "jk"}, "ik", ijk);
  check_values({"ij", "kj"}, "ki", ijk);
  check_values({"ji", "jk"}, "ki", ijk);
  check_values({"ij", "jk"}, "", ijk);
  check_values({"ij", "j"}, "i", ij);
  check_values({"i", "ij"}, "j", ij);
  check_values({"ij", "ij"}, "ij", ij);
  check_values({"ij", ""}, "ij", ij);
  check_values({"", ""}, "", {});
  check_values({"bik", "bkj"}, "bij", bijk);
  check_values({"bik", "bkj"}, "jbi", bijk);
  check_values({"kbi", "jkb"}, "bij", bijk);
  check_values({"bijk", "kb"}, "ji", bijk);
  check_values({"bijk", "jk"}, "ib", bijk);
  check_values({"bikj", "jki"}, "b", bijk);
  check_values({"ij", "jk", "kb"}, "ib", bijk);
  check_values({"ij", "jk", "ik"}, "ijk", ijk);
  check_values({"ii", "ij", "jj"}, "ij", ij);
  check_values({"bi", "bj", "bk", "b"}, "ijk", bijk);
  check_values({"ij", "jk"}, "ik", {{'i', 1}, {'j', 1}, {'k', 4}});
  check_values({"ij", "jk"}, "ik", {{'i', 2}, {'j', 0}, {'k', 3}});
  check_values({"ij", "jk"}, "ik", {{'i', 0}, {'j', 2}, {'k', 3}});
}

TEST_CASE(
    "einsum: ... stands for leading axes, matched from the right; a literal 1 goes with any") {
  const Array a = counted({2, 3, 2, 4}, 1), b = counted({3, 4, 5}, 2);
  const Array y = backends::reference::evaluate(
      model_of("...ij,...jk", {{2, 3, 2, 4}, {3, 4, 5}}).graph(), {a, b})[0];
  const Array want =
      summed({"bcij", "cjk"}, "bcik", {a, b}, {{'b', 2}, {'c', 3}, {'i', 2}, {'j', 4}, {'k', 5}});
  REQUIRE(y.dims() == want.dims());
  for (int64_t i = 0; i < y.size(); ++i) CHECK(y.at(i) == want.at(i));
  const Array one = counted({1, 4, 5}, 2);
  const Array z = backends::reference::evaluate(
      model_of("b...ij,...jk->...kb", {{2, 3, 2, 4}, {1, 4, 5}}).graph(), {a, one})[0];
  const Array spread =
      summed({"bcij", "cjk"}, "ckb", {a, one}, {{'b', 2}, {'c', 3}, {'i', 2}, {'j', 4}, {'k', 5}});
  REQUIRE(z.dims() == spread.dims());
  for (int64_t i = 0; i < z.size(); ++i) CHECK(z.at(i) == spread.at(i));
}

TEST_CASE(
    "einsum: without an arrow the result has ... and what stands once, in alphabetical order") {
  const auto type = [](const Model& m) {
    return m.graph().type(m.graph().outputs()[0].value).str();
  };
  CHECK(type(model_of("ba", {shape("BA")})) == "f32[A,B]");
  CHECK(type(model_of("c b, b a", {shape("CB"), shape("BA")})) == "f32[A,C]");
  CHECK(type(model_of("ii", {{3, 3}})) == "f32[]");
  CHECK(type(model_of("b...", {shape("BST")})) == "f32[S,T,B]");
}

TEST_CASE("einsum: of three operands the pair that multiplies least goes first") {
  const Model m = model_of("ij,jk,kl->il", {{100, 2}, {2, 100}, {100, 3}});
  check_graph(m,
              "graph @main(input %a: f32[100,2], input %b: f32[2,100], input %c: f32[100,3]) {"
              " %bc = matmul(%b, %c) %y = matmul(%a, %bc) return %y }");
}

TEST_CASE("einsum: errors name the line, the index and what was found") {
  const auto said = [](std::string_view equation, const std::vector<Shape>& shapes) {
    return error_of([&] { model_of(equation, shapes); });
  };
  const std::string sizes = said("ij,jk->ik", {{2, 5}, {7, 3}});
  CHECK(has(sizes, "einsum_test.cpp"));
  CHECK(has(sizes,
            "'einsum' index 'j' has 5 elements in operand 1 and 7 in operand 2 of \"ij,jk->ik\""));
  CHECK(has(said("...i,...i->...", {{2, 5}, {3, 5}}),
            "axis -1 of ... has 2 elements in operand 1 and 3 in operand 2"));
  CHECK(has(said("ij,jk->ik", {{2, 5}}), "names 2 operands in \"ij,jk->ik\", found 1"));
  CHECK(
      has(said("ijk->i", {{2, 5}}), "names 3 indices for operand 1 of \"ijk->i\", found f32[2,5]"));
  CHECK(has(said("i->i", {{2, 5}}), "names 1 indices for operand 1"));
  CHECK(has(said("ij->ik", {{2, 5}}), "index 'k' of the result is in no operand"));
  CHECK(has(said("ij->ii", {{2, 5}}), "index 'i' stands twice in the result"));
  CHECK(has(said("i1->i", {{2, 5}}), "found '1'"));
  CHECK(has(said("...i...->i", {{2, 5}}), "... twice"));
  CHECK(has(said("...i->i", {{2, 5}}), "has ... in an operand but not in the result"));
  CHECK(has(said("ij->i->j", {{2, 5}}), "one ->"));
}
