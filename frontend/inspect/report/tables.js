// tables.js -- the list of passes; where the time goes; what was fused and what was not.

function showPasses() {
  const list = document.getElementById("passes");
  const slowest = Math.max(...data.passes.map((p) => p.ms), 1e-9);
  list.replaceChildren(...data.passes.map((pass, i) => {
    const idle = i > 0 && !pass.added && !pass.removed && !pass.changed;
    const stage = ["built", "differentiate", "append_optimizer", "plan"].includes(pass.name);
    const misses = pass.notes.filter(([kind]) => kind !== "done").length, done = pass.notes.length - misses;
    const what = i === 0 ? pass.count + " nodes" : idle ? "changes nothing" : [
      data.passes[i - 1].count + " \u2192 " + pass.count];
    const button = element("button", { class: "pass" + (idle ? " idle" : "") + (stage ? " stage" : "") + (i === view.pass ? " on" : ""),
                             "data-pass": i, title: pass.doc, onclick: () => setPass(i) },
      element("span", { class: "name" }, pass.name),
      element("span", { class: "ms" }, pass.ms ? formatMs(pass.ms) : ""),
      element("span", { class: "what" }, ...[].concat(what),
        ...(i && !idle ? [" ", element("span", { class: "plus" }, "+" + pass.added), " ",
          element("span", { class: "minus" }, "\u2212" + pass.removed), " ",
          element("span", { class: "tilde" }, "~" + pass.changed)] : []),
        ...(done ? [" \u00b7 " + done + " done"] : []),
        ...(misses ? [" \u00b7 ", element("span", { class: "missed" }, misses + " held back")] : [])));
    button.style.background = pass.ms ? "linear-gradient(to right, color-mix(in srgb, var(--accent) 13%, transparent) " +
      (100 * pass.ms / slowest).toFixed(1) + "%, transparent 0)" : "";
    return button;
  }));
}

function card(value, text) { return element("div", { class: "card" }, element("b", {}, value), element("span", {}, text)); }

let timeOrder = "ms";
function showTime() {
  const tab = document.getElementById("tab-time");
  if (!data.kernels) return tab.replaceChildren(element("p", { class: "muted" }, "Nothing was run: give sizes with --bind."));
  const rows = new Map();
  for (const k of data.kernels) {
    const key = [k.name, k.impl, k.op, k.scope, k.line].join("|");
    const row = rows.get(key) || { ...k, ms: 0, calls: 0, flops: 0, bytes: 0, limit: 0, by: {} };
    const limit = limitMs(k);
    row.ms += k.ms, row.calls += k.calls;
    row.flops += (k.flops || 0) * k.calls, row.bytes += (k.bytes || 0) * k.calls;
    row.limit += Math.min(limit.ms, k.ms);
    row.by[limit.by] = (row.by[limit.by] || 0) + limit.ms;
    rows.set(key, row);
  }
  const list = [...rows.values()];
  for (const r of list) r.lost = r.ms - r.limit;
  list.sort((a, b) => b[timeOrder] - a[timeOrder]);
  const flops = list.reduce((s, r) => s + r.flops, 0), most = Math.max(...list.map((r) => r[timeOrder]), 1e-9);
  const head = [["ms", "ms a run"], ["", ""], ["lost", "ms above its limit"], ["calls", "calls"], ["", "GFLOP/s"], ["", "of its limit"], ["", "kernel"], ["", "op"], ["", "where"]];
  const table = element("table", {}, element("tr", {}, head.map(([order, text], i) =>
    element("th", { class: i < 6 && i !== 1 ? "n" : "", onclick: () => { if (order) timeOrder = order, showTime(); } }, text + (order && order === timeOrder ? " \u25be" : "")))));
  for (const r of list.filter((r) => r.ms > totalMs * 1e-5)) {
    const rate = r.ms ? r.flops / r.ms * 1e-6 : 0, reached = r.ms ? r.limit / r.ms : 0;
    const bar = element("span", { class: "bar" + (reached < 0.6 ? " low" : "") });
    bar.style.width = (90 * r[timeOrder] / most).toFixed(1) + "px";
    table.append(element("tr", { class: "pick", onclick: () => r.nodes.length && goTo(r.nodes[r.nodes.length - 1]) },
      element("td", { class: "n" }, r.ms.toFixed(3)), element("td", {}, bar),
      element("td", { class: "n" }, r.lost.toFixed(3)),
      element("td", { class: "n" }, String(Math.round(r.calls))),
      element("td", { class: "n" }, r.flops ? rate.toFixed(1) : ""),
      element("td", { class: "n" }, r.limit ? percent(reached) + " " + (r.by.FMA > (r.by.memory || 0) ? "FMA" : "mem") : ""),
      element("td", {}, r.name, r.impl ? element("span", { class: "muted" }, " " + r.impl) : ""),
      element("td", {}, shortened(r.op, 48)), element("td", { class: "muted" }, [r.scope, r.line].filter(Boolean).join(" "))));
  }
  tab.replaceChildren(
    element("h2", {}, "Where the time goes"),
    card(formatMs(data.ms), "a run, mean of " + data.runs), card((flops * 1e-9).toFixed(2) + " GFLOP", "of matrix products a run"),
    card(data.peak ? percent(flops / data.ms * 1e-6 / data.peak) : "-", "of the FMA peak, " + data.peak.toFixed(0) + " GFLOP/s"),
    card(data.bandwidth.toFixed(0) + " GB/s", "memory bandwidth"),
    element("p", { class: "muted" }, "Times are those of a run in which every kernel is timed. A kernel's limit is the time its multiply-adds need at the peak or its operands at the bandwidth; what lies in a cache may be faster. Click a row to see its node; click a heading to sort."),
    table);
}

function showNotes() {
  const tab = document.getElementById("tab-notes");
  const rows = [];
  for (const want of ["near miss", "done"])
    data.passes.forEach((pass, i) => {
      for (const [kind, text] of pass.notes)
        if (kind === want)
          rows.push(element("div", { class: "note" },
            element("button", { class: "link", onclick: () => { showTab("graph"); setPass(i); } }, pass.name),
            element("span", { class: kind === "done" ? "done" : "near" }, kind === "done" ? "fused" : "held back"),
            element("span", {}, text)));
    });
  tab.replaceChildren(element("h2", {}, "What was fused, and what was held back"),
    rows.length ? element("div", {}, ...rows) : element("p", { class: "muted" }, "No pass had anything to say."));
}
