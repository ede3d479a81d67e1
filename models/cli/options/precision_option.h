// models/cli/options/precision_option.h -- --precision, as every subcommand that computes has it.
#pragma once
#include "ir/precision.h"

#include <optional>
#include <string>

namespace weft::cli {

class Command;

// What products compute in.
class PrecisionOption {
 public:
  // `otherwise`: what holds where it is not given, "the recipe's".
  void add_to(Command& command, const std::string& otherwise);
  // What was given, or that.
  ir::Precision over(ir::Precision otherwise) const { return given_.value_or(otherwise); }
  // Throws RuntimeError naming what this machine lacks to compute in it on the onednn backend.
  void check(ir::Precision precision, const std::string& where) const;
  void check() const;  // of what was given

 private:
  std::optional<ir::Precision> given_;
};

}  // namespace weft::cli
