// tests/models/rnn_oracle_test.cpp -- the models against PyTorch transcriptions of the papers.
#include "models/families/rnn/rnn.h"
#include "tests/models/oracle.h"

#include <doctest/doctest.h>

using namespace weft;
using ir::Array;
using ir::NamedArrays;
using tests::as_here;
using tests::check_near;
using tests::differentiated;
using tests::lengths_of;
using tests::Renamed;

namespace {

std::vector<Renamed> gru_names(const std::string& file, const std::string& path, bool context) {
  std::vector<Renamed> names;
  for (const std::string n : {"W", "U", context ? "C" : "b"})
    names.push_back(
        {file + "." + n + "z", path + "/" + n, 0, -1, {file + "." + n + "r", file + "." + n}});
  return names;
}

std::vector<Renamed> rnnsearch_names() {
  std::vector<Renamed> names{{"Ex", "source_embedding"},    {"Ey", "target_embedding"},
                             {"Ws", "bridge/Ws"},           {"Wa", "decoder/attention/W"},
                             {"Ua", "decoder/attention/U"}, {"va", "decoder/attention/v"},
                             {"Uo", "decoder/readout/Uo"},  {"Vo", "decoder/readout/Vo"},
                             {"Co", "decoder/readout/Co"},  {"Wo", "decoder/Wo"}};
  for (const auto& part :
       {gru_names("f", "encoder/0/forward", false), gru_names("b", "encoder/0/backward", false),
        gru_names("d", "decoder/cell", true)})
    names.insert(names.end(), part.begin(), part.end());
  return names;
}

// The loss of the file's model: mean over tokens, or by rows of the batch.
ir::Graph oracle_graph(const rnn::Config& c, bool tgt_in, bool by_rows) {
  Model m("oracle");
  const Dim b = dim("B"), s = dim("S"), t = dim("T");
  const Tensor src = m.input("src", s32, {b, s}), src_lengths = m.input("src_lengths", s32, {b}),
               tgt = m.input("tgt", s32, {b, t}), tgt_lengths = m.input("tgt_lengths", s32, {b});
  const Scope p = m.scope();
  const rnn::Encoded encoded = rnn::encode_source(p, c, src, src_lengths);
  const Tensor table =
      p.parameter("target_embedding", {c.target_vocabulary, c.embedding}, init::normal(0.1));
  const Tensor labels = swap_axes(tgt, 0, 1);
  Tensor y = embedding(table, tgt_in ? swap_axes(m.input("tgt_in", s32, {b, t}), 0, 1) : labels);
  if (!tgt_in) y = pad(slice(y, 0, 0, t - 1), 0, 1, 0);  // the embedding of y_0 is zero
  const rnn::Decoded d = rnn::decode(p, c, encoded, y, tgt_lengths, true);
  const Tensor live = swap_axes(length_mask(tgt_lengths, t), 0, 1);
  const Tensor nll = sum(where(live, cross_entropy(d.logits, labels), 0));
  m.output("loss", nll / (by_rows ? dim_size(tgt, 0, f32) : cast(sum(tgt_lengths), f32)));
  m.output("logits", swap_axes(where(expand(live, -1), d.logits, 0), 0, 1));
  m.output("alpha", swap_axes(where(expand(live, -1), d.weights, 0), 0, 1));
  return m.graph();
}

struct Case {
  NamedArrays arrays, inputs;
  std::vector<Renamed> names;

  Case(const std::string& file, std::vector<Renamed> renamed)
      : arrays(tests::oracle_arrays(file)), names(std::move(renamed)) {
    inputs.add("src", arrays.at("in/src").cast(ir::DType::s32));
    inputs.add("src_lengths", lengths_of(arrays.at("in/src_keep")));
    inputs.add("tgt", arrays.at("in/tgt").cast(ir::DType::s32));
    inputs.add("tgt_lengths", lengths_of(arrays.at("in/tgt_keep")));
    if (arrays.contains("in/tgt_in"))
      inputs.add("tgt_in", arrays.at("in/tgt_in").cast(ir::DType::s32));
  }
  ParameterStore store(ir::DType real) const {
    ParameterStore s(1, real);
    for (const Renamed& n : names)
      s.set(n.path, ir::ArgumentKind::parameter, as_here(arrays, "param/", n));
    return s;
  }
  Array live_only(const std::string& name) const {  // out/name where the target lives
    const Array& all = arrays.at("out/" + name);
    const Array& keep = arrays.at("in/tgt_keep");
    Array kept = all.clone();
    for (int64_t i = 0; i < kept.size(); ++i)
      if (keep.integer_at(i / all.dim(2)) == 0) kept.set(i, 0);
    return kept;
  }
};

void check_case(const Case& c, const ir::Graph& graph, const ProgramOptions& options,
                double tolerance) {
  ParameterStore store = c.store(options.real);
  const NamedArrays results = differentiated(graph, store, c.inputs, options);
  check_near(results.at("loss"), c.arrays.at("out/loss"), tolerance, "loss");
  check_near(results.at("logits"), c.live_only("logits"), tolerance, "logits");
  check_near(results.at("alpha"), c.live_only("alpha"), tolerance, "alpha");
  for (const Renamed& n : c.names)
    check_near(results.at(autodiff::gradient_name(graph, n.path)), as_here(c.arrays, "grad/", n),
               tolerance, "d" + n.path);
}

void check_everywhere(const std::string& file, const std::vector<Renamed>& names,
                      const ir::Graph& graph) {
  CAPTURE(file);
  const Case c(file, names);
  using tests::Compared;
  check_case(c, graph, tests::reference_options(false),
             tests::tolerance(ir::DType::f64, Compared::oracle));
  check_case(c, graph, tests::reference_options(true),
             tests::tolerance(ir::DType::f64, Compared::oracle));
#ifdef WEFT_TEST_ONEDNN
  check_case(c, graph, tests::onednn_options(false),
             tests::tolerance(ir::DType::f32, Compared::oracle));
  check_case(c, graph, tests::onednn_options(true),
             tests::tolerance(ir::DType::f32, Compared::oracle));
#endif
}

rnn::Config rnnsearch_config() {
  return {.source = {.vocabulary = 11},
          .target_vocabulary = 13,
          .embedding = 5,
          .hidden = 4,
          .attention_width = 6,
          .readout_width = 3,
          .cell_bias = false,
          .output_bias = false};
}

rnn::Config luong_config(rnn::AttentionKind kind, bool feed) {
  return {.source = {.vocabulary = 11},
          .target_vocabulary = 12,
          .cell = CellKind::lstm,
          .attention = kind,
          .embedding = 4,
          .hidden = 5,
          .layers = 2,
          .bidirectional = false,
          .input_feeding = feed,
          .readout = rnn::Readout::plain,
          .output_bias = false};
}

std::vector<Renamed> luong_names(rnn::AttentionKind kind) {
  std::vector<Renamed> names{{"Ex", "source_embedding"},
                             {"Ey", "target_embedding"},
                             {"Wc", "decoder/Wc"},
                             {"Wout", "decoder/Wo"}};
  for (const char* layer : {"0", "1"})
    for (const auto& [from, to] : {std::pair{"Wi", "W"}, {"Wh", "U"}, {"b", "b"}}) {
      names.push_back(
          {ir::concat("enc", layer, ".", from), ir::concat("encoder/", layer, "/forward/", to)});
      names.push_back(
          {ir::concat("dec", layer, ".", from), ir::concat("decoder/cell/", layer, "/", to)});
    }
  if (kind == rnn::AttentionKind::general) names.push_back({"Wa", "decoder/attention/W"});
  if (kind == rnn::AttentionKind::concat) {
    names.push_back({"Wa", "decoder/attention/W", 0, 5});
    names.push_back({"Wa", "decoder/attention/U", 5, 10});
    names.push_back({"va", "decoder/attention/v"});
  }
  return names;
}

}  // namespace

TEST_CASE("luong: values and gradients of local attention around a predicted place") {
  if (tests::oracle_folder().empty()) return;
  rnn::Config c = luong_config(rnn::AttentionKind::general, false);
  c.local_window = 2;
  std::vector<Renamed> names = luong_names(c.attention);
  names.push_back({"Wp", "decoder/attention/place/W"});
  names.push_back({"vp", "decoder/attention/place/v"});
  check_everywhere("luong_local-p_general", names, oracle_graph(c, true, true));
}

TEST_CASE("rnnsearch: values and gradients are those of the paper's equations") {
  if (tests::oracle_folder().empty()) return;
  check_everywhere("rnnsearch_full", rnnsearch_names(),
                   oracle_graph(rnnsearch_config(), false, false));
}

TEST_CASE(
    "luong: values and gradients for dot, general and concat, with and without input feeding") {
  if (tests::oracle_folder().empty()) return;
  using enum rnn::AttentionKind;
  check_everywhere("luong_global_dot", luong_names(dot),
                   oracle_graph(luong_config(dot, false), true, true));
  check_everywhere("luong_global_general_feed", luong_names(general),
                   oracle_graph(luong_config(general, true), true, true));
  check_everywhere("luong_global_concat_feed", luong_names(concat),
                   oracle_graph(luong_config(concat, true), true, true));
}

TEST_CASE("rnnsearch: twelve steps of Adadelta with clipping follow PyTorch's") {
  if (tests::oracle_folder().empty()) return;
  const Case c("train_rnnsearch_adadelta", rnnsearch_names());
  const ir::Graph graph = oracle_graph(rnnsearch_config(), false, false);
  Program program = Program::training(graph, {.kind = OptimizerKind::adadelta, .clip_norm = 1},
                                      tests::reference_options());
  ParameterStore store = c.store(ir::DType::f64);
  NamedArrays inputs = c.inputs;
  inputs.add("lr", Array::of(ir::DType::f64, {}, std::vector<double>{1}));
  Array losses(ir::DType::f64, {12}), norms(ir::DType::f64, {12});
  for (int64_t step = 0; step < 12; ++step) {
    const NamedArrays results = program.run(store, inputs);
    losses.set(step, results.at("loss").at(0));
    norms.set(step, results.at("gradient_norm").at(0));
  }
  check_near(losses, c.arrays.at("out/losses"), 1e-10, "losses");
  check_near(norms, c.arrays.at("out/grad_norms"), 1e-10, "norms");
  for (const Renamed& n : c.names)
    check_near(store.at(n.path), as_here(c.arrays, "out/final/", n), 1e-9, n.path);
}
