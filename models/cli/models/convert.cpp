// models/cli/models/convert.cpp -- weft convert: a model in another form.
#include "ir/error.h"
#include "models/cli/command.h"
#include "models/translator/opened_model.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace weft::cli {
namespace {

struct ConvertOptions {
  std::string model, to, output, adapter;
  Languages languages;
};

// A folder of its own: what is there stays.
void check_output(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) &&
      (!std::filesystem::is_directory(path, ignored) || !std::filesystem::is_empty(path, ignored)))
    throw ir::GraphError(path + ": error: is there already; it is not written over");
}

void convert(const ConvertOptions& o) {
  if (o.to == "hub" && !(o.languages.source.empty() && o.languages.target.empty()))
    throw UsageError("--source-language and --target-language go with --to weft");
  check_output(o.output);
  const ModelPlace place = place_of(o.model, o.adapter);
  const bool published = published::Folder::is_one(place.model);
  if (o.to == "hub" && !published)
    throw ir::GraphError(place.model +
                         ": error: is no published model, nor one that was trained from such: "
                         "there is no form of a hub for it");
  constexpr auto kWhich = training::Which::either;
  int64_t count = 0;
  if (o.to == "hub") {
    std::vector<std::string> remarks;
    const ParameterStore parameters = open_parameters(place, kWhich, ir::DType::f32, &remarks);
    for (const std::string& remark : remarks) say(remark);
    published::Folder(place.model).write(o.output, parameters);
    count = parameters.parameter_count();
  } else {
    const OpenedModel m = open_model(o.model, kWhich, ir::DType::f32, o.languages, o.adapter);
    for (const std::string& remark : m.remarks) say(remark);
    count = m.parameters.parameter_count();
    const training::ModelFolder folder(o.output);
    folder.create(m.config, m.tokenizers, m.longest_source);
    folder.save_model(m.parameters);
    if (published)
      say(fmt::format(
          "{}: how {} wants to be asked (generation_config.json) is not kept in this form",
          o.output, place.model));
  }
  say(fmt::format("{}: {} parameters{}", o.output, count,
                  place.adapter.empty() ? "" : ", the adapter merged"));
}

}  // namespace

void add_convert(Command& program) {
  Command* command = program.add_command(
      "convert", "Write a model in another form: a hub's, or ours; adapters are merged",
      "weft convert opus-mt-en-de --to weft -o en-de");
  const auto o = std::make_shared<ConvertOptions>();
  command->add_option("MODEL", o->model, "A model's folder, or an adapter's")->required();
  command
      ->add_option(
          "--to", o->to,
          "hub: as the published model came that it is, or was trained from; weft: a model "
          "folder")
      ->type_name("hub|weft")
      ->one_of({"hub", "weft"})
      ->required();
  command->add_option("-o,--output", o->output, "The folder of the new model")
      ->type_name("DIR")
      ->required();
  command->add_option("--adapter", o->adapter, "An adapter of MODEL to merge")->type_name("DIR");
  command
      ->add_option("--source-language", o->languages.source,
                   "Of a model for many languages that becomes ours: that of the source")
      ->type_name("NAME");
  command->add_option("--target-language", o->languages.target, "Likewise, of the target")
      ->type_name("NAME");
  command->callback([o] { convert(*o); });
}

}  // namespace weft::cli
