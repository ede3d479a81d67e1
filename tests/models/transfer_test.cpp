// tests/models/transfer_test.cpp -- beginning with another model's parameters; parameters that stay.
#include "models/training/folder/transfer.h"

#include "tests/formats/temporary_folder.h"
#include "tests/models/small_training.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::training;
using tests::small_setup;
using tests::small_vocabulary;
using tests::TemporaryFolder;

namespace {

Tokenizers small_vocabularies() { return {small_vocabulary("source"), small_vocabulary("target")}; }

data::Tokenizer vocabulary(std::vector<std::string> tokens) {
  tokens.insert(tokens.begin(), {"<pad>", "<s>", "</s>", "<unk>"});
  return {data::TokenizerKind::words, data::Vocabulary::from_tokens(std::move(tokens), "target")};
}

std::string refusal(const Pretrained& before, const seq2seq::Settings& config) {
  return tests::message_of<ir::GraphError>([&] {
    ParameterStore store;
    store.prepare(seq2seq::loss_graph(config, false));
    take_over(store, before, config, small_vocabularies());
  });
}

}  // namespace

TEST_CASE("transfer: a folder's parameters are taken over by name") {
  const TemporaryFolder folder;
  Trainer(small_setup(3, folder / "model")).run();
  const Pretrained before = open_pretrained(folder / "model");
  Seq2seqRun run = small_setup(3);
  run.seed = 9;
  Trainer trainer(run);
  const Transfer t = take_over(trainer.store(), before, run.config, small_vocabularies());
  CHECK(t.rows.empty());
  CHECK(t.parameters == static_cast<int64_t>(before.parameters.size()));
  CHECK(t.str() == ir::concat(t.parameters, " parameters"));
  for (const auto& p : before.parameters)
    for (int64_t i = 0; i < p.array.size(); ++i)
      CHECK(p.array.at(i) == doctest::Approx(trainer.store().at(p.name).at(i)));
}

TEST_CASE("transfer: of another vocabulary the rows of tokens that both have are taken over") {
  for (const bool transformer : {false, true}) {
    const auto config_of = [&](int64_t target) {
      seq2seq::Settings s = transformer ? seq2seq::Settings(tests::small_transformer(8))
                                        : seq2seq::Settings(tests::small_config(8));
      seq2seq::set_vocabularies(s, tests::kSmallVocabulary, target);
      return s;
    };
    ParameterStore first(1), second(2), fresh(2);
    first.prepare(seq2seq::loss_graph(config_of(7), false));
    const seq2seq::Settings now = config_of(8);
    for (ParameterStore* store : {&second, &fresh}) store->prepare(seq2seq::loss_graph(now, false));
    const Pretrained before{
        .path = "before",
        .parameters = first.parameters(),
        .tokenizers = {{small_vocabulary("source"), vocabulary({"x", "y", "z"})}}};
    const Transfer t = take_over(second, before, now,
                                 {small_vocabulary("source"), vocabulary({"z", "new", "x", "q"})});
    REQUIRE(t.rows.size() == 1);
    CHECK(t.str() ==
          ir::concat(t.parameters, " parameters; of the target vocabulary 6 tokens, 2 are new"));
    const int64_t old_row[] = {0, 1, 2, 3, 6, -1, 4, -1};
    int checked = 0;
    for (const auto& p : second.parameters()) {
      const ir::Array& was = first.at(p.name);
      for (int axis = 0; axis < p.array.rank(); ++axis) {
        if (p.array.dim(axis) == was.dim(axis)) continue;
        int64_t inner = 1;
        for (int a = axis + 1; a < p.array.rank(); ++a) inner *= p.array.dim(a);
        for (int64_t i = 0; i < p.array.size(); ++i) {
          const int64_t row = i / inner % 8, outer = i / inner / 8, from = old_row[row];
          const double needed =
              from < 0 ? fresh.at(p.name).at(i) : was.at((outer * 7 + from) * inner + i % inner);
          CHECK(p.array.at(i) == needed);
        }
        ++checked;
      }
    }
    CHECK(checked >= 2);  // an embedding and what scores tokens
  }
}

TEST_CASE("transfer: what is missing, beside or of another shape is told with the shapes") {
  ParameterStore store;
  const seq2seq::Settings config = tests::small_config(8);
  store.prepare(seq2seq::loss_graph(config, false));
  ir::NamedArrays all = store.parameters(), some;
  const std::string first = all.begin()->name;
  for (const auto& p : all)
    if (p.name != first) some.add(p.name, p.array);
  some.add("extra/W", ir::Array(ir::DType::f32, {2, 3}));
  const std::string text = refusal({.path = "p", .parameters = some, .tokenizers = {}}, config);
  INFO(text);
  CHECK(text.find("p: error: lacks " + first + " [") == 0);
  CHECK(text.find("; holds beside what the model has extra/W f32[2,3]") != text.npos);
  const std::string other =
      refusal({.path = "p", .parameters = all, .tokenizers = {}}, tests::small_config(9));
  INFO(other);
  CHECK(other.find("p: error: has of another shape ") == 0);
  CHECK(other.find(", needed [") != other.npos);
}

TEST_CASE("transfer: frozen parameters have no gradient, no state, and stay as they are") {
  TrainerSetup s = small_setup(4);
  freeze(s.training, {"encoder/*", "*embedding*"});
  Trainer trainer(s), all(small_setup(4));
  const auto is_frozen = [](const std::string& name) {
    return name.starts_with("encoder/") || name.find("embedding") != name.npos;
  };
  std::map<std::string, ir::Array> before;
  for (const auto& p : trainer.store().parameters()) before.emplace(p.name, p.array.clone());
  trainer.run();
  int frozen = 0;
  for (const auto& p : trainer.store().parameters()) {
    bool same = true;
    for (int64_t i = 0; i < p.array.size(); ++i) same &= p.array.at(i) == before.at(p.name).at(i);
    CHECK_MESSAGE(same == is_frozen(p.name), p.name);
    frozen += is_frozen(p.name) ? 1 : 0;
  }
  CHECK(frozen > 2);
  for (const auto& state : trainer.store().states()) {
    CHECK(state.name.find("/encoder/") == std::string::npos);
    CHECK(state.name.find("embedding") == std::string::npos);
  }
  // Not even computed: the encoder's backward pass is not there.
  const ir::Graph &some = trainer.training().graph(), &whole = all.training().graph();
  CHECK(some.node_count() < whole.node_count());
  for (const ir::Output& o : some.outputs()) CHECK(o.name.find("encoder.") == std::string::npos);
  CHECK(tests::message_of<ir::GraphError>([&] {
          freeze(s.training, {"enc"});
        }).find("freeze: no parameter's name matches 'enc'; there are ") == 0);
  CHECK(tests::message_of<ir::GraphError>([&] {
          freeze(s.training, {"*"});
        }).find("nothing to train") != std::string::npos);
}
