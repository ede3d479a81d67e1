// tests/models/search_oracle_test.cpp -- lists of hypotheses and changed distributions that other
// systems gave.
#include "frontend/formats/npz.h"
#include "models/search/beam_search.h"
#include "models/search/processors.h"
#include "tests/models/toy_model.h"
#include "tests/support/oracle_cases.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <map>

using namespace weft;
using ir::Array;
using search::EarlyStopping;
using search::LengthNorm;
using search::SearchOptions;
using search::SearchRules;
using tests::kIds;
using tests::TableModel;

namespace {

std::filesystem::path folder_of(const std::string& name) {
  const std::filesystem::path torch = tests::oracle_folder();
  return torch.empty() ? torch : torch.parent_path() / name;
}

nlohmann::json cases_in(const std::filesystem::path& folder) {
  std::ifstream file(folder / "cases.json");
  REQUIRE(file.good());
  return nlohmann::json::parse(file)["cases"];
}

// There: </s> 0, <s> V, words 1..V-1. Here they follow the special tokens. The tables have N + 1
// steps: fairseq takes a </s> behind the N-th token.
struct ToyCase {
  nlohmann::json of;
  int64_t words, steps;
  TableModel model;

  ToyCase(const nlohmann::json& c, const std::filesystem::path& folder)
      : of(c), words(c["V"].get<int64_t>() - 1), steps(c["N"]) {
    const auto arrays = formats::read_npz(
        (folder / ("case" + std::to_string(c["case"].get<int>()) + ".npz")).string());
    const Array &given = arrays.at("logp"), &looked = arrays.at("att");
    REQUIRE(given.dim(0) == steps + 1);
    REQUIRE(looked.dim(0) == steps + 1);
    const int64_t v = data::kSpecialTokens + words, start = words + 1, width = looked.dim(-1);
    model = {steps + 1, v, Array(ir::DType::f64, {steps + 1, v, v, v}),
             Array(ir::DType::f64, {steps + 1, v, width})};
    for (int64_t i = 0; i < model.table.size(); ++i) model.table.set(i, -HUGE_VAL);
    for (int64_t t = 0; t <= steps; ++t)
      for (int64_t one = 0; one <= start; ++one) {
        for (int64_t s = 0; s < width; ++s)
          model.attention.set((t * v + here(one)) * width + s,
                              looked.at((t * (start + 1) + one) * width + s));
        for (int64_t two = 0; two <= start; ++two)
          for (int64_t token = 0; token <= words; ++token)
            model.table.set(
                ((t * v + here(two)) * v + here(one)) * v + here(token),
                given.at(((t * (start + 1) + two) * (start + 1) + one) * start + token));
      }
  }

  int32_t here(int64_t v) const {
    return static_cast<int32_t>(v == 0 ? kIds.end : v == words + 1 ? kIds.begin : kIds.unknown + v);
  }

  // Is there such a list? Then it is found.
  bool check(const std::string& name, int64_t beam, SearchOptions options) const {
    if (!of["results"].contains(name)) return false;
    CAPTURE(name);
    CAPTURE(of["case"].get<int>());
    const auto& expected = of["results"][name];
    options.n_best = std::min<int64_t>(beam, std::ssize(expected));
    if (options.max_length == search::LengthLimit{}) options.max_length = {0, steps};
    const search::Hypotheses found = model.search(beam, options);
    REQUIRE(found.size() == expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      std::vector<int32_t> tokens;
      for (const auto& token : expected[i]["tokens"]) tokens.push_back(here(token.get<int64_t>()));
      CHECK(tests::with_end(found[i]) == tokens);
      // Given to six decimals.
      CHECK(found[i].log_probability ==
            doctest::Approx(expected[i]["logprob"].get<double>()).epsilon(1e-5));
      CHECK(found[i].score == doctest::Approx(expected[i]["score"].get<double>()).epsilon(1e-5));
    }
    return true;
  }
};

constexpr std::pair<const char*, double> kPenalties[] = {
    {"0.0", 0.0}, {"0.6", 0.6}, {"1.0", 1.0}, {"2.0", 2.0}};

}  // namespace

TEST_CASE("search: the lists of Hugging Face's, fairseq's and Marian's beams") {
  const std::filesystem::path folder = folder_of("beam");
  if (folder.empty()) return;
  int lists[3] = {};
  for (const auto& c : cases_in(folder)) {
    const ToyCase toy(c, folder);
    for (const int64_t beam : {1, 2, 4})
      for (const auto& [text, penalty] : kPenalties) {
        for (const auto& [stopping, when] : {std::pair{"True", EarlyStopping::yes},
                                             {"False", EarlyStopping::no},
                                             {"never", EarlyStopping::never}})
          lists[0] += toy.check(ir::concat("hf_new/K", beam, "_lp", text, "_es", stopping), beam,
                                {.length_penalty = penalty, .early_stopping = when});
        lists[1] += toy.check(ir::concat("fairseq/K", beam, "_lp", text), beam,
                              {.length_penalty = penalty,
                               .max_length = {0, toy.steps + 1},
                               .search_rules = SearchRules::fairseq});
        lists[2] += toy.check(ir::concat("marian/K", beam, "_n", text), beam,
                              {.length_penalty = penalty,
                               .length_norm = LengthNorm::marian,
                               .search_rules = SearchRules::marian});
        lists[2] += toy.check(ir::concat("marian/K", beam, "_n", text, "_wp-0.5"), beam,
                              {.length_penalty = penalty,
                               .length_norm = LengthNorm::marian,
                               .word_penalty = -0.5,
                               .search_rules = SearchRules::marian});
      }
  }
  CHECK(lists[0] == 8 * 24);
  CHECK(lists[1] == 8 * 12);
  CHECK(lists[2] == 8 * 15);
}

TEST_CASE("search: under every length norm a beam that holds everything finds the best of all") {
  const std::filesystem::path folder = folder_of("beam");
  if (folder.empty()) return;
  int lists = 0;
  for (const auto& c : cases_in(folder)) {
    if (std::pow(c["V"].get<double>() - 1, c["N"].get<double>() - 1) > 130) continue;
    const ToyCase toy(c, folder);
    // The last token is </s>, as there.
    const auto check = [&](const char* name, SearchOptions options) {
      options.search_rules = SearchRules::fairseq;
      lists += toy.check(ir::concat("exhaustive/", name), 160, options);
    };
    using enum LengthNorm;
    check("sum", {.length_norm = none});
    check("avg1", {.length_norm = average});
    check("avg0.6", {.length_penalty = 0.6});
    check("avg2", {.length_penalty = 2});
    check("gnmt_a0.6_b0", {.length_penalty = 0.6, .length_norm = gnmt});
    check("gnmt_a0.2_b0.2", {.length_penalty = 0.2, .length_norm = gnmt, .coverage_penalty = 0.2});
    check("gnmt_a1_b0.4", {.length_penalty = 1, .length_norm = gnmt, .coverage_penalty = 0.4});
    check("marian_n1_wp-0.5", {.length_penalty = 1, .length_norm = marian, .word_penalty = -0.5});
    check("marian_n0.6_wp0.3", {.length_penalty = 0.6, .length_norm = marian, .word_penalty = 0.3});
  }
  CHECK(lists == 4 * 9);
}

TEST_CASE("search: processors change distributions as transformers' do") {
  const std::filesystem::path folder = folder_of("logits_processors");
  if (folder.empty()) return;
  const auto tables = formats::read_npz((folder / "tables.npz").string());
  std::map<std::string, int> seen;
  for (const auto& c : cases_in(folder)) {
    const std::string name = c["processor"], key = c["key"];
    const auto& o = c["options"];
    search::Processors list;
    if (o.contains("min_tokens_to_keep") && o["min_tokens_to_keep"] != 1) continue;
    if (name == "temperature" || name == "temperature+top_k+top_p")
      list.push_back(search::temperature(o["temperature"]));
    if (name == "top_k" || name == "temperature+top_k+top_p")
      list.push_back(search::top_k(o["top_k"]));
    if (name == "top_p" || name == "temperature+top_k+top_p")
      list.push_back(search::top_p(o["top_p"]));
    if (name == "min_p") list.push_back(search::min_p(o["min_p"]));
    if (name == "typical_p") list.push_back(search::typical_p(o["typical_p"]));
    if (name == "repetition_penalty")
      list.push_back(search::repetition_penalty(o["repetition_penalty"]));
    if (name == "no_repeat_ngram")
      list.push_back(search::no_repeat_ngram(o["no_repeat_ngram_size"]));
    if (name == "bad_words") {
      std::vector<search::Phrase> words;
      for (const auto& word : o["bad_words_ids"])
        if (word != nlohmann::json::array({o["eos_token_id"]}))  // there, the end is never one
          words.push_back(word.get<search::Phrase>());
      list.push_back(search::bad_words(words));
    }
    // There the begin counts.
    if (name == "min_length")
      list.push_back(search::min_length(o["min_length"].get<int64_t>() - 1, o["eos_token_id"]));
    if (name == "min_new_tokens")
      for (const auto& end : o["eos_token_id"])
        list.push_back(search::min_length(
            o["min_new_tokens"].get<int64_t>() + o["prompt_length_to_skip"].get<int64_t>() - 1,
            end));
    if (name == "sequence_bias")
      list.push_back(search::sequence_bias(
          o["sequence_bias"].get<std::vector<std::pair<search::Phrase, double>>>()));
    if (name == "suppress_tokens") list.push_back(search::suppress(o["suppress_tokens"]));
    if (name == "begin_suppress_tokens")
      list.push_back(
          search::suppress_at(o["begin_index"].get<int64_t>() - 1, o["begin_suppress_tokens"]));
    if (name == "exponential_decay_length")
      list.push_back(search::growing_end(o["decay_factor"], o["start_index"], o["eos_token_id"]));
    if (name == "log_softmax") list.push_back(search::renormalize());
    if (name == "epsilon_cutoff") list.push_back(search::epsilon_cutoff(o["epsilon_cutoff"]));
    if (name == "eta_cutoff") list.push_back(search::eta_cutoff(o["eta_cutoff"]));
    if (name.starts_with("encoder_")) {
      const auto source = o["encoder_input_ids"][0].get<std::vector<int32_t>>();
      if (name == "encoder_repetition_penalty")
        list.push_back(search::source_repetition_penalty(o["encoder_repetition_penalty"], source));
      else
        list.push_back(search::no_source_ngram(o["encoder_no_repeat_ngram_size"], source));
    }
    if (list.empty()) continue;
    CAPTURE(key);
    ++seen[name];
    const Array &in = tables.at(key + "/in"), &out = tables.at(key + "/out");
    const int64_t width = in.dim(-1);
    for (int64_t row = 0; row < in.dim(0); ++row) {
      const auto history = c["history"][static_cast<size_t>(row)].get<std::vector<int32_t>>();
      std::vector<double> scores;
      for (int64_t v = 0; v < width; ++v) scores.push_back(in.at(row * width + v));
      for (const search::Processor& p : list) p(history, scores);
      for (int64_t v = 0; v < width; ++v) {
        const double expected = out.at(row * width + v), found = scores[static_cast<size_t>(v)];
        if (std::isinf(expected))
          CHECK(found == expected);
        else
          CHECK(found == doctest::Approx(expected).epsilon(1e-9));
      }
    }
  }
  CHECK(seen.size() == 20);
}
