// backends/onednn/machine/environment.h -- OpenMP's variables, looked at before OpenMP looks.
//
// LLVM's runtime ends the process where a value makes no sense to it (OMP_NUM_THREADS=abc) or asks
// for more than the system gives (a hundred thousand threads, stacks of 900 GB). Such values are
// taken out of the environment first, as if they had not been set.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace weft::onednn {

// What is wrong with the value of that variable: "a positive number of threads is needed"; empty:
// nothing, or nothing is known of the variable.
std::string fault_of(std::string_view variable, std::string_view value);

// Takes out what cannot be used, and says so, one line each. To be called before OpenMP is used
// for the first time; what it found then is what later calls return.
const std::vector<std::string>& mended_environment();

}  // namespace weft::onednn
