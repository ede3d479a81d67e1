// details.js -- the panel about what is selected: what it is, where it comes from, what it costs.

const details = document.getElementById("details");

function definitions(pairs) {
  const dl = element("dl");
  for (const [name, value] of pairs)
    if (value !== undefined && value !== null && value !== "")
      dl.append(element("dt", {}, name), element("dd", {}, ...(Array.isArray(value) ? value : [value])));
  return dl;
}

// A name that leads to a node, in the pass that still has it.
function nodeLink(number, text) {
  const pass = lastSeen(number, shownPass());
  if (pass < 0) return element("span", {}, text || "#" + number);
  const node = graphAfter(pass).nodes.get(number);
  const label = text || (node.k === "node" ? node.o + " " + nameOf(node) : node.k + " " + node.o);
  return element("button", { class: "link", onclick: () => goTo(number) }, label);
}

function goTo(number) {
  const pass = lastSeen(number, shownPass());
  if (pass < 0) return;
  showTab("graph");
  if (pass !== shownPass()) setPass(pass, "after", true);
  const node = graphAfter(pass).nodes.get(number);
  reveal(node.r ? "loop" + number : "n" + number);
}

function showDetails(key) {
  const item = itemOf(key);
  if (!item) return showOverview();
  details.replaceChildren(...(item.box ? aboutNode(item.node, item) : aboutGroup(item)));
}

function showOverview() {
  const pass = data.passes[view.pass];
  const list = [element("h2", {}, pass.name), element("p", { class: "muted" }, pass.doc)];
  list.push(definitions([
    ["time", view.pass ? formatMs(pass.ms) : undefined],
    ["nodes", view.pass ? data.passes[view.pass - 1].count + " \u2192 " + pass.count : String(pass.count)],
    ["new", view.pass ? String(pass.added) : undefined],
    ["gone", view.pass ? String(pass.removed) : undefined],
    ["rewired", view.pass ? String(pass.changed) : undefined],
  ]));
  if (pass.notes.length) {
    list.push(element("h3", {}, "what it says"));
    for (const [kind, text] of pass.notes)
      list.push(element("p", { class: kind === "done" ? "" : "missed" }, (kind === "done" ? "" : "held back: ") + text));
  }
  const change = changesOf(view.pass);
  const born = [...change.added].slice(0, 40);
  if (view.pass && born.length) {
    list.push(element("h3", {}, "new nodes"));
    list.push(element("ul", {}, born.map((n) => element("li", {}, nodeLink(n)))));
    if (change.added.size > 40) list.push(element("p", { class: "muted" }, "and " + (change.added.size - 40) + " more"));
  }
  details.replaceChildren(...list);
}

function aboutNode(node, item) {
  const list = [];
  const title = node.k === "node" ? node.o : node.k + " " + nameOf(node);
  list.push(element("h2", {}, title, " ", element("span", { class: "muted" }, node.k === "node" ? nameOf(node) : "")));
  if (data.docs[node.o]) list.push(element("p", { class: "muted" }, data.docs[node.o]));
  list.push(definitions([
    ["type", element("code", {}, node.t.join(", "))],
    ["scope", node.s],
    ["your line", node.f ? element("code", { "data-what": "line" }, node.f) : undefined],
    ["part", partOf(node)],
    ["fused op", node.e ? "yes" : undefined],
  ]));
  if (node.a) {
    list.push(element("h3", {}, "attributes"));
    list.push(definitions(Object.entries(node.a).map(([k, v]) => [k, element("code", {}, v)])));
  }
  if (node.x && node.x.length) {
    list.push(element("h3", {}, "operands"));
    list.push(element("ul", {}, node.x.map(([n, r], i) => element("li", {}, element("span", { class: "muted" }, node.l[i] + ": "), nodeLink(n), r ? " result " + r : ""))));
  }
  const readers = graphAfter(shownPass()).order.filter((n) => n.x && n.x.some(([m]) => m === node.i));
  if (readers.length) {
    list.push(element("h3", {}, "read by"));
    list.push(element("ul", {}, readers.slice(0, 20).map((n) => element("li", {}, nodeLink(n.i)))));
    if (readers.length > 20) list.push(element("p", { class: "muted" }, "and " + (readers.length - 20) + " more"));
  }
  list.push(...aboutOrigin(node), ...aboutKernels(node.i));
  return list;
}

function aboutOrigin(node) {
  const list = [], birth = data.births[node.i];
  if (node.k !== "node") return list;
  list.push(element("h3", {}, "made by"));
  const pass = data.passes[birth[0]];
  list.push(element("p", { "data-what": "rule" }, element("button", { class: "link", onclick: () => setPass(birth[0]) }, pass.name),
                    birth[0] ? "" : ", your own node"));
  if (birth[1].length) {
    list.push(element("p", { class: "muted" }, "in place of " + birth[1].length + (birth[1].length === 1 ? " node:" : " nodes:")));
    list.push(element("ul", { "data-what": "fused-from" }, birth[1].slice(0, 30).map((n) => element("li", {}, nodeLink(n)))));
  }
  const origins = (node.g || []).map((g) => data.origins[g]);
  if (origins.length > 1 || (origins.length === 1 && birth[0] > 0)) {
    list.push(element("h3", {}, "stands for your " + (origins.length === 1 ? "node" : origins.length + " nodes")));
    list.push(element("ul", {}, origins.slice(0, 40).map(([op, scope, loc]) =>
      element("li", {}, op, " ", element("span", { class: "muted" }, [scope, loc].filter(Boolean).join(" "))))));
    if (origins.length > 40) list.push(element("p", { class: "muted" }, "and " + (origins.length - 40) + " more"));
  }
  return list;
}

function aboutKernels(number) {
  const kernels = kernelsOf.get(number);
  if (!kernels) return data.kernels ? [element("h3", {}, "kernel"), element("p", { class: "muted" }, "none of its own: a view, a constant, or gone before the plan")] : [];
  const list = [element("h3", {}, kernels.length === 1 ? "kernel" : "kernels")];
  for (const k of kernels) {
    const seconds = k.ms * 1e-3, rate = k.flops && k.ms ? k.flops * k.calls / seconds * 1e-9 : 0;
    const limit = limitMs(k);
    list.push(element("div", { "data-what": "kernel" }, definitions([
      ["kernel", element("b", {}, k.name)],
      ["primitive", k.impl],
      ["works for", k.nodes.length > 1 ? k.op : undefined],
      ["time", formatMs(k.ms) + (totalMs ? ", " + percent(k.ms / totalMs) + " of the run" : "")],
      ["calls", k.calls > 1 ? String(Math.round(k.calls)) : undefined],
      ["GFLOP/s", rate ? rate.toFixed(1) + (data.peak ? ", " + percent(rate / data.peak) + " of peak" : "") : undefined],
      ["GB/s", k.bytes && k.ms ? (k.bytes * k.calls / seconds * 1e-9).toFixed(1) : undefined],
      ["of its limit", limit.ms && k.ms ? percent(Math.min(1, limit.ms / k.ms)) + " (" + limit.by + ")" : undefined],
    ])));
    if (k.places) list.push(element("p", { class: "muted mono" }, k.places));
  }
  return list;
}

function aboutGroup(group) {
  const list = [element("h2", {}, groupTitle(group) || "the graph", " ", element("span", { class: "tag" }, group.kind))];
  const boxes = boxesIn(group), ops = new Map();
  for (const b of boxes) if (b.node.k === "node") ops.set(b.node.o, (ops.get(b.node.o) || 0) + 1);
  list.push(definitions([
    ["nodes", String(group.size)],
    ["part", group.part],
    ["time", group.ms > 0 ? formatMs(group.ms) + (totalMs ? ", " + percent(group.ms / totalMs) + " of the run" : "") : undefined],
    ["repeats", group.repeats ? group.repeats.length + " that hold the same" : undefined],
  ]));
  const buttons = [element("button", { onclick: () => toggle(group.key) }, view.isOpen(group) ? "collapse" : "expand")];
  if (group.repeats) {
    const first = group.repeats[0].key, all = view.unfolded.has(first);
    buttons.push(element("button", { onclick: () => {
      all ? view.unfolded.delete(first) : view.unfolded.add(first);
      draw();
      showDetails(group.key);
    } }, all ? "draw one of " + group.repeats.length : "draw all " + group.repeats.length));
  }
  list.push(element("p", {}, ...buttons));
  if (group.node) list.push(...aboutNode(group.node, group).slice(1));
  list.push(element("h3", {}, "ops"));
  list.push(element("ul", {}, [...ops].sort((a, b) => b[1] - a[1]).slice(0, 24).map(([op, n]) => element("li", {}, op, n > 1 ? element("span", { class: "muted" }, " \u00d7" + n) : ""))));
  return list;
}
