// tests/cli/surroundings_test.cpp -- standard streams that are closed, full or abandoned; links,
// pipes, devices and "-" as files; names of all kinds.
#include "frontend/formats/npz.h"
#include "tests/cli/graphs.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>

#include <filesystem>

namespace weft::tests {
namespace {

constexpr const char* kSquare =
    "graph @square(input %x: f32[N]) -> (y: f32[N]) {\n  %y = mul(%x, %x)\n  return %y\n}\n";

// A folder with a recipe that is learnt at once, a graph and its input.
struct Fixture {
  Folder folder;
  Fixture() {
    std::string lines;
    for (int i = 0; i < 16; ++i) lines += "a b c d\tw x y z\na b\tw x\n";
    folder.write("train.tsv", lines);
    folder.write("r.toml",
                 "[data]\ntrain = \"train.tsv\"\nvalid = \"train.tsv\"\n[model]\nembedding = "
                 "8\nhidden = 8\n[batch]\nmax_rows = 8\n[training]\nsteps = 6\n");
    folder.write("g.ir", kSquare);
    formats::write_npz(folder / "in.npz",
                       {{"x", ir::Array::of<float>(ir::DType::f32, {3}, {1, 2, 3})}});
  }
  Outcome shell(const std::string& script) { return tests::shell(script, folder / ""); }
};

TEST_CASE_FIXTURE(Fixture,
                  "streams: what cannot be said on stderr is not said, and costs nothing") {
  const Outcome o = shell(
      "$weft train r.toml --out a 2>/dev/null; echo $?; $weft train r.toml --out b 2>&-; echo $?; "
      "$weft train r.toml --out c 2>/dev/full; echo $?; "
      "$weft train r.toml --out d 2>&1 >/dev/null | head -c 1 > /dev/null; echo ${PIPESTATUS[0]}; "
      "for m in b c d; do cmp a/last.safetensors $m/last.safetensors || echo $m differs; done; "
      "echo a b | $weft translate a 2>&- | wc -l");
  CHECK(o.out == "0\n0\n0\n0\n1\n");
}

TEST_CASE_FIXTURE(Fixture, "streams: no file is opened in the place of a closed stream") {
  CHECK(shell("$weft run g.ir --inputs in.npz --outputs a.npz; "
              "$weft run g.ir --inputs in.npz --outputs b.npz <&- 2>&- >/dev/null; "
              "cmp a.npz b.npz && echo same")
            .out == "same\n");
  CHECK(shell("$weft translate r.toml <&-").code == 1);
}

TEST_CASE_FIXTURE(Fixture, "streams: results that cannot be written are an error, not a silence") {
  for (const char* script : {"$weft dump g.ir >&-", "$weft dump g.ir > /dev/full",
                             "$weft run g.ir --inputs in.npz --outputs /dev/full", "$weft ops >&-",
                             "$weft --help > /dev/full"}) {
    INFO(script);
    CHECK(not_a_clear_refusal(shell(script)) == "");
  }
}

TEST_CASE_FIXTURE(Fixture, "files: graphs and arrays come from pipes, links and standard input") {
  const std::string wanted = shell("$weft dump g.ir").out;
  REQUIRE(wanted.starts_with("graph @square"));
  for (const char* script :
       {"cat g.ir | $weft dump -", "$weft dump <(cat g.ir)", "$weft dump /dev/stdin < g.ir",
        "mkfifo p; (sleep 0.2; cat g.ir > p) & $weft dump p", "ln -s g.ir l; $weft dump l",
        "$weft dump - -o /dev/stdout < g.ir", "$weft dump g.ir -o - | cat",
        "$weft dump g.ir -o >(cat) | cat", "$weft dump g.ir -o /dev/fd/3 3>&1 | cat",
        "cp g.ir './-x y\n\xC3\xA9.ir'; $weft dump -- '-x y\n\xC3\xA9.ir'"}) {
    INFO(script);
    const Outcome o = shell(script);
    CHECK(o.code == 0);
    CHECK(o.out == wanted);
  }
  for (const char* script :
       {"cat in.npz | $weft run g.ir --inputs - --outputs out.npz",
        "$weft run <(cat g.ir) --inputs <(cat in.npz) --outputs out.npz",
        "$weft run - --inputs in.npz --outputs - < g.ir > out.npz",
        "ln -s out.npz to; $weft run g.ir --inputs in.npz --outputs to",
        "$weft run g.ir --inputs in.npz --outputs >(cat > out.npz); sleep 0.5"}) {
    INFO(script);
    std::filesystem::remove(folder / "out.npz");
    const Outcome o = shell(script);
    INFO(o.err);
    CHECK(o.code == 0);
    CHECK(formats::read_npz(folder / "out.npz").at("y").at(2) == 9);
  }
}

TEST_CASE_FIXTURE(Fixture, "files: recipes, data and sources come from pipes and standard input") {
  CHECK(shell("$weft train r.toml --out a").code == 0);
  for (const char* script :
       {"$weft train - --out b < r.toml", "$weft train <(cat r.toml) --out b",
        "sed 's/\"train.tsv/\"p/' r.toml > s.toml; mkfifo p; sed 's/valid = \"p/valid = "
        "\"train.tsv/' -i s.toml; (cat train.tsv > p) & $weft train s.toml --out b"}) {
    INFO(script);
    const Outcome o = shell(std::string("rm -rf b; ") + script +
                            " && cmp a/last.safetensors b/last.safetensors && echo same");
    INFO(o.err);
    CHECK(o.out == "same\n");
  }
  CHECK(shell("$weft translate a --input <(echo a b) -o >(cat); sleep 0.2").out ==
        shell("echo a b | $weft translate a --input -").out);
  CHECK(shell("$weft evaluate a --data <(cat train.tsv)").code == 0);
  CHECK(shell("$weft evaluate a --data - < train.tsv").code == 0);
}

TEST_CASE_FIXTURE(Fixture, "files: data is next to the recipe's folder as the system finds it") {
  const Outcome o = shell(
      "mkdir -p real/deep/recipes real/deep/data; cp train.tsv real/deep/data/; "
      "sed 's|\"train|\"../data/train|' r.toml > real/deep/recipes/r.toml; "
      "ln -s real/deep/recipes link; $weft train link/r.toml --out m");
  INFO(o.err);
  CHECK(o.code == 0);
}

TEST_CASE_FIXTURE(Fixture, "files: what cannot be read or written is named as it was given") {
  const auto says = [&](const std::string& script) {
    const Outcome o = shell(script);
    INFO(script << ": " << o.err);
    CHECK(not_a_clear_refusal(o) == "");
    return o.err;
  };
  CHECK(says("$weft dump g.ir -o nope/x") ==
        "nope/x: cannot be written to: No such file or directory\n");
  CHECK(says("$weft inspect g.ir -o nope/x.html") ==
        "nope/x.html: cannot be written to: No such file or directory\n");
  CHECK(says("$weft run g.ir --inputs in.npz --outputs nope/x") ==
        "nope/x: cannot be written to: No such file or directory\n");
  CHECK(says("$weft dump g.ir -o .") == ".: is a folder, not a file to write\n");
  CHECK(says("$weft run - --inputs - < g.ir").find("standard input is to be read twice") !=
        std::string::npos);
  CHECK(says("mkfifo p; $weft dump p") == "p: is a pipe into which nobody writes\n");
  CHECK(says("$weft translate r.toml < .") == "weft: standard input: is a folder\n");
  says("$weft train r.toml --out m 2>/dev/null; $weft translate m < .");
  says("$weft dump /dev/zero");
  says("$weft run g.ir --inputs /dev/zero");
}

TEST_CASE_FIXTURE(Fixture, "OpenMP: no value of its variables ends or hangs the program") {
  const std::string wanted =
      shell("OMP_NUM_THREADS=1 $weft run g.ir --inputs in.npz --backend onednn").out;
  for (const std::string setting : {"OMP_NUM_THREADS=",
                                    "OMP_NUM_THREADS=abc",
                                    "OMP_NUM_THREADS=-1",
                                    "OMP_NUM_THREADS=0",
                                    "OMP_NUM_THREADS=100000",
                                    "OMP_NUM_THREADS=1000",
                                    "OMP_NUM_THREADS=2,3",
                                    "OMP_NUM_THREADS=1,abc",
                                    "OMP_NUM_THREADS=99999999999999999999",
                                    "OMP_NUM_THREADS=2;3",
                                    "OMP_THREAD_LIMIT=1",
                                    "OMP_THREAD_LIMIT=x",
                                    "OMP_PROC_BIND=garbage",
                                    "OMP_PLACES=garbage",
                                    "OMP_STACKSIZE=100G",
                                    "KMP_STACKSIZE=900G",
                                    "KMP_STACKOFFSET=99999999999",
                                    "KMP_CPUINFO_FILE=/nope",
                                    "KMP_GTID_MODE=0",
                                    "KMP_BLOCKTIME=abc",
                                    "OMP_MAX_ACTIVE_LEVELS=0",
                                    "KMP_LIBRARY=serial"}) {
    INFO(setting);
    const Outcome o = shell("env -u OMP_WAIT_POLICY -u KMP_BLOCKTIME '" + setting +
                            "' $weft run g.ir --inputs in.npz --backend onednn");
    INFO(o.err);
    CHECK(o.code == 0);
    CHECK(o.out == wanted);
    CHECK(o.err.find("OMP: ") == std::string::npos);
  }
  const Outcome doctor = shell("OMP_NUM_THREADS=abc $weft doctor");
  CHECK(doctor.code == 1);
  CHECK(doctor.out.find("OMP_NUM_THREADS='abc' is ignored: a number of threads from 1 to 1024") !=
        std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "run: a symbol that the graph has not is refused") {
  for (const char* command : {"run g.ir --inputs in.npz", "dump g.ir", "inspect g.ir -o -"}) {
    const Outcome o = shell(std::string("$weft ") + command + " --bind Z=4");
    CHECK(not_a_clear_refusal(o, 2) == "");
    CHECK(o.err.find("graph 'square' has no symbol Z; it has 'N'") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "dump: differentiated is the graph as written, with gradients, no more") {
  folder.write("two.ir",
               "graph @two(input %x: f32[N]) -> (loss: f32[]) {\n  %a = exp(%x)\n  %b = exp(%x)\n"
               "  %c = mul(%a, %b)\n  %loss = sum(%c) {axes=[0]}\n  return %loss\n}\n");
  const auto exps = [&](const std::string& stage) {
    return shell("$weft dump two.ir --stage " + stage + " | grep -c '= exp('").out;
  };
  CHECK(exps("differentiated") == "2\n");
  CHECK(exps("fused-differentiated") == "1\n");
  CHECK(shell("$weft dump two.ir --stage differentiated").out ==
        shell("$weft run two.ir --gradient loss --print").out);
}

TEST_CASE_FIXTURE(Fixture, "run: a second derivative is a gradient asked for after the first") {
  folder.write(
      "cube.ir",
      "graph @cube(input %x: f32[N]) -> (y: f32[N]) {\n  %y = pow(%x, 3)\n  return %y\n}\n");
  for (const std::string more : {"", " --optimise"}) {
    REQUIRE(shell("$weft run cube.ir --inputs in.npz --outputs out.npz --gradient y:x --gradient "
                  "dx:x" +
                  more)
                .code == 0);
    const ir::NamedArrays results = formats::read_npz(folder / "out.npz");
    CHECK(results.at("dx").at(1) == 12);
    CHECK(results.at("ddx").at(1) == 12);
    CHECK(results.at("ddx").at(2) == 18);
  }
  CHECK(not_a_clear_refusal(shell("$weft run cube.ir --inputs in.npz --gradient dx:x")) == "");
}

TEST_CASE_FIXTURE(Fixture, "run: an argument without a name is bound by its number") {
  folder.write("n.ir", "graph @n(input %0: f32[3]) {\n  %y = exp(%0)\n  return %y\n}\n");
  formats::write_npz(folder / "n.npz", {{"0", ir::Array(ir::DType::f32, {3})}});
  const Outcome o = shell("$weft run n.ir --inputs n.npz --outputs out.npz --gradient y");
  INFO(o.err);
  REQUIRE(o.code == 0);
  CHECK(formats::read_npz(folder / "out.npz").at("d0").at(0) == 1);
}

}  // namespace
}  // namespace weft::tests
