// tree.js -- a graph as a tree of groups (parts, scopes, loops) with boxes as leaves, and links
// between boxes.
//
// As in weft's drawings, what would only tangle the picture is a row of the box that reads it:
// constants, parameters, states. Carries and scanned inputs of a loop are boxes in it, invariants are
// what they are outside. Links that cross parts, and of values with many readers, are quiet: drawn
// for the selected box only.

const kManyReaders = 6;
const kLongGroup = 160;  // more children are put together in runs
const trees = new Map();

function treeAfter(pass) {
  if (!trees.has(pass)) trees.set(pass, new Tree(graphAfter(pass)));
  return trees.get(pass);
}

class Tree {
  constructor(graph) {
    this.graph = graph;
    this.groups = new Map();
    this.boxes = new Map();  // by number
    this.root = this.group("", "whole", null, "", "forward");
    this.hasParts = graph.order.some((n) => partOf(n) !== "forward");
    for (const node of graph.order) this.place(node);
    this.links = this.makeLinks();
    this.chunk(this.root);
    this.sign(this.root);
    this.foldRepeats(this.root);
  }

  group(key, kind, parent, title, part) {
    const found = this.groups.get(key);
    if (found) return found;
    const g = { key, kind, parent, title, part, children: [], box: false };
    this.groups.set(key, g);
    if (parent) parent.children.push(g);
    return g;
  }

  // The group a node stands in: part, then scopes below the loop it is in.
  home(node) {
    const owner = node.u === undefined ? null : this.graph.nodes.get(node.u);
    let at = this.root, rest = node.s || "";
    if (owner) {
      at = this.loopGroup(owner);
      const outer = owner.s || "";
      if (rest === outer) rest = "";
      else if (outer && rest.startsWith(outer + "/")) rest = rest.slice(outer.length + 1);
    } else if (this.hasParts) {
      const part = partOf(node);
      at = this.group("/" + part, "part", this.root, part, part);
    }
    for (const piece of rest ? rest.split("/") : [])
      if (piece) at = this.group(at.key + "/" + piece, "scope", at, piece, owner ? at.part : partOf(node));
    return at;
  }

  loopGroup(owner) {
    const key = "loop" + owner.i;
    if (this.groups.has(key)) return this.groups.get(key);
    const home = this.home(owner);
    const reverse = owner.a && owner.a.reverse === "true";
    const title = owner.o === "scan" ? (reverse ? "scan backwards" : "scan") : owner.o;
    const g = this.group(key, "loop", home, title, partOf(owner));
    g.node = owner;
    return g;
  }

  place(node) {
    if (node.r) return void this.loopGroup(node);
    if (node.k === "parameter" || node.k === "state" || node.k === "invariant" || node.k === "live") return;
    if (node.v) return;  // of a second region: a derivative of the user's own
    if (node.c !== undefined) return;
    const parent = this.home(node);
    const box = { key: "n" + node.i, node, parent, part: parent.part, rows: [], box: true,
                  order: this.boxes.size };
    parent.children.push(box);
    this.boxes.set(node.i, box);
  }

  // The box that makes a value, or what a row says of it.
  source([number, result]) {
    for (let guard = 0; guard < 1000; ++guard) {
      const node = this.graph.nodes.get(number);
      if (!node) return { row: "?" };
      if (node.y) {
        if (!node.y[result]) return { row: nameOf(node, result) };
        [number, result] = node.y[result];
      } else if (node.k === "invariant") {
        const owner = this.graph.nodes.get(node.u);
        const at = owner.r.indexOf(number);
        if (at < 0 || !owner.x[at]) return { row: nameOf(node) };
        [number, result] = owner.x[at];
      } else if (node.k === "parameter" || node.k === "state") {
        return { row: node.o, kind: node.k };
      } else if (node.c !== undefined) {
        return { row: node.c, kind: "constant" };
      } else if (node.k === "live") {
        return { row: "live rows", kind: "live" };
      } else {
        return { box: this.boxes.get(number), row: nameOf(node, result), type: node.t[result] };
      }
    }
    return { row: "?" };
  }

  makeLinks() {
    const links = [], seen = new Set(), readers = new Map();
    const link = (source, to, kind) => {
      const from = source.box;
      if (from === to) return;
      const id = from.key + ">" + to.key + kind;
      if (seen.has(id)) return;
      seen.add(id);
      links.push({ from, to, kind, type: source.type, quiet: false });
      if (kind === "data") readers.set(from, (readers.get(from) || 0) + 1);
    };
    for (const node of this.graph.order) {
      if (node.r && node.o === "scan") this.linkLoop(node, link);
      const box = this.boxes.get(node.i);
      if (!box || !node.x) continue;
      node.x.forEach((operand, i) => {
        const source = this.source(operand);
        if (source.box) link(source, box, "data");
        else box.rows.push({ label: node.l[i], text: source.row, kind: source.kind });
      });
    }
    for (const l of links)
      if (l.kind === "data")
        l.quiet = l.from.part !== l.to.part || readers.get(l.from) > kManyReaders;
    return links;
  }

  linkLoop(scan, link) {
    scan.r.forEach((number, i) => {
      const box = this.boxes.get(number);
      if (!box) return;
      const outer = scan.x[i] && this.source(scan.x[i]);
      if (outer && outer.box) link(outer, box, "data");
      else if (outer) box.rows.push({ label: "starts as", text: outer.row, kind: outer.kind });
      if (this.graph.nodes.get(number).k !== "carry") return;
      const next = this.source(scan.y[i]);
      if (next.box) link(next, box, "recurrence");
    });
  }

  // A group with very many children gets inner ones, in the graph's order.
  chunk(group) {
    for (const c of [...group.children]) if (!c.box) this.chunk(c);
    const boxes = group.children.filter((c) => c.box);
    if (boxes.length <= kLongGroup) return;
    group.children = group.children.filter((c) => !c.box);
    for (let i = 0; i < boxes.length; i += kLongGroup / 2) {
      const some = boxes.slice(i, i + kLongGroup / 2);
      const run = { key: group.key + "#" + i, kind: "run", parent: group, part: group.part, children: some,
                    title: "nodes " + (i + 1) + " to " + (i + some.length), box: false };
      this.groups.set(run.key, run);
      for (const b of some) b.parent = run;
      group.children.push(run);
    }
  }

  // What two groups have in common when they are repeats of each other; also counts boxes.
  sign(item) {
    if (item.box) {
      const a = Object.entries(item.node.a || {}).filter(([name]) => name !== "stream");
      item.sign = intern(item.node.o.replace(/^%.*/, "%") + "|" + item.node.k + item.node.t.join() + JSON.stringify(a));
      item.size = 1;
      item.first = item.order;
      item.ms = msOf(item.node.i);
      return;
    }
    item.size = 0;
    item.ms = item.node ? msOf(item.node.i) : 0;
    item.first = Infinity;
    let text = item.kind;
    for (const c of item.children) {
      this.sign(c);
      item.size += c.size;
      item.ms += c.ms;
      item.first = Math.min(item.first, c.first);
      text += "," + (c.box || c.kind === "loop" ? "" : c.title) + c.sign;
    }
    item.sign = intern(text);
  }

  foldRepeats(group) {
    const equal = new Map();
    for (const c of group.children) {
      if (c.box) continue;
      this.foldRepeats(c);
      if (c.size < 2 || c.kind === "part" || c.kind === "run") continue;
      if (!equal.has(c.sign)) equal.set(c.sign, []);
      equal.get(c.sign).push(c);
    }
    for (const list of equal.values())
      if (list.length > 1) for (const c of list) c.repeats = list;
  }
}

const interned = new Map();
function intern(text) {
  if (!interned.has(text)) interned.set(text, interned.size);
  return interned.get(text);
}

// Every box of a group, in order; the groups that repeat each other have them in the same order.
function boxesIn(group, list = []) {
  for (const c of group.children) c.box ? list.push(c) : boxesIn(c, list);
  return list;
}
