// models/cli/doctor.cpp -- weft doctor: is this machine set up as Weft needs it?
#include "backends/backend.h"
#include "ir/error.h"
#include "models/cli/command.h"

namespace weft::cli {
namespace {

void doctor() {
  const backends::Diagnosis diagnosis = backends::diagnose_onednn();
  put(diagnosis.text);
  if (!diagnosis.faults.empty())
    throw ir::RuntimeError(ir::concat("doctor found ", diagnosis.faults.size(),
                                      diagnosis.faults.size() == 1 ? " fault" : " faults",
                                      ", listed above"));
}

}  // namespace

void add_doctor(Command& program) {
  program
      .add_command("doctor",
                   "Check threads, instruction set and oneDNN, and say how to mend what is wrong",
                   "weft doctor")
      ->callback(doctor);
}

}  // namespace weft::cli
