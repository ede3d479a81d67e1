// models/cli/curves.cpp -- weft curves: how training runs went, in one picture.
#include "frontend/inspect/chart.h"
#include "models/cli/command.h"
#include "models/training/run_log.h"

#include <filesystem>
#include <memory>

namespace weft::cli {
namespace {

struct CurvesOptions {
  std::vector<std::string> runs;
  std::string output = "curves.svg";
};

using training::LogRecord;

inspect::Curve curve_of(const std::string& run, const std::vector<LogRecord>& records,
                        bool validation, double LogRecord::*value) {
  inspect::Curve c{.name = run, .points = validation};
  for (const LogRecord& r : records)
    if (r.validation == validation) {
      c.x.push_back(static_cast<double>(r.step));
      c.y.push_back(r.*value);
    }
  return c;
}

void curves(const CurvesOptions& o) {
  inspect::Chart chart{
      .x_label = "step",
      .panels = {{.title = "loss of a target token (nats): validation strong, training pale"},
                 {.title = "learning rate"},
                 {.title = "norm of the gradient", .logarithmic = true}}};
  for (const std::string& run : o.runs) {
    const auto records = training::read_run_log(training::run_log_path(run));
    if (records.empty()) throw ir::GraphError(training::run_log_path(run) + ": holds no record");
    inspect::Curve steps = curve_of(run, records, false, &LogRecord::loss);
    steps.faint = true;
    chart.panels[0].curves.push_back(steps);
    chart.panels[0].curves.push_back(curve_of(run, records, true, &LogRecord::loss));
    chart.panels[1].curves.push_back(curve_of(run, records, false, &LogRecord::rate));
    chart.panels[2].curves.push_back(curve_of(run, records, false, &LogRecord::gradient_norm));
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
  command->add_option("-o,--output", o->output, "The picture (default: curves.svg)")
      ->type_name("FILE.svg");
  command->callback([o] { curves(*o); });
}

}  // namespace weft::cli
