#include <weft/weft.h>

#include <iostream>

using namespace weft;

// e_j = v . tanh(W s + U h_j),  a = softmax(e),  c = sum_j a_j h_j      (Bahdanau et al. 2015)
Attended bahdanau(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask, int64_t A) {
  const auto in = p.enter();  // nodes made from here on belong to this scope
  const Tensor q = linear(p / "W", s, A, no_bias);                           // [B,A]
  const Tensor k = linear(p / "U", h, A, no_bias);                           // [B,S,A]
  const Tensor e = sum(p.parameter("v", {A}) * tanh(expand(q, 1) + k), -1);  // [B,S]
  const Tensor a = softmax(where(mask, e, -infinity), -1);                   // [B,S]
  return {.context = sum(expand(a, -1) * h, 1), .weights = a};               // [B,E], [B,S]
}

int main() {
  Model m("bahdanau");
  const Tensor s = m.input("s", f32, {dim("B"), 128});
  const Tensor h = m.input("h", f32, {dim("B"), dim("S"), 256});
  const Tensor lengths = m.input("lengths", s32, {dim("B")});
  m.output("context", bahdanau(m / "attention", s, h, length_mask(lengths, dim("S")), 128).context);
  std::cout << print(m.graph());

  Program program = Program::inference(m.graph(), {.backend = onednn_backend()});
  ParameterStore parameters(/*seed=*/1);
  const auto result = program.run(parameters, {{"s", Array(f32, {2, 128})}, {"h", Array(f32, {2, 9, 256})},
                                               {"lengths", Array::of<int32_t>(s32, {2}, {9, 4})}});
  std::cerr << "context: " << dims_str(result.at("context").dims()) << "\n";  // [2,256]
}
