// backends/onednn/backend.cpp -- the factory.
#include "backends/onednn/run/executable.h"

namespace weft {
namespace onednn {
namespace {

// Every executable has a stream of its own: two may run in two threads.
std::unique_ptr<Executable> compiled(const ir::Graph& graph, const ir::Bindings& bindings,
                                     const ExecutableOptions& options) {
  return std::make_unique<Executable>(std::make_shared<Engine>(), graph, bindings, options);
}

class Backend : public backends::Backend {
 public:
  Backend() { const Engine tried; }  // says at once where this machine cannot do it
  std::string name() const override { return "onednn"; }
  std::unique_ptr<backends::Executable> compile(const ir::Graph& graph,
                                                const ir::Bindings& bindings,
                                                const backends::CompileOptions& options) override {
    return compiled(graph, bindings, ExecutableOptions{options});
  }
};

}  // namespace

std::unique_ptr<Executable> compile(const ir::Graph& graph, const ir::Bindings& bindings,
                                    const ExecutableOptions& options) {
  return compiled(graph, bindings, options);
}

}  // namespace onednn

std::unique_ptr<backends::Backend> backends::make_onednn() {
  return std::make_unique<onednn::Backend>();
}

}  // namespace weft
