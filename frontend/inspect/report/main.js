// main.js -- the page put together; `weft` is what tests drive it with.

const started = performance.now();

function showTab(name) {
  for (const b of document.querySelectorAll("#tabs button")) b.classList.toggle("on", b.dataset.tab === name);
  for (const t of document.querySelectorAll(".tab")) t.classList.toggle("on", t.id === "tab-" + name);
  details.hidden = name !== "graph";
  if (name === "time") showTime();
  if (name === "memory") showMemory();
  if (name === "notes") showNotes();
}

// Looks at a pass; `keep` leaves the selection to the caller.
function setPass(pass, when = view.when, keep = false) {
  const kept = itemOf(view.selected);
  view.pass = pass;
  view.when = when;
  showPasses();
  showWhen();
  showParts();
  if (keep) return draw();
  draw(kept && treeAfter(shownPass()).groups.has(kept.key) ? kept : undefined);
  if (!positions.size || !inSight()) fit();
  if (!itemOf(view.selected)) view.selected = null;
  showDetails(view.selected);
}

function inSight() {
  for (const p of positions.values()) {
    const x = camera.x + p.x * camera.scale, y = camera.y + p.y * camera.scale;
    if (x < canvas.clientWidth && y < canvas.clientHeight && x + p.w * camera.scale > 0 && y + p.h * camera.scale > 0) return true;
  }
  return false;
}

function showWhen() {
  for (const b of document.querySelectorAll("#when button")) {
    b.classList.toggle("on", b.dataset.when === view.when);
    b.disabled = view.pass === 0;
  }
}

function showParts() {
  const here = new Set(graphAfter(shownPass()).order.map(partOf));
  document.getElementById("parts").replaceChildren(...["forward", "backward", "optimizer"].filter((p) => here.size > 1 && here.has(p)).map((part) =>
    element("button", { class: view.hiddenParts.has(part) ? "" : "on", "data-part": part, onclick: () => {
      view.hiddenParts.has(part) ? view.hiddenParts.delete(part) : view.hiddenParts.add(part);
      showParts();
      draw();
      fit();
    } }, part)));
}

function find(text) {
  const box = document.getElementById("found");
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  box.hidden = !words.length;
  if (!words.length) return;
  const hits = [];
  for (const node of graphAfter(shownPass()).order) {
    const item = node.r ? view.tree.groups.get("loop" + node.i) : view.tree.boxes.get(node.i);
    if (!item) continue;
    const all = [node.o, nameOf(node), node.s || "", node.f || ""].join(" ").toLowerCase();
    if (words.every((w) => all.includes(w))) hits.push({ node, item });
    if (hits.length > 60) break;
  }
  box.replaceChildren(...hits.slice(0, 60).map(({ node, item }) =>
    element("button", { class: "pass", onclick: () => { box.hidden = true; reveal(item.key); } },
      element("span", { class: "name" }, node.o + " " + nameOf(node)), element("span", { class: "ms" }, node.f || ""),
      element("span", { class: "what" }, node.t[0] + "  " + (node.s || "")))));
  if (!hits.length) box.replaceChildren(element("p", { class: "muted", style: "padding: 4px 12px" }, "nothing has that in its name"));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("weft-theme", theme); } catch { /* a file of its own origin */ }
}

document.getElementById("title").textContent = data.title;
document.getElementById("subtitle").textContent = data.subtitle;
let theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
try { theme = localStorage.getItem("weft-theme") || theme; } catch { /* as above */ }
setTheme(theme);
document.getElementById("theme").addEventListener("click", () =>
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
for (const b of document.querySelectorAll("#tabs button")) b.addEventListener("click", () => showTab(b.dataset.tab));
for (const b of document.querySelectorAll("#when button"))
  b.addEventListener("click", () => setPass(view.pass, b.dataset.when));
document.getElementById("colour").addEventListener("change", (e) => { view.colour = e.target.value; draw(); });
document.getElementById("fit").addEventListener("click", fit);
document.getElementById("collapse").addEventListener("click", () => { view.open = new Set([""]); openSome(0); draw(); fit(); });
const search = document.getElementById("search");
search.addEventListener("input", () => find(search.value));
search.addEventListener("keydown", (e) => {
  const first = document.querySelector("#found button");
  if (e.key === "Enter" && first) first.click();
  if (e.key === "Escape") document.getElementById("found").hidden = true;
});
document.addEventListener("keydown", (e) => {
  if (e.target.tagName === "INPUT") return;
  if (e.key === "f") fit();
  if (e.key === "ArrowDown" && e.altKey && view.pass + 1 < data.passes.length) setPass(view.pass + 1);
  if (e.key === "ArrowUp" && e.altKey && view.pass > 0) setPass(view.pass - 1);
});
if (!data.kernels) document.querySelector('#colour option[value="time"]').disabled = true;

openSome(70);
showPasses();
showWhen();
showParts();
draw();
fit();
showDetails(null);
requestAnimationFrame(() => { document.documentElement.dataset.ready = (performance.now() - started).toFixed(0); });

window.weft = { data, view, select, toggle, reveal, setPass, showTab, goTo,
  visible: () => positions.size, keys: () => [...positions.keys()].map((i) => i.key) };
