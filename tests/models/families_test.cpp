// tests/models/families_test.cpp -- what holds for every family of models, those of a user included.
#include "ir/verify.h"
#include "models/families/batch_inputs.h"
#include "models/families/seq2seq.h"
#include "models/families/table.h"
#include "models/search/beam_search.h"
#include "models/settings/toml_fields.h"
#include "models/training/batches/example_batches.h"
#include "models/training/recipe/recipe.h"
#include "models/training/trainer.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/small_data.h"

#include <doctest/doctest.h>

using namespace weft;
using seq2seq::Family;
using seq2seq::Settings;

// A family that stands in no table of ours: the mean of the source's embeddings, and a bigram
// model of the target above it.
namespace tiny {

struct Config {
  data::Source source;
  int64_t target_vocabulary = 0;
  uint64_t seed = 1;
  int64_t width = 8;
};

extern const Family kFamily;
const Family& family_of(const Config&) { return kFamily; }

void fields(Config& c, settings::Fields& f) {
  f.integer("width", c.width, {1, 64}, "of the embeddings");
}
void check(const Config& c) {
  data::check(c.source);
  settings::check_ranges(settings::fields_of(c));
}
bool has_attention(const Config&) { return false; }
int64_t most_positions(const Config&) { return 0; }
int64_t window(const Config&) { return 0; }

Tensor encoded(const Scope& p, const Config& c, const Tensor& source, const Tensor& lengths) {
  const Tensor x =
      embedding(p / "source_table", source, c.source.vocabulary, c.width, init::normal(1));
  const Tensor mask = cast(length_mask(lengths, source.dim(1)), f32);
  return sum(x * expand(mask, -1), 1) / expand(cast(lengths, f32), -1);
}
Tensor logits(const Scope& p, const Config& c, const Tensor& tokens, const Tensor& h) {
  const Tensor y =
      embedding(p / "target_table", tokens, c.target_vocabulary, c.width, init::normal(1));
  return linear(p / "out", tanh(y + h), c.target_vocabulary);
}

ir::Graph loss_graph(const Config& c, bool) {
  Model m("loss");
  const auto [source, lengths] = seq2seq::source_inputs(m, c.source);
  const auto [in, out, target_lengths] = seq2seq::target_inputs(m);
  const Tensor h = encoded(m.scope(), c, source, lengths);
  const Tensor losses = cross_entropy(logits(m.scope(), c, in, expand(h, 1)), out);
  const Tensor tokens = cast(sum(target_lengths), f32);
  m.output("loss", sum(where(length_mask(target_lengths, in.dim(1)), losses, 0)) / tokens);
  m.output("tokens", tokens);
  return m.graph();
}
ir::Graph encode_graph(const Config& c) {
  Model m("encode");
  const auto [source, lengths] = seq2seq::source_inputs(m, c.source);
  m.output("h", encoded(m.scope(), c, source, lengths));
  return m.graph();
}
ir::Graph step_graph(const Config& c, const search::StepOptions& options) {
  search::StepGraph step("step", options);
  const Tensor h = step.memory("h", f32, {c.width});
  const Tensor rows =
      step.by_row(broadcast(expand(h, 1), {step.sentences(), step.beams(), c.width}));
  return step.finish(logits(step.scope(), c, step.token(), rows));
}
ir::Graph attention_graph(const Config&) { throw ir::GraphError("there is no attention"); }

const Family kFamily = seq2seq::make_family<Config>("tiny", "a bigram model with a topic");

}  // namespace tiny

namespace {

std::vector<const Family*> with_tiny() {
  std::vector<const Family*> all(seq2seq::families().begin(), seq2seq::families().end());
  all.push_back(&tiny::kFamily);
  return all;
}

Settings small(const Family& f) {
  Settings s = f.defaults();
  seq2seq::set_vocabularies(s, tests::kSmallVocabulary, tests::kSmallVocabulary);
  return s;
}

}  // namespace

TEST_CASE("families: defaults are sound, and every field is documented") {
  for (const Family* f : with_tiny()) {
    CAPTURE(f->name);
    const Settings s = small(*f);
    CHECK_NOTHROW(seq2seq::check(s));
    CHECK_FALSE(f->doc.empty());
    const auto docs = settings::documentation(settings::fields_of(s));
    CHECK_FALSE(docs.empty());
    for (const settings::FieldDoc& d : docs) {
      CAPTURE(d.key);
      CHECK_FALSE(d.doc.empty());
      CHECK_FALSE(d.needed.empty());
    }
  }
}

TEST_CASE("families: settings are read back as they were written") {
  const tests::TemporaryFolder folder;
  for (const Family* f : with_tiny()) {
    CAPTURE(f->name);
    const Settings s = small(*f);
    const std::string text = settings::toml(settings::fields_of(s));
    auto table = settings::TomlTable::parse_file(folder.file("s.toml", text));
    Settings back = small(*f);
    settings::read(table, back);
    CHECK_NOTHROW(table.finish());
    CHECK(back == s);
  }
}

TEST_CASE("families: each field that is changed makes other settings, and is named") {
  const tests::TemporaryFolder folder;
  for (const Family* f : with_tiny())
    for (const settings::FieldDoc& d : settings::documentation(settings::fields_of(small(*f)))) {
      CAPTURE(f->name);
      CAPTURE(d.key);
      const std::string other = d.value == "true"                                          ? "false"
                                : d.value == "false"                                       ? "true"
                                : d.value[0] == '"'                                        ? ""
                                : d.value.find('.') != std::string::npos || d.value == "0" ? "0.5"
                                                                                           : "4";
      if (other.empty()) continue;
      const std::string file = folder.file("s.toml", d.key + " = " + other + "\n");
      auto table = settings::TomlTable::parse_file(file);
      Settings changed = small(*f);
      try {
        settings::read(table, changed);
      } catch (const ir::GraphError&) {
        continue;  // a whole number was needed, or is out of range
      }
      if (other == d.value) continue;
      CHECK(changed != small(*f));
      CHECK(settings::differences(settings::fields_of(changed), settings::fields_of(small(*f))) ==
            std::vector<std::string>{d.key});
    }
}

TEST_CASE("families: all graphs verify, from sources of every kind that the family reads") {
  using data::SourceKind;
  for (const Family* f : with_tiny())
    for (const auto kind : {SourceKind::tokens, SourceKind::frames, SourceKind::image}) {
      if (f == &tiny::kFamily && kind != SourceKind::tokens) continue;
      CAPTURE(f->name);
      CAPTURE(data::name(kind));
      Settings s = small(*f);
      seq2seq::Ends ends = seq2seq::ends(s);
      ends.source = {.kind = kind,
                     .vocabulary = tests::kSmallVocabulary,
                     .features = 3,
                     .height = 8,
                     .width = 4,
                     .patch = 2};
      seq2seq::set_ends(s, ends);
      CHECK_NOTHROW(ir::verify(seq2seq::loss_graph(s)));
      CHECK_NOTHROW(ir::verify(seq2seq::loss_graph(s, false)));
      CHECK_NOTHROW(ir::verify(seq2seq::encode_graph(s)));
      for (const int64_t beam : {1, 3})
        CHECK_NOTHROW(ir::verify(seq2seq::step_graph(s, {.beam = beam, .weights = true})));
      if (seq2seq::has_attention(s)) CHECK_NOTHROW(ir::verify(seq2seq::attention_graph(s)));
    }
}

TEST_CASE("families: one that nobody registered trains, searches and stands in recipes") {
  tiny::Config config;
  config.source.vocabulary = config.target_vocabulary = tests::kSmallVocabulary;
  const Settings s = config;
  training::Seq2seqRun setup{.config = s,
                             .rate = {.learning_rate = 1e-2},
                             .limits = {.steps = 30},
                             .train = tests::reversals(200, 5, 1),
                             .program = tests::fast_options()};
  training::Trainer trainer(setup);
  const double before = trainer.evaluate(training::batches_of(setup.train, setup.batch));
  trainer.run();
  CHECK(trainer.evaluate(training::batches_of(setup.train, setup.batch)) < before);
  search::Decoder d = seq2seq::decoder(s, {.beam = 2}, tests::fast_options());
  CHECK(search::search(d, trainer.store(), setup.train.all(), {}).size() == 200);

  const tests::TemporaryFolder folder;
  const std::string recipe = folder.file(
      "r.toml", "[data]\ntrain = \"t\"\nvalid = \"v\"\n[model]\nfamily = \"tiny\"\nwidth = 5\n");
  CHECK(training::read_recipe(recipe, with_tiny()).model.as<tiny::Config>().width == 5);
  CHECK_THROWS_WITH(
      training::read_recipe(recipe),
      doctest::Contains(
          "there is no family 'tiny'; there are rnn, transformer, convolutional, hybrid"));
}
