// models/cli/options/precision_option.cpp -- the option, and what the machine says to it.
#include "models/cli/options/precision_option.h"

#include "backends/backend.h"
#include "models/cli/command.h"

namespace weft::cli {

void PrecisionOption::add_to(Command& command, const std::string& otherwise) {
  command
      .add_option(
          "--precision",
          [this](const std::string& word) {
            for (const auto& [name, precision] : ir::kPrecisions)
              if (name == word) given_ = precision;
          },
          "What products compute in; bf16 needs a processor with AVX512_BF16 (default: " +
              otherwise + ")")
      ->type_name("f32|bf16")
      ->one_of({"f32", "bf16"});
}

void PrecisionOption::check(ir::Precision precision, const std::string& where) const {
  if (precision == ir::Precision::f32) return;
  try {
    backends::check_precision(*backends::make_onednn(), precision);
  } catch (const ir::RuntimeError& e) {
    throw ir::RuntimeError((given_ ? "--precision" : where) + (": " + std::string(e.what())));
  }
}

void PrecisionOption::check() const {
  if (given_) check(*given_, "--precision");
}

}  // namespace weft::cli
