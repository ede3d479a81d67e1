// models/translator/training_setup.cpp
#include "models/translator/training_setup.h"

#include "backends/backend.h"
#include "ir/error.h"
#include "models/published/peft.h"
#include "models/search/length_limit.h"
#include "models/training/folder/transfer.h"
#include "models/translator/decoded_scores.h"
#include "models/translator/risk_sampler.h"

#include <algorithm>

namespace weft {

BatchSizes largest_batch(const Task& task) {
  const data::BatchOptions& batch = task.recipe.batch;
  BatchSizes sizes;
  const data::ExampleCounts& counts = task.train.encoded.counts();
  const int64_t source = std::max<int64_t>(1, counts.longest_source);
  const int64_t target = counts.longest_target + 1;  // its end
  const bool image = task.recipe.data.source == data::SourceKind::image;
  sizes.source = image ? source : data::padded_width(source, batch.round_source, batch);
  sizes.target = data::padded_width(target, batch.round_target, batch);
  sizes.rows = std::min(batch.max_rows, task.train.size());
  if (batch.max_tokens > 0)
    sizes.rows =
        std::clamp<int64_t>(batch.max_tokens / std::max(sizes.source, sizes.target), 1, sizes.rows);
  sizes.rows = (sizes.rows + batch.accumulate - 1) / batch.accumulate;
  if (task.recipe.risk.on()) {  // what is drawn may be as long as a search lets it become
    sizes.rows *= task.recipe.risk.samples;
    sizes.target = data::padded_width(search::LengthLimit().of(source), batch.round_target, batch);
  }
  return sizes;
}

data::SubwordSampling sampling_of(const Task& task) {
  return {.source = task.tokenizers.source,
          .target = task.tokenizers.target,
          .alpha = task.recipe.data.subword_alpha,
          .best = task.recipe.data.subword_nbest};
}

ir::Graph training_graph(const Task& task) {
  const training::Recipe& recipe = task.recipe;
  seq2seq::Settings config = task.config;
  if (recipe.risk.on()) {
    seq2seq::Ends ends = seq2seq::ends(config);
    ends.weighted = true;
    seq2seq::set_ends(config, ends);
    if (!seq2seq::ends(config).weighted)
      throw ir::GraphError(ir::concat(recipe.where("training.risk_samples"),
                                      ": error: the loss of family ", config.family().name,
                                      " does not weigh rows, which minimum risk training needs"));
  }
  ir::Graph graph = seq2seq::loss_graph(config);
  if (recipe.adapter.on())
    return low_rank::adapted(graph, adapted_modules(task), recipe.adapter, true, recipe.seed);
  try {
    training::freeze(graph, recipe.freeze);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(ir::concat(recipe.where("training.freeze"), ": error: ", e.what()));
  }
  if (recipe.published)
    for (const std::string& path : recipe.published->imported().untrained)
      if (const int at = graph.find_argument(path); at >= 0) graph.set_trainable(at, false);
  return graph;
}

std::vector<low_rank::Module> adapted_modules(const Task& task) {
  const training::Recipe& recipe = task.recipe;
  if (!recipe.adapter.on()) return {};
  const published::Imported* imported = recipe.published ? &recipe.published->imported() : nullptr;
  try {
    return low_rank::chosen(
        low_rank::modules(seq2seq::loss_graph(task.config, false)), recipe.adapter,
        [&](const low_rank::Module& m) { return published::module_name(m, imported); });
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(ir::concat(recipe.where("adapter.targets"), ": error: ", e.what()));
  }
}

training::TrainerSetup trainer_setup(const Task& task, const training::ModelFolder& folder,
                                     ProgramOptions program) {
  if (program.backend == nullptr) program.backend = backends::make_onednn();
  if (program.memory_budget == 0) program.memory_budget = task.recipe.memory_budget;
  program.budget_sizes = largest_batch(task).bindings();
  const training::Recipe& recipe = task.recipe;
  std::optional<data::Alignments> alignments;
  if (!recipe.data.alignments.empty()) alignments = data::Alignments::read(recipe.data.alignments);
  training::Seq2seqRun run{.config = task.config,
                           .optimizer = recipe.optimizer,
                           .rate = recipe.rate,
                           .limits = recipe.limits,
                           .validation = recipe.validation,
                           .divergence = recipe.divergence,
                           .batch = recipe.batch,
                           .seed = recipe.seed,
                           .train = task.train.encoded,
                           .valid = task.valid.encoded,
                           .sampling = sampling_of(task),
                           .data = settings_of(recipe.data, recipe.tokens),
                           .alignments = alignments,
                           .risk = recipe.risk,
                           .program = program,
                           .folder = folder};
  if (recipe.risk.on()) {
    run.sampler =
        risk_sampler(task.config, task.tokenizers.target.special(), recipe.risk.samples, program);
    if (recipe.risk.reference) run.scorer = risk_scorer(task.config, program);
    run.cost = text_cost(task.tokenizers.target, recipe.risk.metric, recipe.validation.tokenizer);
  }
  training::TrainerSetup setup = run;
  setup.training = training_graph(task);
  setup.decoded = decoded_scores(task, program);
  if (!recipe.adapter.on()) return setup;
  setup.more = training::settings_of(recipe.adapter);
  setup.evaluation =
      low_rank::adapted(setup.evaluation, adapted_modules(task), recipe.adapter, false);
  if (setup.decoded)
    setup.decoded = [scores = setup.decoded, scale = recipe.adapter.scale()](
                        ParameterStore& store, const training::Stop& stop) {
      ParameterStore merged = low_rank::merged(store, scale);
      return scores(merged, stop);
    };
  return setup;
}

}  // namespace weft
