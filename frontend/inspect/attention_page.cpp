// frontend/inspect/attention_page.cpp -- the sentences as JSON, and a script that draws them.
#include "frontend/inspect/attention_page.h"

#include "frontend/inspect/xml.h"
#include "ir/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace weft::inspect {
namespace {

constexpr const char* kPage = R"(<style>
body { font-family: Helvetica, Arial, sans-serif; margin: 1.5em; color: #1f2937; }
label { display: inline-block; margin-right: 2em; } input { vertical-align: middle; width: 16em; }
table { border-collapse: collapse; margin-top: 1em; }
td { width: 2.2em; height: 2.2em; text-align: center; font-size: 70%; border: 1px solid #e5e7eb; }
th { font-weight: normal; padding: 0 .4em; } tbody th { text-align: right; }
thead th { vertical-align: bottom; } thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
</style>
<p id="controls"></p>
<table id="map"></table>
<script>
const stops = [[255,255,255],[198,219,239],[107,174,214],[33,113,181],[8,48,107]];
function colour(w) {
  const at = Math.min(1, w) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
  return 'rgb(' + stops[low].map((a, i) => Math.round(a + (at - low) * (stops[low + 1][i] - a))) + ')';
}
const sliders = {};
function slider(name, most, text) {
  const label = document.createElement('label'), input = document.createElement('input');
  const shown = document.createElement('span');
  Object.assign(input, {type: 'range', min: 0, max: most, value: 0});
  label.append(name + ' ', input, ' ', shown);
  label.hidden = most === 0;
  input.oninput = draw;
  sliders[name] = {input, label, say: () => shown.textContent = text(+input.value)};
  document.getElementById('controls').append(label);
}
function draw() {
  const s = sentences[+sliders.sentence.input.value];
  const layers = s.layers.length, heads = layers ? s.layers[0].length : 0;
  sliders.layer.input.max = layers; sliders.layer.label.hidden = layers === 0;
  const layer = +sliders.layer.input.value;
  sliders.head.input.max = heads; sliders.head.label.hidden = heads === 0 || layer === 0;
  const head = +sliders.head.input.value;
  for (const name in sliders) sliders[name].say();
  const at = (r, c) => {
    const i = r * s.columns.length + c;
    if (layer === 0) return s.mean[i];
    const of = s.layers[layer - 1];
    return head > 0 ? of[head - 1][i] : of.reduce((sum, x) => sum + x[i], 0) / of.length;
  };
  const map = document.getElementById('map');
  map.textContent = '';
  const top = map.createTHead().insertRow();
  top.append(document.createElement('th'));
  for (const c of s.columns) {
    const th = document.createElement('th'), span = document.createElement('span');
    span.textContent = c;
    th.append(span);
    top.append(th);
  }
  const body = map.createTBody();
  s.rows.forEach((name, r) => {
    const row = body.insertRow(), th = document.createElement('th');
    th.textContent = name;
    row.append(th);
    s.columns.forEach((column, c) => {
      const cell = row.insertCell(), w = at(r, c) / 1000;
      cell.style.background = colour(w);
      cell.style.color = w > 0.55 ? '#fff' : '#374151';
      cell.title = name + ' looks at ' + column + ': ' + (100 * w).toFixed(1) + ' %';
      if (w >= 0.05) cell.textContent = Math.round(100 * w);
    });
  });
}
slider('sentence', sentences.length - 1, i => (i + 1) + ' of ' + sentences.length);
slider('layer', 1, i => i === 0 ? 'as decoding has it' : i);
slider('head', 1, i => i === 0 ? 'mean of all' : i);
draw();
</script>
)";

nlohmann::json per_mille(const ir::Array& x, int64_t from, int64_t count) {
  nlohmann::json list = nlohmann::json::array();
  for (int64_t i = from; i < from + count; ++i) list.push_back(std::lround(1000 * x.at(i)));
  return list;
}

void check(const ir::Array& weights, const ir::Dims& dims) {
  if (weights.dims() != dims)
    throw ir::GraphError(ir::concat("a page of attention needs weights of ", ir::dims_str(dims),
                                    ", found ", ir::dims_str(weights.dims())));
}

}  // namespace

std::string attention_page(const std::string& title,
                           const std::vector<AttentionSentence>& sentences) {
  nlohmann::json list = nlohmann::json::array();
  for (const AttentionSentence& s : sentences) {
    const auto rows = std::ssize(s.rows), columns = std::ssize(s.columns);
    check(s.mean, {rows, columns});
    nlohmann::json layers = nlohmann::json::array();
    for (const ir::Array& layer : s.layers) {
      if (layer.rank() != 3) check(layer, {1, rows, columns});
      check(layer, {layer.dim(0), rows, columns});
      nlohmann::json heads = nlohmann::json::array();
      for (int64_t h = 0; h < layer.dim(0); ++h)
        heads.push_back(per_mille(layer, h * rows * columns, rows * columns));
      layers.push_back(std::move(heads));
    }
    list.push_back({{"columns", s.columns},
                    {"rows", s.rows},
                    {"mean", per_mille(s.mean, 0, rows * columns)},
                    {"layers", std::move(layers)}});
  }
  // "</script>" in a token would end the script.
  std::string data = list.dump();
  for (size_t at = data.find("</"); at != data.npos; at = data.find("</", at + 3))
    data.replace(at, 2, "<\\/");
  const std::string name = xml_escaped(title);
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>" + name +
         "</title>\n<h1>" + name + "</h1>\n<script>const sentences = " + data + ";</script>\n" +
         kPage + "</html>\n";
}

}  // namespace weft::inspect
