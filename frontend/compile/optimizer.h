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
// Parameters and states are donated. `weight`: where the outputs are sums of gradients, the name of
// one more input f32[] that they are divided by.
ir::Graph append_optimizer(const ir::Graph& graph, const std::vector<std::string>& paths,
                           const OptimizerSettings& settings, const std::string& weight = {});

// Gradients of the parts of a batch are summed in states "accumulated/PATH", weighed by the parts'
// tokens; what is in them between two updates belongs to no checkpoint.
bool is_accumulator(std::string_view path);

// The last outputs of `graph` are the gradients of `paths`. They make way for the sums, each the
// gradient times the output `weight` plus, unless the new input first: pred[] is true, what it was.
ir::Graph append_accumulators(const ir::Graph& graph, const std::vector<std::string>& paths,
                              const std::string& weight);

// The parameters of `paths` and the sums of their gradients as arguments, the sums as outputs: what
// `append_optimizer` makes the update of an accumulated batch from.
ir::Graph accumulated_gradients(const ir::Graph& built, const std::vector<std::string>& paths);

// The norm of the mean gradient that these sums stand for, before clipping, as a graph: the input
// `weight`: f32[], all parts' weight, and the output gradient_norm: f32[].
ir::Graph accumulated_norm(const ir::Graph& built, const std::vector<std::string>& paths,
                           const std::string& weight);

// What the output is named that goes back to a path: '/' becomes '.'.
std::string output_name(std::string path);
// Paths of the parameters that are trained.
std::vector<std::string> trainable_parameters(const ir::Graph& graph);

}  // namespace weft
