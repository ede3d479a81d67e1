// tests/models/validation_test.cpp -- by which score a model is judged, and what that decides.
#include "models/training/log/overfitting.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/own_graph.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::training;
using tests::own_setup;
using tests::TemporaryFolder;

namespace {

// A "BLEU" that is a function of the parameters alone, and restless.
std::optional<Scores> bleu_of(ParameterStore& store, const Stop&) {
  double sum = 0;
  for (const auto& p : store.parameters())
    for (int64_t i = 0; i < p.array.size(); ++i) sum += p.array.at(i);
  return Scores{{"bleu", 50 + 50 * std::sin(1000 * sum)}};
}

TrainerSetup judged_by_bleu(int64_t steps, const std::string& folder = {}) {
  TrainerSetup s = own_setup(steps, folder);
  s.validation = {.scores = {"perplexity", "bleu"}, .patience_on = "bleu"};
  s.decoded = bleu_of;
  s.rate.shrink = 0.9;
  return s;
}

}  // namespace

TEST_CASE("validation: names of scores are checked, and values are said with their units") {
  CHECK(str(Score{"loss", 1.5}) == "loss 1.5000 nats/token");
  CHECK(str(Score{"bleu", 34.125}) == "BLEU 34.12");
  CHECK(str(Score{"per", 7.5}) == "PER 7.50 %");
  const auto error = [](const ValidationSettings& s) {
    return tests::message_of<ir::GraphError>([&] { check(s); });
  };
  CHECK(error({.scores = {"blue"}}).find("there is no score 'blue'; there are loss, ") == 0);
  CHECK(error({.scores = {}}) == "validate is empty, needed is at least one score");
  CHECK(error({.scores = {"loss", "loss"}}) == "validate names 'loss' twice");
  CHECK(error({.scores = {"loss"}, .patience_on = "bleu"}) ==
        "patience_on is 'bleu', which is not among what training.validate measures");
  CHECK(error({.scores = {"bleu", "loss"}}).empty());
  CHECK(tests::message_of<ir::GraphError>([] {
          TrainerSetup s = judged_by_bleu(3);
          s.decoded = {};
          Trainer{s};
        }) == "validation by 'bleu' needs a model that decodes: this one has a loss alone");
}

TEST_CASE("validation: the best model, patience and shrinking go by the score that is said") {
  TrainerSetup s = judged_by_bleu(1000);
  s.limits.patience = 4;
  Trainer trainer(s);
  double best = 0;
  int64_t best_step = 0, since = 0, shrinks = 0;
  CHECK(trainer.run([&](const Event& e) {
    if (e.kind != Event::Kind::validation) return;
    REQUIRE(e.scores.size() == 3);
    CHECK(e.scores[0].name == "loss");
    CHECK(e.scores[1].value == std::exp(e.loss));
    CHECK(e.judge == "bleu");
    const double value = e.scores[2].value;
    CHECK(e.best == (value >= best));
    if (e.best)
      best = value, best_step = e.step, since = 0;
    else
      ++since, ++shrinks;
  }) == Ended::patience);
  CHECK(since == 4);
  CHECK(trainer.progress().best_step == best_step);
  CHECK(trainer.progress().best_score == best);
  CHECK(trainer.progress().shrinks == shrinks);
}

TEST_CASE("validation: patience on any score goes on bit for bit") {
  const TemporaryFolder folder;
  Trainer(judged_by_bleu(60, folder / "whole")).run();
  for (const int64_t steps : {5, 18, 31, 60}) {
    Trainer part(judged_by_bleu(steps, folder / "parts"));
    if (steps > 5) CHECK(part.resume().empty());
    part.run();
  }
  for (const char* name : {"/last.safetensors", "/state-60.safetensors"})
    CHECK(tests::bytes_of((folder / "whole") + name) == tests::bytes_of((folder / "parts") + name));
}

TEST_CASE("validation: going on by another score is said, and what was best begins anew") {
  const TemporaryFolder folder;
  Trainer(judged_by_bleu(20, folder / "model")).run();
  TrainerSetup s = judged_by_bleu(30, folder / "model");
  s.validation.patience_on = "perplexity";
  Trainer trainer(s);
  std::string text;
  for (const SettingChange& c : trainer.resume()) text += c.str() + "; ";
  CHECK(text.find("training.patience_on was bleu, is perplexity") != text.npos);
  CHECK(trainer.progress().best_step == 0);
  trainer.run();
  CHECK(trainer.progress().best_score < 50);
}

TEST_CASE("overfitting: said once where validation rises while training falls") {
  std::vector<std::string> said;
  const auto watch = overfitting_watch([&](const std::string& text) { said.push_back(text); });
  int64_t step = 0;
  const auto validate = [&](double training, double validation) {
    for (int i = 0; i < 10; ++i)
      watch({.kind = Event::Kind::step, .step = ++step, .batch_loss = training});
    watch({.kind = Event::Kind::validation, .step = step, .loss = validation});
  };
  validate(2.0, 2.1), validate(1.5, 1.8);
  validate(1.2, 1.85), validate(1.0, 1.9);
  CHECK(said.empty());
  validate(0.8, 2.0);
  REQUIRE(said.size() == 1);
  CHECK(said[0].find("step 50: validation and training part: since step 20 the loss of validation "
                     "rose from 1.8000 to 2.0000, that of training fell from 1.5000 to 0.8000") ==
        0);
  validate(0.7, 2.1), validate(0.6, 2.2);
  CHECK(said.size() == 1);
  validate(0.6, 1.7);                                          // a new best: watched again
  validate(1.0, 1.8), validate(1.1, 1.9), validate(1.2, 2.0);  // but training does not fall
  CHECK(said.size() == 1);
}
