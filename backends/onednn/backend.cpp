// backends/onednn/backend.cpp -- the factory.
#include "backends/onednn/executable.h"

namespace weft {
namespace onednn {
namespace {

// One engine a process: its stream and the team behind it are the process's anyway.
std::shared_ptr<const Engine> shared_engine() {
  static const std::shared_ptr<const Engine> engine = std::make_shared<Engine>();
  return engine;
}

class Backend : public backends::Backend {
 public:
  explicit Backend(std::shared_ptr<const Engine> engine) : engine_(std::move(engine)) {}
  std::string name() const override { return "onednn"; }
  std::unique_ptr<backends::Executable> compile(const ir::Graph& graph, const ir::Bindings& bindings,
                                                const backends::CompileOptions& options) override {
    return std::make_unique<Executable>(engine_, graph, bindings, ExecutableOptions{options});
  }

 private:
  std::shared_ptr<const Engine> engine_;
};

}  // namespace

std::unique_ptr<Executable> compile(const ir::Graph& graph, const ir::Bindings& bindings, const ExecutableOptions& options) {
  return std::make_unique<Executable>(shared_engine(), graph, bindings, options);
}

}  // namespace onednn

std::unique_ptr<backends::Backend> backends::make_onednn() { return std::make_unique<onednn::Backend>(onednn::shared_engine()); }

}  // namespace weft
