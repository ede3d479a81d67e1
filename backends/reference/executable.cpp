// backends/reference/executable.cpp -- the interpreter as a backend.
#include "backends/backend.h"
#include "backends/reference/interpreter.h"
#include "ir/rewrite/rewrite.h"

namespace weft::backends {
namespace {

using reference::Tensors;

class ReferenceExecutable final : public Executable {
 public:
  ReferenceExecutable(const ir::Graph& graph, const ir::Bindings& bindings)
      : graph_(graph), bindings_(bindings), interpreter_(bindings) {
    ir::specialize(graph, bindings);  // throws where rules break with these sizes
  }

  void run(std::span<const ir::Array> arguments, std::span<ir::Array> results) override {
    const Tensors values =
        interpreter_.run(graph_, reference::read_arguments(graph_, bindings_, arguments));
    if (results.size() != values.size())
      throw ir::GraphError(ir::concat("graph '", graph_.name, "' has ", values.size(),
                                      " results, found room for ", results.size()));
    for (size_t i = 0; i < values.size(); ++i) {
      const ir::Output& output = graph_.outputs()[i];
      const ir::DType want = graph_.type(output.value).dtype, have = results[i].dtype();
      const bool same_kind = have == want || (ir::is_float(have) && ir::is_float(want));
      if (!same_kind || results[i].dims() != values[i].dims())
        throw ir::GraphError(ir::concat("result '", output.name, "' is ", ir::name(want),
                                        ir::dims_str(values[i].dims()), ", found room for ",
                                        ir::name(have), ir::dims_str(results[i].dims())));
      to_array(values[i], results[i]);
    }
  }

 private:
  ir::Graph graph_;
  ir::Bindings bindings_;
  reference::Interpreter interpreter_;
};

class Reference final : public Backend {
 public:
  std::string name() const override { return "reference"; }
  std::unique_ptr<Executable> compile(const ir::Graph& graph, const ir::Bindings& bindings,
                                      const CompileOptions&) override {
    return std::make_unique<ReferenceExecutable>(graph, bindings);
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference() { return std::make_unique<Reference>(); }

}  // namespace weft::backends
