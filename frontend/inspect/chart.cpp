// frontend/inspect/chart.cpp -- panels, grids, and lines through points.
#include "frontend/inspect/chart.h"

#include "frontend/inspect/xml.h"
#include "ir/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace weft::inspect {
namespace {

constexpr double kWidth = 760, kHeight = 220, kLeft = 74, kRight = 18, kTop = 30, kGap = 46;

// Of Okabe and Ito (2008): told apart by people who see colours differently.
constexpr std::array<const char*, 7> kColours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                              "#56b4e9", "#e69f00", "#000000"};

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;

  void add(double v) { low = std::min(low, v), high = std::max(high, v); }
  bool empty() const { return !(low <= high); }
  // With room above and below, and never of no width.
  Range opened() const {
    if (empty()) return {0, 1};
    const double room = low == high ? std::max(std::abs(low) * 0.1, 0.5) : (high - low) * 0.04;
    return {low - room, high + room};
  }
};

double vertical(const Panel& panel, double y) { return panel.logarithmic ? std::log10(y) : y; }

Range range_x(const Chart& chart) {
  Range r;
  for (const Panel& p : chart.panels)
    for (const Curve& c : p.curves)
      for (const double x : c.x)
        if (std::isfinite(x)) r.add(x);
  return r.low < r.high ? r : r.opened();
}

Range range_y(const Panel& panel) {
  Range r;
  for (const Curve& c : panel.curves)
    for (const double y : c.y)
      if (std::isfinite(vertical(panel, y))) r.add(vertical(panel, y));
  return r.opened();
}

std::string number(double v) {
  const double size = std::abs(v);
  if (size >= 1e6) return fmt::format("{:.3g}M", v / 1e6);
  if (size >= 1e4) return fmt::format("{:.4g}k", v / 1e3);
  return fmt::format("{:.4g}", size < 1e-12 ? 0.0 : v);
}

// Names in the order in which they first appear: each has a colour.
std::vector<std::string> names_of(const Chart& chart) {
  std::vector<std::string> names;
  for (const Panel& p : chart.panels)
    for (const Curve& c : p.curves)
      if (std::find(names.begin(), names.end(), c.name) == names.end()) names.push_back(c.name);
  return names;
}

// Logarithms of 1, 2 and 5 times powers of ten; of powers alone where they span many.
std::vector<double> logarithmic_ticks(double low, double high) {
  std::vector<double> at;
  for (double power = std::floor(low); power <= high; ++power)
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double t = power + std::log10(digit);
      if (t >= low && t <= high && (digit == 1 || high - low < 4)) at.push_back(t);
    }
  return at;
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart)
      : chart_(chart), names_(names_of(chart)), x_(range_x(chart)) {}

  std::string text() {
    double y = chart_.title.empty() ? 8 : 34;
    std::string body;
    if (!chart_.title.empty())
      body += label(kLeft, 22, chart_.title, "font-size=\"15\" font-weight=\"bold\"");
    body += legend(y);
    for (const Panel& p : chart_.panels) {
      body += panel(p, y + kTop);
      y += kTop + kHeight + kGap;
    }
    const double width = kLeft + kWidth + kRight;
    return fmt::format(
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "
               "xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
               "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"Helvetica,Arial,sans-serif\" "
               "font-size=\"11\">\n  <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
               width, y) +
           body + "</svg>\n";
  }

 private:
  static std::string label(double x, double y, const std::string& content,
                           const std::string& more) {
    return fmt::format("  <text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, more,
                       xml_escaped(content));
  }
  const char* colour(const std::string& name) const {
    const auto at = std::find(names_.begin(), names_.end(), name) - names_.begin();
    return kColours[static_cast<size_t>(at) % kColours.size()];
  }

  // A line each where there are several names; moves `y` below it.
  std::string legend(double& y) const {
    std::string s;
    if (names_.size() < 2) return s;
    for (const std::string& name : names_) {
      y += 15;
      s += fmt::format(
          "  <line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
          "stroke-width=\"2.5\"/>\n",
          kLeft, y - 4, kLeft + 22, y - 4, colour(name));
      s += label(kLeft + 28, y, name, "fill=\"#374151\"");
    }
    return s;
  }

  double at_x(double x) const { return kLeft + (x - x_.low) / (x_.high - x_.low) * kWidth; }

  std::string panel(const Panel& p, double top) const {
    const Range r = range_y(p);
    const auto at_y = [&](double y) {
      return top + kHeight - (vertical(p, y) - r.low) / (r.high - r.low) * kHeight;
    };
    std::string s = label(kLeft, top - 8, p.title, "fill=\"#111827\" font-weight=\"bold\"");
    for (const double t :
         p.logarithmic ? logarithmic_ticks(r.low, r.high) : ticks(r.low, r.high, 5)) {
      const double y = top + kHeight - (t - r.low) / (r.high - r.low) * kHeight;
      s += grid(kLeft, y, kLeft + kWidth, y);
      s += label(kLeft - 6, y + 4, number(p.logarithmic ? std::pow(10, t) : t),
                 "text-anchor=\"end\" fill=\"#6b7280\"");
    }
    for (const double t : ticks(x_.low, x_.high, 8)) {
      s += grid(at_x(t), top, at_x(t), top + kHeight);
      s += label(at_x(t), top + kHeight + 14, number(t), "text-anchor=\"middle\" fill=\"#6b7280\"");
    }
    s += fmt::format(
        "  <rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" "
        "stroke=\"#9ca3af\"/>\n",
        kLeft, top, kWidth, kHeight);
    s += label(kLeft + kWidth, top + kHeight + 28, chart_.x_label,
               "text-anchor=\"end\" fill=\"#374151\"");
    for (const bool faint : {true, false})
      for (const Curve& c : p.curves)
        if (c.faint == faint) s += curve(p, c, at_y);
    return s;
  }

  static std::string grid(double x1, double y1, double x2, double y2) {
    return fmt::format(
        "  <line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#e5e7eb\"/>\n",
        x1, y1, x2, y2);
  }

  template <typename AtY>
  std::string curve(const Panel& p, const Curve& c, AtY at_y) const {
    std::string path, dots;
    bool open = false;
    for (size_t i = 0; i < c.x.size(); ++i) {
      if (!std::isfinite(c.x[i]) || !std::isfinite(vertical(p, c.y[i]))) {
        open = false;
        continue;
      }
      path += fmt::format("{}{:.1f},{:.1f}", open ? " L" : " M", at_x(c.x[i]), at_y(c.y[i]));
      open = true;
      if (c.points)
        dots += fmt::format(
            "  <circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" fill=\"{}\"><title>{}: {:.6g} at "
            "{:.6g}</title></circle>\n",
            at_x(c.x[i]), at_y(c.y[i]), colour(c.name), xml_escaped(c.name), c.y[i], c.x[i]);
    }
    if (path.empty()) return "";
    return fmt::format(
               "  <path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" "
               "stroke-opacity=\"{}\" stroke-linejoin=\"round\"/>\n",
               path.substr(1), colour(c.name), c.faint ? 1 : 2, c.faint ? 0.35 : 1) +
           dots;
  }

  const Chart& chart_;
  const std::vector<std::string> names_;
  const Range x_;
};

}  // namespace

std::vector<double> ticks(double low, double high, int count) {
  if (!(low < high)) return {low};
  const double rough = (high - low) / count, power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double nice : {1.0, 2.0, 2.5, 5.0})
    if (nice * power >= rough) {
      step = nice * power;
      break;
    }
  std::vector<double> at;
  for (double n = std::ceil(low / step - 1e-9); n * step <= high + step * 1e-9; ++n)
    at.push_back(n * step);
  if (at.empty()) at.push_back(low);
  return at;
}

std::string svg(const Chart& chart) {
  if (chart.panels.empty()) throw ir::GraphError("a chart needs at least one panel");
  for (const Panel& p : chart.panels)
    for (const Curve& c : p.curves)
      if (c.x.size() != c.y.size())
        throw ir::GraphError(ir::concat("the curve '", c.name, "' has ", c.x.size(), " places and ",
                                        c.y.size(), " values"));
  return Drawing(chart).text();
}

}  // namespace weft::inspect
