// tests/models/optimizer_oracle_test.cpp -- every rule of update against PyTorch's and Hugging Face's.
#include "frontend/formats/npz.h"
#include "frontend/weft.h"
#include "tests/models/oracle.h"

using namespace weft;
using ir::Array;
using ir::NamedArrays;
using tests::check_near;

namespace {

// Parameters w and b whose gradients are the inputs g_w and g_b.
ir::Graph given_gradients(const ir::Dims& w, const ir::Dims& b) {
  Model m("given");
  const Shape of_w(w.begin(), w.end()), of_b(b.begin(), b.end());
  const Tensor sums =
      sum(m.scope().parameter("w", of_w, init::zeros()) * m.input("g_w", f32, of_w)) +
      sum(m.scope().parameter("b", of_b, init::zeros()) * m.input("g_b", f32, of_b));
  m.output("loss", sums);
  return m.graph();
}

Array row(const Array& all, int64_t i, ir::DType dtype) {
  ir::Dims dims(all.dims().begin() + 1, all.dims().end());
  Array one(dtype, dims);
  for (int64_t k = 0; k < one.size(); ++k) one.set(k, all.at(i * one.size() + k));
  return one;
}

struct Case {
  std::string file;
  OptimizerSettings settings;
  std::vector<double> rates;  // of each step; none: the file's
};

void check_case(const Case& c, const ProgramOptions& options, double tolerance) {
  CAPTURE(c.file);
  const NamedArrays arrays = formats::read_npz(c.file);
  const Array &w0 = arrays.at("in/w0"), &b0 = arrays.at("in/b0");
  Program program =
      Program::training(given_gradients(w0.dims(), b0.dims()), c.settings, options, "loss");
  ParameterStore store(1, options.real);
  store.prepare(program.graph());
  const auto begin_at = [&](const char* path, const Array& from) {
    Array to(options.real, from.dims());
    for (int64_t i = 0; i < from.size(); ++i) to.set(i, from.at(i));
    store.set(path, ir::ArgumentKind::parameter, to);
  };
  begin_at("w", w0);
  begin_at("b", b0);
  for (int64_t t = 0; t < 10; ++t) {
    const double rate =
        c.rates.empty() ? arrays.at("out/lr").at(t) : c.rates[static_cast<size_t>(t)];
    program.run(store, {{"g_w", row(arrays.at("in/g_w"), t, options.real)},
                        {"g_b", row(arrays.at("in/g_b"), t, options.real)},
                        {"lr", Array::of(options.real, {}, std::vector<double>{rate})}});
    for (const char* path : {"w", "b"})
      check_near(store.at(path), row(arrays.at(std::string("out/") + path), t, ir::DType::f64),
                 tolerance, std::string(path) + " after step " + std::to_string(t + 1));
  }
}

std::vector<Case> cases() {
  using enum OptimizerKind;
  std::vector<double> falling;
  for (int t = 0; t < 10; ++t) falling.push_back(0.1 / (1 + 0.01 * t));
  const std::vector<double> one(10, 1), thousandth(10, 1e-3), hundredth(10, 1e-2);
  std::vector<Case> torch = {
      {"opt_sgd", {.kind = sgd}, {}},
      {"opt_sgd_momentum", {.kind = sgd, .momentum = 0.9}, {}},
      {"opt_sgd_nesterov_wd", {.kind = sgd, .momentum = 0.9, .nesterov = true, .decay = 0.01}, {}},
      {"opt_adam", {.kind = adam}, {}},
      {"opt_adam_l2", {.kind = adam, .decay = 0.1}, {}},
      {"opt_adamw", {.kind = adam, .decay = 0.1, .decoupled = true}, {}},
      {"opt_adam_vaswani", {.kind = adam, .beta2 = 0.98, .eps = 1e-9}, {}},
      {"opt_adadelta", {.kind = adadelta}, {}},
      {"opt_adagrad", {.kind = adagrad}, {}},
      {"opt_adagrad_init", {.kind = adagrad, .initial_squares = 0.1}, falling},
  };
  for (Case& c : torch) c.file = (tests::oracle_folder() / (c.file + ".npz")).string();
  const OptimizerSettings base = default_settings(adafactor);
  OptimizerSettings fixed = base, relative = base, warm = base, first = base;
  fixed.relative_step = fixed.scale_by_parameter = false;
  warm.relative_warmup = true;
  first.relative_step = false, first.beta1 = 0.9, first.decay = 0.01;
  std::vector<Case> hugging_face = {{"adafactor_fixed_lr", fixed, thousandth},
                                    {"adafactor_relative", relative, one},
                                    {"adafactor_warmup_init", warm, one},
                                    {"adafactor_beta1_wd", first, hundredth}};
  for (Case& c : hugging_face)
    c.file = (tests::oracle_folder().parent_path() / "hf/optim" / (c.file + ".npz")).string();
  torch.insert(torch.end(), hugging_face.begin(), hugging_face.end());
  for (Case& c : torch) c.settings.clip_norm = 0;
  return torch;
}

}  // namespace

TEST_CASE("optimizer: ten steps of each rule are PyTorch's and Hugging Face's") {
  if (tests::oracle_folder().empty()) return;
  for (const Case& c : cases()) {
    check_case(c, tests::reference_options(), 1e-10);
    check_case(c, tests::reference_options(false), 1e-10);
#ifdef WEFT_TEST_ONEDNN
    check_case(c, tests::onednn_options(), 1e-5);
#endif
  }
}

TEST_CASE("optimizer: all parameters are updated in one pass, whatever the rule") {
  using enum OptimizerKind;
  for (const OptimizerKind kind : {sgd, adam, adadelta, adagrad, adafactor, lion}) {
    OptimizerSettings s = default_settings(kind);
    s.decay = 0.01, s.average_decay = 0.99;
    const Program p =
        Program::training(given_gradients({3, 4}, {5}), s, tests::reference_options(), "loss");
    std::vector<std::string> heavy;  // what goes over parameters
    for (const ir::Node& n : p.graph().nodes())
      for (const ir::Value v : n.results)
        if (p.graph().type(v).rank() > 0 && n.op->name != "constant") {
          if (heavy.empty() || heavy.back() != n.op->name) heavy.emplace_back(n.op->name);
          break;
        }
    CAPTURE(name(kind));
    const std::string update = std::string(name(kind)) + "_update";
    std::vector<std::string> expected{update, "moving_average"};
    // The gradients are inputs: nothing else is left but the loss.
    heavy.erase(std::remove(heavy.begin(), heavy.end(), "mul"), heavy.end());
    CHECK(heavy == expected);
  }
}

TEST_CASE("optimizer: the moving average begins with the first parameters, then follows slowly") {
  OptimizerSettings s{.kind = OptimizerKind::sgd, .clip_norm = 0, .average_decay = 0.5};
  Program program =
      Program::training(given_gradients({1, 2}, {1}), s, tests::reference_options(), "loss");
  ParameterStore store(1, f64);
  const NamedArrays inputs{{"g_w", Array::of(f64, {1, 2}, std::vector<double>{1, 2})},
                           {"g_b", Array::of(f64, {1}, std::vector<double>{1})},
                           {"lr", Array::of(f64, {}, std::vector<double>{1})}};
  double average = 0;
  for (int t = 0; t < 20; ++t) {
    program.run(store, inputs);
    const double decay = std::min(0.5, t / (t + 10.0));
    average = decay * average + (1 - decay) * -(t + 1);
    CHECK(store.at(average_path("w")).at(0) == doctest::Approx(average).epsilon(1e-12));
    CHECK(store.at(average_path("w")).at(1) == doctest::Approx(2 * average).epsilon(1e-12));
  }
}
