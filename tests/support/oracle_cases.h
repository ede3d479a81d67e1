// tests/support/oracle_cases.h -- graphs for cases that PyTorch computed: values and gradients.
//
// The files lie in `oracle/torch` of a folder beside the project ($WEFT_SHARED, else ../shared); a
// test that needs one says that it is skipped where there is none. A graph's arguments are named
// after the file's `in/` and `param/` arrays, its results after its `out/` arrays.
#pragma once
#include "ir/graph.h"
#include "ir/host/named_arrays.h"

#include <filesystem>
#include <string>
#include <vector>

namespace weft::tests {

struct OracleCase {
  std::string file, graph;
};

const std::vector<OracleCase>& oracle_cases();

// Empty, after a message, where the folder is not there.
std::filesystem::path oracle_folder();

ir::NamedArrays oracle_arrays(const std::string& file);
// The graph's arguments out of the file.
std::vector<ir::Array> oracle_arguments(const ir::Graph& graph, const ir::NamedArrays& arrays);

}  // namespace weft::tests
