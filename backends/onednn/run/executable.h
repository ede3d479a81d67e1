// backends/onednn/run/executable.h -- a planned graph: its kernels, its memory, and how it is run and
// watched.
#pragma once
#include "backends/backend.h"
#include "backends/onednn/plan/planner.h"
#include "ir/host/memory.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weft::onednn {

struct ExecutableOptions : backends::CompileOptions {
  bool keep_all = false;  // every top-level value stays readable after a run (`value`)
  bool group_elementwise = true;
};

// The graph as it is lowered: specialised, ops without kernels of their own replaced by what they
// mean.
ir::Graph prepared(const ir::Graph& graph, const ir::Bindings& bindings);

class Executable : public backends::Executable {
 public:
  Executable(std::shared_ptr<const Engine> engine, const ir::Graph& graph,
             const ir::Bindings& bindings, const ExecutableOptions& options);

  void run(std::span<const ir::Array> arguments, std::span<ir::Array> results) override;
  int64_t arena_bytes() const override { return plan_.arena_bytes; }
  std::string profile_text() const override;
  void reset_timings() override;
  backends::Report report() const override;

  std::string plan_text() const override;
  // With keep_all: the graph whose values can be read, and a copy of one after a run. The results
  // of that run must still exist. Invalid (empty) for values inside loops.
  const ir::Graph& graph() const { return graph_; }
  ir::Array value(ir::Value v) const;
  // Results that were given the buffer of a donated argument which is still read when the result is
  // written: they are made elsewhere and copied last. "copied: p1 over p (argument 0)", one a line.
  const std::string& notes() const { return notes_; }
  // What was to be a primitive and is none, by kind of op and operands (Plan::refused).
  const std::map<std::string, std::string>& refusals() const { return plan_.refused; }
  // Names of oneDNN's implementations in use, each once.
  std::vector<std::string> implementations() const;

 private:
  // Anew, with these offsets or as they come.
  void plan(const ExecutableOptions& options, std::optional<Offsets> offsets);
  void check(std::span<const ir::Array> arguments, std::span<ir::Array> results) const;
  void pack_fixed(const Run& run, std::span<const ir::Array> arguments);
  void bind_arena();
  char* result_buffer(size_t j, std::span<const ir::Array> arguments, std::span<ir::Array> results);

  std::shared_ptr<const Engine> engine_;
  ExecutableOptions options_;
  ir::Graph graph_;
  Plan plan_;
  std::unique_ptr<Planner> planner_;
  std::vector<Tensor> expected_;  // arguments, then results
  ir::Memory constants_;
  std::vector<char*> bases_;
  std::vector<int64_t> steps_;
  std::vector<ir::Memory>
      shadows_;                  // by result: where it is made when it must not be made in place
  std::vector<char> may_share_;  // [argument * results + result]
  Trace trace_;
  int64_t runs_ = 0;
  double seconds_ = 0;
  std::string notes_;
};

std::unique_ptr<Executable> compile(const ir::Graph& graph, const ir::Bindings& bindings,
                                    const ExecutableOptions& options = {});

}  // namespace weft::onednn
