// frontend/inspect/heatmap.cpp -- a grid of squares, dark where the weight is large.
#include "frontend/inspect/heatmap.h"

#include "frontend/inspect/xml.h"
#include "ir/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace weft::inspect {
namespace {

constexpr int kCell = 34, kFont = 15, kMargin = 14;

struct Colour {
  double r, g, b;
};
// White to dark blue, even in lightness (stops of ColorBrewer's Blues).
constexpr std::array<Colour, 5> kScale{
    {{255, 255, 255}, {198, 219, 239}, {107, 174, 214}, {33, 113, 181}, {8, 48, 107}}};

std::string colour(double weight) {
  const double at = std::clamp(weight, 0.0, 1.0) * (kScale.size() - 1);
  const auto low = std::min(static_cast<size_t>(at), kScale.size() - 2);
  const double t = at - static_cast<double>(low);
  const auto mix = [t](double a, double b) {
    return static_cast<int>(std::lround(a + t * (b - a)));
  };
  char text[8];
  const Colour &a = kScale[low], &b = kScale[low + 1];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", mix(a.r, b.r), mix(a.g, b.g), mix(a.b, b.b));
  return text;
}

int letters_in(const std::string& utf8) {
  return static_cast<int>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}
int width_of(const std::vector<std::string>& tokens) {
  int widest = 1;
  for (const std::string& t : tokens) widest = std::max(widest, letters_in(t));
  return widest * (kFont * 2 / 3) + 6;
}

std::string text(int x, int y, const std::string& content, const std::string& more) {
  return ir::concat("  <text x=\"", x, "\" y=\"", y, "\" ", more, ">", xml_escaped(content),
                    "</text>\n");
}

std::string percent(double weight) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%.0f", 100 * weight);
  return buffer;
}

std::string scale_bar(int x, int y) {
  std::string s;
  constexpr int kSteps = 24, kStep = 5;
  for (int i = 0; i < kSteps; ++i)
    s += ir::concat("  <rect x=\"", x + i * kStep, "\" y=\"", y, "\" width=\"", kStep + 1,
                    "\" height=\"9\" fill=\"", colour((i + 0.5) / kSteps), "\"/>\n");
  s += ir::concat("  <rect x=\"", x, "\" y=\"", y, "\" width=\"", kSteps * kStep + 1,
                  "\" height=\"9\" fill=\"none\" stroke=\"#9ca3af\" stroke-width=\"0.5\"/>\n");
  s +=
      text(x + kSteps * kStep + 8, y + 9, "weight 0 to 100 %", "font-size=\"10\" fill=\"#6b7280\"");
  return s;
}

}  // namespace

std::string svg(const Heatmap& map) {
  const auto rows = static_cast<int64_t>(map.rows.size()),
             columns = static_cast<int64_t>(map.columns.size());
  if (map.weights.dims() != ir::Dims{rows, columns})
    throw ir::GraphError(ir::concat("a heat map of ", rows, " rows and ", columns,
                                    " columns needs weights of [", rows, ",", columns, "], found ",
                                    ir::dims_str(map.weights.dims())));
  // Column labels stand upright when they are long.
  const int label = width_of(map.columns), left = kMargin + width_of(map.rows),
            head = map.title.empty() ? 0 : 30;
  const bool upright = label > kCell;
  const int top = kMargin + head + (upright ? label : kFont + 8);
  const int grid_width = static_cast<int>(columns) * kCell,
            grid_height = static_cast<int>(rows) * kCell;
  const int width =
      std::max({left + grid_width + kMargin, left + 260, 2 * kMargin + letters_in(map.title) * 11});
  const int height = top + grid_height + 2 * kMargin + 12;
  std::string s = ir::concat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
      "width=\"",
      width, "\" height=\"", height, "\" viewBox=\"0 0 ", width, " ", height,
      "\" font-family=\"Helvetica,Arial,sans-serif\" font-size=\"", kFont, "\">\n",
      "  <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
  if (head > 0) s += text(kMargin, kMargin + 14, map.title, "font-weight=\"bold\"");
  for (int64_t c = 0; c < columns; ++c) {
    const int x = left + static_cast<int>(c) * kCell + kCell / 2, y = top - 7;
    s += upright ? text(x + 5, y, map.columns[static_cast<size_t>(c)],
                        ir::concat("transform=\"rotate(-90 ", x + 5, " ", y, ")\""))
                 : text(x, y, map.columns[static_cast<size_t>(c)], "text-anchor=\"middle\"");
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int y = top + static_cast<int>(r) * kCell;
    s += text(left - 8, y + kCell / 2 + 5, map.rows[static_cast<size_t>(r)], "text-anchor=\"end\"");
    for (int64_t c = 0; c < columns; ++c) {
      const int x = left + static_cast<int>(c) * kCell;
      const double w = map.weights.at(r * columns + c);
      s += ir::concat("  <rect x=\"", x, "\" y=\"", y, "\" width=\"", kCell, "\" height=\"", kCell,
                      "\" fill=\"", colour(w), "\" stroke=\"#e5e7eb\"><title>",
                      xml_escaped(map.rows[static_cast<size_t>(r)]), " looks at ",
                      xml_escaped(map.columns[static_cast<size_t>(c)]), ": ", percent(w),
                      " %</title></rect>\n");
      if (w >= 0.05)
        s += text(
            x + kCell / 2, y + kCell / 2 + 4, percent(w),
            ir::concat("font-size=\"10\" text-anchor=\"middle\" pointer-events=\"none\" fill=\"",
                       w > 0.55 ? "#ffffff" : "#374151", "\""));
    }
  }
  s += ir::concat("  <rect x=\"", left, "\" y=\"", top, "\" width=\"", grid_width, "\" height=\"",
                  grid_height, "\" fill=\"none\" stroke=\"#9ca3af\"/>\n");
  s += scale_bar(left, top + grid_height + kMargin);
  return s + "</svg>\n";
}

}  // namespace weft::inspect
