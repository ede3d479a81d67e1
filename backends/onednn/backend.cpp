// backends/onednn/backend.cpp -- the factory.
#include "backends/onednn/kernels/isa.h"
#include "backends/onednn/kernels/peak.h"
#include "backends/onednn/lower/choice.h"
#include "backends/onednn/machine/doctor.h"
#include "backends/onednn/machine/environment.h"
#include "backends/onednn/machine/threads.h"
#include "backends/onednn/machine/waiting.h"
#include "backends/onednn/run/executable.h"

#include <set>

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
  explicit Backend(backends::EngineChoice engine) : engine_(engine) {
    const Engine tried;  // says at once where this machine cannot do it
  }
  std::string name() const override { return "onednn"; }
  std::unique_ptr<backends::Executable> compile(const ir::Graph& graph,
                                                const ir::Bindings& bindings,
                                                const backends::CompileOptions& options) override {
    ExecutableOptions how{options};
    if (!how.engine) how.engine = engine_;
    std::unique_ptr<Executable> made = compiled(graph, bindings, how);
    for (const auto& [kind, what] : made->refusals())
      if (say_refusal_ && refused_.insert(kind).second) say_refusal_(what);
    return made;
  }
  void on_refusal(std::function<void(const std::string&)> say) override {
    say_refusal_ = std::move(say);
  }

  int threads() const override { return onednn::threads(); }
  void use_threads(int threads) override { onednn::use_threads(threads); }
  double peak_flops(double seconds) const override {
    return kernels::peak_run({kernels::PeakKind::fma, seconds});
  }
  double peak_bandwidth(double seconds) const override {
    return kernels::measure_bandwidth(seconds) * 1e9;
  }
  std::string lacks(ir::Precision precision) const override {
    if (precision != ir::Precision::bf16 || kernels::info(kernels::isa()).multiplies_bf16)
      return {};
    for (const kernels::IsaInfo& set : kernels::isas())
      if (set.multiplies_bf16 && set.available)
        return ir::concat("WEFT_ISA=", kernels::info(kernels::isa()).name,
                          " leaves AVX512_BF16 unused");
    return ir::concat("the processor has no AVX512_BF16, the best of its instruction sets is ",
                      kernels::info(kernels::isa()).name);
  }
  std::string crowding() const override { return crowding_.text(); }

 private:
  const backends::EngineChoice engine_;
  std::function<void(const std::string&)> say_refusal_;
  std::set<std::string> refused_;  // kinds that were said
  Crowding crowding_;
};

}  // namespace

std::unique_ptr<Executable> compile(const ir::Graph& graph, const ir::Bindings& bindings,
                                    const ExecutableOptions& options) {
  return compiled(graph, bindings, options);
}

}  // namespace onednn

std::unique_ptr<backends::Backend> backends::make_onednn(EngineChoice engine) {
  return std::make_unique<onednn::Backend>(engine);
}

std::unique_ptr<backends::Backend> backends::make_onednn() {
  return make_onednn(engine_of_environment());
}

std::vector<std::string> backends::onednn_remarks() { return onednn::mended_environment(); }

backends::Diagnosis backends::diagnose_onednn() {
  onednn::Diagnosis found = onednn::diagnose();
  if (found.well())
    for (const onednn::Preference& p : onednn::preferences())
      if (onednn::preferred(EngineChoice::best, p.what) == onednn::Owner::weft)
        found.weft_is_best.emplace_back(p.what, p.why);
  return {found.text(), found.faults};
}

}  // namespace weft
