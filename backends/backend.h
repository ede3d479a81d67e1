// backends/backend.h -- the whole interface of a backend: compile a bound graph, run it.
#pragma once
#include "backends/report.h"
#include "ir/graph.h"
#include "ir/host/array.h"
#include "ir/precision.h"

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::backends {

// What executables of one graph, whatever sizes it is bound to, have in common. Executables that
// share one of these must not run concurrently.
struct Shared {
  std::shared_ptr<void> arena;  // of whoever runs, as large as the largest needs
  int64_t arena_bytes = 0;
  // Made of fixed arguments.
  struct Made {
    std::shared_ptr<void> memory;
    const void* of = nullptr;  // the argument's buffer, and
    uint64_t version = 0;      // the version of its values
  };
  std::map<std::string, Made> made;
  uint64_t version = 1;  // to be raised when fixed arguments have other values
};

// Whose code runs an op for which there is a choice (onednn): oneDNN's primitives or Weft's kernels.
enum class EngineChoice : uint8_t {
  best,    // whichever is faster or keeps a promise the other does not (docs/decisions/0011)
  onednn,  // oneDNN's wherever it has more than reference loops
  weft,    // Weft's wherever there are some
};
inline constexpr std::array<std::string_view, 3> kEngineNames = {"best", "onednn", "weft"};
inline std::string_view name(EngineChoice engine) {
  return kEngineNames[static_cast<size_t>(engine)];
}
// GraphError where there is none of that name.
EngineChoice engine_named(std::string_view name);
// What the environment variable WEFT_ENGINE names; `best` without it. GraphError for other names.
EngineChoice engine_of_environment();

struct CompileOptions {
  bool check_nan = false;  // after each node; names the first that makes one (onednn)
  bool profile = false;    // times each kernel (onednn)
  bool trace = false;      // and notes when it ran, in the last run (onednn)
  bool poison =
      false;  // NaN-fills freed arena buffers before reuse (onednn; always on in debug builds)
  // By argument: its values stay from run to run. What is made of such arguments alone (weights
  // laid out for products; onednn) is kept in `shared`. None: all may change.
  std::vector<bool> fixed = {};
  std::shared_ptr<Shared> shared = {};      // null: the executable has one of its own
  std::optional<EngineChoice> engine = {};  // none: the backend's (onednn)
};

// A graph bound to concrete sizes. Not thread-safe; one run at a time.
class Executable {
 public:
  virtual ~Executable() = default;

  // arguments in the order of the graph's, results in the order of its outputs; all dense, of the
  // bound types and shapes. A result may share its buffer with a donated argument of the same type
  // (then the argument is overwritten). Throws GraphError for bad data (an index out of range).
  virtual void run(std::span<const ir::Array> arguments, std::span<ir::Array> results) = 0;

  virtual int64_t arena_bytes() const { return 0; }  // planned memory besides arguments and results
  virtual std::string profile_text() const { return {}; }  // per-op table of the runs so far
  // As if there had been no runs: the first one also takes what memory costs when first touched.
  virtual void reset_timings() {}
  virtual Report report() const { return {}; }  // empty where there is no plan
  // The order of the work with places and sizes; empty where there is no plan.
  virtual std::string plan_text() const { return {}; }
};

// Is this machine set up as a backend needs it?
struct Diagnosis {
  std::string text;                 // what was looked at, and what was found
  std::vector<std::string> faults;  // what is wrong and how to mend it; empty: all is well
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;
  // `bindings` gives every symbol of the graph a size. Throws GraphError / RuntimeError.
  virtual std::unique_ptr<Executable> compile(const ir::Graph& graph, const ir::Bindings& bindings,
                                              const CompileOptions& options = {}) = 0;

  // How many threads what is compiled from now on runs on. Executables compiled for fewer must not
  // run any more.
  virtual int threads() const { return 1; }
  virtual void use_threads(int threads) {}
  // What the machine can do at best on these threads, measured now, for about so many seconds:
  // floating point operations and bytes of memory a second. 0 where there is no yardstick.
  virtual double peak_flops(double seconds) const { return 0; }
  virtual double peak_bandwidth(double seconds) const { return 0; }
  // What this machine lacks to compute in that precision faster than in f32: "the processor has no
  // AVX512_BF16"; empty: nothing.
  virtual std::string lacks(ir::Precision precision) const { return {}; }
  // `say` is told of every kind of op and operands, once, that was to be a primitive of oneDNN's
  // (EngineChoice::onednn) and is Weft's code because oneDNN has none (onednn).
  virtual void on_refusal(std::function<void(const std::string&)> say) {}
  // Says if other processes have left too little of the machine since this was made.
  virtual std::string crowding() const { return {}; }
};

// Throws RuntimeError: "precision bf16: the processor has no AVX512_BF16 ..." where it lacks something.
void check_precision(const Backend& backend, ir::Precision precision);

std::unique_ptr<Backend> make_reference();
// With the engine that WEFT_ENGINE names, or this one.
std::unique_ptr<Backend> make_onednn();
std::unique_ptr<Backend> make_onednn(EngineChoice engine);
// Says what is wrong where make_onednn throws, too.
Diagnosis diagnose_onednn();
// What of the environment is not followed, a line each: variables of OpenMP's whose values make no
// sense, or ask for more than the system gives.
std::vector<std::string> onednn_remarks();

// Sizes of the results of a graph whose symbols are bound, and zeros of those sizes.
std::vector<ir::Dims> result_dims(const ir::Graph& graph, const ir::Bindings& bindings);
std::vector<ir::Array> allocate_results(const ir::Graph& graph, const ir::Bindings& bindings);
// Sizes of symbols read off argument arrays; throws GraphError naming argument and dim on conflict.
ir::Bindings infer_bindings(const ir::Graph& graph, std::span<const ir::Array> arguments,
                            const ir::Bindings& given = {});

}  // namespace weft::backends
