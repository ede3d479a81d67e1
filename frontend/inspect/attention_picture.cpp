// frontend/inspect/attention_picture.cpp -- pictures within pictures, as SVG.
#include "frontend/inspect/attention_picture.h"

#include "frontend/inspect/xml.h"
#include "ir/error.h"

#include <algorithm>
#include <cstdio>

namespace weft::inspect {
namespace {

constexpr int kMargin = 14, kLine = 26, kPage = 900;

std::string base64(const std::string& bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t k = 0; k < 3; ++k)
      three = three << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : kLetters[three >> (18 - 6 * k) & 63];
  }
  return text;
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", x);
  return text;
}

std::string percent(double weight) {
  char text[16];
  std::snprintf(text, sizeof text, "%.0f %%", 100 * weight);
  return text;
}

std::string head(double width, double height, const std::string& title) {
  std::string s = ir::concat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
      "width=\"",
      number(width), "\" height=\"", number(height), "\" viewBox=\"0 0 ", number(width), " ",
      number(height), "\" font-family=\"Helvetica,Arial,sans-serif\" font-size=\"15\">\n",
      "  <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
  if (!title.empty())
    s += ir::concat("  <text x=\"", kMargin, "\" y=\"", kMargin + 14, "\" font-weight=\"bold\">",
                    xml_escaped(title), "</text>\n");
  return s;
}

std::string image(const std::string& id, const std::string& png, double width, double height) {
  return ir::concat("<image id=\"", id, "\" width=\"", number(width), "\" height=\"",
                    number(height),
                    "\" preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" "
                    "href=\"data:image/png;base64,",
                    base64(png), "\"/>");
}

std::string rectangle(double x, double y, double width, double height, const char* colour,
                      double opacity, const std::string& says) {
  return ir::concat("  <rect x=\"", number(x), "\" y=\"", number(y), "\" width=\"", number(width),
                    "\" height=\"", number(height), "\" fill=\"", colour, "\" fill-opacity=\"",
                    number(opacity), "\"><title>", xml_escaped(says), "</title></rect>\n");
}

std::string label(double x, double y, const std::string& text) {
  return ir::concat("  <text x=\"", number(x), "\" y=\"", number(y), "\">", xml_escaped(text),
                    "</text>\n");
}

void check_shape(const ir::Array& weights, int64_t tokens, int64_t positions) {
  if (weights.dims() == ir::Dims{tokens, positions} && positions > 0) return;
  throw ir::GraphError(ir::concat("a drawing of ", tokens, " tokens and ", positions,
                                  " positions needs weights of [", tokens, ",", positions,
                                  "], found ", ir::dims_str(weights.dims())));
}

// The greatest weight of a token: 0 of one that looks at nothing.
double greatest(const ir::Array& weights, int64_t token) {
  double most = 0;
  for (int64_t i = 0; i < weights.dim(1); ++i)
    most = std::max(most, weights.at(token * weights.dim(1) + i));
  return most;
}

}  // namespace

std::string svg(const PictureAttention& d) {
  const auto tokens = std::ssize(d.tokens);
  check_shape(d.weights, tokens, d.rows * d.columns);
  // Of a size to see patches of: 12 units of a side or more.
  const double scale =
      std::clamp(std::max(160.0 / static_cast<double>(d.height),
                          12.0 * static_cast<double>(d.rows) / static_cast<double>(d.height)),
                 0.05, (kPage - 2.0 * kMargin) / static_cast<double>(d.width));
  const double width = static_cast<double>(d.width) * scale,
               height = static_cast<double>(d.height) * scale,
               patch_width = width / static_cast<double>(d.columns),
               patch_height = height / static_cast<double>(d.rows);
  const auto across =
      std::max<int64_t>(1, static_cast<int64_t>((kPage - kMargin) / (width + kMargin)));
  const int64_t lines = (tokens + across - 1) / across;
  const double top = d.title.empty() ? kMargin : kMargin + 30;
  std::string s =
      head(kMargin + static_cast<double>(std::min(across, std::max<int64_t>(tokens, 1))) *
                         (width + kMargin),
           top + static_cast<double>(lines) * (height + kLine + kMargin), d.title);
  s += "  <defs>" + image("picture", d.png, width, height) + "</defs>\n";
  for (int64_t t = 0; t < tokens; ++t) {
    const std::string& token = d.tokens[static_cast<size_t>(t)];
    const double x = kMargin + static_cast<double>(t % across) * (width + kMargin),
                 y = top + static_cast<double>(t / across) * (height + kLine + kMargin),
                 most = greatest(d.weights, t);
    s += label(x, y + 15, token);
    s += ir::concat("  <use href=\"#picture\" x=\"", number(x), "\" y=\"", number(y + kLine - 4),
                    "\"/>\n");
    for (int64_t i = 0; i < d.rows * d.columns; ++i) {
      const double w = d.weights.at(t * d.rows * d.columns + i);
      const int64_t row = i / d.columns, column = i % d.columns;
      s += rectangle(
          x + static_cast<double>(column) * patch_width,
          y + kLine - 4 + static_cast<double>(row) * patch_height, patch_width, patch_height,
          "#08306b", most > 0 ? 0.8 * (1 - w / most) : 0.8,
          ir::concat(token, " looks at row ", row + 1, ", column ", column + 1, ": ", percent(w)));
    }
  }
  return s + "</svg>\n";
}

std::string svg(const SoundAttention& d) {
  const auto tokens = std::ssize(d.tokens);
  const int64_t positions = d.weights.rank() == 2 ? d.weights.dim(1) : 0;
  check_shape(d.weights, tokens, positions);
  size_t longest = 1;
  for (const std::string& t : d.tokens) longest = std::max(longest, t.size());
  const double left = kMargin + 10.0 * static_cast<double>(longest) + 6,
               step = std::max(3.0, kPage / static_cast<double>(positions)),
               width = step * static_cast<double>(positions), sound = 160,
               top = d.title.empty() ? kMargin : kMargin + 30;
  std::string s = head(left + width + kMargin,
                       top + sound + static_cast<double>(tokens) * kLine + kMargin, d.title);
  s += ir::concat("  <g transform=\"translate(", number(left), " ", number(top), ")\">",
                  image("sound", d.png, width, sound), "</g>\n");
  for (int64_t t = 0; t < tokens; ++t) {
    const std::string& token = d.tokens[static_cast<size_t>(t)];
    const double y = top + sound + static_cast<double>(t) * kLine;
    s += label(kMargin, y + 18, token);
    for (int64_t i = 0; i < positions; ++i) {
      const double w = d.weights.at(t * positions + i);
      if (w < 0.002) continue;
      s += rectangle(left + static_cast<double>(i) * step, y + 2, step, kLine - 4, "#08519c",
                     std::min(1.0, w),
                     ir::concat(token, " looks at position ", i + 1, ": ", percent(w)));
    }
  }
  return s + "</svg>\n";
}

}  // namespace weft::inspect
