// tests/reference/oracle_test.cpp -- the reference against values that PyTorch computed in double.
//
// Each case is a graph whose arguments are named after the file's `in/` and `param/` arrays and
// whose results are named after its `out/` arrays.
#include "tests/reference/evaluate.h"
#include "tests/support/oracle_cases.h"

using namespace weft;
using namespace weft::test;

namespace {

// Ten steps of Adam as a loop over the gradients given.
std::string adam(const std::string& attributes) {
  return "graph(%w0: f32[3,4], %b0: f32[5], %g_w: f32[10,3,4], %g_b: f32[10,5], %lr: f32[10]) {"
         " %zw = mul(%w0, 0) %zb = mul(%b0, 0) %t0 = constant() {dtype=s64, values=[0]}"
         " %wN, %bN, %mwN, %mbN, %vwN, %vbN, %tN, %w, %b = scan(%w0, %b0, %zw, %zb, %zw, %zb, %t0; "
         "%g_w, %g_b, %lr;)"
         " {axes=[0,0,0], out_axes=[0,0]} (%w, %b, %mw, %mb, %vw, %vb, %t, %gw, %gb, %rate) {"
         "   %step = add(%t, 1) %w1, %b1, %mw1, %mb1, %vw1, %vb1 ="
         "   adam_update(%w, %b; %gw, %gb; %mw, %mb; %vw, %vb; %step, %rate)" +
         attributes +
         "   yield %w1, %b1, %mw1, %mb1, %vw1, %vb1, %step; %w1, %b1 }"
         " return %w, %b }";
}

// What only the values of are compared, besides tests/support/oracle_cases.h.
const tests::OracleCase kMoreCases[] = {
    {"bahdanau_attention",
     "graph(%s: f32[3,5], %h: f32[3,6,4], %keep: pred[3,6], %Wa: f32[7,5], %Ua: f32[7,4], %va: "
     "f32[7]) {"
     " %q = matmul(%s, %Wa) {transpose_b=true} %k = matmul(%h, %Ua) {transpose_b=true}"
     " %context, %alpha = attention(%q, %k, %h; %va; %keep) {score=\"additive\", weights=true} "
     "return %context, %alpha }"},
    {"gru_uni_L1",
     "graph(%x: f32[3,6,5], %lengths: s64[3], %weight_ih_l0: f32[12,5], %weight_hh_l0: f32[12,4],"
     " %bias_ih_l0: f32[12], %bias_hh_l0: f32[12]) {"
     " %l = cast(%lengths) {dtype=s32} %p = linear(%x, %weight_ih_l0; %bias_ih_l0) "
     "{transpose_b=true}"
     " %b2 = slice(%bias_hh_l0) {axis=0, stop=8} %bp = pad(%b2) {axis=0, high=4} %g = add(%p, %bp)"
     " %bn = slice(%bias_hh_l0) {axis=0, start=8, stop=12} %wt = transpose(%weight_hh_l0) "
     "{perm=[1,0]}"
     " %U = slice(%wt) {axis=1, stop=8} %Un = slice(%wt) {axis=1, start=8, stop=12}"
     " %s0 = constant() {shape=[3,4], values=[0]}"
     " %h, %y = scan(%s0; %g; %U, %Un, %bn; %l) {axes=[1], out_axes=[1]} (%s, %gt, %U, %Un, %bn, "
     "%live) {"
     "   %s1 = gru_cell(%gt, %s, %U, %Un; %bn) {reset=\"after\"} yield %s1; %s1 }"
     " %h_n = reshape(%h) {shape=[1,3,4]} return %y, %h_n }"},
    {"gru_cho_reset_before",
     "graph(%x: f32[3,5,4], %lengths: s64[3], %W: f32[6,4], %Wr: f32[6,4], %Wz: f32[6,4], %U: "
     "f32[6,6], %Ur: f32[6,6],"
     " %Uz: f32[6,6], %b: f32[6], %br: f32[6], %bz: f32[6]) {"
     " %l = cast(%lengths) {dtype=s32} %w = concat(%Wz, %Wr, %W) {axis=0} %c = concat(%bz, %br, "
     "%b) {axis=0}"
     " %g = linear(%x, %w; %c) {transpose_b=true} %uzr = concat(%Uz, %Ur) {axis=0}"
     " %u = transpose(%uzr) {perm=[1,0]} %un = transpose(%U) {perm=[1,0]} %s0 = constant() "
     "{shape=[3,6], values=[0]}"
     " %h, %o = scan(%s0; %g; %u, %un; %l) {axes=[1], out_axes=[1]} (%s, %gt, %u, %un, %live) {"
     "   %s1 = gru_cell(%gt, %s, %u, %un) {reset=\"before\"} yield %s1; %s1 }"
     " %m = length_mask(%l) {size=5} %m1 = reshape(%m) {shape=[3,5,1]} %h1 = reshape(%h) "
     "{shape=[3,1,6]}"
     " %copied = select(%m1, 0, %h1) %y = add(%o, %copied) return %y }"},
    {"lstm_uni_L1",
     "graph(%x: f32[3,6,5], %lengths: s64[3], %weight_ih_l0: f32[16,5], %weight_hh_l0: f32[16,4],"
     " %bias_ih_l0: f32[16], %bias_hh_l0: f32[16]) {"
     " %l = cast(%lengths) {dtype=s32} %b = add(%bias_ih_l0, %bias_hh_l0)"
     " %g = linear(%x, %weight_ih_l0; %b) {transpose_b=true} %U = transpose(%weight_hh_l0) "
     "{perm=[1,0]}"
     " %s0 = constant() {shape=[3,4], values=[0]}"
     " %h, %c, %y = scan(%s0, %s0; %g; %U; %l) {axes=[1], out_axes=[1]} (%s, %t, %gt, %U, %live) {"
     "   %s1, %t1 = lstm_cell(%gt, %s, %t, %U) yield %s1, %t1; %s1 }"
     " %h_n = reshape(%h) {shape=[1,3,4]} %c_n = reshape(%c) {shape=[1,3,4]} return %y, %h_n, %c_n "
     "}"},

    {"opt_adam", adam("")},
    {"opt_adam_l2", adam(" {decay=0.1}")},
    {"opt_adamw", adam(" {decay=0.1, decoupled=true}")},
    {"opt_adadelta",
     "graph(%w0: f32[3,4], %b0: f32[5], %g_w: f32[10,3,4], %g_b: f32[10,5], %lr: f32[10]) {"
     " %zw = mul(%w0, 0) %zb = mul(%b0, 0)"
     " %wN, %bN, %awN, %abN, %dwN, %dbN, %w, %b = scan(%w0, %b0, %zw, %zb, %zw, %zb; %g_w, %g_b, "
     "%lr;) {axes=[0,0,0], out_axes=[0,0]}"
     " (%w, %b, %aw, %ab, %dw, %db, %gw, %gb, %rate) {"
     "   %w1, %b1, %aw1, %ab1, %dw1, %db1 = adadelta_update(%w, %b; %gw, %gb; %aw, %ab; %dw, %db; "
     "%rate) {rho=0.95, eps=1e-6}"
     "   yield %w1, %b1, %aw1, %ab1, %dw1, %db1; %w1, %b1 }"
     " return %w, %b }"},
};

void check_case(const tests::OracleCase& c) {
  CAPTURE(c.file);
  const ir::NamedArrays arrays = tests::oracle_arrays(c.file);
  const ir::Graph graph = ir::parse(c.graph, c.file);
  const std::vector<Array> results =
      backends::reference::evaluate(graph, tests::oracle_arguments(graph, arrays));
  for (size_t i = 0; i < results.size(); ++i) {
    CAPTURE(graph.outputs()[i].name);
    const Array& expected = arrays.at("out/" + graph.outputs()[i].name);
    Numbers values;
    for (int64_t e = 0; e < expected.size(); ++e) values.push_back(expected.at(e));
    check_values(results[i], expected.dims(), values, 1e-10);
  }
}

}  // namespace

TEST_CASE("reference: agrees with PyTorch in double") {
  if (tests::oracle_folder().empty()) return;
  for (const tests::OracleCase& c : tests::oracle_cases()) check_case(c);
  for (const tests::OracleCase& c : kMoreCases) check_case(c);
}
