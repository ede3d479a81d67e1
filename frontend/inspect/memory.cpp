// frontend/inspect/memory.cpp -- the arena over time as text and as picture.
#include "frontend/inspect/memory.h"

#include "frontend/inspect/xml.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::inspect {
namespace {

using backends::Allocation;
using backends::MemoryReport;
using ir::Graph;
using ir::Node;

constexpr int kRows = 48;     // of the table of steps
constexpr size_t kHeld = 20;  // of the table of the peak
constexpr int kBar = 32;
constexpr int64_t kSmall = 20;  // loops with less than this part of the arena have no table

const Node& node_at(const Graph& g, int n) { return g.nodes()[static_cast<size_t>(n)]; }

const Node& node_of(const Graph& g, const MemoryReport& m, int step) {
  return node_at(g, m.steps[static_cast<size_t>(step)].nodes.back());
}

std::string ops_of(const Graph& g, const MemoryReport::Step& step) {
  if (step.nodes.size() > 3) return fmt::format("{} elementwise ops", step.nodes.size());
  std::string s;
  for (const int n : step.nodes)
    s += fmt::format("{}{}", s.empty() ? "" : "+", node_at(g, n).op->name);
  return s;
}

std::string described(const Graph& g, const MemoryReport::Step& step) {
  const Node& node = node_at(g, step.nodes.back());
  std::string s = ops_of(g, step) + " " + g.display_name(node.results[0]);
  const std::string loc = node.from.loc.str();
  if (!node.from.scope.empty() || !loc.empty())
    s += "  // " + node.from.scope + (loc.empty() || node.from.scope.empty() ? "" : " ") + loc;
  return s;
}

const char* part_name(ir::Part part) {
  return part == ir::Part::forward    ? "forward"
         : part == ir::Part::backward ? "backward"
                                      : "optimizer";
}

// Steps in runs of one table row each; a run shows its fullest step.
std::string steps_table(const Graph& g, const MemoryReport& m, const Peak& peak) {
  const int n = static_cast<int>(m.steps.size());
  const int run = (n + kRows - 1) / kRows;
  std::string s = fmt::format("  {:>6} {:>10}  {:<{}}  {}\n", "step", "in use", "", kBar,
                              run > 1 ? fmt::format("the fullest of {} steps", run) : "what runs");
  for (int first = 0; first < n; first += run) {
    int at = first;
    for (int i = first; i < std::min(n, first + run); ++i)
      if (m.steps[static_cast<size_t>(i)].live > m.steps[static_cast<size_t>(at)].live) at = i;
    const MemoryReport::Step& step = m.steps[static_cast<size_t>(at)];
    const auto length = peak.bytes > 0 ? static_cast<size_t>(step.live * kBar / peak.bytes) : 0;
    s += fmt::format("  {:>6} {:>10}  {:<{}}  {}{}\n", at, megabytes(step.live),
                     std::string(length, '#'), kBar, described(g, step),
                     at == peak.step ? "   <- peak" : "");
  }
  return s;
}

std::string peak_table(const Graph& g, const MemoryReport& m, const Peak& peak) {
  std::string s = fmt::format("  held at the peak, step {}:\n  {:>10} {:>13}  {:<9} {}\n",
                              peak.step, "size", "steps", "part", "what");
  int64_t shown = 0;
  for (size_t i = 0; i < peak.held.size() && i < kHeld; ++i) {
    const Allocation& a = *peak.held[i];
    const Node& node = node_of(g, m, a.first);
    s += fmt::format("  {:>10} {:>6}-{:<6}  {:<9} {}, made by {}\n", megabytes(a.bytes), a.first,
                     a.last, part_name(node.from.part), contents_of(g, a),
                     described(g, m.steps[static_cast<size_t>(a.first)]));
    shown += a.bytes;
  }
  if (peak.held.size() > kHeld)
    s += fmt::format("  {:>10} {} smaller ones\n", megabytes(peak.bytes - shown),
                     peak.held.size() - kHeld);
  return s;
}

std::string table(const Graph& g, const MemoryReport& m, const std::string& title) {
  const Peak peak = peak_of(m);
  if (peak.step < 0) return title + ": nothing lies in the arena\n";
  const WithoutReuse without = without_reuse(m);
  std::string s = fmt::format(
      "{}: arena of {} over {} steps; most in use at once {}, at step {}: {}\n"
      "  without reuse {}: {} values and {} workspaces; {} values written over an operand\n",
      title, megabytes(m.arena_bytes), m.steps.size(), megabytes(peak.bytes), peak.step,
      described(g, m.steps[static_cast<size_t>(peak.step)]), megabytes(without.bytes),
      without.values, without.workspaces, without.written_over);
  s += steps_table(g, m, peak) + peak_table(g, m, peak);
  for (const MemoryReport::Loop& loop : m.loops) {
    const Node& node = node_at(g, loop.node);
    if (loop.memory.arena_bytes * kSmall < m.arena_bytes) continue;
    s += "\n" + table(node.regions[0], loop.memory,
                      fmt::format("in loop {}{}", g.display_name(node.results[0]),
                                  node.from.scope.empty() ? "" : " // " + node.from.scope));
  }
  return s;
}

// --- the picture

constexpr double kLeft = 64, kWidth = 1000, kTop = 56, kHeight = 420, kBottom = 40;
constexpr const char* kFills[] = {"#9CC3E8", "#F3B98A", "#A3D3A3"};  // forward, backward, optimizer
constexpr const char* kWorkspace = "#D1D5DB";

std::string tooltip(const Graph& g, const MemoryReport& m, const Allocation& a) {
  return fmt::format("{}\n{}, steps {} to {}\nmade by {}", contents_of(g, a), megabytes(a.bytes),
                     a.first, a.last, described(g, m.steps[static_cast<size_t>(a.first)]));
}

class Picture {
 public:
  Picture(const Graph& g, const MemoryReport& m) : g_(g), m_(m), peak_(peak_of(m)) {
    steps_ = std::max<double>(1, static_cast<double>(m.steps.size()));
    bytes_ = static_cast<double>(std::max<int64_t>(1, m.arena_bytes));
  }

  std::string text() {
    const double width = kLeft + kWidth + 20, height = kTop + kHeight + kBottom;
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
        "{1}\" font-family=\"Helvetica,Arial,sans-serif\" font-size=\"11\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        width, height);
    head();
    grid();
    for (const Allocation& a : m_.allocations) place(a);
    in_use();
    return out_ + "</svg>\n";
  }

 private:
  double x(double step) const { return kLeft + step / steps_ * kWidth; }
  double y(double bytes) const { return kTop + kHeight - bytes / bytes_ * kHeight; }

  void words(double at, double height, const std::string& content, const char* more = "") {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", at, height, more,
                        xml_escaped(content));
  }

  void head() {
    words(kLeft, 18,
          fmt::format("@{}: arena of {}, most in use at once {}", g_.name,
                      megabytes(m_.arena_bytes), megabytes(peak_.bytes)),
          "font-size=\"14\" font-weight=\"bold\" fill=\"#111827\"");
    static constexpr std::pair<const char*, const char*> swatches[] = {
        {kFills[0], "forward"},
        {kFills[1], "backward"},
        {kFills[2], "optimizer"},
        {kWorkspace, "workspaces and loops"}};
    double at = kLeft;
    for (const auto& [fill, name] : swatches) {
      out_ += fmt::format("<rect x=\"{:.1f}\" y=\"30\" width=\"12\" height=\"12\" fill=\"{}\"/>\n",
                          at, fill);
      words(at + 17, 40, name, "fill=\"#374151\"");
      at += 20 + 7.0 * static_cast<double>(std::char_traits<char>::length(name)) + 20;
    }
    out_ += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"36\" y2=\"36\" stroke=\"#111827\"/>\n", at + 20,
        at + 40);
    words(at + 45, 40, "in use", "fill=\"#374151\"");
  }

  void grid() {
    for (int i = 0; i <= 4; ++i) {
      const double b = bytes_ * i / 4;
      out_ += fmt::format(
          "<line x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" "
          "stroke=\"#E5E7EB\"/>\n",
          kLeft, kLeft + kWidth, y(b));
      words(kLeft - 6, y(b) + 4, megabytes(static_cast<int64_t>(b)),
            "text-anchor=\"end\" fill=\"#6B7280\"");
    }
    words(kLeft, kTop + kHeight + 18, "step 0", "fill=\"#6B7280\"");
    words(kLeft + kWidth, kTop + kHeight + 18, fmt::format("step {}", m_.steps.size() - 1),
          "text-anchor=\"end\" fill=\"#6B7280\"");
  }

  void place(const Allocation& a) {
    const auto part = static_cast<size_t>(node_of(g_, m_, a.first).from.part);
    const char* fill = a.kind == Allocation::Kind::value ? kFills[part] : kWorkspace;
    const double top = y(static_cast<double>(a.offset + a.bytes));
    const double height = y(static_cast<double>(a.offset)) - top;
    if (height < 0.3) return;  // not to be seen
    out_ += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\" "
        "stroke=\"white\" "
        "stroke-width=\"0.4\"><title>{}</title></rect>\n",
        x(a.first), top, x(a.last + 1) - x(a.first), height, fill, xml_escaped(tooltip(g_, m_, a)));
  }

  void in_use() {
    std::string points;
    for (size_t s = 0; s < m_.steps.size(); ++s) {
      const double h = y(static_cast<double>(m_.steps[s].live));
      points += fmt::format("{:.1f},{:.1f} {:.1f},{:.1f} ", x(static_cast<double>(s)), h,
                            x(static_cast<double>(s) + 1), h);
    }
    out_ += "<polyline fill=\"none\" stroke=\"#111827\" stroke-width=\"1.2\" points=\"" + points +
            "\"/>\n";
    if (peak_.step < 0) return;
    const double px = x(peak_.step + 0.5);
    out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"#B91C1C\"/>\n", px,
                        y(static_cast<double>(peak_.bytes)));
    const bool right = px > kLeft + kWidth / 2;
    words(px, kTop + kHeight + 34,
          fmt::format("peak at step {}: {}", peak_.step,
                      described(g_, m_.steps[static_cast<size_t>(peak_.step)])),
          right ? "text-anchor=\"end\" fill=\"#B91C1C\"" : "fill=\"#B91C1C\"");
  }

  const Graph& g_;
  const MemoryReport& m_;
  const Peak peak_;
  double steps_ = 1, bytes_ = 1;
  std::string out_;
};

}  // namespace

std::string megabytes(int64_t bytes) {
  const double mb = static_cast<double>(bytes) / 1e6;
  return mb < 0.1 ? fmt::format("{:.1f} kB", mb * 1e3) : fmt::format("{:.1f} MB", mb);
}

std::string contents_of(const Graph& graph, const Allocation& a) {
  if (a.kind == Allocation::Kind::loop) return "arena of the loop's body";
  if (a.kind == Allocation::Kind::workspace) return "workspace";
  std::string s;
  for (size_t i = 0; i < a.values.size() && i < 3; ++i)
    s += (i ? ", then " : "") + graph.display_name(a.values[i]) + ": " +
         graph.type(a.values[i]).str();
  return a.values.size() > 3 ? s + fmt::format(", then {} more", a.values.size() - 3) : s;
}

Peak peak_of(const MemoryReport& memory) {
  Peak peak;
  for (size_t s = 0; s < memory.steps.size(); ++s)
    if (memory.steps[s].live > peak.bytes)
      peak.bytes = memory.steps[s].live, peak.step = static_cast<int>(s);
  for (const Allocation& a : memory.allocations)
    if (a.first <= peak.step && peak.step <= a.last) peak.held.push_back(&a);
  std::stable_sort(peak.held.begin(), peak.held.end(),
                   [](const Allocation* a, const Allocation* b) { return a->bytes > b->bytes; });
  return peak;
}

WithoutReuse without_reuse(const MemoryReport& memory) {
  WithoutReuse w;
  for (const Allocation& a : memory.allocations) {
    const auto count = static_cast<int>(std::max<size_t>(1, a.values.size()));
    w.bytes += a.bytes * count;
    if (a.kind == Allocation::Kind::value)
      w.values += count, w.written_over += count - 1;
    else
      ++w.workspaces;
  }
  return w;
}

std::string memory_text(const Graph& graph, const MemoryReport& memory) {
  return table(graph, memory, "memory of @" + graph.name);
}

std::string memory_svg(const Graph& graph, const MemoryReport& memory) {
  return Picture(graph, memory).text();
}

}  // namespace weft::inspect
