// layout.js -- where boxes go: every open group is laid out by itself, in layers from top to bottom
// (Sugiyama et al. 1981), and is then one box of the group around it.
//
//   layers       longest path; a layer too wide for the eye becomes several rows
//   order        barycentres of neighbours, swept down and up
//   coordinates  as close to the neighbours' middle as order and distances allow: isotonic
//                regression, row by row (pool adjacent violators)

const kGapX = 18, kGapY = 30, kPad = 14, kHead = 24, kWidestRow = 2400, kLongestLink = 24;

// `isOpen(group)`; `shown(link)`. Gives {items: [{item, x, y, w, h, open}], links: [{link, points}]}.
function layout(tree, view) {
  const anchors = visibleBoxes(tree, view);
  const byGroup = linksByGroup(tree, view, anchors);
  const result = { items: [], links: [], width: 0, height: 0 };
  const whole = arrange(tree.root, view, byGroup);
  emit(whole, 0, 0, result);
  result.width = whole.w;
  result.height = whole.h;
  return result;
}

// children of a group that are to be seen: copies of a folded repeat are not.
function visibleChildren(group, view) {
  return group.children.filter((c) => {
    if (!c.box && view.hiddenParts.has(c.part) && c.kind === "part") return false;
    return c.box || !c.repeats || c.repeats[0] === c || view.unfolded.has(c.repeats[0].key);
  });
}

// For each box of the graph the visible thing that stands for it.
function visibleBoxes(tree, view) {
  const stands = new Map();
  const visit = (group) => {
    for (const c of visibleChildren(group, view)) {
      if (c.box) stands.set(c, c);
      else if (view.isOpen(c)) visit(c);
      else for (const b of boxesIn(c)) stands.set(b, c);
      if (!c.box && c.repeats && c.repeats[0] === c && !view.unfolded.has(c.key)) {
        const first = boxesIn(c);
        for (const copy of c.repeats.slice(1))
          boxesIn(copy).forEach((b, i) => stands.set(b, stands.get(first[i])));
      }
    }
  };
  visit(tree.root);
  return stands;
}

function ancestors(item) {
  const list = [];
  for (let at = item; at; at = at.parent) list.push(at);
  return list;
}

// Links between visible things, by the group in which both ends have a child of their own.
function linksByGroup(tree, view, stands) {
  const byGroup = new Map(), seen = new Map();
  for (const link of tree.links) {
    if (link.quiet && !view.touches(link)) continue;
    const from = stands.get(link.from), to = stands.get(link.to);
    if (!from || !to || from === to) continue;
    const id = from.key + ">" + to.key + link.kind;
    if (seen.has(id)) {
      if (view.touches(link)) seen.get(id).touched = true;
      continue;
    }
    const a = ancestors(from), b = ancestors(to);
    let i = a.length - 1, j = b.length - 1;
    while (i > 0 && j > 0 && a[i - 1] === b[j - 1]) --i, --j;
    if (i === 0 || j === 0) continue;
    const entry = { link, from, to, a: a[i - 1], b: b[j - 1], touched: view.touches(link) };
    seen.set(id, entry);
    const group = a[i];
    if (!byGroup.has(group)) byGroup.set(group, []);
    byGroup.get(group).push(entry);
  }
  return byGroup;
}

const textWidth = (text, size) => text.length * size * 0.56;
const shortened = (text, n) => text.length > n ? text.slice(0, n - 1) + "\u2026" : text;

function boxSize(box) {
  const rows = rowsOf(box);
  const widest = Math.max(textWidth(titleOf(box), 12.5), textWidth(typeOf(box), 10), ...rows.map((r) => textWidth(r.label + " " + r.text, 10)));
  return { w: Math.max(64, Math.min(260, widest + 20)), h: 36 + rows.length * 13 };
}
const titleOf = (box) => box.node.k === "node" ? box.node.o
  : box.node.k === "input" ? nameOf(box.node)
  : box.node.k + " " + nameOf(box.node);
const typeOf = (box) => shortened(box.node.t.join(", "), 42);
function rowsOf(box) {
  const rows = [];
  const named = box.rows.filter((r) => r.kind !== "live");
  for (const r of named.slice(0, 3)) rows.push({ label: r.label, text: shortened(String(r.text), 34), kind: r.kind });
  if (named.length > 3) rows.push({ label: "", text: "and " + (named.length - 3) + " more", kind: "" });
  return rows;
}
function closedSize(group) {
  const widest = Math.max(textWidth(groupTitle(group), 13), textWidth(countText(group), 10.5));
  return { w: Math.max(110, widest + 52), h: 42 };
}
const timesOf = (group) =>
  group.repeats && group.repeats[0] === group && !view.unfolded.has(group.key) ? group.repeats.length : 1;
const countText = (group) =>
  group.size + (group.size === 1 ? " node" : " nodes") + (group.kind === "loop" ? " a step" : "") +
  (group.ms > 0 ? ", " + formatMs(group.ms * timesOf(group)) : "");
function groupTitle(group) {
  const times = timesOf(group);
  if (times === 1) return plainTitle(group);
  const last = group.repeats[times - 1];
  return plainTitle(group) + (last.title === group.title ? "" : (times === 2 ? ", " : " \u2026 ") + plainTitle(last)) + " \u00d7" + times;
}
const plainTitle = (group) => group.title + (group.kind === "loop" && group.node.a && group.node.a.steps ? ", " + group.node.a.steps + " steps" : "");

function arrange(group, view, byGroup) {
  const children = visibleChildren(group, view);
  const cells = children.map((c) => {
    if (c.box) return { item: c, ...boxSize(c) };
    if (!view.isOpen(c)) return { item: c, ...closedSize(c) };
    return { item: c, open: true, ...arrange(c, view, byGroup) };
  });
  cells.sort((a, b) => a.item.first - b.item.first);
  const links = byGroup.get(group) || [];
  const sideBySide = group.kind === "whole" && cells.every((c) => c.item.kind === "part");
  const inner = sideBySide ? besideEachOther(cells) : layered(cells, links);
  const top = group.kind === "whole" ? kPad : kHead + kPad / 2;
  return { cells, links: inner.links, x0: kPad, y0: top, w: inner.w + 2 * kPad, h: inner.h + top + kPad,
           outer: sideBySide ? links : [] };
}

function besideEachOther(cells) {
  let x = 0, h = 0;
  for (const c of cells) {
    c.x = x, c.y = 0;
    x += c.w + 3 * kGapX;
    h = Math.max(h, c.h);
  }
  return { w: Math.max(0, x - 3 * kGapX), h, links: [] };
}

function layered(cells, links) {
  const at = new Map(cells.map((c, i) => [c.item, i]));
  const down = [], back = [];
  for (const l of links) {
    const e = { u: at.get(l.a), v: at.get(l.b), entry: l };
    if (e.u === undefined || e.v === undefined) continue;
    (e.u < e.v && l.link.kind === "data" && !l.link.quiet ? down : back).push(e);
  }
  const rows = rowsByLayer(cells, down);
  const chains = addDummies(cells, rows, down, back);
  reduceCrossings(rows);
  const size = coordinates(rows);
  const placed = [];
  for (const { edge, chain } of chains) placed.push({ entry: edge.entry, chain });
  for (const e of back) placed.push({ entry: e.entry, chain: [cells[e.u], cells[e.v]], loose: true });
  return { ...size, links: placed };
}

function rowsByLayer(cells, down) {
  const layer = new Array(cells.length).fill(0), out = cells.map(() => []), into = new Array(cells.length).fill(0);
  for (const e of down) out[e.u].push(e.v), ++into[e.v];
  for (let u = 0; u < cells.length; ++u) for (const v of out[u]) layer[v] = Math.max(layer[v], layer[u] + 1);
  // What has no operand here stands just above its first reader.
  for (let u = cells.length; u-- > 0;)
    if (into[u] === 0 && out[u].length) layer[u] = Math.max(0, Math.min(...out[u].map((v) => layer[v])) - 1);
  const layers = [];
  cells.forEach((c, i) => (layers[layer[i]] = layers[layer[i]] || []).push(c));
  const rows = [];
  for (const cellsOf of layers) {
    if (!cellsOf) continue;
    let row = [], width = 0;
    for (const c of cellsOf) {
      if (row.length && width + c.w > kWidestRow) rows.push(row), row = [], width = 0;
      row.push(c);
      width += c.w + kGapX;
    }
    rows.push(row);
  }
  rows.forEach((row, r) => row.forEach((c) => (c.row = r, c.up = [], c.dn = [])));
  return rows;
}

// A link over several rows runs through dummies; a very long one is drawn loosely.
function addDummies(cells, rows, down, back) {
  const chains = [];
  for (const edge of down) {
    const a = cells[edge.u], b = cells[edge.v];
    if (b.row <= a.row || b.row - a.row > kLongestLink) {
      back.push(edge);
      continue;
    }
    const chain = [a];
    for (let r = a.row + 1; r < b.row; ++r) {
      const dummy = { dummy: true, w: 6, h: 0, row: r, up: [], dn: [] };
      rows[r].push(dummy);
      chain.push(dummy);
    }
    chain.push(b);
    for (let i = 0; i + 1 < chain.length; ++i) chain[i].dn.push(chain[i + 1]), chain[i + 1].up.push(chain[i]);
    chains.push({ edge, chain });
  }
  return chains;
}

function reduceCrossings(rows) {
  const number = () => rows.forEach((row) => row.forEach((c, i) => (c.pos = i)));
  number();
  const sweep = (row, side) => {
    for (const c of row) {
      const near = c[side];
      c.want = near.length ? near.reduce((s, n) => s + n.pos, 0) / near.length : c.pos;
    }
    row.sort((a, b) => a.want - b.want || a.pos - b.pos);
    row.forEach((c, i) => (c.pos = i));
  };
  for (let round = 0; round < 6; ++round) {
    for (let r = 1; r < rows.length; ++r) sweep(rows[r], "up");
    for (let r = rows.length - 1; r-- > 0;) sweep(rows[r], "dn");
  }
}

function coordinates(rows) {
  for (const row of rows) {
    let x = 0;
    for (const c of row) c.mid = x + c.w / 2, x += c.w + gapAfter(c);
  }
  const centre = (list) => list.reduce((s, n) => s + n.mid, 0) / list.length;
  for (let round = 0; round < 10; ++round) {
    const order = round % 2 ? [...rows.keys()].reverse() : [...rows.keys()];
    for (const r of order) {
      const row = rows[r];
      for (const c of row) {
        const near = round >= 8 ? [...c.up, ...c.dn] : round % 2 ? c.dn : c.up;
        c.want = near.length ? centre(near) : c.mid;
      }
      spread(row);
    }
  }
  let left = Infinity, right = -Infinity, y = 0;
  for (const row of rows) {
    const height = Math.max(0, ...row.map((c) => c.h));
    for (const c of row) {
      left = Math.min(left, c.mid - c.w / 2);
      right = Math.max(right, c.mid + c.w / 2);
      c.y = y + (height - c.h) / 2;
      c.top = y, c.bottom = y + height;
    }
    y += height + kGapY;
  }
  for (const row of rows) for (const c of row) c.x = c.mid - c.w / 2 - left, c.mid -= left;
  return { w: rows.length ? right - left : 0, h: Math.max(0, y - kGapY) };
}

const gapAfter = (cell) => cell.dummy ? 6 : kGapX;

// Nearest to `want` in the least squares' sense, in order and without overlap.
function spread(row) {
  const blocks = [];
  let offset = 0;
  row.forEach((c, i) => {
    if (i > 0) offset += (row[i - 1].w + c.w) / 2 + gapAfter(row[i - 1]);
    c.offset = offset;
    const weight = c.dummy ? 3 : 1;
    let block = { sum: (c.want - offset) * weight, weight, cells: [c] };
    while (blocks.length && blocks[blocks.length - 1].sum / blocks[blocks.length - 1].weight > block.sum / block.weight) {
      const last = blocks.pop();
      block = { sum: last.sum + block.sum, weight: last.weight + block.weight, cells: [...last.cells, ...block.cells] };
    }
    blocks.push(block);
  });
  for (const b of blocks) for (const c of b.cells) c.mid = b.sum / b.weight + c.offset;
}

// From positions inside groups to positions on the canvas.
function emit(part, x, y, result) {
  const x0 = x + part.x0, y0 = y + part.y0;
  for (const c of part.cells) {
    const cx = x0 + c.x, cy = y0 + c.y;
    result.items.push({ item: c.item, x: cx, y: cy, w: c.w, h: c.h, open: Boolean(c.open) });
    if (c.open) emit(c, cx, cy, result);
  }
  for (const l of part.links) {
    const chain = l.chain;
    const points = chain.map((c, i) => {
      const px = x0 + c.x + c.w / 2;
      if (i === 0) return [px, y0 + c.y + c.h];
      if (i === chain.length - 1) return [px, y0 + c.y];
      return [px, y0 + (c.top + c.bottom) / 2];
    });
    result.links.push({ ...l.entry, points, loose: l.loose });
  }
  for (const entry of part.outer) result.links.push({ ...entry, points: null, loose: true });
}
