// canvas.js -- the graph on the screen: what is open, selected, coloured; panning and zooming.

const canvas = document.getElementById("canvas");
const camera = { x: 0, y: 0, scale: 1 };
const view = {
  pass: data.passes.length - 1,
  when: "after",
  colour: "part",
  open: new Set([""]),       // keys of open groups
  unfolded: new Set(),       // keys of first groups of repeats that are all shown
  hiddenParts: new Set(),
  selected: null,            // key of a box or group
  tree: null,
  isOpen: (group) => view.open.has(group.key),
  touches: (link) => {
    const s = view.selectedItem;
    return Boolean(s) && s.box && (link.from === s || link.to === s);
  },
  selectedItem: null,
};
let positions = new Map();  // item -> where it is on the canvas

// The pass whose result is looked at.
const shownPass = () => view.when === "before" ? Math.max(0, view.pass - 1) : view.pass;

function draw(keep) {
  const before = keep && positions.get(keep);
  view.tree = treeAfter(shownPass());
  view.selectedItem = itemOf(view.selected);
  const result = layout(view.tree, view);
  positions = new Map(result.items.map((p) => [p.item, p]));
  const scene = svg("g", { id: "scene" });
  const groups = svg("g"), links = svg("g"), boxes = svg("g");
  const change = view.colour === "change" ? changesOf(view.pass) : null;
  for (const p of result.items) if (p.open) groups.append(openGroup(p));
  for (const l of result.links) {
    const path = drawnLink(l);
    if (path) links.append(path);
  }
  for (const p of result.items)
    if (!p.open) boxes.append(p.item.box ? drawnBox(p, change) : closedGroup(p, change));
  scene.append(groups, links, boxes);
  canvas.replaceChildren(scene);
  const after = keep && positions.get(keep);
  if (before && after) {
    camera.x += (before.x - after.x) * camera.scale;
    camera.y += (before.y - after.y) * camera.scale;
  }
  view.size = result;
  place();
  drawLegend();
}

function place() {
  const scene = document.getElementById("scene");
  scene.setAttribute("transform", "translate(" + camera.x + "," + camera.y + ") scale(" + camera.scale + ")");
  scene.classList.toggle("far", camera.scale < 0.28);
}

function itemOf(key) {
  if (!key || !view.tree) return null;
  if (view.tree.groups.has(key)) return view.tree.groups.get(key);
  return key[0] === "n" ? view.tree.boxes.get(Number(key.slice(1))) || null : null;
}

// --- boxes

function fillOf(node, part, change) {
  if (change) {
    const kind = view.when === "before" ? (change.removed.has(node.i) ? "removed" : change.changed.has(node.i) ? "changed" : "quiet")
      : change.added.has(node.i) ? "added" : change.changed.has(node.i) ? "changed" : "quiet";
    return "fill-" + kind;
  }
  if (node.k === "input") return "fill-input";
  if (node.k === "carry" || node.k === "scanned") return "fill-carry";
  return "fill-" + part + (node.e ? " fused" : "");
}

// From pale to strong by the share of the whole time.
function heat(ms) {
  if (view.colour !== "time" || !totalMs) return undefined;
  const share = Math.min(1, Math.sqrt(ms / totalMs * 2));
  return "fill: color-mix(in srgb, #dc2626 " + Math.round(share * 85) + "%, var(--panel)); stroke: var(--line)";
}

function drawnBox(p, change) {
  const box = p.item, node = box.node;
  const g = svg("g", { class: "box" + (box.key === view.selected ? " selected" : ""), "data-key": box.key,
                       transform: "translate(" + p.x.toFixed(1) + "," + p.y.toFixed(1) + ")" });
  g.append(svg("rect", { class: "body " + fillOf(node, box.part, change), width: p.w.toFixed(1), height: p.h,
                         style: heat(box.ms) }));
  const middle = (p.w / 2).toFixed(1);
  const title = titleOf(box) + (node.n && node.n[0] && node.k === "node" ? " " + node.n[0] : "");
  g.append(svg("text", { class: "op", x: middle, y: 15, "text-anchor": "middle" },
               shortened(title, Math.floor(p.w / 6.4))));
  g.append(svg("text", { class: "type", x: middle, y: 28, "text-anchor": "middle" },
               shortened(node.t.join(", "), Math.floor(p.w / 5.4))));
  rowsOf(box).forEach((row, i) => {
    g.append(svg("text", { class: "row", x: 8, y: 41 + i * 13 }, row.label ? row.label + " " : "",
                 svg("tspan", { class: row.kind === "parameter" || row.kind === "state" ? "path" : "" }, row.text)));
  });
  g.append(svg("title", {}, title + ": " + node.t.join(", ") + (node.s ? "\nin " + node.s : "") + (node.f ? "\n" + node.f : "")));
  return g;
}

function knob(x, y, open, key) {
  const g = svg("g", { class: "knob", "data-knob": key, transform: "translate(" + x + "," + y + ")" });
  g.append(svg("circle", { r: 7.5 }), svg("path", { d: open ? "M-3.5 0H3.5" : "M-3.5 0H3.5M0 -3.5V3.5" }),
           svg("title", {}, open ? "collapse" : "expand"));
  return g;
}

function closedGroup(p, change) {
  const group = p.item, times = timesOf(group);
  const g = svg("g", { class: "box closed" + (group.key === view.selected ? " selected" : ""), "data-key": group.key,
                       transform: "translate(" + p.x.toFixed(1) + "," + p.y.toFixed(1) + ")" });
  if (times > 1)
    for (const shift of [6, 3])
      g.append(svg("rect", { class: "bg-" + group.part, width: p.w, height: p.h, x: shift, y: shift, rx: 6 }));
  let fill = "fill-" + group.part;
  if (change) {
    const numbers = boxesIn(group).map((b) => b.node.i);
    const marked = view.when === "before" ? change.removed : change.added;
    fill = numbers.some((n) => marked.has(n)) ? (view.when === "before" ? "fill-removed" : "fill-added")
      : numbers.some((n) => change.changed.has(n)) ? "fill-changed" : "fill-quiet";
  }
  g.append(svg("rect", { class: "back body " + fill, width: p.w.toFixed(1), height: p.h, rx: 6, style: heat(group.ms * times) }));
  g.append(svg("text", { class: "op", x: 12, y: 18 }, groupTitle(group)));
  g.append(svg("text", { class: "count", x: 12, y: 33 },
               countText(group)));
  g.append(knob(p.w - 16, 21, false, group.key));
  return g;
}

function openGroup(p) {
  const group = p.item, times = timesOf(group);
  const g = svg("g", { class: "group " + group.kind + (group.key === view.selected ? " selected" : ""), "data-key": group.key,
                       transform: "translate(" + p.x.toFixed(1) + "," + p.y.toFixed(1) + ")" });
  if (times > 1)
    g.append(svg("rect", { class: "bg-" + group.part, width: p.w, height: p.h, x: 6, y: 6 }));
  g.append(svg("rect", { class: "bg-" + group.part, width: p.w.toFixed(1), height: p.h.toFixed(1) }));
  g.append(svg("text", { class: "head", x: 12, y: 17 }, groupTitle(group)));
  g.append(knob(p.w - 14, 13, true, group.key));
  return g;
}

// --- links

function drawnLink(l) {
  const from = positions.get(l.from), to = positions.get(l.to);
  if (!from || !to) return null;
  let points = l.points ? [...l.points] : null;
  const start = [from.x + from.w / 2, from.y + from.h], end = [to.x + to.w / 2, to.y];
  const kind = l.link.kind === "recurrence" ? " recurrence" : l.link.quiet ? " quiet" : "";
  let d;
  if (l.loose || !points) {
    const bend = Math.max(40, Math.abs(end[1] - start[1]) / 3);
    const side = end[1] <= start[1] ? Math.max(60, Math.abs(end[0] - start[0]) / 3) : 0;
    d = "M" + at(start) + "C" + at([start[0] + side, start[1] + bend]) + " " + at([end[0] + side, end[1] - bend]) + " " + at(end);
  } else {
    if (l.a !== l.from) points.unshift(start);
    if (l.b !== l.to) points.push(end);
    d = "M" + at(points[0]);
    for (let i = 1; i < points.length; ++i) {
      const [x0, y0] = points[i - 1], [x1, y1] = points[i];
      const half = (y1 - y0) / 2;
      d += "C" + at([x0, y0 + half]) + " " + at([x1, y1 - half]) + " " + at([x1, y1]);
    }
  }
  const path = svg("path", { class: "edge" + kind + (l.touched ? " touched" : ""), d });
  path.append(svg("title", {}, l.link.type || ""));
  return path;
}
const at = ([x, y]) => x.toFixed(1) + "," + y.toFixed(1);

// --- opening, closing, selecting

function toggle(key) {
  const group = view.tree.groups.get(key);
  if (view.open.has(key)) {
    view.open.delete(key);
  } else {
    view.open.add(key);
    // A scope that holds one scope alone is no stop on the way.
    let inner = group;
    while (inner && inner.children.length === 1 && !inner.children[0].box) {
      inner = inner.children[0];
      view.open.add(inner.key);
    }
  }
  draw(group);
}

function select(key) {
  view.selected = key;
  const item = itemOf(key);
  const quiet = item && item.box && view.tree.links.some((l) => l.quiet && (l.from === item || l.to === item));
  if (quiet || view.hadQuiet) {
    draw(item);
  } else {
    for (const e of canvas.querySelectorAll(".selected")) e.classList.remove("selected");
    const shown = key && canvas.querySelector('[data-key="' + CSS.escape(key) + '"]');
    if (shown) shown.classList.add("selected");
    view.selectedItem = item;
  }
  view.hadQuiet = quiet;
  showDetails(key);
}

// Opens what a box stands in and puts it in the middle.
function reveal(key) {
  view.tree = treeAfter(shownPass());
  const item = itemOf(key);
  if (!item) return false;
  for (const g of ancestors(item).slice(1)) {
    view.open.add(g.key);
    view.hiddenParts.delete(g.kind === "part" ? g.part : "");
    if (g.repeats && g.repeats[0] !== g) view.unfolded.add(g.repeats[0].key);
  }
  if (!item.box && item.repeats && item.repeats[0] !== item) view.unfolded.add(item.repeats[0].key);
  view.selected = key;
  draw();
  const p = positions.get(item);
  if (p) {
    camera.scale = Math.max(camera.scale, 0.8);
    camera.x = canvas.clientWidth / 2 - (p.x + p.w / 2) * camera.scale;
    camera.y = canvas.clientHeight / 2 - (p.y + Math.min(p.h, 400) / 2) * camera.scale;
    place();
  }
  showDetails(key);
  return true;
}

// A first look: open the outermost groups as long as the picture stays small.
function openSome(limit) {
  const tree = treeAfter(shownPass());
  view.open = new Set([""]);
  let count = visibleChildren(tree.root, view).length;
  const queue = visibleChildren(tree.root, view).filter((c) => !c.box);
  while (queue.length) {
    const group = queue.shift();
    const children = visibleChildren(group, view);
    if (count + children.length > limit && group.kind !== "part") continue;
    view.open.add(group.key);
    count += children.length;
    queue.push(...children.filter((c) => !c.box));
  }
}

function fit() {
  const { width, height } = view.size;
  const w = canvas.clientWidth, h = canvas.clientHeight;
  camera.scale = Math.min(1.1, Math.max(0.05, Math.min(w / (width + 20), h / (height + 20))));
  // A tall graph is read from its top.
  if (camera.scale < 0.45) camera.scale = Math.min(1, Math.max(0.45, w / (width + 20)));
  camera.x = width * camera.scale < w ? (w - width * camera.scale) / 2 : 10;
  camera.y = height * camera.scale < h ? (h - height * camera.scale) / 2 : 10;
  place();
}

canvas.addEventListener("wheel", (e) => {
  e.preventDefault();
  if (e.shiftKey || (Math.abs(e.deltaX) > Math.abs(e.deltaY))) {
    camera.x -= e.deltaX || e.deltaY;
    return place();
  }
  const box = canvas.getBoundingClientRect();
  const x = e.clientX - box.left, y = e.clientY - box.top;
  const factor = Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0016));
  const scale = Math.min(4, Math.max(0.03, camera.scale * factor));
  camera.x = x - (x - camera.x) * scale / camera.scale;
  camera.y = y - (y - camera.y) * scale / camera.scale;
  camera.scale = scale;
  place();
}, { passive: false });

let drag = null;
canvas.addEventListener("pointerdown", (e) => {
  if (e.button !== 0) return;
  drag = { x: e.clientX, y: e.clientY, moved: false };
});
window.addEventListener("pointermove", (e) => {
  if (!drag) return;
  const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
  if (!drag.moved && Math.hypot(dx, dy) < 4) return;
  drag.moved = true;
  canvas.classList.add("dragging");
  camera.x += dx, camera.y += dy;
  drag.x = e.clientX, drag.y = e.clientY;
  place();
});
window.addEventListener("pointerup", () => {
  setTimeout(() => (drag = null), 0);
  canvas.classList.remove("dragging");
});
canvas.addEventListener("click", (e) => {
  if (drag && drag.moved) return;
  const knobAt = e.target.closest("[data-knob]");
  if (knobAt) return toggle(knobAt.dataset.knob);
  const item = e.target.closest("[data-key]");
  select(item ? item.dataset.key : null);
});
canvas.addEventListener("dblclick", (e) => {
  const item = e.target.closest("[data-key]");
  if (item && view.tree.groups.has(item.dataset.key)) toggle(item.dataset.key);
});

function drawLegend() {
  const legend = document.getElementById("legend");
  const entries = view.colour === "change"
    ? (view.when === "before" ? [["removed", "goes in this pass"]] : [["added", "new in this pass"]]).concat([["changed", "operands, type or attributes change"]])
    : view.colour === "time" ? []
    : [["forward", "forward"], ["backward", "backward"], ["optimizer", "optimizer"]];
  const colours = { forward: "var(--fw-line)", backward: "var(--bw-line)", optimizer: "var(--op-line)", added: "var(--added)", removed: "var(--removed)", changed: "var(--altered)" };
  legend.replaceChildren(...entries.map(([kind, text]) => {
    const swatch = element("i");
    swatch.style.background = colours[kind];
    return element("span", {}, swatch, text);
  }), element("span", {}, "click: details \u00b7 double click or +: open \u00b7 wheel: zoom \u00b7 drag: move"));
}
