// models/cli/training/curves.cpp -- weft curves: how training runs went, in one picture.
#include "frontend/inspect/chart.h"
#include "models/cli/command.h"
#include "models/training/log/run_log.h"

#include <algorithm>
#include <memory>
#include <optional>

namespace weft::cli {
namespace {

struct CurvesOptions {
  std::vector<std::string> runs, scores;
  std::string output = "curves.svg";
};

using training::LogRecord;
using training::ScoreKind;
using Runs = std::vector<std::pair<std::string, std::vector<LogRecord>>>;

inspect::Curve steps_of(const std::string& run, const std::vector<LogRecord>& records,
                        double LogRecord::*value) {
  inspect::Curve c{.name = run};
  for (const LogRecord& r : records)
    if (!r.validation) {
      c.x.push_back(static_cast<double>(r.step));
      c.y.push_back(r.*value);
    }
  return c;
}

inspect::Curve validations_of(const std::string& run, const std::vector<LogRecord>& records,
                              const std::string& score) {
  inspect::Curve c{.name = run, .points = true};
  for (const LogRecord& r : records)
    if (const training::Score* s = find(r.scores, score)) {
      c.x.push_back(static_cast<double>(r.step));
      c.y.push_back(s->value);
    }
  return c;
}

// A score of the validations, and behind the loss that of training.
inspect::Panel panel_of(const Runs& runs, const ScoreKind& kind) {
  const bool loss = kind.name == "loss";
  inspect::Panel panel{.title =
                           loss ? "loss of a target token (nats): validation strong, training pale"
                                : "validation " + kind.title +
                                      (kind.unit.empty() ? "" : " (" + kind.unit + ")")};
  for (const auto& [run, records] : runs) {
    if (loss) {
      panel.curves.push_back(steps_of(run, records, &LogRecord::loss));
      panel.curves.back().faint = true;
    }
    panel.curves.push_back(validations_of(run, records, kind.name));
  }
  return panel;
}

// Where one of the runs learnt risks.
std::optional<inspect::Panel> risk_panel(const Runs& runs) {
  inspect::Panel panel{.title = "risk of training"};
  bool any = false;
  for (const auto& [run, records] : runs) {
    inspect::Curve c{.name = run};
    for (const LogRecord& r : records)
      if (r.risk) c.x.push_back(static_cast<double>(r.step)), c.y.push_back(*r.risk);
    any = any || !c.x.empty();
    panel.curves.push_back(std::move(c));
  }
  return any ? std::optional(std::move(panel)) : std::nullopt;
}

bool is_measured(const Runs& runs, const ScoreKind& kind) {
  return std::any_of(runs.begin(), runs.end(), [&](const auto& run) {
    return std::any_of(run.second.begin(), run.second.end(),
                       [&](const LogRecord& r) { return find(r.scores, kind.name) != nullptr; });
  });
}

Runs read_runs(const std::vector<std::string>& folders) {
  Runs runs;
  for (const std::string& run : folders) {
    runs.emplace_back(run, training::read_run_log(training::run_log_path(run)));
    if (runs.back().second.empty())
      throw ir::GraphError(training::run_log_path(run) + ": holds no record");
  }
  return runs;
}

// Those asked for, or all there are.
std::vector<ScoreKind> scores_of(const Runs& runs, const std::vector<std::string>& names) {
  std::vector<ScoreKind> kinds;
  for (const std::string& name : names) {
    kinds.push_back(training::score_kind(name));
    if (name != "loss" && !is_measured(runs, kinds.back()))
      throw ir::GraphError("no validation of these runs measured '" + name +
                           "'; training.validate says what a run measures");
  }
  if (!names.empty()) return kinds;
  for (const ScoreKind& kind : training::score_kinds())
    if (kind.name == "loss" || is_measured(runs, kind)) kinds.push_back(kind);
  return kinds;
}

void curves(const CurvesOptions& o) {
  const Runs runs = read_runs(o.runs);
  inspect::Chart chart{.x_label = "step"};
  for (const ScoreKind& kind : scores_of(runs, o.scores))
    chart.panels.push_back(panel_of(runs, kind));
  if (o.scores.empty()) {
    if (auto risk = risk_panel(runs)) chart.panels.push_back(std::move(*risk));
    inspect::Panel rate{.title = "learning rate"},
        norm{.title = "norm of the gradient", .logarithmic = true};
    for (const auto& [run, records] : runs) {
      rate.curves.push_back(steps_of(run, records, &LogRecord::rate));
      norm.curves.push_back(steps_of(run, records, &LogRecord::gradient_norm));
    }
    chart.panels.push_back(std::move(rate));
    chart.panels.push_back(std::move(norm));
  }
  if (o.runs.size() == 1) chart.title = o.runs[0];
  put_result(o.output, inspect::svg(chart));
}

}  // namespace

void add_curves(Command& program) {
  Command* command = program.add_command("curves", "Draw how training runs went, in one picture",
                                         "weft curves first second -o curves.svg");
  const auto o = std::make_shared<CurvesOptions>();
  command->add_option("RUN", o->runs, "Folders of models, with the log of their training")
      ->required();
  command
      ->add_option("--score", o->scores,
                   "Only this score of the validations; may be given again (default: all that were "
                   "measured, the rate and the norm of the gradient)")
      ->one_at_a_time()
      ->type_name("NAME");
  command->add_option("-o,--output", o->output, "The picture (default: curves.svg)")
      ->type_name("FILE.svg");
  command->callback([o] { curves(*o); });
}

}  // namespace weft::cli
