// tests/support/oracle_cases.cpp -- the cases, one graph each.
#include "tests/support/oracle_cases.h"

#include "frontend/formats/npz.h"

#include <doctest/doctest.h>

#include <cstdlib>

namespace weft::tests {

const std::vector<OracleCase>& oracle_cases() {
  static const std::vector<OracleCase> cases = {
      {"op_matmul_bcast",
       "graph(%a: f32[2,1,3,4], %b: f32[5,4,2]) { %y = matmul(%a, %b) return %y }"},
      {"op_matmul_vec",
       "graph(%a: f32[3,4], %b: f32[4]) { %c = reshape(%b) {shape=[4,1]} %d = matmul(%a, %c)"
       " %y = reshape(%d) {shape=[3]} return %y }"},
      {"op_add_bcast", "graph(%a: f32[2,1,3], %b: f32[4,1]) { %y = add(%a, %b) return %y }"},
      {"op_sub_bcast", "graph(%a: f32[3], %b: f32[2,3]) { %y = sub(%a, %b) return %y }"},
      {"op_mul_bcast", "graph(%a: f32[2,3,1], %b: f32[1,4]) { %y = mul(%a, %b) return %y }"},
      {"op_div_bcast",
       "graph(%a: f32[2,3], %b: f32[3]) { %q = mul(%b, %b) %p = add(%q, 1) %y = div(%a, %p) return "
       "%y }"},
      {"op_pow3", "graph(%a: f32[4,3]) { %y = pow(%a, 3) return %y }"},
      {"op_pow_tensor",
       "graph(%a: f32[3,2], %b: f32[2]) { %q = mul(%a, %a) %p = add(%q, 0.5) %y = pow(%p, %b) "
       "return "
       "%y }"},
      {"op_sqrt",
       "graph(%a: f32[N]) { %q = mul(%a, %a) %p = add(%q, 0.1) %y = sqrt(%p) return %y }"},
      {"op_exp", "graph(%a: f32[N]) { %y = exp(%a) return %y }"},
      {"op_log", "graph(%a: f32[N]) { %q = mul(%a, %a) %p = add(%q, 0.1) %y = log(%p) return %y }"},
      {"op_rsqrt",
       "graph(%a: f32[N]) { %q = mul(%a, %a) %p = add(%q, 0.1) %y = rsqrt(%p) return %y }"},
      {"op_abs", "graph(%a: f32[N]) { %y = abs(%a) return %y }"},
      {"op_clamp", "graph(%a: f32[N]) { %l = maximum(%a, -0.5) %y = minimum(%l, 0.7) return %y }"},
      {"op_maximum", "graph(%a: f32[3,4], %b: f32[4]) { %y = maximum(%a, %b) return %y }"},
      {"op_minimum", "graph(%a: f32[3,4], %b: f32[3,1]) { %y = minimum(%a, %b) return %y }"},
      {"op_sum_axis", "graph(%a: f32[2,3,4]) { %y = sum(%a) {axes=[0,2]} return %y }"},
      {"op_mean_keep", "graph(%a: f32[2,3,4]) { %y = mean(%a) {axes=[1], keep=true} return %y }"},
      {"op_max_axis", "graph(%a: f32[3,5]) { %y = max(%a) {axes=[1]} return %y }"},
      {"op_amax_ties", "graph(%a: f32[3,5]) { %y = max(%a) {axes=[1]} return %y }"},
      {"op_var_unb",
       "graph(%a: f32[3,5]) { %m = mean(%a) {axes=[1], keep=true} %d = sub(%a, %m) %q = mul(%d, %d)"
       " %s = sum(%q) {axes=[1]} %y = div(%s, 4) return %y }"},
      {"op_std_biased",
       "graph(%a: f32[3,5]) { %m = mean(%a) {axes=[1], keep=true} %d = sub(%a, %m) %q = mul(%d, %d)"
       " %s = mean(%q) {axes=[1]} %y = sqrt(%s) return %y }"},
      {"op_prod", "graph(%a: f32[3,4]) { %y = prod(%a) {axes=[1]} return %y }"},
      {"op_norm2",
       "graph(%a: f32[3,4]) { %q = mul(%a, %a) %s = sum(%q) {axes=[1]} %y = sqrt(%s) return %y }"},
      {"op_logsumexp",
       "graph(%a: f32[3,4]) { %m = max(%a) {axes=[1], keep=true} %d = sub(%a, %m) %e = exp(%d)"
       " %s = sum(%e) {axes=[1], keep=true} %l = log(%s) %z = add(%l, %m) %y = reshape(%z) "
       "{shape=[3]} return %y }"},
      {"op_cumsum", "graph(%a: f32[2,5]) { %y = cumsum(%a) return %y }"},
      {"op_cumsum_rev_excl",
       "graph(%a: f32[2,5]) { %y = cumsum(%a) {reverse=true, exclusive=true} return %y }"},
      {"op_transpose", "graph(%a: f32[2,3,4]) { %y = transpose(%a) {perm=[2,0,1]} return %y }"},
      {"op_reshape", "graph(%a: f32[2,3,4]) { %y = reshape(%a) {shape=[6,4]} return %y }"},
      {"op_expand", "graph(%a: f32[2,3]) { %y = broadcast(%a) {shape=[4,2,3]} return %y }"},
      {"op_slice_step",
       "graph(%a: f32[3,6]) { %y = slice(%a) {axis=1, start=1, stop=6, step=2} return %y }"},
      {"op_slice_neg",
       "graph(%a: f32[3,6]) { %s = slice(%a) {axis=1, start=4, stop=6} %y = reverse(%s) {axis=1} "
       "return %y }"},
      {"op_concat", "graph(%a: f32[2,3], %b: f32[2,2]) { %y = concat(%a, %b) {axis=1} return %y }"},
      {"op_split_mul",
       "graph(%a: f32[3,4]) { %l = slice(%a) {axis=1, start=0, stop=2} %r = slice(%a) {axis=1, "
       "start=2, stop=4}"
       " %y = mul(%l, %r) return %y }"},
      {"op_stack",
       "graph(%a: f32[2,3], %b: f32[2,3]) { %c = reshape(%a) {shape=[2,1,3]} %d = reshape(%b) "
       "{shape=[2,1,3]}"
       " %y = concat(%c, %d) {axis=1} return %y }"},
      {"op_tile",
       "graph(%a: f32[2,2]) { %r = concat(%a, %a, %a) {axis=1} %y = concat(%r, %r) {axis=0} return "
       "%y }"},
      {"op_pad", "graph(%a: f32[2,3]) { %y = pad(%a) {axis=1, low=1, high=2} return %y }"},
      {"op_where",
       "graph(%a: f32[3,4], %b: f32[3,4]) { %p = greater(%a, 0) %c = mul(%b, 2) %y = select(%p, "
       "%a, "
       "%c) return %y }"},
      {"op_tril",
       "graph(%a: f32[4,4]) { %i = iota() {shape=[4,4], axis=0, dtype=s32} %j = iota() "
       "{shape=[4,4], "
       "axis=1, dtype=s32}"
       " %p = less(%j, %i) %y = select(%p, %a, 0) return %y }"},
      {"op_gather",
       "graph(%a: f32[2,4]) { %i = constant() {dtype=s64, shape=[2,3], values=[0,0,2,3,1,1]}"
       " %y = gather(%a, %i) {axis=1, batch=1} return %y }"},
      {"op_index_select",
       "graph(%a: f32[3,4]) { %i = constant() {dtype=s64, shape=[4], values=[2,0,2,2]}"
       " %y = gather(%a, %i) {axis=0} return %y }"},
      {"op_scatter_add",
       "graph(%a: f32[2,4], %b: f32[2,3]) { %i = constant() {dtype=s64, shape=[2,3], "
       "values=[0,0,2,3,1,1]}"
       " %y = scatter_add(%a, %i, %b) {axis=1, batch=1} return %y }"},
      {"op_einsum_bhqk",
       "graph(%a: f32[2,2,3,4], %b: f32[2,2,5,4]) { %y = matmul(%a, %b) {transpose_b=true} return "
       "%y "
       "}"},
      {"op_einsum_outer",
       "graph(%a: f32[2,3], %b: f32[2,4]) { %c = reshape(%a) {shape=[2,3,1]} %d = reshape(%b) "
       "{shape=[2,1,4]}"
       " %y = matmul(%c, %d) return %y }"},
      {"op_maxout",
       "graph(%a: f32[2,6]) { %b = reshape(%a) {shape=[2,3,2]} %y = max(%b) {axes=[-1]} return %y "
       "}"},
      {"op_glu",
       "graph(%a: f32[2,6]) { %l = slice(%a) {axis=1, stop=3} %r = slice(%a) {axis=1, start=3, "
       "stop=6}"
       " %s = sigmoid(%r) %y = mul(%l, %s) return %y }"},
      {"op_geglu",
       "graph(%a: f32[2,6]) { %l = slice(%a) {axis=1, stop=3} %r = slice(%a) {axis=1, start=3, "
       "stop=6}"
       " %s = gelu(%l) %y = mul(%s, %r) return %y }"},
      {"op_swiglu",
       "graph(%a: f32[2,6]) { %l = slice(%a) {axis=1, stop=3} %r = slice(%a) {axis=1, start=3, "
       "stop=6}"
       " %s = silu(%l) %y = mul(%s, %r) return %y }"},
      {"op_conv1d_whisper",
       "graph(%a: f32[2,3,8], %b: f32[4,3,3]) { %x = transpose(%a) {perm=[0,2,1]} %w = "
       "transpose(%b) {perm=[2,1,0]} %c = conv(%x, %w) {strides=[2], low=[1], high=[1]}"
       " %y = transpose(%c) {perm=[0,2,1]} return %y }"},
      {"op_topk", "graph(%a: f32[2,6]) { %y, %i = top_k(%a) {k=3} return %y }"},
      {"op_sort", "graph(%a: f32[2,6]) { %y, %i = sort(%a) {descending=true} return %y }"},
      {"op_cosine_sim",
       "graph(%a: f32[3,4], %b: f32[3,4]) { %ab = mul(%a, %b) %s = sum(%ab) {axes=[1]} %aa = "
       "mul(%a, "
       "%a) %n = sum(%aa) {axes=[1]}"
       " %bb = mul(%b, %b) %m = sum(%bb) {axes=[1]} %nm = mul(%n, %m) %r = rsqrt(%nm) %y = mul(%s, "
       "%r) return %y }"},
      {"op_dropout_given_mask",
       "graph(%x: f32[4,6], %keep: pred[4,6]) { %k = cast(%keep) {dtype=f32} %z = mul(%x, %k)"
       " %y = div(%z, 0.7) return %y }"},

      {"act_elu",
       "graph(%x: f32[N]) { %p = greater(%x, 0) %e = expm1(%x) %y = select(%p, %x, %e) return %y "
       "}"},
      {"act_erf", "graph(%x: f32[N]) { %y = erf(%x) return %y }"},
      {"act_gelu_erf", "graph(%x: f32[N]) { %y = gelu(%x) return %y }"},
      {"act_gelu_tanh", "graph(%x: f32[N]) { %y = gelu_tanh(%x) return %y }"},
      {"act_leaky_relu",
       "graph(%x: f32[N]) { %p = greater(%x, 0) %e = mul(%x, 0.01) %y = select(%p, %x, %e) return "
       "%y "
       "}"},
      {"act_logsigmoid",
       "graph(%x: f32[N]) { %n = neg(%x) %s = softplus(%n) %y = neg(%s) return %y }"},
      {"act_quick_gelu",
       "graph(%x: f32[N]) { %s = mul(%x, 1.702) %g = sigmoid(%s) %y = mul(%x, %g) return %y }"},
      {"act_relu", "graph(%x: f32[N]) { %y = relu(%x) return %y }"},
      {"act_sigmoid", "graph(%x: f32[N]) { %y = sigmoid(%x) return %y }"},
      {"act_silu", "graph(%x: f32[N]) { %y = silu(%x) return %y }"},
      {"act_softplus", "graph(%x: f32[N]) { %y = softplus(%x) return %y }"},
      {"act_tanh", "graph(%x: f32[N]) { %y = tanh(%x) return %y }"},

      {"softmax_masked",
       "graph(%x: f32[4,6], %keep: pred[4,6]) { %m = select(%keep, %x, -inf) "
       "%softmax_neginf_fullrow_zero = softmax(%m)"
       " %f = select(%keep, %x, -3.4028234663852886e38) %softmax_finfomin = softmax(%f)"
       " return %softmax_neginf_fullrow_zero, %softmax_finfomin }"},
      {"softmax_extreme",
       "graph(%x: f32[4,7], %y: s64[4]) { %softmax = softmax(%x) %log_softmax = log_softmax(%x)"
       " %p = gather(%log_softmax, %y) {axis=1, batch=1} %s = sum(%p) {axes=[0]} %loss = neg(%s)"
       " %zeros, %logsumexp = softmax_cross_entropy(%x, %y) return %softmax, %log_softmax, %loss, "
       "%logsumexp }"},
      {"cross_entropy_label_smoothing",
       "graph(%logits: f32[6,7], %y: s64[6], %class_w: f32[7]) { %real = greater_equal(%y, 0) %w = "
       "cast(%real) {dtype=f32}"
       " %ce_none, %lse = softmax_cross_entropy(%logits, %y; %w) %n = sum(%w) {axes=[0]}"
       " %ce_sum = sum(%ce_none) {axes=[0]} %ce_mean = div(%ce_sum, %n)"
       " %ls0.1_torch_none, %lse1 = softmax_cross_entropy(%logits, %y; %w) {smoothing=0.1}"
       " %ls0.1_torch_sum = sum(%ls0.1_torch_none) {axes=[0]} %ls0.1_torch_mean = "
       "div(%ls0.1_torch_sum, %n)"
       " %h = one_hot(%y) {size=7} %hw = mul(%h, %class_w) %cw = sum(%hw) {axes=[1]}"
       " %c, %lse2 = softmax_cross_entropy(%logits, %y; %cw) %cs = sum(%c) {axes=[0]} %cn = "
       "sum(%cw) "
       "{axes=[0]}"
       " %ce_weighted_mean = div(%cs, %cn)"
       " %one = constant() {values=[1]} %d = div(%one, %n) %dn = broadcast(%d) {shape=[6]}"
       " %dlogits_ce_mean = softmax_cross_entropy_grad(%dn, %logits, %y, %lse; %w)"
       " %dlogits_ls0.1_torch_mean = softmax_cross_entropy_grad(%dn, %logits, %y, %lse; %w) "
       "{smoothing=0.1}"
       " return %ce_none, %ce_sum, %ce_mean, %ls0.1_torch_none, %ls0.1_torch_sum, "
       "%ls0.1_torch_mean, "
       "%ce_weighted_mean,"
       " %dlogits_ce_mean, %dlogits_ls0.1_torch_mean }"},

      {"embedding_repeat",
       "graph(%table: f32[8,6], %idx: s64[4,5]) { %y = gather(%table, %idx) {axis=0} return %y }"},
      {"embedding_padidx_scaled",
       "graph(%table: f32[8,6], %idx: s64[4,5]) { %e = gather(%table, %idx) {axis=0}"
       " %y = mul(%e, 2.449489742783178) return %y }"},
      {"layer_norm",
       "graph(%x: f32[4,3,6], %gamma: f32[6], %beta: f32[6]) { %m = mean(%x) {axes=[-1], "
       "keep=true} "
       "%d = sub(%x, %m) %q = mul(%d, %d)"
       " %v = mean(%q) {axes=[-1], keep=true} %e = add(%v, 1e-5) %r = rsqrt(%e) %n = mul(%d, %r) "
       "%g "
       "= mul(%n, %gamma)"
       " %y = add(%g, %beta) return %y }"},
      {"rms_norm_t5",
       "graph(%x: f32[4,3,6], %gamma: f32[6]) { %q = mul(%x, %x) %v = mean(%q) {axes=[-1], "
       "keep=true}"
       " %e = add(%v, 1e-6) %r = rsqrt(%e) %n = mul(%x, %r) %y = mul(%n, %gamma) return %y }"},

      {"sdpa_plain",
       "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4]) {"
       " %y, %probs = attention(%q, %k, %v) {scale=0.5, weights=true} return %y, %probs }"},
      {"sdpa_causal",
       "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,5,5]) {"
       " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs "
       "}"},
      {"sdpa_keypad",
       "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,5,5]) {"
       " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs "
       "}"},
      {"sdpa_causal_keypad",
       "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,5,5]) {"
       " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs "
       "}"},
      {"sdpa_cross_keypad",
       "graph(%q: f32[2,3,3,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,3,5]) {"
       " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs "
       "}"},
      {"sdpa_bias_relpos",
       "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,5,5], %bias: "
       "f32[1,3,5,5]) {"
       " %y, %probs = attention(%q, %k, %v; ; %keep; %bias) {scale=0.5, weights=true} return %y, "
       "%probs }"},
      {"sdpa_decode_step_offset",
       "graph(%q: f32[2,3,2,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,2,5]) {"
       " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs "
       "}"},
  };
  return cases;
}

std::filesystem::path oracle_folder() {
  const char* shared = std::getenv("WEFT_SHARED");
  const std::filesystem::path folder =
      (shared != nullptr ? std::filesystem::path(shared)
                         : std::filesystem::path(WEFT_SOURCE_DIR) / "../shared") /
      "oracle/torch";
  if (std::filesystem::exists(folder)) return folder;
  MESSAGE("skipped: there is no " << folder.string()
                                  << "; WEFT_SHARED can name the folder that oracle/torch is in");
  return {};
}

ir::NamedArrays oracle_arrays(const std::string& file) {
  return formats::read_npz((oracle_folder() / (file + ".npz")).string());
}

std::vector<ir::Array> oracle_arguments(const ir::Graph& graph, const ir::NamedArrays& arrays) {
  std::vector<ir::Array> arguments;
  for (const ir::Argument& a : graph.arguments()) {
    const std::string& name = graph.info(a.value).name;
    const ir::Array* given = nullptr;
    for (const char* kind : {"in/", "param/", "out/"})  // out/lr: a schedule that was given
      if (given == nullptr) given = arrays.find(kind + name);
    REQUIRE(given != nullptr);
    arguments.push_back(graph.type(a.value).dtype == ir::DType::pred ? given->cast(ir::DType::pred)
                                                                     : *given);
  }
  return arguments;
}

}  // namespace weft::tests
