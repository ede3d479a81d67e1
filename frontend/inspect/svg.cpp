// frontend/inspect/svg.cpp -- Graphviz lays the drawing out.
#include "frontend/inspect/drawing/dot.h"
#include "ir/error.h"

#include <graphviz/cgraph.h>
#include <graphviz/gvc.h>

#include <memory>

namespace weft::inspect {

std::string svg(const ir::Graph& graph, const DrawOptions& options) {
  const std::string text = dot(graph, options);
  agseterr(AGMAX);  // what it says of fonts is nothing a user could act on
  const std::unique_ptr<GVC_t, int (*)(GVC_t*)> context(gvContext(), gvFreeContext);
  const std::unique_ptr<Agraph_t, int (*)(Agraph_t*)> g(agmemread(text.c_str()), agclose);
  if (!context || !g) throw ir::RuntimeError("Graphviz cannot read the drawing");
  if (gvLayout(context.get(), g.get(), "dot") != 0)
    throw ir::RuntimeError(
        "Graphviz cannot lay the drawing out; is its plugin for 'dot' installed (package "
        "libgvc6)?");
  char* data = nullptr;
  unsigned length = 0;
  const int status = gvRenderData(context.get(), g.get(), "svg", &data, &length);
  const std::unique_ptr<char, void (*)(char*)> owner(data, gvFreeRenderData);
  gvFreeLayout(context.get(), g.get());
  if (status != 0 || data == nullptr)
    throw ir::RuntimeError(
        "Graphviz cannot write SVG; is its core plugin installed (package libgvc6)?");
  return {data, length};
}

}  // namespace weft::inspect
