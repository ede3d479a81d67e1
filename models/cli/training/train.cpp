// models/cli/training/train.cpp -- weft train: from a recipe to a model.
#include "frontend/compile/memory_budget.h"
#include "frontend/formats/atomic_file.h"
#include "models/cli/command.h"
#include "models/cli/options/engine_option.h"
#include "models/cli/options/precision_option.h"
#include "models/cli/training/progress_display.h"
#include "models/cli/training/stop_signal.h"
#include "models/published/peft.h"
#include "models/settings/text_fields.h"
#include "models/training/folder/checkpoint.h"
#include "models/training/folder/transfer.h"
#include "models/training/log/overfitting.h"
#include "models/training/log/run_log.h"
#include "models/training/trainer.h"
#include "models/translator/opened_model.h"
#include "models/translator/publication.h"
#include "models/translator/starter_recipe.h"
#include "models/translator/task.h"
#include "models/translator/task_tokenizers.h"
#include "models/translator/training_setup.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace weft::cli {
namespace {

struct TrainOptions {
  std::string recipe, folder, budget, engine;
  std::string from, data, valid;
  Languages languages;
  low_rank::Settings adapter;
  bool adapts = false;  // was --adapt given
  PrecisionOption precision;
  bool resume = false;
};

// Where a recipe stands that the program made itself.
std::string own_recipe(const std::string& folder) { return folder + "/recipe.toml"; }

std::string folder_for(const TrainOptions& o) {
  return o.folder.empty() ? std::filesystem::path(o.recipe).stem().string() : o.folder;
}

// "rank=8,alpha=16"
void add_to(low_rank::Settings& adapter, const std::string& text) {
  const auto known = settings::documentation(settings::fields_of(adapter));
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    std::string names;
    bool is_known = false;
    for (const settings::FieldDoc& f : known) {
      names += (names.empty() ? "" : ", ") + f.key;
      is_known |= f.key == key;
    }
    if (equals == word.npos || !is_known)
      throw UsageError(fmt::format(
          "--adapt: '{}' is no setting of an adapter; there are KEY=VALUE with {}", word, names));
    try {
      settings::set_field(adapter, key, word.substr(equals + 1));
    } catch (const ir::GraphError& e) {
      throw UsageError(fmt::format("--adapt {}: {}", word, e.what()));
    }
    begin = end + 1;
  }
}

// What stands in [model] of a recipe for training a model of ours further. It is not guided by
// alignments again: a file of them would be needed.
std::string model_of_recipe(const std::string& folder) {
  seq2seq::Settings config = training::ModelFolder(folder).config();
  if (seq2seq::ends(config).source.kind != data::SourceKind::tokens)
    throw ir::GraphError(fmt::format(
        "{}: error: the model reads {}; a recipe says how they are made, with training.from = {}",
        folder, data::name(seq2seq::ends(config).source.kind), settings::toml_string(folder)));
  for (const settings::FieldValue& v : settings::values(settings::fields_of(config)))
    if (v.key == "guided_alignment" && v.value != "0") {
      settings::set_field(config, v.key, "0");
      say(fmt::format("{}: was guided by alignments; --data has none, and goes on without",
                      folder));
    }
  return fmt::format("family = \"{}\"\n{}", config.family().name, training::config_toml(config));
}

// The recipe of a run that --from and --data describe, into its folder.
void write_recipe(const TrainOptions& o, const std::string& folder) {
  const std::string path = own_recipe(folder);
  if (std::filesystem::exists(path))
    throw ir::GraphError(fmt::format(
        "{}: error: is there already; weft train {} --out {} goes by it", path, path, folder));
  formats::write_file_atomically(
      path,
      fine_tuning_recipe(
          {.from = std::filesystem::absolute(o.from).string(),
           .train = std::filesystem::absolute(o.data).string(),
           .valid = o.valid.empty() ? std::string() : std::filesystem::absolute(o.valid).string(),
           .source_language = o.languages.source,
           .target_language = o.languages.target,
           .model = published::Folder::is_one(o.from) ? std::string() : model_of_recipe(o.from),
           .adapter = o.adapter}));
}

// Vocabularies are made once. A recipe that would make others now says something that is not done.
void check_vocabularies(const Task& task) {
  if (!task.recipe.data.vocabulary_from.empty() || task.recipe.published) return;
  // What SentencePiece learns is told by its settings and by the examples.
  if (data::has_subwords(task.tokenizers.source.kind()) ||
      data::has_subwords(task.tokenizers.target.kind()))
    return;
  const training::Tokenizers now = make_tokenizers(task);
  for (const auto& [side, same] : {std::pair{"source", now.source == task.tokenizers.source},
                                   {"target", now.target == task.tokenizers.target}})
    if (!same)
      throw ir::GraphError(
          fmt::format("{}: error: data.{}_min_count and data.{}_max_size would make another "
                      "vocabulary than the "
                      "run before had; another folder takes another run",
                      task.recipe.where(fmt::format("data.{}_min_count", side)), side, side));
}

// Goes on from the folder, and says what is done differently.
void resume(training::Trainer& trainer, const Task& task, const std::string& folder) {
  std::vector<training::SettingChange> changes;
  try {
    changes = trainer.resume();
  } catch (const training::OtherRun& e) {
    throw ir::GraphError(task.recipe.where(e.changed.front().key) + ": error: " + folder + ' ' +
                         training::OtherRun::text(e.changed));
  }
  check_vocabularies(task);
  std::string text;
  for (const training::SettingChange& c : changes) text += (text.empty() ? "" : "; ") + c.str();
  if (!text.empty()) say(fmt::format("{}: going on differently: {}", task.recipe.path, text));
}

std::string source_text(const data::Source& s) {
  switch (s.kind) {
    case data::SourceKind::frames:
      return fmt::format("frames of {} features", s.features);
    case data::SourceKind::image:
      return fmt::format("images of {}x{}x{}", s.height, s.width, s.features);
    default:
      return fmt::format("{} source", s.vocabulary);
  }
}

// A folder that goes again, if it was not there before, where nothing came of the run.
class NewFolder {
 public:
  explicit NewFolder(std::string path)
      : path_(std::move(path)), is_new_(!std::filesystem::exists(path_)) {}
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;
    if (has_recipe_) std::filesystem::remove(own_recipe(path_), ignored);
    if (!is_new_) return;
    for (const char* name : {"/train.examples", "/valid.examples", "/recipe.toml"})
      std::filesystem::remove(path_ + name, ignored);
    std::filesystem::remove(path_, ignored);  // where it is empty
  }
  void wrote_recipe() { has_recipe_ = true; }
  void keep() { is_new_ = has_recipe_ = false; }

 private:
  std::string path_;
  bool is_new_, has_recipe_ = false;  // the latter: one that was written here
};

// What a user may not expect of this recipe.
void say_surprises(const Task& task, const TrainOptions& o) {
  const training::Limits& l = task.recipe.limits;
  if (l.steps == 0 && l.epochs == 0 && l.minutes == 0 && l.patience == 0)
    say(fmt::format(
        "{}: there is no limit (training.steps, minutes, epochs or patience): it trains "
        "until it is stopped; Ctrl-C saves",
        task.recipe.path));
  if (task.recipe.risk.on() && task.recipe.from.empty() && !o.resume)
    say(
        fmt::format("{}: risks are learnt from the model's own translations, and this one begins "
                    "untrained; --from MODEL begins with one that is trained",
                    task.recipe.where("training.risk_samples")));
  if (task.valid.size() == 0)
    say(fmt::format(
        "{}: there is no data.valid: nothing is validated, the last model counts as the "
        "best",
        task.recipe.path));
}

void check_options(const TrainOptions& o) {
  std::error_code ignored;
  if (std::filesystem::is_directory(o.recipe, ignored))
    throw ir::GraphError(o.recipe + ": is a folder, a recipe is needed");
  if (o.folder.empty() && std::filesystem::is_regular_file(o.recipe, ignored) &&
      std::filesystem::equivalent(o.recipe, folder_for(o), ignored))
    throw UsageError(fmt::format(
        "the model's folder would be {}, the recipe's own name without .toml: --out names another",
        o.recipe));
  if (o.resume && !o.from.empty())
    throw UsageError("--from begins a run and --resume goes on with one: give one of them");
  if (!o.data.empty() && (o.from.empty() || o.folder.empty() || !o.recipe.empty()))
    throw UsageError("--data goes with --from MODEL and --out DIR, in place of a recipe");
  if (!o.valid.empty() && o.data.empty()) throw UsageError("--valid goes with --data");
  if (o.data.empty() && o.recipe.empty() && (!o.resume || o.folder.empty()))
    throw UsageError("what to train is said by RECIPE.toml, or by --from MODEL and --data FILE");
  if (o.adapts && !o.adapter.on()) throw UsageError("--adapt needs rank=R with R above 0");
  if (!o.data.empty() && !std::filesystem::exists(o.from, ignored))
    throw ir::GraphError(o.from + ": error: is not there");
  if (!o.data.empty() && published::Adapter::is_one(o.from))
    throw ir::GraphError(o.from + ": error: is an adapter, not a model; weft convert " + o.from +
                         " --to hub -o DIR makes one of it");
  const bool published = published::Folder::is_one(o.from);
  if (!o.data.empty() && !published && !training::ModelFolder(o.from).has_model())
    throw ir::GraphError(o.from + ": error: is no model's folder, ours or as model hubs have them");
  if (!o.data.empty() && !published && !(o.languages.source.empty() && o.languages.target.empty()))
    throw ir::GraphError(o.from + ": error: languages are for published models for many of them");
}

// What a run that goes on began with: a published model is in the folder itself, an adapter's
// elsewhere.
std::string begun_with(const std::string& folder) {
  if (published::Adapter::is_one(folder)) return published::Adapter(folder).base();
  return published::Folder::is_one(folder) ? folder : std::string();
}

// What validated best before, where a run was ended before it was written in its own form.
void publish_best(const Publication& publication, const std::string& folder) {
  const std::string best = folder + "/best.safetensors";
  if (!publication.on() || !std::filesystem::exists(best)) return;
  ParameterStore store;
  for (const ir::NamedArray& p : training::read_checkpoint(best))
    store.set(p.name, ir::ArgumentKind::parameter, p.array);
  publication.write(store);
}

// A new run takes no other model's place.
void check_free(const training::ModelFolder& folder) {
  folder.check_free();
  if (!folder.has_model() && published::Folder::is_one(folder.path()))
    throw ir::GraphError(
        folder.path() +
        ": error: holds a published model already; another folder takes the new one");
}

// What a folder holds in a form of others goes before our own: it must be of this run.
void check_form(const Task& task, const std::string& folder) {
  if (published::Adapter::is_one(folder) && !task.recipe.adapter.on())
    throw ir::GraphError(
        folder +
        ": error: an adapter is trained there; --adapt or [adapter] says so again, "
        "another folder takes another run");
  if (published::Folder::is_one(folder) && (!task.recipe.published || task.recipe.adapter.on()))
    throw ir::GraphError(folder +
                         ": error: holds a published model; another folder takes another run");
}

// The parameters that are there when a run begins; of an adapter's also when it goes on.
void take_parameters(training::TrainerSetup& setup, const Task& task, bool resume) {
  if (resume && !task.recipe.adapter.on()) return;
  if (task.recipe.published)
    setup.parameters = task.recipe.published->load(setup.program.real, true).parameters();
}

void train(TrainOptions o) {
  check_options(o);
  const training::ModelFolder folder(folder_for(o));
  if (o.recipe.empty()) o.recipe = own_recipe(folder.path());
  if (o.resume && !folder.has_model())
    throw ir::GraphError(folder.path() +
                         ": there is no model to go on with; without --resume a run begins there");
  // The folder is taken at once; where what is asked for cannot work, none stays behind.
  const auto known = o.resume ? std::optional(folder.tokenizers()) : std::nullopt;
  NewFolder made(folder.path());  // goes after the lock
  const auto held = folder.lock();
  if (!o.resume) check_free(folder);
  if (!o.data.empty()) {
    write_recipe(o, folder.path());
    made.wrote_recipe();
  }
  const bool adapts = o.adapter.on() && o.data.empty();  // else its recipe says so
  const Task task = read_task(o.recipe, {.tokenizers = known ? &*known : nullptr,
                                         .from = o.resume ? begun_with(folder.path()) : o.from,
                                         .adapter = adapts ? &o.adapter : nullptr,
                                         .languages = o.languages,
                                         .cache = folder.path(),
                                         .begin = [&](const training::Recipe& r) {
                                           o.precision.check(o.precision.over(r.precision),
                                                             r.where("training.precision"));
                                         }});
  check_form(task, folder.path());
  const auto trainer_of = [&] {
    try {
      training::TrainerSetup setup =
          trainer_setup(task, folder,
                        {.backend = backend_with(o.engine),
                         .precision = o.precision.over(task.recipe.precision),
                         .memory_budget = o.budget.empty() ? 0 : bytes_named(o.budget)});
      take_parameters(setup, task, o.resume);
      return training::Trainer(std::move(setup));
    } catch (const BudgetTooSmall& e) {
      throw ir::GraphError(
          (o.budget.empty() ? task.recipe.where("training.memory_budget") : "--memory-budget") +
          (": " + std::string(e.what())));
    }
  };
  training::Trainer trainer = trainer_of();
  if (const auto& budget = trainer.training().budget())
    say(budget->text(trainer.training().options().memory_budget));
  const std::string& from = task.recipe.from;
  if (task.recipe.published && !o.resume)
    say(fmt::format("{}: {}, {} parameters", from, task.recipe.published->architecture().doc,
                    seq2seq::parameter_count(task.config)));
  else if (!task.recipe.published && !from.empty() && (!o.resume || task.recipe.adapter.on()))
    say(fmt::format(
        "{}: taken over: {}", from,
        take_over(trainer.store(), training::open_pretrained(from), task.config, task.tokenizers)
            .str()));
  const StopSignal stop;
  const Publication publication(task, folder.path());
  if (o.resume) publication.check_base();
  if (o.resume)
    resume(trainer, task, folder.path());
  else
    folder.create(task.config, task.tokenizers, task.train.encoded.counts().longest_source);
  made.keep();
  if (o.resume)
    publish_best(publication, folder.path());
  else
    publication.begin(trainer.store());
  for (const std::string& remark : task.remarks) say(remark);
  say(fmt::format(
      "{} examples, {} to validate on; {} and {} target tokens; graph of {} nodes{}{}",
      task.train.size(), task.valid.size(), source_text(seq2seq::ends(task.config).source),
      seq2seq::target_vocabulary(task.config), trainer.training().graph().node_count(),
      unknown_tokens(task),
      o.resume ? fmt::format("; going on after step {}", trainer.progress().step) : ""));
  say_surprises(task, o);
  const std::string crowding = trainer.training().options().backend->crowding();
  if (!crowding.empty()) say("weft: " + crowding);
  const auto log = training::run_log(folder.path(), trainer.progress().step,
                                     [](const auto& what) { say(what); });
  const auto show = progress_display();
  const auto watch = training::overfitting_watch([](const auto& what) { say(what); });
  const auto ended = [&] {
    try {
      return trainer.run(
          [&](const training::Event& e) {
            show(e);
            watch(e);
            log(e);
            if (e.kind == training::Event::Kind::validation && e.best)
              publication.write(trainer.model());
          },
          [&] { return stop.requested(); });
    } catch (const training::Diverged&) {
      throw;
    } catch (const ir::RuntimeError& e) {  // a full disk, say
      if (trainer.saved_step() <= 0) throw;
      throw ir::RuntimeError(fmt::format("{}; {} holds step {}, from which --resume goes on",
                                         e.what(), folder.path(), trainer.saved_step()));
    }
  }();
  const training::Progress& p = trainer.progress();
  if (p.best_step == 0) publication.write(trainer.model());
  say(fmt::format(
      "{}: {} parameters after step {}{}", folder.path(), trainer.store().parameter_count(), p.step,
      p.best_step > 0
          ? fmt::format(", best validation {} at step {}",
                        str(training::Score{task.recipe.validation.judge(), p.best_score}),
                        p.best_step)
          : ""));
  if (ended == training::Ended::stopped)
    say(fmt::format("stopped as asked; weft train {} --out {} --resume goes on", o.recipe,
                    folder.path()));
}

}  // namespace

void add_train(Command& program) {
  Command* command =
      program.add_command("train", "Train a model", "weft train pronounce.toml --out pronounce");
  const auto o = std::make_shared<TrainOptions>();
  command->add_option(
      "RECIPE.toml", o->recipe,
      "Data, model, optimiser and limits of the run (default of --from with --data, "
      "and of --resume: recipe.toml in the model's folder)");
  command
      ->add_option("--out", o->folder,
                   "The model's folder (default: the recipe's name without .toml)")
      ->type_name("DIR");
  command->add_flag("--resume", o->resume,
                    "Go on where a run with this recipe and folder ended, bit for bit");
  command
      ->add_option(
          "--from", o->from,
          "Begin with the parameters of this model, by name; of other vocabularies the rows "
          "of tokens that both have are taken over. A folder of a model hub is trained as it is "
          "and "
          "written back in its form")
      ->type_name("MODEL|FILE");
  command
      ->add_option(
          "--data", o->data,
          "With --from a model's folder: pairs source<TAB>target to train it on; the recipe "
          "is written to DIR/recipe.toml")
      ->type_name("FILE.tsv");
  command->add_option("--valid", o->valid, "With --data: pairs to validate on")
      ->type_name("FILE.tsv");
  command
      ->add_option("--source-language", o->languages.source,
                   "Of a published model for many languages, as it spells it (en_XX, eng_Latn)")
      ->type_name("CODE");
  command->add_option("--target-language", o->languages.target, "Of the target likewise")
      ->type_name("CODE");
  command
      ->add_option(
          "--adapt",
          [o](const std::string& text) {
            o->adapts = true;
            add_to(o->adapter, text);
          },
          "Train an adapter of the model that --from names (LoRA), all else frozen: rank=8, and "
          "alpha=A, dropout=P, rslora=true, targets=PATTERN (again for each further one), as "
          "[adapter] has them")
      ->one_at_a_time()
      ->type_name("KEY=VALUE,...");
  command
      ->add_option("--memory-budget", o->budget,
                   "What a training step may take, parameters and optimiser state included, as in "
                   "200MB: less is kept, more computed again")
      ->type_name("SIZE");
  add_engine_option(*command, o->engine);
  o->precision.add_to(*command, "the recipe's");
  command->callback([o] { train(*o); });
}

}  // namespace weft::cli
