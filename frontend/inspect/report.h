// frontend/inspect/report.h -- one page of HTML on which a graph's way through the compiler can be
// looked at: the passes and what each changed, the graph after each, what became of every node, its
// kernel and time, the memory plan.
//
// The page needs no network. Its sources stand in report/ (HTML, CSS, JavaScript) and are embedded
// when Weft is built; what it shows is JSON inside it, made here.
//
// Nothing is thrown.
#pragma once
#include "backends/report.h"
#include "ir/passes/pipeline.h"

#include <optional>
#include <string>
#include <vector>

namespace weft::inspect {

// A pass, or a stage between passes (differentiate, append_optimizer), and the graph after it.
struct PassStep {
  std::string name, doc;
  double milliseconds = 0;
  ir::Graph graph;
  std::vector<ir::Note> notes;
};

struct Inspection {
  std::string title;     // "pronounce.toml"
  std::string subtitle;  // "training step, B=64 S=24 T=28, 2 threads"
  ir::Graph built;
  std::vector<PassStep> steps;
  // Of the last step's graph bound to sizes, after some profiled runs.
  std::optional<backends::Report> report;
  double peak_gflops = 0;     // of the machine; 0: not known
  double peak_bandwidth = 0;  // GB/s
};

std::string report_html(const Inspection& inspection);

// The data of the page: tests look at it.
std::string report_json(const Inspection& inspection);

}  // namespace weft::inspect
