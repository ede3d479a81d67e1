// frontend/inspect/memory.h -- the planned arena over time: how full it is at each step, which values hold
// the peak, what is reused.
//
// Nothing is thrown: a report without a plan is an empty picture.
#pragma once
#include "backends/report.h"

#include <string>

namespace weft::inspect {

struct Peak {
  int step = -1;                                  // -1: nothing lies in the arena
  int64_t bytes = 0;                              // in use then
  std::vector<const backends::Allocation*> held;  // then, the largest first
};
Peak peak_of(const backends::MemoryReport& memory);

// What the values would need without reuse: each in a place of its own, none over another.
struct WithoutReuse {
  int64_t bytes = 0;
  int values = 0, workspaces = 0, written_over = 0;
};
WithoutReuse without_reuse(const backends::MemoryReport& memory);

// A table of bytes in use by step, and of what is held at the peak; loops have tables of their own.
std::string memory_text(const ir::Graph& graph, const backends::MemoryReport& memory);

// The same as a picture: time from left to right, places from bottom to top, and above them the
// bytes in use. Colours are those of drawings: forward, backward, optimizer; grey: workspaces.
std::string memory_svg(const ir::Graph& graph, const backends::MemoryReport& memory);

// "41.3 MB", in millions of bytes.
std::string megabytes(int64_t bytes);

// What an allocation holds: "%u: f32[64,512]", "workspace", "arena of the loop".
std::string contents_of(const ir::Graph& graph, const backends::Allocation& allocation);

}  // namespace weft::inspect
