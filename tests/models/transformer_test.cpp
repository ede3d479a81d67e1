// tests/models/transformer_test.cpp -- layers and models against PyTorch; what passes make of them.
#include "models/families/transformer/transformer.h"

#include "ir/text/text.h"
#include "tests/models/oracle.h"
#include "tests/models/small_data.h"

#include <doctest/doctest.h>

using namespace weft;
using ir::Array;
using ir::NamedArrays;
using tests::check_near;

namespace {

// A parameter here, and the rows of PyTorch's it is made of; matrices are transposed, tables not.
struct Part {
  std::string file, path;
  int64_t from = 0, to = -1;
};

Array as_here(const Array& a, const Part& part) {
  const int64_t width = a.rank() == 2 ? a.dim(1) : 1, to = part.to < 0 ? a.dim(0) : part.to;
  Array rows(a.dtype(), a.rank() == 2 ? ir::Dims{to - part.from, width} : ir::Dims{to - part.from});
  for (int64_t i = 0; i < rows.size(); ++i) rows.set(i, a.at(part.from * width + i));
  const bool table = part.path.ends_with("embedding");
  return a.rank() == 2 && !table ? tests::transposed(rows, 0, -1) : rows;
}

void add(std::vector<Part>& parts, const std::string& file, const std::string& path,
         const char* weight, const char* bias) {
  parts.push_back({file + ".weight", path + "/" + weight});
  parts.push_back({file + ".bias", path + "/" + bias});
}

void add_attention(std::vector<Part>& parts, const std::string& file, const std::string& path,
                   int64_t d) {
  int64_t at = 0;
  const std::string dot = file.empty() ? "" : ".", slash = path.empty() ? "" : "/";
  for (const char* name : {"q", "k", "v"}) {
    parts.push_back({file + dot + "in_proj_weight", path + slash + name + "/W", at, at + d});
    parts.push_back({file + dot + "in_proj_bias", path + slash + name + "/b", at, at + d});
    at += d;
  }
  add(parts, file + dot + "out_proj", path + slash + "o", "W", "b");
}

std::vector<Part> layer_parts(const std::string& file, const std::string& path, bool decoder,
                              int64_t d) {
  std::vector<Part> parts;
  const std::string dot = file.empty() ? "" : ".", slash = path.empty() ? "" : "/";
  add_attention(parts, file + dot + "self_attn", path + slash + "self", d);
  if (decoder) add_attention(parts, file + dot + "multihead_attn", path + slash + "cross", d);
  add(parts, file + dot + "linear1", path + slash + "feed_forward/in", "W", "b");
  add(parts, file + dot + "linear2", path + slash + "feed_forward/out", "W", "b");
  add(parts, file + dot + "norm1", path + slash + "self_norm", "scale", "shift");
  if (decoder) add(parts, file + dot + "norm2", path + slash + "cross_norm", "scale", "shift");
  add(parts, file + dot + (decoder ? "norm3" : "norm2"), path + slash + "feed_forward_norm",
      "scale", "shift");
  return parts;
}

// Inputs that have gradients in the file are parameters of the graph.
void check_case(const std::string& file, const std::vector<Part>& parts, const ir::Graph& graph,
                const std::vector<std::string>& differentiated, const NamedArrays& more,
                const ProgramOptions& options) {
  CAPTURE(file);
  const NamedArrays arrays = tests::oracle_arrays(file);
  const double tolerance = tests::tolerance(options.real, tests::Compared::oracle);
  ParameterStore store(1, options.real);
  for (const Part& p : parts)
    store.set(p.path, ir::ArgumentKind::parameter, as_here(arrays.at("param/" + p.file), p));
  for (const std::string& name : differentiated)
    store.set(name, ir::ArgumentKind::parameter, arrays.at("in/" + name));
  NamedArrays inputs = more;
  for (const ir::Argument& a : graph.arguments()) {
    const std::string& name = graph.info(a.value).name;
    if (a.kind != ir::ArgumentKind::input || inputs.contains(name)) continue;
    const Array& given = arrays.at("in/" + name);
    inputs.add(name,
               given.cast(ir::is_float(given.dtype()) ? options.real : graph.type(a.value).dtype));
  }
  const NamedArrays results = tests::differentiated(graph, store, inputs, options);
  for (const ir::Output& o : graph.outputs())
    if (arrays.contains("out/" + o.name))
      check_near(results.at(o.name), arrays.at("out/" + o.name), tolerance, o.name);
  for (const Part& p : parts) {
    const Array &found = results.at(autodiff::gradient_name(graph, p.path)),
                expected = as_here(arrays.at("grad/" + p.file), p);
    if (!p.path.ends_with("k/b")) {
      check_near(found, expected, tolerance, "d" + p.path);
      continue;
    }
    // A bias of all keys moves all of a query's scores alike: its gradient is 0 but for rounding.
    for (int64_t i = 0; i < found.size(); ++i) CHECK(std::fabs(found.at(i)) <= tolerance);
  }
  for (const std::string& name : differentiated)
    if (arrays.contains("grad/" + name))
      check_near(results.at(autodiff::gradient_name(graph, name)), arrays.at("grad/" + name),
                 tolerance, "d" + name);
}

void check_everywhere(const std::string& file, const std::vector<Part>& parts,
                      const ir::Graph& graph, const std::vector<std::string>& differentiated = {},
                      const NamedArrays& more = {}) {
  check_case(file, parts, graph, differentiated, more, tests::reference_options(false));
  check_case(file, parts, graph, differentiated, more, tests::reference_options(true));
#ifdef WEFT_TEST_ONEDNN
  check_case(file, parts, graph, differentiated, more, tests::onednn_options(false));
  check_case(file, parts, graph, differentiated, more, tests::onednn_options(true));
#endif
}

TransformerOptions layer_options(bool pre, bool gelu) {
  return {.attention = {.heads = 2},
          .feed_forward = 12,
          .activation = gelu ? FeedForwardKind::gelu : FeedForwardKind::relu,
          .pre_norm = pre};
}

std::string case_name(const char* what, bool pre, bool gelu) {
  return ir::concat("nn_", what, pre ? "_pre" : "_post", gelu ? "_gelu" : "_relu");
}

transformer::Config vaswani() {
  return {.source = {.vocabulary = 20},
          .target_vocabulary = 20,
          .width = 8,
          .heads = 2,
          .feed_forward = 16,
          .encoder_layers = 2,
          .decoder_layers = 2,
          .pre_norm = false,
          .output_bias = false,
          .shared_embedding = true,
          .label_smoothing = 0.1};
}

std::vector<Part> vaswani_parts() {
  std::vector<Part> parts{{"emb", "embedding"}};
  for (const bool decoder : {false, true}) {
    const std::string side = decoder ? "decoder" : "encoder";
    for (const char* layer : {"0", "1"})
      for (const Part& p : layer_parts(ir::concat("t.", side, ".layers.", layer),
                                       ir::concat(side, "/", layer), decoder, 8))
        parts.push_back(p);
    add(parts, "t." + side + ".norm", side + "/norm", "scale", "shift");
  }
  return parts;
}

NamedArrays vaswani_inputs(const NamedArrays& arrays) {
  return {{"source", arrays.at("in/src").cast(ir::DType::s32)},
          {"source_lengths", tests::lengths_of(arrays.at("in/src_keep"))},
          {"target_in", arrays.at("in/tgt_in").cast(ir::DType::s32)},
          {"target_out", arrays.at("in/tgt").cast(ir::DType::s32)},
          {"target_lengths", tests::lengths_of(arrays.at("in/tgt_keep"))}};
}

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("transformer: encoder layers, pre- and post-norm, are PyTorch's") {
  if (tests::oracle_folder().empty()) return;
  for (const bool pre : {false, true})
    for (const bool gelu : {false, true}) {
      Model m("layer");
      const Tensor x = m.scope().parameter("x", {3, 5, 8});
      const Tensor keep = m.input("keep", pred, {3, 5}), w = m.input("w", f32, {3, 5, 8});
      const Tensor y =
          encoder_layer(m.scope(), x, for_all_queries(keep), {}, layer_options(pre, gelu)).x;
      m.output("loss", sum(where(expand(keep, -1), y * w, 0)));
      check_everywhere(case_name("EncoderLayer", pre, gelu), layer_parts("", "", false, 8),
                       m.graph(), {"x"});
    }
}

TEST_CASE("transformer: decoder layers, pre- and post-norm, are PyTorch's") {
  if (tests::oracle_folder().empty()) return;
  for (const bool pre : {false, true})
    for (const bool gelu : {false, true}) {
      Model m("layer");
      const Tensor x = m.scope().parameter("x", {3, 4, 8}),
                   h = m.scope().parameter("mem", {3, 5, 8});
      const Tensor keep = m.input("keep", pred, {3, 4}), w = m.input("w", f32, {3, 4, 8}),
                   memory_keep = m.input("mem_keep", pred, {3, 5});
      const TransformerOptions options = layer_options(pre, gelu);
      DecoderSources view;
      view.memory = decoder_memory(m.scope(), h, options);
      view.memory_mask = for_all_queries(memory_keep);
      view.self_mask = causal_mask(x, 4, 4);
      const Tensor y = decoder_layer(m.scope(), x, view, options).x;
      m.output("loss", sum(where(expand(keep, -1), y * w, 0)));
      check_everywhere(case_name("DecoderLayer", pre, gelu), layer_parts("", "", true, 8),
                       m.graph(), {"x", "mem"});
    }
}

TEST_CASE("transformer: attention to a padded memory, its weights as a result, is PyTorch's") {
  if (tests::oracle_folder().empty()) return;
  Model m("attention");
  const Tensor q = m.scope().parameter("q_in", {3, 4, 8}),
               kv = m.scope().parameter("kv_in", {3, 5, 8});
  const Tensor keep = m.input("keep", pred, {3, 5}), w = m.input("w", f32, {3, 4, 8});
  const MultiHeadOptions options{.heads = 2};
  const Scope p = m.scope();
  const MultiHeadAttended a = multi_head_attention(p, q, project_keys_values(p, kv, 8, options),
                                                   for_all_queries(keep), {}, options);
  m.output("loss", sum(a.context * w));
  m.output("y", a.context);
  m.output("weights", a.weights);
  std::vector<Part> parts;
  add_attention(parts, "", "", 8);
  const NamedArrays arrays = tests::oracle_arrays("nn_MultiheadAttention_cross");
  for (const bool optimize : {false, true}) {
    const ProgramOptions options = tests::reference_options(optimize);
    ParameterStore store(1, ir::DType::f64);
    for (const Part& part : parts)
      store.set(part.path, ir::ArgumentKind::parameter,
                as_here(arrays.at("param/" + part.file), part));
    store.set("q_in", ir::ArgumentKind::parameter, arrays.at("in/q"));
    store.set("kv_in", ir::ArgumentKind::parameter, arrays.at("in/kv"));
    const NamedArrays results = tests::differentiated(
        m.graph(), store,
        {{"keep", arrays.at("in/keep").cast(ir::DType::pred)}, {"w", arrays.at("in/w")}}, options);
    for (const char* name : {"loss", "y", "weights"})
      check_near(results.at(name), arrays.at(ir::concat("out/", name)), 1e-10, name);
    for (const Part& part : parts)
      check_near(results.at(autodiff::gradient_name(m.graph(), part.path)),
                 as_here(arrays.at("grad/" + part.file), part), 1e-10, "d" + part.path);
  }
}

TEST_CASE("transformer: a whole model, its smoothed loss and all gradients, is PyTorch's") {
  if (tests::oracle_folder().empty()) return;
  const std::string file = "transformer_vaswani";
  check_everywhere(file, vaswani_parts(), transformer::loss_graph(vaswani()), {},
                   vaswani_inputs(tests::oracle_arrays(file)));
}

TEST_CASE("transformer: twelve steps of Adam with warm-up and clipping follow PyTorch's") {
  if (tests::oracle_folder().empty()) return;
  const NamedArrays arrays = tests::oracle_arrays("train_transformer_adam_noam");
  Program program =
      Program::training(transformer::loss_graph(vaswani()),
                        {.kind = OptimizerKind::adam, .clip_norm = 1, .beta2 = 0.98, .eps = 1e-9},
                        tests::reference_options());
  ParameterStore store(1, ir::DType::f64);
  for (const Part& p : vaswani_parts())
    store.set(p.path, ir::ArgumentKind::parameter, as_here(arrays.at("param/" + p.file), p));
  Array losses(ir::DType::f64, {12}), norms(ir::DType::f64, {12});
  for (int64_t step = 0; step < 12; ++step) {
    NamedArrays inputs = vaswani_inputs(arrays);
    inputs.add("lr",
               Array::of(ir::DType::f64, {}, std::vector<double>{arrays.at("out/lr").at(step)}));
    const NamedArrays results = program.run(store, inputs);
    losses.set(step, results.at("loss").at(0));
    norms.set(step, results.at("gradient_norm").at(0));
  }
  check_near(losses, arrays.at("out/losses"), 1e-7, "losses");
  check_near(norms, arrays.at("out/grad_norms"), 1e-6, "norms");
  for (const Part& p : vaswani_parts())
    if (!p.path.ends_with(
            "/k/b"))  // its gradient is 0 but for rounding, which Adam divides by itself
      check_near(store.at(p.path), as_here(arrays.at("out/final/" + p.file), p), 1e-5, p.path);
}

TEST_CASE("transformer: each kind of dropout alone draws its numbers, in training") {
  for (double transformer::Config::*rate :
       {&transformer::Config::dropout, &transformer::Config::attention_dropout,
        &transformer::Config::activation_dropout, &transformer::Config::encoder_layer_dropout,
        &transformer::Config::decoder_layer_dropout}) {
    transformer::Config c = tests::small_transformer(8);
    c.activation_dropout = 0;
    CHECK(count(ir::print(transformer::loss_graph(c)), "= random(") == 0);
    c.*rate = 0.25;
    CHECK(count(ir::print(transformer::loss_graph(c)), "= random(") > 0);
    CHECK(count(ir::print(transformer::loss_graph(c, false)), "= random(") == 0);
  }
}

TEST_CASE("transformer: every layer's norm, attention and loss are found") {
  transformer::Config c = tests::small_transformer(8);
  c.label_smoothing = 0.1;
  const Program program =
      Program::training(transformer::loss_graph(c), {}, tests::reference_options());
  const std::string fused = ir::print(program.stage("fused"));
  CHECK(count(fused, "= attention(") == 6);
  CHECK(count(fused, "= layer_norm(") == 12);
  CHECK(count(fused, "= softmax_cross_entropy(") == 1);
  CHECK(count(fused, "= softmax(") == 0);
  CHECK(count(fused, "= rsqrt(") == 0);
  CHECK(count(ir::print(program.graph()), "= layer_norm_grad(") == 2 * 12);
}
