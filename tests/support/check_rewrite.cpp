// tests/support/check_rewrite.cpp -- passes tested as text.
#include "tests/support/check_rewrite.h"

#include "backends/reference/reference.h"
#include "ir/text/text.h"
#include "ir/verify.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <sstream>

namespace weft::test {
namespace {

void compare(const ir::Graph& found, const ir::Graph& wanted, std::string_view what) {
  const bool same = ir::canonical_text(found) == ir::canonical_text(wanted);
  CHECK_MESSAGE(same, what << "\n--- found\n"
                           << ir::print(found) << "--- wanted\n"
                           << ir::print(wanted));
}

ir::Bindings bound(const ir::Graph& graph, const ir::Bindings& sizes) {
  ir::Bindings all{{"B", 3}, {"T", 4}, {"S", 5}, {"H", 2}, {"A", 3},
                   {"E", 4}, {"M", 3}, {"D", 3}, {"V", 7}};
  for (const auto& [symbol, size] : sizes) all[symbol] = size;
  ir::Bindings used;
  for (const std::string& s : graph.symbols()) used[s] = all.at(s);
  return used;
}

ir::Array random_array(const ir::TensorType& type, const ir::Bindings& sizes,
                       std::mt19937& random) {
  ir::Array a(ir::is_float(type.dtype) ? ir::DType::f64 : type.dtype,
              ir::values(type.shape, sizes));
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < a.size(); ++i) {
    if (ir::is_float(type.dtype))
      a.set(i, normal(random));
    else
      a.set_integer(i, static_cast<int64_t>(random() % (type.dtype == ir::DType::pred ? 2 : 4)));
  }
  return a;
}

}  // namespace

ir::Graph run(std::string_view passes, const ir::Graph& graph, ir::PassContext* context) {
  ir::PassContext own;
  ir::PassContext& c = context != nullptr ? *context : own;
  if (!c.evaluate)
    c.evaluate = [](const ir::Graph& g) { return backends::reference::evaluate(g, {}); };
  ir::Graph result = graph;
  std::istringstream names{std::string(passes)};
  for (std::string name; names >> name;) {
    if (name == "recognise" || name == "optimise") {
      result = ir::run_passes(
                   result, name == "recognise" ? ir::recognise_passes() : ir::optimise_passes(), c)
                   .graph;
      continue;
    }
    const ir::Pass* pass = ir::find_pass(name);
    REQUIRE_MESSAGE(pass != nullptr, "there is no pass " << name);
    result = pass->run(result, c);
    ir::verify(result, name);
  }
  return result;
}

void check_rewrite(std::string_view passes, std::string_view before, std::string_view after) {
  const ir::Graph from = ir::parse(before, "before.ir"), wanted = ir::parse(after, "after.ir");
  ir::verify(from);
  ir::verify(wanted);
  const ir::Graph found = run(passes, from);
  compare(found, wanted, "the rewritten graph");
  compare(run(passes, found), found, "run twice, the passes change something");
}

void check_unchanged(std::string_view passes, std::string_view text) {
  check_rewrite(passes, text, text);
}

void check_same_values(const ir::Graph& a, const ir::Graph& b, const ir::Bindings& sizes) {
  const ir::Bindings bindings = bound(a, sizes);
  std::mt19937 random(7);
  std::vector<ir::Array> arguments;
  for (const ir::Argument& x : a.arguments())
    arguments.push_back(random_array(a.type(x.value), bindings, random));
  const auto x = backends::reference::evaluate(a, arguments, bindings),
             y = backends::reference::evaluate(b, arguments, bindings);
  REQUIRE(x.size() == y.size());
  for (size_t o = 0; o < x.size(); ++o) {
    REQUIRE(x[o].dims() == y[o].dims());
    double top = 1, worst = 0;
    for (int64_t i = 0; i < x[o].size(); ++i) top = std::max(top, std::fabs(x[o].at(i)));
    for (int64_t i = 0; i < x[o].size(); ++i) {
      const double difference = std::fabs(x[o].at(i) - y[o].at(i));
      worst = difference == difference ? std::max(worst, difference) : HUGE_VAL;
    }
    CHECK_MESSAGE(worst <= 1e-12 * top, "output " << o << " differs by " << worst << "\n"
                                                  << ir::print(a) << "--- became\n"
                                                  << ir::print(b));
  }
}

void check_keeps_values(std::string_view passes, std::string_view text, const ir::Bindings& sizes) {
  const ir::Graph graph = ir::parse(text, "graph.ir");
  check_same_values(graph, run(passes, graph), sizes);
}

bool noted(const ir::PassContext& context, ir::Note::Kind kind, std::string_view text) {
  for (const ir::Note& note : context.notes)
    if (note.kind == kind && note.text.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace weft::test
