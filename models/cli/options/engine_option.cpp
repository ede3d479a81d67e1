// models/cli/options/engine_option.cpp -- see engine_option.h.
#include "models/cli/options/engine_option.h"

#include "models/cli/command.h"

namespace weft::cli {

void add_engine_option(Command& command, std::string& value) {
  command
      .add_option(
          "--engine", value,
          "Whose code runs what both have code for: onednn's primitives, weft's kernels, or "
          "the best of both (default: best, or what WEFT_ENGINE says)")
      ->one_of(
          std::vector<std::string>(backends::kEngineNames.begin(), backends::kEngineNames.end()));
}

std::shared_ptr<backends::Backend> backend_with(const std::string& engine) {
  std::shared_ptr<backends::Backend> backend =
      engine.empty() ? backends::make_onednn()
                     : backends::make_onednn(backends::engine_named(engine));
  backend->on_refusal([](const std::string& what) { say("note: engine onednn: " + what); });
  return backend;
}

}  // namespace weft::cli
