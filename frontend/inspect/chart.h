// frontend/inspect/chart.h -- curves over an axis as an SVG picture: how runs went.
//
// One panel below the other, all over the same horizontal axis. A curve has the colour of its name in
// every panel. Values that are not finite leave a gap.
#pragma once
#include <string>
#include <vector>

namespace weft::inspect {

struct Curve {
  std::string name;  // in the legend, once
  std::vector<double> x, y;
  bool faint = false;   // thin and pale, behind the others: a noisy quantity
  bool points = false;  // a dot at every value
};

struct Panel {
  std::string title;  // "validation loss"
  std::vector<Curve> curves;
  bool logarithmic = false;  // vertically; values that are not positive leave a gap
};

struct Chart {
  std::string title, x_label;
  std::vector<Panel> panels;
};

// Throws GraphError where a curve has not as many x as y, or there is no panel.
std::string svg(const Chart& chart);

// Round numbers that divide [low, high] into about `count` parts; at least one.
std::vector<double> ticks(double low, double high, int count);

}  // namespace weft::inspect
