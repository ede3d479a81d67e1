// frontend/compile/optimizer.h -- clipping and updates appended to a differentiated graph, in plain ops.
#pragma once
#include "ir/graph.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft {

enum class OptimizerKind { sgd, adam, adadelta };
OptimizerKind optimizer_named(std::string_view name);  // GraphError listing them
std::string_view name(OptimizerKind kind);

struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::adam;
  double clip_norm = 1;  // of all gradients together (Pascanu et al. 2013); 0: none
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // Adam: Kingma and Ba 2015, algorithm 1
  double rho = 0.95, adadelta_eps = 1e-6;         // Adadelta: Zeiler 2012, algorithm 1
  double decay = 0;                               // Adam: added to gradients, or
  bool decoupled = false;  // taken off parameters (Loshchilov and Hutter 2019)

  bool operator==(const OptimizerSettings&) const = default;
};
// Throws GraphError where an update would divide by zero or could not move anything.
void check(const OptimizerSettings& settings);

// The last outputs of `graph` are the gradients of `paths`, in their order. They make way for the
// updated parameters, named output_name(path); added are the input lr: f32[], states under
// "optimizer/" with outputs named likewise, and the output gradient_norm (before clipping).
// Parameters and states are donated.
ir::Graph append_optimizer(const ir::Graph& graph, const std::vector<std::string>& paths,
                           const OptimizerSettings& settings);

// What the output is named that goes back to a path: '/' becomes '.'.
std::string output_name(std::string path);
// Paths of the parameters that are trained.
std::vector<std::string> trainable_parameters(const ir::Graph& graph);

}  // namespace weft
