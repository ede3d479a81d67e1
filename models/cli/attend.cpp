// models/cli/attend.cpp -- weft attend: what the decoder looked at, as a picture.
#include "frontend/inspect/heatmap.h"
#include "models/cli/command.h"
#include "models/cli/model.h"
#include "models/training/trainer.h"

#include <memory>

namespace weft::cli {
namespace {

constexpr size_t kMostTokens = 200;  // a picture of more says nothing

struct AttendOptions {
  std::string model, source, output;
};

void attend(const AttendOptions& o) {
  const Model::Tokens source = data::split_tokens(o.source);
  if (source.empty())
    throw UsageError("attend needs tokens separated by spaces, as in \"w o r d\"");
  if (source.size() > kMostTokens)
    throw UsageError("attend draws at most " + std::to_string(kMostTokens) + " tokens, found " +
                     std::to_string(source.size()));
  Model model(o.model);
  if (model.config.attention == rnn::AttentionKind::none)
    throw ir::GraphError(o.model + ": the model has no attention");
  const Model::Tokens target = model.translate(std::span(&source, 1)).front();

  const std::vector<data::EncodedExample> example{
      {model.vocabularies.source.encode(source), model.vocabularies.target.encode(target), 0}};
  const std::vector<int64_t> rows{0};
  const data::Batch batch = data::make_batch(example, rows, {.round_source = 1, .round_target = 1});
  Program program = Program::inference(rnn::attention_graph(model.config), program_options());
  const ir::Array weights = program.run(model.store, training::inputs_of(batch)).at("weights");

  inspect::Heatmap map{.title = "",
                       .columns = source,
                       .rows = target,
                       .weights = weights.reshaped({weights.dim(1), weights.dim(2)})};
  for (const std::string& token : source) map.title += token;
  map.rows.emplace_back("</s>");
  put_result(o.output, inspect::svg(map));
}

}  // namespace

void add_attend(CLI::App& program) {
  CLI::App* command =
      add_command(program, "attend", "Draw the attention weights of one translation (SVG)",
                  "weft attend pronounce \"w o r d\" -o word.svg");
  const auto o = std::make_shared<AttendOptions>();
  command->add_option("MODEL", o->model, "The model's folder")->required();
  command->add_option("SOURCE", o->source, "Tokens, separated by spaces")->required();
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE.svg");
  command->callback([o] { attend(*o); });
}

}  // namespace weft::cli
