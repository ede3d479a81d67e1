// tests/models/published_oracle_test.cpp -- published models against the originals: hidden states,
// attention, loss, all gradients, and what they generate under many settings.
#include "tests/models/published_oracle.h"

#include "backends/report.h"
#include "ir/text/text.h"
#include "models/families/seq2seq.h"
#include "models/search/beam_search.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <map>

using namespace weft;
using ir::Array;
using ir::NamedArrays;
using published::Folder;
using tests::published_arrays;

namespace {

Folder folder_of(const std::string& model) {
  return Folder((tests::published_oracle() / model).string());
}

NamedArrays inputs_of(const std::string& model) {
  const NamedArrays a = published_arrays(model, "inputs.npz");
  Array out = a.at("labels").cast(ir::DType::s32);
  for (int64_t i = 0; i < out.size(); ++i)
    out.set_integer(i, std::max<int64_t>(out.integer_at(i), 0));
  return {{"source", a.at("input_ids").cast(ir::DType::s32)},
          {"source_lengths", tests::lengths_of(a.at("attention_mask"))},
          {"target_in", a.at("decoder_input_ids").cast(ir::DType::s32)},
          {"target_out", out},
          {"target_lengths", tests::lengths_of(a.at("decoder_attention_mask"))}};
}

// All that the original exports, under its names.
ir::Graph observed_graph(const transformer::Config& c) {
  Model m("observed");
  const Tensor source = m.input("source", s32, {dim("B"), dim("S")}),
               source_lengths = m.input("source_lengths", s32, {dim("B")}),
               target_in = m.input("target_in", s32, {dim("B"), dim("T")}),
               target_out = m.input("target_out", s32, {dim("B"), dim("T")}),
               target_lengths = m.input("target_lengths", s32, {dim("B")});
  const Scope p = m.scope();
  const transformer::Encoded e = transformer::encode(p, c, source, source_lengths);
  const transformer::Decoded d = transformer::decode(
      p, c, transformer::project_memory(p, c, e.annotations, source_lengths), target_in);
  const auto list = [&](const std::string& name, const std::vector<Tensor>& all) {
    for (size_t i = 0; i < all.size(); ++i) m.output(ir::concat(name, ".", i), all[i]);
  };
  list("encoder_hidden_states", e.states);
  list("encoder_attentions", e.self_weights);
  list("decoder_hidden_states", d.states);
  list("decoder_attentions", d.self_weights);
  list("cross_attentions", d.by_layer);
  m.output("encoder_last_hidden_state", e.annotations);
  m.output("logits", d.logits);
  const Tensor live = length_mask(target_lengths, dim("T"));
  const Tensor losses = where(live, cross_entropy(d.logits, target_out), 0);
  m.output("loss", sum(losses) / sum(cast(live, f32)));
  return m.graph();
}

// Elements of x that belong to real positions: those of row t (axis `axis`) of sentence b.
template <typename F>
void for_real(const Array& x, const Array& lengths, int axis, const F& f) {
  int64_t inner = 1;
  for (int i = axis + 1; i < x.rank(); ++i) inner *= x.dim(i);
  const int64_t of_sentence = x.size() / x.dim(0), positions = x.dim(axis);
  for (int64_t i = 0; i < x.size(); ++i)
    if (i / inner % positions < lengths.integer_at(i / of_sentence)) f(i);
}

struct Tolerances {
  double state, attention, loss, gradient;
};

Tolerances tolerances(const transformer::Config& c, ir::DType real) {
  // Of the oracle's README; in double, the sinusoids of the originals are rounded to float.
  if (real == ir::DType::f32) return {1e-4, 1e-5, 1e-5, 5e-4};
  const bool rounded = c.positions == transformer::PositionKind::sinusoidal;
  return rounded ? Tolerances{3e-6, 3e-6, 3e-6, 3e-6} : Tolerances{1e-9, 1e-9, 1e-9, 1e-8};
}

void check_values(const std::string& model, const transformer::Config& c, const NamedArrays& found,
                  const Tolerances& most) {
  const bool windowed = c.encoder_window > 0 || !c.layer_windows.empty();
  const NamedArrays expected = published_arrays(model, "forward_f64.npz"), in = inputs_of(model);
  for (const ir::NamedArray& e : expected) {
    CAPTURE(e.name);
    // Of windows they are by block there; LED's come dense as well, and those are compared.
    const bool dense = e.name.starts_with("encoder_attentions_dense");
    if (windowed && (e.name.starts_with("encoder_attentions.") ||
                     e.name.starts_with("encoder_global_attentions")))
      continue;
    const Array& x = found.at(dense ? ir::concat("encoder_attentions", e.name.substr(24)) : e.name);
    REQUIRE(x.dims() == e.array.dims());
    if (e.name == "loss") {
      CHECK(x.at(0) == doctest::Approx(e.array.at(0)).epsilon(most.loss));
      continue;
    }
    const bool of_source = e.name.starts_with("encoder"), attention = x.rank() == 4;
    double worst = 0;
    for_real(x, in.at(of_source ? "source_lengths" : "target_lengths"), attention ? 2 : 1,
             [&](int64_t i) {
               if (dense && i / x.dim(3) % x.dim(2) == 0) return;  // of the global token itself
               const double d = std::fabs(x.at(i) - e.array.at(i));
               worst = d > worst || d != d ? d : worst;
             });
    CHECK(worst <= (attention ? most.attention : most.state));
  }
}

void check_gradients(const Folder& folder, const std::string& model, const ir::Graph& graph,
                     const NamedArrays& found, const Tolerances& most) {
  std::map<std::string, const published::TensorName*> by_name;
  for (const published::TensorName& t : folder.imported().tensors) by_name.emplace(t.name, &t);
  for (const ir::NamedArray& e : published_arrays(model, "grads_f64.npz")) {
    CAPTURE(e.name);
    REQUIRE(by_name.contains(e.name));
    const published::TensorName& t = *by_name.at(e.name);
    const Array expected = tests::as_parameter(e.array, t.layout),
                x = found.at(autodiff::gradient_name(graph, t.path));
    REQUIRE(x.dims() == expected.dims());
    double greatest = 1e-3, worst = 0;
    for (int64_t i = 0; i < x.size(); ++i) {
      greatest = std::max(greatest, std::fabs(expected.at(i)));
      const double d = std::fabs(x.at(i) - expected.at(i));
      worst = d > worst || d != d ? d : worst;
    }
    CHECK(worst <= most.gradient * greatest);
  }
}

void check_model(const std::string& model, const ProgramOptions& options) {
  CAPTURE(model);
  const Folder folder = folder_of(model);
  const transformer::Config& c = folder.imported().config;
  const Tolerances most = tolerances(c, options.real);
  ParameterStore store = folder.load(options.real);
  const ir::Graph observed = observed_graph(c);
  check_values(model, c, Program::inference(observed, options).run(store, inputs_of(model)), most);
  // As it is trained: nothing but the loss is a result.
  const ir::Graph loss = transformer::loss_graph(c, false);
  check_gradients(folder, model, loss,
                  tests::differentiated(loss, store, inputs_of(model), options), most);
}

// The settings of a case as the hub's file of them.
published::Generation generation_of(const Folder& folder, const nlohmann::json& settings) {
  const tests::TemporaryFolder files;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(files / name) << text;
    return published::ConfigFile(files / name);
  };
  const published::ConfigFile none = write("config.json", "{}"),
                              all = write("generation_config.json", settings.dump());
  return published::read_generation(none, &all, folder.imported().config.target_vocabulary);
}

// What the search makes of one source, begin and end included.
std::vector<std::pair<std::vector<int32_t>, double>> generated(const Folder& folder,
                                                               ParameterStore& store,
                                                               const published::Generation& g,
                                                               const std::vector<int32_t>& source,
                                                               const ProgramOptions& options) {
  const search::SearchOptions asked = g.search;
  search::StepOptions step{.beam = g.beam, .ids = g.ids};
  step.log_probabilities = search::need_distribution(asked);
  step.normalizer = search::need_normalizer(asked, g.beam);
  search::Decoder decoder = seq2seq::decoder(folder.settings(), step, options);
  const auto length = std::ssize(source);
  const auto found =
      search::search(decoder, store, Array::of(ir::DType::s32, {1, length}, source),
                     Array::of(ir::DType::s32, {1}, std::vector<int64_t>{length}), asked);
  std::vector<std::pair<std::vector<int32_t>, double>> list;
  for (const search::Hypothesis& h : found.front()) {
    std::vector<int32_t> ids{g.ids.begin};
    ids.insert(ids.end(), h.tokens.begin(), h.tokens.end());
    const auto& more = g.search.rules.more_ends;
    if (h.ended && std::find(more.begin(), more.end(), ids.back()) == more.end())
      ids.push_back(g.ids.end);
    list.emplace_back(std::move(ids), h.score);
  }
  return list;
}

std::string listed(const std::vector<int32_t>& ids) {
  std::string s;
  for (const int32_t id : ids) s += (s.empty() ? "" : " ") + std::to_string(id);
  return s;
}

int check_generated(const std::string& model, const std::string& file,
                    const ProgramOptions& options) {
  const auto path = tests::published_oracle() / model / file;
  if (!std::filesystem::exists(path)) return 0;
  std::ifstream text(path);
  const nlohmann::json all = nlohmann::json::parse(text);
  const Folder folder = folder_of(model);
  ParameterStore store = folder.load(options.real);
  const NamedArrays in = inputs_of(model);
  const Array &source = in.at("source"), &lengths = in.at("source_lengths");
  int checked = 0;
  for (const auto& entry : all["generate"].items()) {
    const std::string& name = entry.key();
    const nlohmann::json& of = entry.value();
    if (!of["stable"].get<bool>()) continue;
    CAPTURE(model);
    CAPTURE(name);
    const nlohmann::json& settings = of["kwargs"];
    const published::Generation g = generation_of(folder, settings);
    for (int64_t b = 0; b < source.dim(0); ++b) {
      CAPTURE(b);
      std::vector<int32_t> ids;
      for (int64_t s = 0; s < lengths.integer_at(b); ++s)
        ids.push_back(static_cast<int32_t>(source.integer_at(b * source.dim(1) + s)));
      const auto found = generated(folder, store, g, ids, options);
      const nlohmann::json& expected = of["single"][static_cast<size_t>(b)];
      const auto sequences = expected["sequences"].get<std::vector<std::vector<int32_t>>>();
      REQUIRE(found.size() == sequences.size());
      for (size_t i = 0; i < found.size(); ++i) {
        CAPTURE(i);
        CHECK_MESSAGE(found[i].first == sequences[i], "found ", listed(found[i].first), ", needed ",
                      listed(sequences[i]));
        if (!expected["scores"].is_null() && found[i].first == sequences[i])
          CHECK(std::fabs(found[i].second - expected["scores"][i].get<double>()) <= 1e-4);
      }
      ++checked;
    }
  }
  return checked;
}

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("published: states, attention, loss and all gradients are the originals', in double") {
  if (tests::published_oracle().empty()) return;
  for (const std::string& model : tests::kPublished)
    for (const bool optimize : {false, true})
      check_model(model, tests::reference_options(optimize));
}

#ifdef WEFT_TEST_ONEDNN
TEST_CASE("published: states, attention, loss and all gradients are the originals', as they run") {
  if (tests::published_oracle().empty()) return;
  for (const std::string& model : tests::kPublished) check_model(model, tests::onednn_options());
}

TEST_CASE("published: what is generated, under all settings, is what the originals generate") {
  if (tests::published_oracle().empty()) return;
  for (const std::string& model : tests::kPublished) {
    CHECK(check_generated(model, "reference.json", tests::onednn_options()) > 0);
    check_generated(model, "generate_more.json", tests::onednn_options());
  }
}

namespace {

// Every attention is one op, forward and backward, and no value of a training step has two axes of
// positions.
void check_plan(const transformer::Config& c, ParameterStore& store) {
  const int64_t b = 3, s = 37, t = 41;
  Program program =
      Program::training(transformer::loss_graph(c, false), {}, tests::onednn_options());
  // Of the window and what all see, and of a global token.
  const int64_t of_encoder = c.global_first ? 3 : c.global_block > 0 ? 2 : 1;
  const auto attentions = static_cast<int>(c.encoder_layers * of_encoder + 2 * c.decoder_layers);
  const std::string fused = ir::print(program.stage("fused"));
  CHECK(count(fused, "= attention(") == attentions);
  CHECK(count(fused, "= softmax(") == 0);
  CHECK(count(ir::print(program.graph()), "attention_grad(") == attentions);
  NamedArrays inputs;
  for (const auto& [name, width] : {std::pair{"source", s}, {"target_in", t}, {"target_out", t}})
    inputs.add(name, Array(ir::DType::s32, {b, width}));
  for (const auto& [name, width] : {std::pair{"source_lengths", s}, {"target_lengths", t}})
    inputs.add(name, Array::of(ir::DType::s32, {b}, std::vector<int64_t>{width, width - 1, 3}));
  inputs.add("lr", Array::of(ir::DType::f32, {}, std::vector<float>{1e-3F}));
  const backends::Report report = program.executable(store, inputs).report();
  for (const backends::Allocation& a : report.memory.allocations)
    for (const ir::Value& v : a.values) {
      const ir::TensorType& type = report.graph.type(v);
      int positions = 0;
      for (const ir::Dim& d : type.shape) {
        const int64_t n = d.constant().value_or(0);
        positions += n == s || n == t;
      }
      CAPTURE(type);
      CHECK(positions < 2);
    }
}

}  // namespace

TEST_CASE("published: every attention is one op in both directions, and keeps no weights") {
  if (tests::published_oracle().empty()) return;
  for (const std::string& model : tests::kPublished) {
    CAPTURE(model);
    const Folder folder = folder_of(model);
    ParameterStore store = folder.load();
    check_plan(folder.imported().config, store);
  }
}

TEST_CASE("transformer: biases of distances make no values of pairs, whole or in windows") {
  for (const auto positions :
       {transformer::PositionKind::relative, transformer::PositionKind::alibi})
    for (const int64_t window : {0, 5}) {
      transformer::Config c;
      c.source.vocabulary = c.target_vocabulary = 24;
      c.width = 16, c.heads = 2, c.feed_forward = 32;
      c.encoder_layers = c.decoder_layers = 2;
      c.positions = positions, c.window = window;
      CAPTURE(window);
      ParameterStore store(1);
      store.prepare(transformer::loss_graph(c, false));
      check_plan(c, store);
    }
}
#endif
