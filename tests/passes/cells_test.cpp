// tests/passes/cells_test.cpp -- the equations of GRU and LSTM cells become one op.
#include "ir/text/text.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::test;

namespace {

constexpr const char* kPasses = "canonicalize cse fuse_cells canonicalize cse";

void becomes(const std::string& arguments, const std::string& before, const std::string& after) {
  const std::string open = "graph(" + arguments + ") {\n", close = "\n}";
  check_rewrite(kPasses, open + before + close, open + after + close);
  check_keeps_values(kPasses, open + before + close);
}

// The gates of the paper's GRU (Bahdanau et al. 2015, A.1.1), one matrix each.
constexpr const char* kGruArguments =
    "%s: f32[B,H], %x: f32[B,M], parameter %W: f32[M,H], parameter %Wz: f32[M,H], parameter %Wr: "
    "f32[M,H], "
    "parameter %U: f32[H,H], parameter %Uz: f32[H,H], parameter %Ur: f32[H,H], parameter %b: "
    "f32[H], parameter %bz: f32[H]";
const std::string kGruGates = R"(
    %z1 = matmul(%x, %Wz)  %z2 = matmul(%s, %Uz)  %z3 = add(%z1, %z2)  %z4 = add(%z3, %bz)  %z = sigmoid(%z4)
    %r1 = matmul(%x, %Wr)  %r2 = matmul(%s, %Ur)  %r3 = add(%r1, %r2)  %r = sigmoid(%r3)
    %rs = mul(%r, %s)  %n1 = matmul(%x, %W)  %n2 = matmul(%rs, %U)  %n3 = add(%n1, %n2)  %n4 = add(%n3, %b)  %n = tanh(%n4)
)";
const std::string kGruCell = R"(
    %Wg = concat(%Wz, %Wr, %W) {axis=1}  %gx = matmul(%x, %Wg)  %o = constant() {shape=[H], values=[0]}  %bg = concat(%bz, %o, %b) {axis=0}
    %g = add(%gx, %bg)  %Ug = concat(%Uz, %Ur) {axis=1}  %s1 = gru_cell(%g, %s, %Ug, %U)  return %s1)";

}  // namespace

TEST_CASE("fuse_cells: a GRU with one matrix a gate, however its update is written") {
  for (const char* update :
       {"%d = sub(%n, %s) %zd = mul(%z, %d) %s1 = add(%s, %zd) return %s1",
        "%o = sub(1, %z) %a = mul(%o, %s) %c = mul(%z, %n) %s1 = add(%a, %c) return %s1",
        "%o = sub(1, %z) %a = mul(%s, %o) %c = mul(%n, %z) %s1 = add(%c, %a) return %s1",
        "%d = sub(%s, %n) %zd = mul(%d, %z) %s1 = sub(%s, %zd) return %s1",
        "%zs = mul(%z, %s) %a = sub(%s, %zs) %c = mul(%z, %n) %s1 = add(%a, %c) return %s1"})
    becomes(kGruArguments, kGruGates + update, kGruCell);
}

TEST_CASE(
    "fuse_cells: an update that runs the other way (Cho et al. 2014) negates the weights of z") {
  becomes(
      kGruArguments,
      kGruGates + "%o = sub(1, %z) %a = mul(%o, %n) %c = mul(%z, %s) %s1 = add(%a, %c) return %s1",
      R"(
    %nWz = neg(%Wz)  %Wg = concat(%nWz, %Wr, %W) {axis=1}  %gx = matmul(%x, %Wg)
    %nbz = neg(%bz)  %o = constant() {shape=[H], values=[0]}  %bg = concat(%nbz, %o, %b) {axis=0}  %g = add(%gx, %bg)
    %nUz = neg(%Uz)  %Ug = concat(%nUz, %Ur) {axis=1}  %s1 = gru_cell(%g, %s, %Ug, %U)  return %s1)");
}

TEST_CASE("fuse_cells: a GRU with its gates side by side") {
  becomes("%s: f32[B,H], %g: f32[B,3*H], %U: f32[H,2*H], %Un: f32[H,H]", R"(
    %g1 = slice(%g) {axis=-1, start=0, stop=2*H}  %g2 = slice(%g) {axis=-1, start=2*H, stop=3*H}
    %su = matmul(%s, %U)  %zp = add(%g1, %su)  %zr = sigmoid(%zp)
    %z = slice(%zr) {axis=-1, start=0, stop=H}  %r = slice(%zr) {axis=-1, start=H, stop=2*H}
    %rs = mul(%r, %s)  %rn = matmul(%rs, %Un)  %np = add(%g2, %rn)  %n = tanh(%np)
    %d = sub(%n, %s)  %zd = mul(%z, %d)  %s1 = add(%s, %zd)  return %s1)",
          "%s1 = gru_cell(%g, %s, %U, %Un)  return %s1");
}

TEST_CASE("fuse_cells: a GRU as PyTorch writes it, reset after the matmul") {
  becomes(
      "%h: f32[B,H], %x: f32[B,M], parameter %Wih: f32[3*H,M], parameter %Whh: f32[3*H,H], "
      "parameter %bih: f32[3*H], parameter %bhh: f32[3*H]",
      R"(
    %gi0 = matmul(%x, %Wih) {transpose_b=true}  %gi = add(%gi0, %bih)  %gh0 = matmul(%h, %Whh) {transpose_b=true}  %gh = add(%gh0, %bhh)
    %ir = slice(%gi) {axis=-1, start=0, stop=H}  %iz = slice(%gi) {axis=-1, start=H, stop=2*H}  %in = slice(%gi) {axis=-1, start=2*H, stop=3*H}
    %hr = slice(%gh) {axis=-1, start=0, stop=H}  %hz = slice(%gh) {axis=-1, start=H, stop=2*H}  %hn = slice(%gh) {axis=-1, start=2*H, stop=3*H}
    %r0 = add(%ir, %hr)  %r = sigmoid(%r0)  %z0 = add(%iz, %hz)  %z = sigmoid(%z0)  %n0 = mul(%r, %hn)  %n1 = add(%in, %n0)  %n = tanh(%n1)
    %o = sub(1, %z)  %on = mul(%o, %n)  %zh = mul(%z, %h)  %h1 = add(%on, %zh)  return %h1)",
      R"(
    %gi0 = matmul(%x, %Wih) {transpose_b=true}  %gi = add(%gi0, %bih)
    %b1 = slice(%bhh) {axis=-1, start=0, stop=2*H}  %zero = constant() {shape=[H], values=[0]}  %b = concat(%b1, %zero) {axis=-1}  %g = add(%gi, %b)
    %u1 = slice(%Whh) {axis=0, start=0, stop=2*H}  %u = transpose(%u1) {perm=[1,0]}
    %u2 = slice(%Whh) {axis=0, start=2*H, stop=3*H}  %un = transpose(%u2) {perm=[1,0]}  %bn = slice(%bhh) {axis=-1, start=2*H, stop=3*H}
    %h1 = gru_cell(%g, %h, %u, %un; %bn) {reset="after"}  return %h1)");
}

TEST_CASE("fuse_cells: an LSTM with its gates side by side, both results in use") {
  becomes("%h: f32[B,H], %c: f32[B,H], %g: f32[B,4*H], %U: f32[H,4*H]", R"(
    %hu = matmul(%h, %U)  %p = add(%g, %hu)
    %i0 = slice(%p) {axis=-1, start=0, stop=H}  %f0 = slice(%p) {axis=-1, start=H, stop=2*H}
    %n0 = slice(%p) {axis=-1, start=2*H, stop=3*H}  %o0 = slice(%p) {axis=-1, start=3*H, stop=4*H}
    %i = sigmoid(%i0)  %f = sigmoid(%f0)  %n = tanh(%n0)  %o = sigmoid(%o0)
    %fc = mul(%f, %c)  %in = mul(%i, %n)  %c1 = add(%fc, %in)  %early = exp(%c1)  %t = tanh(%c1)  %h1 = mul(%o, %t)  return %h1, %c1, %early)",
          "%h1, %c1 = lstm_cell(%g, %h, %c, %U)  %e = exp(%c1)  return %h1, %c1, %e");
}

TEST_CASE("fuse_cells: an LSTM with one matrix a gate over [h; x]") {
  becomes(
      "%h: f32[B,H], %c: f32[B,H], %x: f32[B,M], %Wi: f32[H+M,H], %Wf: f32[H+M,H], %Wn: "
      "f32[H+M,H], %Wo: f32[H+M,H], %bf: f32[H]",
      R"(
    %hx = concat(%h, %x) {axis=-1}
    %i0 = matmul(%hx, %Wi)  %f1 = matmul(%hx, %Wf)  %f0 = add(%f1, %bf)  %n0 = matmul(%hx, %Wn)  %o0 = matmul(%hx, %Wo)
    %i = sigmoid(%i0)  %f = sigmoid(%f0)  %n = tanh(%n0)  %o = sigmoid(%o0)
    %fc = mul(%c, %f)  %in = mul(%n, %i)  %c1 = add(%in, %fc)  %t = tanh(%c1)  %h1 = mul(%t, %o)  return %h1, %c1)",
      R"(
    %a1 = slice(%Wi) {axis=0, start=0, stop=H}  %a2 = slice(%Wf) {axis=0, start=0, stop=H}  %a3 = slice(%Wn) {axis=0, start=0, stop=H}  %a4 = slice(%Wo) {axis=0, start=0, stop=H}
    %U = concat(%a1, %a2, %a3, %a4) {axis=1}
    %b1 = slice(%Wi) {axis=0, start=H, stop=H+M}  %b2 = slice(%Wf) {axis=0, start=H, stop=H+M}  %b3 = slice(%Wn) {axis=0, start=H, stop=H+M}  %b4 = slice(%Wo) {axis=0, start=H, stop=H+M}
    %W = concat(%b1, %b2, %b3, %b4) {axis=1}  %gx = matmul(%x, %W)
    %z1 = constant() {shape=[H], values=[0]}  %z2 = constant() {shape=[2*H], values=[0]}  %b = concat(%z1, %bf, %z2) {axis=0}  %g = add(%gx, %b)
    %h1, %c1 = lstm_cell(%g, %h, %c, %U)  return %h1, %c1)");
}

TEST_CASE("fuse_cells: in a loop the carry is the hidden state, whatever else has its width") {
  const std::string text =
      R"(graph(%h0: f32[B,H], %c0: f32[B,H], %x: f32[T,B,H], %W: f32[H,4*H], %U: f32[H,4*H]) {
    %hN, %cN = scan(%h0, %c0; %x; %W, %U) {axes=[0]} (%h, %c, %x, %W, %U) {
    %hu = matmul(%h, %U)  %xw = matmul(%x, %W)  %p = add(%hu, %xw)
    %i0 = slice(%p) {axis=-1, start=0, stop=H}  %f0 = slice(%p) {axis=-1, start=H, stop=2*H}
    %n0 = slice(%p) {axis=-1, start=2*H, stop=3*H}  %o0 = slice(%p) {axis=-1, start=3*H, stop=4*H}
    %i = sigmoid(%i0)  %f = sigmoid(%f0)  %n = tanh(%n0)  %o = sigmoid(%o0)
    %fc = mul(%f, %c)  %in = mul(%i, %n)  %c1 = add(%fc, %in)  %t = tanh(%c1)  %h1 = mul(%o, %t)  yield %h1, %c1 } return %hN })";
  check_rewrite(
      kPasses, text,
      R"(graph(%h0: f32[B,H], %c0: f32[B,H], %x: f32[T,B,H], %W: f32[H,4*H], %U: f32[H,4*H]) {
    %hN, %cN = scan(%h0, %c0; %x; %W, %U) {axes=[0]} (%h, %c, %x, %W, %U) {
    %xw = matmul(%x, %W)  %h1, %c1 = lstm_cell(%xw, %h, %c, %U)  yield %h1, %c1 } return %hN })");
  check_keeps_values(kPasses, text);
}

namespace {
void holds_back(const std::string& text, std::string_view why) {
  ir::PassContext context;
  const ir::Graph graph = run("canonicalize cse", ir::parse(text, "user.ir"));
  CHECK(ir::canonical_text(run("fuse_cells", graph, &context)) == ir::canonical_text(graph));
  INFO("notes: " << (context.notes.empty() ? "none" : context.notes[0].text));
  CHECK(noted(context, ir::Note::Kind::near_miss, why));
}
}  // namespace

TEST_CASE("fuse_cells: a gate that is read elsewhere holds it back") {
  holds_back(std::string("graph(") + kGruArguments + ") {" + kGruGates +
                 "%d = sub(%n, %s) %zd = mul(%z, %d) %s1 = add(%s, %zd) return %s1, %z }",
             "%z is read elsewhere, by a result of the graph");
}

TEST_CASE("fuse_cells: a candidate without a reset gate is no GRU") {
  holds_back(
      R"(graph(%s: f32[B,H], %x: f32[B,M], %W: f32[M,H], %Wz: f32[M,H], %Uz: f32[H,H], %U: f32[H,H]) {
    %z1 = matmul(%x, %Wz)  %z2 = matmul(%s, %Uz)  %z3 = add(%z1, %z2)  %z = sigmoid(%z3)
    %n1 = matmul(%x, %W)  %n2 = matmul(%s, %U)  %n3 = add(%n1, %n2)  %n = tanh(%n3)
    %d = sub(%n, %s)  %zd = mul(%z, %d)  %s1 = add(%s, %zd)  return %s1 })",
      "has no reset state");
}

TEST_CASE("fuse_cells: a peephole is no LSTM cell") {
  holds_back(R"(graph(%h: f32[B,H], %c: f32[B,H], %g: f32[B,4*H], %U: f32[H,4*H], %V: f32[H,H]) {
    %hu = matmul(%h, %U)  %p = add(%g, %hu)
    %i0 = slice(%p) {axis=-1, start=0, stop=H}  %f0 = slice(%p) {axis=-1, start=H, stop=2*H}
    %n0 = slice(%p) {axis=-1, start=2*H, stop=3*H}  %o0 = slice(%p) {axis=-1, start=3*H, stop=4*H}
    %i = sigmoid(%i0)  %f = sigmoid(%f0)  %n = tanh(%n0)
    %fc = mul(%f, %c)  %in = mul(%i, %n)  %c1 = add(%fc, %in)
    %cv = matmul(%c1, %V)  %o1 = add(%o0, %cv)  %o = sigmoid(%o1)  %t = tanh(%c1)  %h1 = mul(%o, %t)  return %h1, %c1 })",
             "peephole");
}
