// frontend/inspect/drawing/dot.cpp -- a drawing written down in Graphviz's language.
#include "frontend/inspect/drawing/dot.h"

#include "frontend/inspect/xml.h"

#include <sstream>

namespace weft::inspect {
namespace {

constexpr size_t kLinksWithLabels = 60;  // in larger pictures the boxes say their types

struct Colours {
  const char *fill, *strong, *line, *background;
};
constexpr Colours kParts[] = {
    {"#E3EEF9", "#9CC3E8", "#2F6DA8", "#F7FAFD"},  // forward
    {"#FBE9D9", "#F3B98A", "#B4601B", "#FEFAF6"},  // backward
    {"#E2F1E2", "#A3D3A3", "#35793A", "#F6FBF6"},  // optimizer
};
const Colours& colours(ir::Part part) { return kParts[static_cast<int>(part)]; }

constexpr const char* kGrey = "#6B7280";

// Colours of rows and argument boxes, by what they are.
const char* row_colour(Row::Kind kind) {
  switch (kind) {
    case Row::Kind::attribute:
      return kGrey;
    case Row::Kind::constant:
      return "#4B5563";
    case Row::Kind::parameter:
      return "#7A3E9D";
    case Row::Kind::state:
      return "#0F766E";
    case Row::Kind::input:
      return "#8A6D00";
    case Row::Kind::reference:
      return "#1D4ED8";
  }
  return kGrey;
}

std::string font(const char* colour, int size, const std::string& text) {
  return "<font color=\"" + std::string(colour) + "\" point-size=\"" + std::to_string(size) +
         "\">" + text + "</font>";
}

std::string quoted(const std::string& text) {
  std::string s = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') s += '\\';
    if (c == '\n')
      s += "&#10;";
    else
      s += c;
  }
  return s + "\"";
}

bool is_op(const Box& b) {
  return b.kind == Box::Kind::op || b.kind == Box::Kind::fused || b.kind == Box::Kind::collapsed;
}

class Writer {
 public:
  explicit Writer(const Drawing& d) : d_(d), children_(d.groups.size()), members_(d.groups.size()) {
    for (size_t g = 1; g < d.groups.size(); ++g)
      children_[static_cast<size_t>(d.groups[g].parent)].push_back(g);
    for (size_t b = 0; b < d.boxes.size(); ++b)
      members_[static_cast<size_t>(d.boxes[b].group)].push_back(b);
    types_on_links_ = d.links.size() <= kLinksWithLabels;
  }

  std::string text() {
    out_
        << "digraph weft {\n"
        << "  graph [fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, rankdir=TB, "
           "ranksep=0.32, nodesep=0.18, "
           "compound=true, newrank=false, nslimit=2, nslimit1=2, mclimit=0.6, remincross=false, "
           "splines=true, bgcolor=white, labelloc=t, labeljust=l,\n"
        << "    label=<" << legend() << ">];\n"
        << "  node [fontname=\"Helvetica,Arial,sans-serif\", fontsize=10, shape=plain, margin=0];\n"
        << "  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=8, color=\"#6B7280\", "
           "fontcolor=\"#6B7280\", "
           "arrowsize=0.6, penwidth=0.8];\n";
    group(0, 1);
    const std::vector<int> length = lengths();
    for (size_t i = 0; i < d_.links.size(); ++i) link(d_.links[i], length[i]);
    out_ << "}\n";
    return out_.str();
  }

 private:
  std::string legend() const {
    bool parts[3] = {}, fused = false, collapsed = false, carries = false;
    bool rows[6] = {}, inputs = false;
    for (const Box& b : d_.boxes) {
      parts[static_cast<int>(b.part)] |= is_op(b);
      fused |= b.kind == Box::Kind::fused, collapsed |= b.kind == Box::Kind::collapsed;
      carries |= b.kind == Box::Kind::carry, inputs |= b.kind == Box::Kind::input;
      for (const Row& r : b.rows) rows[static_cast<int>(r.kind)] = true;
    }
    static constexpr const char* part_names[] = {"forward", "backward", "optimizer"};
    std::string cells;
    const auto swatch = [&](const char* fill, const char* line, int width,
                            const std::string& text) {
      cells += "<td bgcolor=\"" + std::string(fill) + "\" color=\"" + line + "\" border=\"" +
               std::to_string(width) + "\">" + text + "</td>";
    };
    for (int p = 0; p < 3; ++p)
      if (parts[p]) swatch(kParts[p].fill, kParts[p].line, 1, part_names[p]);
    if (fused) swatch(kParts[0].strong, kParts[0].line, 2, "<b>fused op</b>");
    if (inputs) swatch("#FFF7D6", row_colour(Row::Kind::input), 1, "input");
    if (carries) swatch("#EEF2FF", "#4F46E5", 1, "loop: carry");
    if (collapsed) swatch("#F3F4F6", kGrey, 1, "a scope, collapsed");
    static constexpr std::pair<Row::Kind, const char*> kinds[] = {
        {Row::Kind::parameter, "parameter"},
        {Row::Kind::state, "state"},
        {Row::Kind::constant, "constant"},
        {Row::Kind::reference, "value made elsewhere"}};
    for (const auto& [kind, text] : kinds)
      if (rows[static_cast<int>(kind)])
        swatch("white", "white", 0, font(row_colour(kind), 10, text));
    return "<table border=\"0\" cellborder=\"1\" cellspacing=\"6\" cellpadding=\"3\"><tr><td "
           "border=\"0\" align=\"left\">" +
           std::string("<font point-size=\"14\"><b>") + xml_escaped(d_.title) + "</b></font></td>" +
           cells + "</tr></table>";
  }

  void group(size_t index, int depth) {
    const std::string indent(static_cast<size_t>(depth) * 2, ' ');
    for (const size_t b : members_[index])
      out_ << indent << "n" << b << " [" << box(d_.boxes[b]) << "];\n";
    for (const size_t c : children_[index]) {
      if (is_empty(c)) continue;
      const Group& g = d_.groups[c];
      const Colours& k = colours(g.part);
      out_ << indent << "subgraph cluster_" << c << " {\n"
           << indent << "  label=<"
           << font(g.kind == Group::Kind::loop ? "#4F46E5" : k.line,
                   g.kind == Group::Kind::part ? 14 : 10,
                   "<b>" + xml_escaped(g.title) +
                       (g.times > 1 ? " \u00D7" + std::to_string(g.times) : "") + "</b>")
           << ">; labeljust=l; tooltip=" << quoted(xml_escaped(g.tooltip)) << ";\n"
           << indent << "  " << style(g, k) << "\n";
      group(c, depth + 1);
      out_ << indent << "}\n";
    }
  }

  static std::string style(const Group& g, const Colours& k) {
    switch (g.kind) {
      case Group::Kind::part:
        return "style=\"rounded,filled\"; fillcolor=\"" + std::string(k.background) +
               "\"; color=\"" + k.line + "\"; penwidth=1.2;";
      case Group::Kind::loop:
        return "style=\"rounded,dashed,filled\"; fillcolor=\"#F5F6FF\"; color=\"#4F46E5\"; "
               "penwidth=1.4;";
      default:
        return "style=\"rounded,filled\"; fillcolor=\"#FFFFFF90\"; color=\"#B6BCC6\"; "
               "penwidth=0.8;";
    }
  }

  bool is_empty(size_t index) const {
    if (!members_[index].empty()) return false;
    for (const size_t c : children_[index])
      if (!is_empty(c)) return false;
    return true;
  }

  std::string box(const Box& b) const {
    const Colours& k = colours(b.part);
    switch (b.kind) {
      case Box::Kind::op:
        return table(b, k.fill, k.line, 1, "");
      case Box::Kind::fused:
        return table(b, k.strong, k.line, 2, "");
      case Box::Kind::collapsed:
        return table(b, k.background, kGrey, 1, " style=\"rounded\"");
      case Box::Kind::carry:
        return table(b, "#EEF2FF", "#4F46E5", 1, " style=\"rounded\"");
      case Box::Kind::scanned:
        return table(b, "#FFFFFF", "#4F46E5", 1, " style=\"rounded\"");
      case Box::Kind::output:
        return table(b, "#FFFFFF", "#111827", 1, " style=\"rounded\"");
      default:
        return table(b, "#FFF7D6", row_colour(Row::Kind::input), 1, " style=\"rounded\"");
    }
  }

  std::string table(const Box& b, const char* fill, const char* line, int width,
                    const char* extra) const {
    std::string s = "label=<<table border=\"" + std::to_string(width) +
                    "\" cellborder=\"0\" cellspacing=\"0\" cellpadding=\"2\" bgcolor=\"" + fill +
                    "\" color=\"" + line + "\"" + extra + "><tr><td>";
    s += "<b>" + xml_escaped(b.title) + "</b>";
    if (!b.name.empty()) s += " " + font(kGrey, 9, xml_escaped(b.name));
    s += "</td></tr>";
    for (const Row& r : b.rows) {
      const std::string label = r.label.empty() ? "" : xml_escaped(r.label) + " ";
      const char* between = r.kind == Row::Kind::attribute && !r.label.empty() ? "= " : "";
      s += "<tr><td>" + (label.empty() ? "" : font(kGrey, 8, label + between)) +
           font(row_colour(r.kind), 8, xml_escaped(r.text) + " ") + "</td></tr>";
    }
    if (!b.type.empty() && (!types_on_links_ || !is_op(b)))
      s += "<tr><td>" + font("#374151", 8, xml_escaped(b.type)) + "</td></tr>";
    return s + "</table>>, tooltip=" + quoted(xml_escaped(b.tooltip));
  }

  // Many boxes that nothing reads, below one that they all read, would make a picture as wide as
  // they are many: they hang at different heights.
  std::vector<int> lengths() const {
    constexpr int kFew = 3, kHeights = 6;
    std::vector<int> leaving(d_.boxes.size()), leaves(d_.boxes.size());
    for (const Link& l : d_.links)
      if (l.kind == Link::Kind::data) ++leaving[static_cast<size_t>(l.from)];
    const auto is_leaf = [&](const Link& l) {
      return l.kind == Link::Kind::data && leaving[static_cast<size_t>(l.to)] == 0;
    };
    for (const Link& l : d_.links) leaves[static_cast<size_t>(l.from)] += is_leaf(l);
    std::vector<int> length(d_.links.size(), 1), next(d_.boxes.size());
    for (size_t i = 0; i < d_.links.size(); ++i) {
      const auto from = static_cast<size_t>(d_.links[i].from);
      if (is_leaf(d_.links[i]) && leaves[from] > kFew) length[i] = 1 + next[from]++ % kHeights;
    }
    return length;
  }

  void link(const Link& link, int length) {
    out_ << "  n" << link.from << " -> n" << link.to
         << " [tooltip=" << quoted(xml_escaped(link.type));
    if (length > 1) out_ << ", minlen=" << length;
    const bool from_argument =
        !is_op(d_.boxes[static_cast<size_t>(link.from)]);  // it says its type itself
    if (types_on_links_ && link.kind == Link::Kind::data && !from_argument)
      out_ << ", label=" << quoted(" " + xml_escaped(link.type));
    if (link.kind == Link::Kind::recurrence)
      out_ << ", constraint=false, style=dashed, color=\"#4F46E5\", edgetooltip=\"next step\"";
    out_ << "];\n";
  }

  const Drawing& d_;
  std::vector<std::vector<size_t>> children_, members_;
  bool types_on_links_ = false;
  std::ostringstream out_;
};

}  // namespace

std::string dot(const Drawing& drawing) { return Writer(drawing).text(); }
std::string dot(const ir::Graph& graph, const DrawOptions& options) {
  return dot(draw(graph, options));
}

}  // namespace weft::inspect
