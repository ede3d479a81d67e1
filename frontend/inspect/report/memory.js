// memory.js -- the planned arena over time: places from bottom to top, steps from left to right.

function showMemory() {
  const tab = document.getElementById("tab-memory");
  if (!data.memory) return tab.replaceChildren(element("p", { class: "muted" }, "No plan was made: give sizes with --bind."));
  const plans = [["the whole graph", data.memory]];
  const visit = (memory, path) => memory.loops.forEach((l) => {
    const name = path + "loop #" + l.node[0];
    plans.push([name + ", " + formatBytes(l.memory.arena), l.memory]);
    visit(l.memory, name + " / ");
  });
  visit(data.memory, "");
  const choice = element("select", {}, plans.map(([name], i) => element("option", { value: i }, name)));
  const body = element("div");
  choice.addEventListener("change", () => showPlan(plans[choice.value][1], body));
  tab.replaceChildren(element("h2", {}, "The arena over time"), element("p", {}, choice), body);
  showPlan(data.memory, body);
}

function peakStep(memory) {
  let best = 0;
  memory.steps.forEach(([live], i) => { if (live > memory.steps[best][0]) best = i; });
  return best;
}

function showPlan(memory, body) {
  if (!memory.steps.length || !memory.allocations.length)
    return body.replaceChildren(element("p", { class: "muted" }, "Nothing lies in this arena."));
  const peak = peakStep(memory);
  body.replaceChildren(
    card(formatBytes(memory.arena), "arena"), card(formatBytes(memory.steps[peak][0]), "most in use at once, step " + peak),
    card(formatBytes(memory.without_reuse), "without reuse"), card(String(memory.written_over), "values written over an operand"),
    picture(memory, peak), element("h3", {}, "held at step " + peak), heldAt(memory, peak));
}

function picture(memory, peak) {
  const W = 1000, H = 420, steps = memory.steps.length, fills = { forward: "var(--fw-strong)", backward: "var(--bw-strong)", optimizer: "var(--op-strong)" };
  const plan = svg("svg", { id: "plan", viewBox: "-4 -14 1008 438", preserveAspectRatio: "none" });
  const x = (s) => s / steps * W, y = (b) => H - b / memory.arena * H;
  for (const a of memory.allocations) {
    const height = a.bytes / memory.arena * H;
    if (height < 0.25) continue;
    const r = svg("rect", { x: x(a.first), y: y(a.offset + a.bytes), width: x(a.last + 1 - a.first), height,
                            fill: a.kind === "value" ? fills[a.part] : "var(--line)", stroke: "var(--ground)", "stroke-width": 0.4, class: "place" });
    r.addEventListener("pointermove", (e) => tip(e, a.text + "\n" + formatBytes(a.bytes) + ", steps " + a.first + " to " + a.last));
    r.addEventListener("pointerleave", () => tip(null));
    r.addEventListener("click", () => a.node.length && goTo(a.node[0]));
    plan.append(r);
  }
  let d = "M0," + y(memory.steps[0][0]);
  memory.steps.forEach(([live], s) => { d += "H" + x(s) + "V" + y(live).toFixed(1) + "H" + x(s + 1).toFixed(1); });
  plan.append(svg("path", { d, fill: "none", stroke: "var(--text)", "stroke-width": 1.4, "vector-effect": "non-scaling-stroke", "pointer-events": "none" }));
  plan.append(svg("line", { x1: x(peak + 0.5), x2: x(peak + 0.5), y1: 0, y2: H, stroke: "var(--removed)", "stroke-dasharray": "3 3", "vector-effect": "non-scaling-stroke", "pointer-events": "none" }));
  return plan;
}

function tip(event, text) {
  let box = document.getElementById("plan-tip");
  if (!event) return void (box && box.remove());
  if (!box) document.body.append(box = element("div", { id: "plan-tip" }));
  box.textContent = text;
  box.style.left = Math.min(event.clientX + 14, innerWidth - 380) + "px";
  box.style.top = event.clientY + 14 + "px";
}

function heldAt(memory, step) {
  const held = memory.allocations.filter((a) => a.first <= step && step <= a.last).sort((a, b) => b.bytes - a.bytes);
  const table = element("table", {}, element("tr", {}, ["size", "share", "steps", "part", "what"].map((h, i) => element("th", { class: i < 2 ? "n" : "" }, h))));
  const all = memory.steps[step][0];
  for (const a of held.slice(0, 30))
    table.append(element("tr", { class: "pick", onclick: () => a.node.length && goTo(a.node[0]) },
      element("td", { class: "n" }, formatBytes(a.bytes)), element("td", { class: "n" }, percent(a.bytes / all)),
      element("td", {}, a.first + " to " + a.last), element("td", {}, a.part), element("td", {}, a.text)));
  if (held.length > 30) table.append(element("tr", {}, element("td", { colspan: 5, class: "muted" }, "and " + (held.length - 30) + " smaller ones")));
  return table;
}
