// models/cli/models/average.cpp -- weft average: one model from several checkpoints of a run.
#include "models/training/folder/average.h"

#include "models/cli/command.h"

#include <fmt/format.h>

#include <memory>

namespace weft::cli {
namespace {

struct AverageOptions {
  std::string run, output;
  std::vector<std::string> files;
  int64_t last = 0;
};

void average(const AverageOptions& o) {
  const training::ModelFolder run(o.run);
  run.config();  // told first where it is no model
  std::vector<std::string> files = o.files;
  if (o.last > 0 && !files.empty())
    throw UsageError("--last chooses of the checkpoints that are kept; files are chosen already");
  if (files.empty()) {
    files = run.kept();
    const auto found = static_cast<int64_t>(files.size());
    if (o.last > found)
      throw ir::GraphError(fmt::format(
          "{}: error: {} checkpoints are kept there, --last asks for {}; training.keep says how "
          "many stay",
          o.run, found, o.last));
    if (o.last > 0) files.erase(files.begin(), files.end() - o.last);
  }
  training::average(run, files, training::ModelFolder(o.output));
  say(fmt::format("{}: the mean of {} checkpoints of {}", o.output, files.size(), o.run));
}

}  // namespace

void add_average(Command& program) {
  Command* command =
      program.add_command("average", "Make one model of several checkpoints of a run: their mean",
                          "weft average RUN -o averaged --last 5");
  const auto o = std::make_shared<AverageOptions>();
  command->add_option("RUN", o->run, "The folder of a model, trained with training.keep")
      ->required();
  command->add_option("FILE.safetensors", o->files,
                      "Checkpoints to average (default: all that are kept)");
  command->add_option("-o,--output", o->output, "The folder of the new model")
      ->type_name("DIR")
      ->required();
  command->add_option("--last", o->last, "Of those that are kept, the last so many")
      ->type_name("N")
      ->in_range(1, 10000);
  command->callback([o] { average(*o); });
}

}  // namespace weft::cli
