// backends/onednn/backend.cpp -- the factory.
#include "backends/onednn/kernels/peak.h"
#include "backends/onednn/machine/doctor.h"
#include "backends/onednn/machine/environment.h"
#include "backends/onednn/machine/threads.h"
#include "backends/onednn/machine/waiting.h"
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

  int threads() const override { return onednn::threads(); }
  void use_threads(int threads) override { onednn::use_threads(threads); }
  double peak_flops(double seconds) const override {
    return kernels::peak_run({kernels::PeakKind::fma, seconds});
  }
  double peak_bandwidth(double seconds) const override {
    return kernels::measure_bandwidth(seconds) * 1e9;
  }
  std::string crowding() const override { return crowding_.text(); }

 private:
  Crowding crowding_;
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

std::vector<std::string> backends::onednn_remarks() { return onednn::mended_environment(); }

backends::Diagnosis backends::diagnose_onednn() {
  const onednn::Diagnosis found = onednn::diagnose();
  return {found.text(), found.faults};
}

}  // namespace weft
