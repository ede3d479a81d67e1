// data.js -- what the page shows, taken out of its JSON (frontend/inspect/report_json.cpp).

const data = JSON.parse(document.getElementById("data").textContent);

// The graph after a pass: its nodes by number, in order. Made when it is first looked at.
const graphs = new Map();
function graphAfter(pass) {
  if (graphs.has(pass)) return graphs.get(pass);
  const graph = { pass, order: [], nodes: new Map(), outputs: data.passes[pass].outputs };
  const runs = data.passes[pass].nodes;
  for (let r = 0; r < runs.length; r += 2)
    for (let i = runs[r]; i < runs[r] + runs[r + 1]; ++i) {
      const node = data.nodes[i];
      graph.order.push(node);
      graph.nodes.set(node.i, node);
    }
  graphs.set(pass, graph);
  return graph;
}

const isOp = (node) => node.k === "node";
const partOf = (node) => node.p || "forward";
const nameOf = (node, result = 0) =>
  (node.n && node.n[result]) || "#" + node.i + (node.t.length > 1 ? "." + result : "");

// What became of nodes in a pass: numbers that are new, gone, or altered.
const changes = new Map();
function changesOf(pass) {
  if (changes.has(pass)) return changes.get(pass);
  const result = { added: new Set(), removed: new Set(), changed: new Set() };
  if (pass > 0) {
    const before = graphAfter(pass - 1), after = graphAfter(pass);
    for (const node of after.order) {
      if (!isOp(node)) continue;
      const old = before.nodes.get(node.i);
      if (!old) result.added.add(node.i);
      else if (old !== node && looksDifferent(old, node)) result.changed.add(node.i);
    }
    for (const node of before.order)
      if (isOp(node) && !after.nodes.has(node.i)) result.removed.add(node.i);
  }
  changes.set(pass, result);
  return result;
}
const looksDifferent = (a, b) =>
  JSON.stringify([a.a, a.t, a.x]) !== JSON.stringify([b.a, b.t, b.x]);

// Kernels by the node they work for.
const kernelsOf = new Map();
for (const kernel of data.kernels || [])
  for (const number of kernel.nodes) {
    if (!kernelsOf.has(number)) kernelsOf.set(number, []);
    kernelsOf.get(number).push(kernel);
  }
const totalMs = (data.kernels || []).reduce((sum, k) => sum + k.ms, 0);
const msOf = (number) =>
  (kernelsOf.get(number) || []).reduce((sum, k) => sum + (k.ms || 0) / k.nodes.length, 0);

// Least time the hardware could take: multiply-adds at its peak or bytes at its bandwidth.
function limitMs(kernel) {
  const byFlops = data.peak && kernel.flops ? kernel.flops / data.peak * 1e-6 : 0;
  const byBytes = data.bandwidth && kernel.bytes ? kernel.bytes / data.bandwidth * 1e-6 : 0;
  return { ms: Math.max(byFlops, byBytes) * (kernel.calls || 1), by: byFlops >= byBytes ? "FMA" : "memory" };
}

// The latest graph at or before `pass` that holds a node, for links to nodes that are gone.
function lastSeen(number, pass) {
  for (let p = pass; p >= 0; --p) if (graphAfter(p).nodes.has(number)) return p;
  for (let p = pass + 1; p < data.passes.length; ++p) if (graphAfter(p).nodes.has(number)) return p;
  return -1;
}

const formatMs = (ms) => ms >= 100 ? ms.toFixed(0) + " ms" : ms >= 1 ? ms.toFixed(2) + " ms" : (ms * 1000).toFixed(1) + " \u00b5s";
const formatBytes = (b) => b >= 1e5 ? (b / 1e6).toFixed(1) + " MB" : (b / 1e3).toFixed(1) + " kB";
const percent = (share) => (100 * share).toFixed(share < 0.1 ? 1 : 0) + " %";

// An element with attributes, text and children, HTML or SVG.
function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  return filled(e, attributes, children);
}
function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}
function filled(e, attributes, children) {
  for (const [name, value] of Object.entries(attributes))
    if (name === "onclick") e.addEventListener("click", value);
    else if (value !== undefined) e.setAttribute(name, value);
  for (const child of children.flat()) if (child !== null && child !== undefined) e.append(child);
  return e;
}
