// tests/cli/model_test.cpp -- weft train, translate, evaluate, attend, dump on a model that is
// learnt in seconds.
#include "ir/text/text.h"
#include "tests/cli/small_task.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace weft::tests {
namespace {

TEST_CASE("model: trained, it translates, is evaluated, drawn and dumped") {
  Task task;
  const Outcome trained = task.train();
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(trained.out.empty());

  SUBCASE("a line comes out for each line in, also for empty ones and unknown tokens") {
    const Outcome o = weft({"translate", task.model}, "a b c\n\nd a\r\na ? b");
    CHECK(o.code == 0);
    CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 4);
    CHECK(o.out.starts_with("w x y\n\nz w\n"));
    CHECK(weft({"translate", task.model}, "").out.empty());
  }
  SUBCASE("a line's translation does not depend on its neighbours") {
    const std::string alone = weft({"translate", task.model}, "a b c d a\n").out;
    CHECK(weft({"translate", task.model}, "d\na b c d a\nb b b b b b b\n").out.find("\n" + alone) !=
          std::string::npos);
  }
  SUBCASE("a line that is no text, or too long to be one, is told, and the others are translated") {
    const std::string long_line(3 << 20, 'a');
    for (const std::string& bad : {std::string("\xFF\xFE"), long_line}) {
      const Outcome o = weft({"translate", task.model}, "a b c\n" + bad + "\nd a\n");
      CHECK(o.code == 1);
      CHECK(o.out == "w x y\n\nz w\n");
      CHECK(o.err.starts_with("standard input:2: is "));
      CHECK(o.err.find("1 of 3 lines were not translated") != std::string::npos);
    }
  }
  SUBCASE("a line longer than any that was learnt from is translated with a warning") {
    const Outcome o = weft({"translate", task.model}, "a b c\na b c d a b c d\n");
    CHECK(o.code == 0);
    CHECK(o.err.find("line 2 (8 tokens): longer than any the model was trained on (5 tokens)") !=
          std::string::npos);
  }
  SUBCASE("what cannot be read is refused, and nothing comes out") {
    CHECK(not_a_clear_refusal(weft({"translate", task.model, "--input", task.folder / "nope", "-o",
                                    task.folder / "out"})) == "");
    CHECK_FALSE(task.folder.has("out"));
  }
  SUBCASE("a line of too many tokens is told, and the others are translated") {
    std::string tokens;
    for (int i = 0; i < 5000; ++i) tokens += "a ";
    const Outcome o = weft({"translate", task.model}, "a b c\n" + tokens + "\nd a\n");
    CHECK(o.code == 1);
    CHECK(o.out == "w x y\n\nz w\n");
    CHECK(o.err.find("standard input:2: has 5000 tokens, at most 1000 are accepted; "
                     "--max-source-tokens sets how many; its result is empty") == 0);
    CHECK(o.err.find("1 of 3 lines were not translated") != std::string::npos);
    const Outcome more =
        weft({"translate", task.model, "--max-source-tokens", "5000", "--max-length", "2"},
             tokens + "\n");
    CHECK(more.code == 0);
    CHECK(more.err.find("longer than any the model was trained on") != std::string::npos);
    CHECK(weft({"translate", task.model, "--max-source-tokens", "2"}, "a b c\n").code == 1);
  }
  SUBCASE("results that were cut say so, with their lines") {
    const Outcome o = weft({"translate", task.model, "--max-length", "2"}, "a\na b c\n\nd a b a\n");
    CHECK(o.code == 0);
    CHECK(o.out == "w\nw x\n\nz w\n");
    CHECK(o.err == "lines 2, 4: cut before an end, at the limit of length (--max-length 2)\n");
    CHECK(weft({"translate", task.model, "--max-length", "1x"}, "a b c\n").out == "w x y\n");
    CHECK(weft({"translate", task.model, "--max-length", "1x+1"}, "a b c\n").err.empty());
    CHECK(weft({"translate", task.model, "--beam", "3", "--nbest", "3", "--max-length", "1x"},
               "a b c\n")
              .err.find("line 1 (3 of 3 hypotheses): cut") == 0);
    const Outcome rate =
        weft({"evaluate", task.model, "--data", task.folder / "test.tsv", "--max-length", "1"});
    CHECK(rate.out.find("WER 100.00 %") != std::string::npos);
    CHECK(rate.err.find("of 40 results were cut before an end") != std::string::npos);
    CHECK(
        weft({"attend", task.model, "a b c", "--max-length", "2"}).err.find("cut before an end") !=
        std::string::npos);
    for (const std::string bad : {"0", "-3", "x", "3y", "1e99x"})
      CHECK(not_a_clear_refusal(weft({"translate", task.model, "--max-length", bad}, "a\n"), 2) ==
            "");
  }
  SUBCASE("a tab among the tokens is told") {
    const Outcome o = weft({"translate", task.model}, "a b c\na b\tw x\n");
    CHECK(o.err.find("line 2: with a tab; tokens are separated by spaces") == 0);
  }
  SUBCASE("a zero byte, as text in UTF-16 has them, is no text") {
    const Outcome o = weft({"translate", task.model}, std::string("a b\na\0 b\n", 9));
    CHECK(o.code == 1);
    CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 2);
    CHECK(o.err.find("standard input:2: has the control character 0 at byte 2") == 0);
  }
  SUBCASE("length penalties that say nothing are refused with a range") {
    for (const std::string bad : {"inf", "nan", "-1", "1000"}) {
      const Outcome o =
          weft({"translate", task.model, "--beam", "2", "--length-penalty", bad}, "a\n");
      CHECK(not_a_clear_refusal(o, 2) == "");
      CHECK(o.err.find("is not a number from 0 to 20") != std::string::npos);
    }
  }
  SUBCASE("a beam's best of each line, ranked, with scores") {
    const Outcome o =
        weft({"translate", task.model, "--beam", "4", "--nbest", "2"}, "a b c\n\nd a\n");
    CHECK(o.code == 0);
    CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 5);
    CHECK(o.out.starts_with("0\t-"));
    CHECK(o.out.find("\n1\t0.000000\t\n2\t-") != std::string::npos);
    CHECK(o.out.find("\tw x y\n") != std::string::npos);
    CHECK(o.out.find("\n2\t-") != std::string::npos);
    std::set<std::string> distinct;
    const std::string list =
        weft({"translate", task.model, "--beam", "12", "--nbest", "12"}, "a\n").out;
    for (size_t at = 0, end = 0; (end = list.find('\n', at)) != list.npos; at = end + 1)
      distinct.insert(list.substr(list.rfind('\t', end), end - list.rfind('\t', end)));
    CHECK(distinct.size() == 12);
    CHECK(weft({"translate", task.model, "--beam", "4", "--length-penalty", "1"}, "a b c\n").out ==
          "w x y\n");
    CHECK(not_a_clear_refusal(weft({"translate", task.model, "--beam", "2", "--nbest", "3"}, "a\n"),
                              2) == "");
    CHECK(not_a_clear_refusal(weft({"translate", task.model, "--beam", "0"}, "a\n"), 2) == "");
  }
  SUBCASE("error rates, the closest of several references counting") {
    const Outcome o = weft({"evaluate", task.model, "--data", task.folder / "test.tsv"});
    CHECK(o.code == 0);
    CHECK(o.out.starts_with("PER "));
    CHECK(weft({"evaluate", task.model, "--data", task.folder / "test.tsv", "--beam", "3"})
              .out.starts_with("PER "));
    CHECK(
        weft({"evaluate", task.model, "--data", task.folder.write("r.tsv", "a b\tz z\na b\tw x\n")})
            .out.find("PER 0.00 %, 0.00 to 0.00 in 95 % of samples of 1 segments") !=
        std::string::npos);
    CHECK(not_a_clear_refusal(weft(
              {"evaluate", task.model, "--data", task.folder.write("bad.tsv", "a b\n")})) == "");
  }
  SUBCASE("scores as translations have them, with what they were computed by") {
    const std::string data =
        task.folder.write("t.tsv", "a b c a b\tw x y w x\nb c a b c\tx y w x y\n");
    const Outcome o = weft({"evaluate", task.model, "--data", data, "--metric", "bleu", "--metric",
                            "chrf", "--metric", "ter", "--tokenize", "none"});
    CHECK(o.code == 0);
    CHECK(o.out.find("BLEU 100.00, 100.00 to 100.00 in 95 % of samples of 2 segments "
                     "[nrefs:1|case:mixed|eff:no|tok:none|smooth:exp|version:weft-") !=
          std::string::npos);
    CHECK(o.out.find("\nchrF2 100.00, ") != std::string::npos);
    CHECK(o.out.find("\nTER 0.00 %, ") != std::string::npos);
    const Outcome bad = weft({"evaluate", task.model, "--data", data, "--metric", "comet"});
    CHECK(not_a_clear_refusal(bad) == "");
    CHECK(bad.err.find("'comet' (there are: bleu, chrf, chrf++, ter, per, wer, accuracy, loss, "
                       "perplexity)") != std::string::npos);
    CHECK(not_a_clear_refusal(weft({"evaluate", task.model, "--data", data, "--metric", "bleu",
                                    "--tokenize", "moses"})) == "");
  }
  SUBCASE("two systems, and short and long sources") {
    const std::string data =
        task.folder.write("t.tsv", "a b c\tw x y\nb c a b c a\tx y w x y w\nc a\ty w\n");
    const std::string other = task.folder.write("other.txt", "w x x\nx y w x y w\nw w\n");
    const Outcome o = weft({"evaluate", task.model, "--data", data, "--against", other,
                            "--by-length", "--plot", task.folder / "lengths.svg"});
    CHECK(o.code == 0);
    CHECK(o.out.find(" that of " + other) != std::string::npos);
    CHECK(o.out.find("(paired bootstrap, 1000 samples)") != std::string::npos);
    CHECK(o.out.find("\n3-3 ") != std::string::npos);
    CHECK(task.folder.read("lengths.svg").find("length of the source") != std::string::npos);
    CHECK(weft({"evaluate", task.model, "--data", data, "--against", task.model})
              .out.find("p = 1.0000") != std::string::npos);
    const Outcome probable = weft(
        {"evaluate", task.model, "--data", data, "--metric", "loss", "--metric", "perplexity"});
    CHECK(probable.code == 0);
    CHECK(probable.out.find("\nperplexity 1.") != std::string::npos);
    const Outcome few = weft(
        {"evaluate", task.model, "--data", data, "--against", task.folder.write("few.txt", "w\n")});
    CHECK(not_a_clear_refusal(few) == "");
    CHECK(few.err.find("has 1 lines, needed is one for each of the 3") != std::string::npos);
  }
  SUBCASE("attention as a picture") {
    REQUIRE(weft({"attend", task.model, "a b <c", "-o", task.folder / "a.svg"}).code == 0);
    CHECK(task.folder.read("a.svg").find(">&lt;c<") != std::string::npos);
    CHECK(weft({"attend", task.model, "a b", "--beam", "3", "--rank", "3"}).out.find("<svg") !=
          std::string::npos);
    for (const int rank : {1, 20, 43, 64})
      CHECK(weft({"attend", task.model, "a", "--beam", "64", "--rank", std::to_string(rank)})
                .out.find("<svg") != std::string::npos);
    CHECK(not_a_clear_refusal(weft({"attend", task.model, "a b", "--rank", "2"}), 2) == "");
    CHECK(not_a_clear_refusal(weft({"attend", task.model, "  ", "-o", task.folder / "b.svg"}), 2) ==
          "");
  }
  SUBCASE("the training step at every stage, of the model and of its recipe") {
    for (const std::string& what : {task.model, task.recipe_file})
      for (const std::string stage : {"built", "fused", "differentiated", "optimised"}) {
        INFO(what << " " << stage);
        const Outcome o = weft({"dump", what, "--stage", stage});
        REQUIRE(o.code == 0);
        CHECK_NOTHROW(ir::parse(o.out));
        CHECK(weft({"dump", what, "--stage", stage, "--format", "svg"}).out.ends_with("</svg>\n"));
      }
    CHECK(weft({"dump", task.model, "--stage", "planned", "--bind", "B=4", "--bind", "S=5",
                "--bind", "T=5"})
              .out.find("arena") != std::string::npos);
    CHECK(weft({"dump", task.model, "--stage", "fused", "--explain"}).err.find("fuse_attention") !=
          std::string::npos);
  }
  SUBCASE("files of the model that are cut off are refused by name") {
    for (const std::string name :
         {"model.toml", "source.vocab", "target.vocab", "best.safetensors"}) {
      INFO(name);
      const std::string path = task.model + "/" + name;
      const std::string whole = task.folder.read("model/" + name);
      for (const size_t size : {size_t{0}, size_t{5}, whole.size() / 2}) {
        task.folder.write("model/" + name, whole.substr(0, size));
        const Outcome o = weft({"translate", task.model}, "a\n");
        CHECK(not_a_clear_refusal(o) == "");
        CHECK(o.err.find(task.model) != o.err.npos);
      }
      task.folder.write("model/" + name, whole);
    }
    CHECK(weft({"translate", task.model}, "a\n").code == 0);
  }
}

TEST_CASE("model: the best parameters and the last ones can be told apart") {
  Task task(5);
  REQUIRE(task.train().code == 0);
  for (const std::string which : {"best", "last"}) {
    CHECK(weft({"translate", task.model, "--checkpoint", which}, "a b\n").code == 0);
    CHECK(weft({"attend", task.model, "a b", "--checkpoint", which}).code == 0);
    CHECK(weft({"evaluate", task.model, "--data", task.folder / "test.tsv", "--checkpoint", which})
              .code == 0);
    const std::string name = "model/" + which + ".safetensors", whole = task.folder.read(name);
    std::filesystem::remove(task.folder / name);
    const Outcome o = weft({"translate", task.model, "--checkpoint", which}, "a b\n");
    CHECK(not_a_clear_refusal(o) == "");
    has(o.err, which + ".safetensors: error: is not there");
    task.folder.write(name, whole);
  }
  CHECK(not_a_clear_refusal(weft({"translate", task.model, "--checkpoint", "first"}, "a\n"), 2) ==
        "");
  const Outcome o = weft({"translate", task.model, "-o", task.folder / "nope/x"}, "a\n");
  CHECK(o.err.find(".tmp") == o.err.npos);
}

}  // namespace
}  // namespace weft::tests
