// frontend/compile/optimizer.h -- clipping and updates appended to a differentiated graph, in plain ops.
#pragma once
#include "ir/graph.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft {

enum class OptimizerKind { sgd, adam, adadelta, adagrad, adafactor, lion };
OptimizerKind optimizer_named(std::string_view name);  // GraphError listing them
std::string_view name(OptimizerKind kind);

// The rules are those of ir/ops/optimizer.h, where the papers stand.
struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::adam;
  double clip_norm = 1;  // of all gradients together (Pascanu et al. 2013); 0: none
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;     // Adam; Lion and Adafactor have others
  double rho = 0.95, adadelta_eps = 1e-6;            // Adadelta
  double momentum = 0;                               // SGD
  bool nesterov = false;                             // SGD with momentum
  double adagrad_eps = 1e-10, initial_squares = 0;   // Adagrad
  double adafactor_eps = 1e-30, least_scale = 1e-3;  // Adafactor: Shazeer and Stern 2018, eps 1, 2
  double clip_update = 1;          // Adafactor: of the root mean square of updates
  double decay_rate = 0.8;         // Adafactor: beta2 = 1 - step^-decay_rate
  bool scale_by_parameter = true;  // Adafactor: steps go with a parameter's size
  bool relative_step = true;       // Adafactor: the rate is times min(0.01, step^-0.5),
  bool relative_warmup = false;    // or min(1e-6 step, step^-0.5)
  double decay = 0;                // of weights: added to gradients, or
  bool decoupled = false;          // taken off parameters (Loshchilov and Hutter 2019)
  double average_decay = 0;        // of the moving average of parameters; 0: there is none

  bool operator==(const OptimizerSettings&) const = default;
};
// What the papers have: Lion's beta2 is 0.99, Adafactor has no first moments, and the decay of both
// is decoupled.
OptimizerSettings default_settings(OptimizerKind kind);
// Throws GraphError where an update would divide by zero or could not move anything.
void check(const OptimizerSettings& settings);

// Where the moving average of a parameter is kept: a = d a + (1 - d) p after each update, the t-th
// (from 0) with d = min(average_decay, t / (t + 10)), so that it begins with the first parameters
// there are (as TensorFlow and Marian have it, but for the beginning).
std::string average_path(std::string_view parameter);

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
