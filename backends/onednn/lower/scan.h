// backends/onednn/lower/scan.h -- which carries of a loop keep their ended rows, as a note that
// survives binding.
#pragma once
#include "backends/onednn/plan/lowering.h"

#include <string>
#include <vector>

namespace weft::onednn {

void lower_scan(Emit& e);

// The name of a region: "rows:101", a digit for each carry.
std::string row_marks(const std::vector<bool>& carries);
bool is_marked(const std::string& region_name, int carry);

}  // namespace weft::onednn
