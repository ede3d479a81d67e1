// tests/cli/search_test.cpp -- what can be asked of `weft translate` and `weft score`.
#include "tests/cli/small_task.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <sstream>

namespace weft::tests {
namespace {

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST_CASE("search: what is asked of translations is done, or refused in the user's words") {
  Task task;
  const Outcome trained = task.train();
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const auto translate = [&](std::vector<std::string> options, const std::string& input) {
    options.insert(options.begin(), {"translate", task.model});
    const Outcome o = weft(options, input);
    CHECK_MESSAGE(o.code == 0, o.err);
    return o.out;
  };

  // Phrases are there, by a file and by the line.
  const std::string phrases = task.folder.write("phrases", "b => z z\n\nq => w w w\n");
  for (const std::string beam : {"1", "3"}) {
    const auto found =
        lines_in(translate({"--phrases", phrases, "--beam", beam}, "a b c\n\nd a\n"));
    REQUIRE(found.size() == 3);
    CHECK(found[0].find("z z") != std::string::npos);
    CHECK(found[1].empty());
    CHECK(found[2] == "z w");
  }
  CHECK(translate({"--inline-phrases"}, "a b c\tc => w w\tz x\n").find("w w") != std::string::npos);
  CHECK(translate({"--inline-phrases"}, "a b c\tc => w w\tz x\n").find("z x") != std::string::npos);
  CHECK(translate({"--inline-phrases"}, "a b c\n") == "w x y\n");

  // Beginnings, and whole results with their scores, which `score` gives too.
  const std::string prefixes = task.folder.write("prefixes", "z\n\ny y\n");
  const auto begun = lines_in(translate({"--prefixes", prefixes}, "a b c\nd a\na\n"));
  REQUIRE(begun.size() == 3);
  CHECK(begun[0].starts_with("z"));
  CHECK(begun[1] == "z w");
  CHECK(begun[2].starts_with("y y"));
  const std::string targets = task.folder.write("targets", "w x y\nw w\n"),
                    sources = task.folder.write("sources", "a b c\nd a\n");
  const auto forced = lines_in(translate({"--targets", targets, "--nbest", "1"}, "a b c\nd a\n"));
  const Outcome scored = weft({"score", task.model, "--source", sources, "--target", targets});
  REQUIRE(scored.code == 0);
  const auto scores = lines_in(scored.out);
  REQUIRE(forced.size() == 2);
  REQUIRE(scores.size() == 2);
  for (size_t i = 0; i < 2; ++i)
    CHECK(std::stod(forced[i].substr(2)) == doctest::Approx(std::stod(scores[i])).epsilon(1e-5));
  CHECK(scores[1].find("\t3\t") != std::string::npos);
  CHECK(has(scored.err, "2 lines, 7 tokens with </s>: log-probability -"));
  const Outcome by_token =
      weft({"score", task.model, "--data", task.folder.write("p.tsv", "a b c\tw x y\n"), "--json"});
  const auto line = nlohmann::json::parse(by_token.out);
  CHECK(line["tokens"] == nlohmann::json::array({"w", "x", "y", "</s>"}));
  double sum = 0;
  for (const double p : line["log_probabilities"]) sum += p;
  CHECK(sum == doctest::Approx(line["log_probability"].get<double>()).epsilon(1e-6));
  CHECK(sum == doctest::Approx(std::stod(scores[0])).epsilon(1e-5));

  // Samples: alike wherever the line stands, and by the seed.
  const auto sample = [&](const std::string& seed, const std::string& input) {
    return translate({"--sample", "--temperature", "8", "--seed", seed}, input);
  };
  const std::string alone = sample("7", "a b c d a\n");
  CHECK(sample("7", "d\na b c d a\nb b b b b b b\n").find("\n" + alone) != std::string::npos);
  std::set<std::string> different;
  for (const std::string seed : {"1", "2", "3", "4"}) different.insert(sample(seed, "a b c d a\n"));
  CHECK(different.size() > 1);
  CHECK(translate({"--mbr", "16"}, "a b c\n\n") == "w x y\n\n");

  // A model that chooses with itself says what it says alone.
  CHECK(translate({"--with", task.model, "--beam", "3"}, "a b c\nd a\n") == "w x y\nz w\n");
  CHECK(translate({"--stream"}, "a b c\n\nd a\n") == "w x y\n\nz w\n");
  CHECK(translate({"--stream", "--beam", "4"}, "a b c\n\nd a\n") == "w x y\n\nz w\n");

  // What is made of attention.
  const std::string aligned = translate({"--align", "hard"}, "a b c\n");
  CHECK(aligned.starts_with("w x y\t"));
  CHECK(std::count(aligned.begin(), aligned.end(), '-') == 3);
  const std::string soft = translate({"--align", "soft"}, "a b c\n");
  CHECK(std::count(soft.begin(), soft.end(), ',') == 4 * 2);
  const std::string marked = translate({"--tags", "xml"}, "<i>a b c</i>\n");
  CHECK(marked == "<i>w x y</i>\n");
  CHECK(translate({"--replace-unknown"}, "a b c\n") == "w x y\n");

  const Outcome page =
      weft({"attend", task.model, "--input", sources, "-o", task.folder / "a.html"});
  CHECK_MESSAGE(page.code == 0, page.err);
  CHECK(has(task.folder.read("a.html"), "const sentences = [{\"columns\":[\"a\",\"b\",\"c\"]"));

  // Bad words, n-grams, rules, norms.
  const std::string bad = task.folder.write("bad", "x\n");
  CHECK(translate({"--bad-words", bad, "--beam", "2"}, "a b c\n").find('x') == std::string::npos);
  CHECK(translate({"--no-repeat-ngram", "1"}, "a a a\n").find("w w") == std::string::npos);
  for (const std::string rules : {"huggingface", "fairseq", "marian"})
    CHECK(translate({"--search-rules", rules, "--length-norm", "gnmt", "--length-penalty", "0.6",
                     "--beam", "3"},
                    "a b c\n") == "w x y\n");
  CHECK(translate({"--coverage-penalty", "0.1", "--beam", "3"}, "a b c\n") == "w x y\n");

  const auto refused = [&](std::vector<std::string> options, const std::string& part) {
    options.insert(options.begin(), {"translate", task.model});
    const Outcome o = weft(options, "a\n");
    CHECK(not_a_clear_refusal(o, 2) == "");
    has(o.err, part);
  };
  refused({"--top-k", "5"}, "--top-k is 5, which belongs to --sample");
  refused({"--groups", "2", "--beam", "4"}, "--groups is 2, but --diversity is 0");
  refused({"--length-norm", "average", "--length-penalty", "1"}, "--length-penalty is 1");
  refused({"--stream", "--nbest", "1"}, "--stream writes text as it comes");
  refused({"--stream", "--prefixes", prefixes}, "--stream writes text as it comes");
  refused({"--mbr", "4", "--beam", "2"}, "--mbr draws its own");
  refused({"--dictionary", bad}, "--dictionary is for --replace-unknown");
  refused({"--early-stopping", "perhaps"}, "there is no early_stopping 'perhaps'");
  refused({"--seed", "-1"}, "is not a whole number");
  const auto failed = [&](std::vector<std::string> options, const std::string& part) {
    const Outcome o = weft(options, "a b\n");
    CHECK(not_a_clear_refusal(o) == "");
    has(o.err, part);
  };
  failed({"translate", task.model, "--phrases", task.folder.write("p", "a => nothing\n")},
         "'nothing' is not in the model's target vocabulary");
  failed({"translate", task.model, "--phrases", task.folder.write("p", "x\na =>\n")},
         "p:2: error: 'a =>' is no 'source phrase => target phrase'");
  failed({"translate", task.model, "--prefixes", task.folder.write("p", "")},
         "ends before the input");
  failed({"score", task.model, "--data", task.folder.write("p", "a b\n")}, "p:1: error: a line is");
  failed({"score", task.model, "--source", sources, "--target", prefixes}, "ends before");
}

}  // namespace
}  // namespace weft::tests
