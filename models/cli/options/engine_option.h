// models/cli/options/engine_option.h -- --engine: whose code runs what both oneDNN and Weft can.
#pragma once
#include "backends/backend.h"

#include <memory>
#include <string>

namespace weft::cli {

class Command;

// `value` is best, onednn or weft, or empty where the option is not given.
void add_engine_option(Command& command, std::string& value);

// The onednn backend with this engine; without one with that of WEFT_ENGINE.
std::shared_ptr<backends::Backend> backend_with(const std::string& engine);

}  // namespace weft::cli
