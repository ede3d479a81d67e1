// tests/property/edge_graphs.h -- graphs as people write them, one for every pattern a pass looks for.
#pragma once
#include <span>
#include <string_view>

namespace weft::tests {

struct EdgeGraph {
  std::string_view name;
  std::string_view text;         // the first result is differentiated
  std::string_view except = {};  // edges, by name, at which a documented exception holds
  std::string_view rounds =
      {};  // edges at which f32 loses what double keeps; huge, tiny, masking and
           // lowest are always among them, but for what `masks` by values
  bool masks = false;
};

std::span<const EdgeGraph> edge_graphs();

}  // namespace weft::tests
