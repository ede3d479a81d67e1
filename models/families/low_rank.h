// models/families/low_rank.h -- low-rank adaptation of a model's matrices (Hu et al. 2022, "LoRA").
//
//   y = x W   becomes   y = x W + s (x A) B      A: [K,r], B: [r,N], s = alpha / r
//
// W and all else stays as it is; A and B are trained: no gradient of the rest is computed, and the
// optimiser keeps no state for it. With `rslora` s is alpha / sqrt(r) (Kalajdzievski 2023). A model of
// any family is adapted: the graph of its loss is rewritten, products with the matrices that are
// chosen get a second way. To be asked, a model needs none of it: W + s A B takes the place of W.
#pragma once
#include "frontend/store/parameter_store.h"
#include "ir/graph.h"
#include "models/settings/fields.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::low_rank {

struct Settings {
  int64_t rank = 0;    // of A B; 0: nothing is adapted
  double alpha = 0;    // 0: twice the rank
  double dropout = 0;  // of x before A, in training
  bool rslora = false;
  std::vector<std::string> targets;  // patterns; none: q and v of attention, as in the paper

  bool on() const { return rank > 0; }
  double scale() const;  // s
  bool operator==(const Settings&) const = default;
};
void fields(Settings& s, settings::Fields& f);

// A matrix of a model that can be adapted.
struct Module {
  std::string path;    // of the module: "encoder/0/self/q"
  std::string matrix;  // of the parameter W: the same, or path + "/W" where there is a bias
  int64_t in = 0, out = 0;
};
std::string a_path(const Module& m);  // of A: path + "/lora_A"
std::string b_path(const Module& m);
bool is_adapter(std::string_view parameter);  // is it such a path?

// The matrices that every use of is a product x W outside of loops, by path.
std::vector<Module> modules(const ir::Graph& loss);

// Those that some pattern matches: a glob of the path ('*' also stands for slashes), its last part, or
// the name that `name_of` gives it elsewhere, whole or its last part behind a dot, as PEFT's
// target_modules. GraphError for a pattern that matches none, with the modules there are.
std::vector<Module> chosen(const std::vector<Module>& all, const Settings& settings,
                           const std::function<std::string(const Module&)>& name_of = {});

// The graph of the loss with these adapted, all other parameters not trained. A starts as in PEFT
// (uniform within 1/sqrt(K)), B with zeros. `training`: with dropout, whose masks `seed` decides.
ir::Graph adapted(const ir::Graph& loss, const std::vector<Module>& modules,
                  const Settings& settings, bool training, uint64_t seed = 1);

// The parameters without adapters: W + s A B where there are some, computed in double. Shares the
// other arrays. GraphError where A and B do not go with W.
ParameterStore merged(const ParameterStore& store, double scale);

}  // namespace weft::low_rank
