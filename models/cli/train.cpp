// models/cli/train.cpp -- weft train: from a recipe to a model.
#include "frontend/compile/memory_budget.h"
#include "models/cli/command.h"
#include "models/cli/model.h"
#include "models/cli/subject.h"
#include "models/training/stop_signal.h"
#include "models/training/trainer.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace weft::cli {
namespace {

struct TrainOptions {
  std::string recipe, folder, budget;
  bool resume = false;
};

std::string folder_for(const TrainOptions& o) {
  return o.folder.empty() ? std::filesystem::path(o.recipe).stem().string() : o.folder;
}

training::TrainerSetup setup_for(const Task& task, const training::ModelFolder& folder,
                                 const std::string& budget) {
  ProgramOptions program = program_options();
  program.memory_budget = budget.empty() ? task.recipe.memory_budget : bytes_named(budget);
  program.budget_sizes = bindings_of(largest_batch(task));
  const auto encoded = [&](const data::Examples& examples) {
    return data::encode(examples, task.vocabularies.source, task.vocabularies.target).examples;
  };
  return {.config = task.config,
          .optimizer = task.recipe.optimizer,
          .rate = task.recipe.rate,
          .limits = task.recipe.limits,
          .batch = task.recipe.batch,
          .seed = task.recipe.seed,
          .train = encoded(task.train),
          .valid = encoded(task.valid),
          .program = program,
          .folder = folder};
}

void train(const TrainOptions& o) {
  const training::ModelFolder folder(folder_for(o));
  if (o.resume && !folder.has_model())
    throw ir::GraphError(folder.path() + ": there is no model to go on with");
  if (!o.resume && folder.has_model())
    throw ir::GraphError(
        folder.path() +
        ": there is a model already; --resume goes on with it, --out takes another folder");
  const auto known = o.resume ? std::optional(folder.vocabularies()) : std::nullopt;
  const Task task = read_task(o.recipe, known ? &*known : nullptr);
  if (o.resume && folder.config() != task.config)
    throw ir::GraphError(folder.path() + ": the model is of another configuration than " +
                         o.recipe);
  training::Trainer trainer(setup_for(task, folder, o.budget));
  if (const auto& budget = trainer.training().budget())
    fmt::print(stderr, "{}\n", budget->text(trainer.training().options().memory_budget));
  if (o.resume)
    trainer.resume();
  else
    folder.create(task.config, task.vocabularies);
  fmt::print(
      stderr,
      "{} examples, {} to validate on; {} source and {} target tokens; graph of {} nodes{}\n",
      task.train.size(), task.valid.size(), seq2seq::source_vocabulary(task.config),
      seq2seq::target_vocabulary(task.config), trainer.training().graph().node_count(),
      o.resume ? fmt::format("; going on after step {}", trainer.progress().step) : "");
  const training::StopSignal stop;
  const training::Ended ended =
      trainer.run(training::progress_display(), [&] { return stop.requested(); });
  const training::Progress& p = trainer.progress();
  fmt::print(stderr, "{}: {} parameters after step {}{}\n", folder.path(),
             trainer.store().parameter_count(), p.step,
             p.best_step > 0
                 ? fmt::format(", best validation loss {:.4f} at step {}", p.best_loss, p.best_step)
                 : "");
  if (ended == training::Ended::stopped)
    fmt::print(stderr, "stopped as asked; weft train {} --out {} --resume goes on\n", o.recipe,
               folder.path());
}

}  // namespace

void add_train(CLI::App& program) {
  CLI::App* command =
      add_command(program, "train", "Train a model", "weft train pronounce.toml --out pronounce");
  const auto o = std::make_shared<TrainOptions>();
  command->add_option("RECIPE.toml", o->recipe, "Data, model, optimiser and limits of the run")
      ->required();
  command
      ->add_option("--out", o->folder,
                   "The model's folder (default: the recipe's name without .toml)")
      ->type_name("DIR");
  command->add_flag("--resume", o->resume,
                    "Go on where a run with this recipe and folder ended, bit for bit");
  command
      ->add_option("--memory-budget", o->budget,
                   "What a training step may take, parameters and optimiser state included, as in "
                   "200MB: less is kept, more computed again")
      ->type_name("SIZE");
  command->callback([o] { train(*o); });
}

}  // namespace weft::cli
