// tests/models/recipe_test.cpp -- every key of a recipe, and what is refused at its line.
#include "models/training/recipe/recipe.h"

#include "ir/error.h"
#include "models/families/rnn/rnn.h"
#include "models/families/table.h"
#include "models/families/transformer/transformer.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::training;
using tests::TemporaryFolder;

TEST_CASE("recipe: every key is read, faults name file and line") {
  using tests::message_of;
  const TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    return read_recipe(folder.file("r.toml", text));
  };
  const std::string data = "[data]\ntrain = \"a.tsv\"\nvalid = \"b.tsv\"\n";
  const Recipe r = read(data +
                        "[model]\nattention = \"general\"\ncell = \"lstm\"\nlayers = "
                        "2\n[optimizer]\nkind = \"adadelta\"\n[training]\nsteps = 9\nseed = 5\n");
  CHECK(r.train.front().source == folder / "a.tsv");
  CHECK(r.model.as<rnn::Config>().attention == rnn::AttentionKind::general);
  CHECK(r.optimizer.kind == OptimizerKind::adadelta);
  CHECK(r.rate.learning_rate == 1);
  CHECK(r.limits.steps == 9);
  CHECK(r.batch.seed == 5);
  const auto error = [&](const std::string& text) {
    return message_of<ir::GraphError>([&] { read(text); });
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(
      has(error(""), "r.toml: error: 'data.train' must name a TSV file, or a source and a target"));
  CHECK(has(error(data + "[model]\nhiden = 3\n"),
            "r.toml:5: error: there is no 'model.hiden'; known are "));
  CHECK(has(error(data + "[model]\nhidden = \"x\"\n"),
            "r.toml:5: error: 'model.hidden' must be a whole number from 1 to 65536"));
  CHECK(has(error(data + "[model]\nattention = \"dots\"\n"),
            "r.toml:5: error: 'model.attention': there is no attention 'dots'; there are none, "
            "additive"));
  CHECK(has(error(data + "[model]\nattention = \"dot\"\n"),
            "r.toml:4: error: attention dot compares"));
  CHECK(has(error(data + "[optimizer]\nschedule = \"linear\"\n"),
            "r.toml:5: error: schedule linear needs an end: training.steps,"));
  const std::string light = data + "[model]\nfamily = \"transformer\"\nencoder_self = \"light\"\n";
  CHECK(has(error(light + "encoder_kernels = \"3,x\"\n"),
            "r.toml:7: error: 'model.encoder_kernels' must be a list of whole numbers from 2 to "
            "255, found"));
  CHECK(has(error(light + "encoder_kernels = [3, 300, 3]\n"), "r.toml:7: error: "));
  CHECK(read(light + "encoder_kernels = [3, 5, 7]\n")
            .model.as<transformer::Config>()
            .encoder_kernels == std::vector<int64_t>{3, 5, 7});
  CHECK(has(error(data + "[modle]\n"), "r.toml:4: error: there is no 'modle'"));
  CHECK(has(error(data + "[model\n"), "r.toml:4: error: "));

  const Recipe t =
      read(data + "[model]\nfamily = \"transformer\"\nwidth = 64\nactivation = \"swiglu\"\n");
  CHECK(t.model.as<transformer::Config>().width == 64);
  CHECK(t.model.as<transformer::Config>().activation == FeedForwardKind::swiglu);
  CHECK(has(
      error(data + "[model]\nfamily = \"lstm\"\n"),
      "r.toml:5: error: 'model.family': there is no family 'lstm'; there are rnn, transformer"));
  CHECK(has(error(data + "[model]\nfamily = \"transformer\"\nheads = 3\n"),
            "r.toml:4: error: a width of 256 is not divided by 3 heads"));
}

TEST_CASE("recipe: a setting that cannot work is refused at its line, with what was found") {
  const TemporaryFolder folder;
  const std::string data = "[data]\ntrain = \"a.tsv\"\nvalid = \"b.tsv\"\n";
  const auto error = [&](const std::string& table, const std::string& line) {
    return tests::message_of<ir::GraphError>(
        [&] { read_recipe(folder.file("r.toml", data + "[" + table + "]\n" + line + "\n")); });
  };
  struct Case {
    const char *table, *line, *says;
  };
  const Case refused[] = {
      {"optimizer", "beta1 = 1", "'optimizer.beta1' must be a number from 0 to below 1, found 1"},
      {"optimizer", "beta2 = 1.0", "from 0 to below 1, found 1"},
      {"optimizer", "beta2 = 0.99999999", "found 0.99999999, which is 1 in single precision"},
      {"optimizer", "beta1 = -0.1", "from 0 to below 1, found -0.1"},
      {"optimizer", "beta1 = nan", "found nan"},
      {"optimizer", "beta1 = -nan", "found nan"},
      {"optimizer", "rho = 1", "from 0 to below 1, found 1"},
      {"optimizer", "eps = 0", "must be a number above 0 and at most 1, found 0"},
      {"optimizer", "eps = 1e-60", "found 1e-60, which is 0 in single precision"},
      {"optimizer", "adadelta_eps = 0", "above 0 and at most 1, found 0"},
      {"optimizer", "learning_rate = 0", "above 0 and at most 1000000, found 0"},
      {"optimizer", "learning_rate = inf", "found inf"},
      {"optimizer", "learning_rate = 1e-60", "is 0 in single precision"},
      {"optimizer", "shrink = 0", "above 0 and at most 1, found 0"},
      {"optimizer", "clip_norm = -1", "from 0 to 1e+30, found -1"},
      {"optimizer", "clip_norm = 1e-60", "is 0 in single precision"},
      {"optimizer", "clip_norm = nan", "found nan"},
      {"optimizer", "kind = \"sgd\"\nbeta1 = 0.5",
       ":6: error: 'optimizer.beta1' goes with kind adam, lion, adafactor, 'optimizer.kind' is "
       "sgd"},
      {"optimizer", "kind = \"sgd\"\nnesterov = true", ":6: error: nesterov needs a momentum"},
      {"optimizer", "average_decay = 1", "from 0 to below 1, found 1"},
      {"optimizer", "decay = 2000\ndecoupled = true", "take off more than the parameters"},
      {"optimizer", "schedule = \"linear\"\nwarmup = 9\n[training]\nsteps = 9",
       ":6: error: warmup is 9, needed is less than training.steps, 9"},
      {"optimizer", "schedule = \"noam\"", ":5: error: schedule noam needs a warmup of 1 step"},
      {"optimizer", "power = 2",
       ":5: error: 'optimizer.power' goes with schedule polynomial, 'optimizer.schedule' is "
       "constant"},
      {"optimizer", "restart_stretch = 0.5", "from 1 to 100, found 0.5"},
      {"optimizer", "learning_rate = 0.1\nfloor = 0.2", ":6: error: floor is 0.2, needed is 0 to"},
      {"optimizer", "schedule = \"cosine\"\nschedule_steps = 5\n[training]\nsteps = 9",
       ":6: error: schedule cosine is at rate 0 after schedule_steps, 5, but training.steps is 9"},
      {"model", "dropout = 1", "'model.dropout' must be a number from 0 to below 1, found 1"},
      {"model", "dropout = 0.99999999", "which is 1 in single precision"},
      {"model", "family = \"transformer\"\nlabel_smoothing = 1", "from 0 to below 1, found 1"},
      {"model", "hidden = 0", "must be a whole number from 1 to 65536, found 0"},
      {"model", "hidden = 8.0", "found 8"},
      {"model", "hidden = 65536\nlayers = 64", ":4: error: the model has more than"},
      {"batch", "max_rows = 0", "found 0"},
      {"batch", "max_tokens = 3", ":5: error: 'batch.max_tokens' is 3, but one row is padded to"},
      {"training", "steps = -1", "found -1"},
      {"training", "minutes = inf", "found inf"},
  };
  for (const Case& c : refused) {
    const std::string message = error(c.table, c.line);
    INFO(c.table << " " << c.line << ": " << message);
    CHECK(message.find(c.says) != message.npos);
    CHECK(message.find("r.toml:") != message.npos);
    CHECK(message.find("-nan") == message.npos);
  }
  CHECK(tests::message_of<ir::GraphError>(
            [&] { read_recipe(folder.file("r.toml", data + "source_max_size = 4\n")); })
            .find("r.toml:4: error: 'data.source_max_size' must be 0 or more than the "
                  "4 special tokens take, found 4") != std::string::npos);
  for (const std::string works :
       {"beta1 = 0", "beta2 = 0.9999999", "eps = 1e-30", "clip_norm = 0", "learning_rate = 1e6",
        "shrink = 1", "schedule = \"noam\"\nwarmup = 10",
        "schedule = \"linear\"\n[training]\nminutes = 5"})
    CHECK_NOTHROW(read_recipe(folder.file("r.toml", data + "[optimizer]\n" + works + "\n")));
}

TEST_CASE("recipe: what becomes of images is checked with their patches") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& patch) {
    return read_recipe(
        folder.file("r.toml", "[data]\ntrain = \"a.tsv\"\nsource = \"image\"\npatch = " + patch +
                                  "\n[model]\nimage_channels = 8\n"));
  };
  CHECK_NOTHROW(read("14"));
  CHECK_THROWS_WITH(read("1"),
                    doctest::Contains("image_channels needs patches of 2 pixels or more"));
}

namespace {

// What somebody may write behind a key by mistake.
const std::vector<std::string> kOddValues{"0",
                                          "-1",
                                          "7",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "1.5",
                                          "-0.0",
                                          "nan",
                                          "inf",
                                          "1e-320",
                                          "1e308",
                                          "true",
                                          "\"\"",
                                          "\"3,x\"",
                                          "\"x\"",
                                          "[]",
                                          "[1, 3]",
                                          "[\"a\", 2]",
                                          "[[1]]",
                                          "{file = 1}",
                                          "[{}]",
                                          "\"\\u0000\"",
                                          "1979-05-27",
                                          "[3, 3, 3]"};

}  // namespace

TEST_CASE(
    "recipe: whatever stands behind a key is taken, or refused in one line that names its place") {
  const TemporaryFolder folder;
  int taken = 0, refused = 0;
  const auto write = [&](const std::string& table, const std::string& family,
                         const std::string& key, const std::string& value) {
    std::string text = "[data]\n";
    const auto put = [&](const std::string& k, const std::string& v) {
      if (table != "data" || key != k) text += k + " = " + v + "\n";
    };
    put("train", "\"a.tsv\""), put("valid", "\"b.tsv\"");
    if (table != "data") text += "[" + table + "]\n";
    if (!family.empty()) text += "family = \"" + family + "\"\n";
    return folder.file("r.toml", text + key + " = " + value + "\n");
  };
  const auto try_all = [&](const std::string& table, const std::string& family,
                           const settings::Walk& record) {
    for (const settings::FieldDoc& d : settings::documentation(record))
      for (const std::string& value : kOddValues) {
        CAPTURE(table);
        CAPTURE(d.key);
        CAPTURE(value);
        const std::string path = write(table, family, d.key, value);
        try {
          (void)read_recipe(path);
          ++taken;
        } catch (const ir::GraphError& e) {
          const std::string line = e.what();
          CHECK_MESSAGE(line.find("r.toml:") != std::string::npos, line);
          CHECK_MESSAGE(line.find(": error: ") != std::string::npos, line);
          CHECK_MESSAGE(line.find('\n') == std::string::npos, line);
          CHECK_MESSAGE(line.find('\0') == std::string::npos, "a NUL in the message");
          ++refused;
        }
      }
  };
  for (const RecipeTable& t : recipe_tables())
    for (const settings::Walk& record : t.records) try_all(std::string(t.name), "", record);
  for (const seq2seq::Family* f : seq2seq::families())
    try_all("model", std::string(f->name), settings::fields_of(f->defaults()));
  CHECK(taken > 100);
  CHECK(refused > taken);
}
