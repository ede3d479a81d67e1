// tests/cli/page_test.cpp -- the page of weft inspect in a browser without a screen.
//
// A script added to the page clicks about and writes down what it sees. Left out, with a message,
// where there is no Chromium that starts.
#include "tests/cli/graphs.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

namespace weft::tests {
namespace {

std::string chromium() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
    if (std::system(("timeout 20 " + std::string(name) + " --version > /dev/null 2>&1").c_str()) ==
        0)
      return name;
  return {};
}

// Runs `script` on the page and returns what it put into `result`.
nlohmann::json on_page(const Folder& folder, const std::string& browser,
                       const std::string& script) {
  std::string page = folder.read("page.html");
  const std::string head =
      "<script>window.faults = [];"
      "addEventListener('error', (e) => faults.push(e.message));"
      "console.error = (...a) => faults.push(a.join(' '));</script>";
  page.insert(page.find("<style>"), head);
  const std::string tail =
      "<script>const result = {};\ntry {\n" + script +
      "\n} catch (e) { faults.push(String(e)); }\nresult.faults = faults;\n"
      "const out = document.createElement('pre'); out.id = 'result';"
      "out.textContent = JSON.stringify(result); document.body.append(out);</script>";
  page.insert(page.rfind("</body>"), tail);
  const std::string file = folder.write("driven.html", page);
  const std::string command =
      "timeout 90 " + browser +
      " --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=" +
      (folder / "profile") + " --window-size=1400,900 --dump-dom file://" + file + " 2> /dev/null";
  std::string dom;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) dom.append(buffer, n);
  pclose(pipe);
  const std::string mark = "<pre id=\"result\">";
  const size_t at = dom.rfind(mark);
  REQUIRE(at != dom.npos);
  std::string json = dom.substr(at + mark.size(), dom.find("</pre>", at) - at - mark.size());
  for (const auto& [entity, c] :
       {std::pair{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&amp;", "&"}})
    for (size_t i = 0; (i = json.find(entity, i)) != json.npos; i += 1)
      json.replace(i, std::string(entity).size(), c);
  return nlohmann::json::parse(json);
}

TEST_CASE(
    "inspect: the page opens without faults, opens scopes, shows nodes, goes through passes") {
  const std::string browser = chromium();
  if (browser.empty()) {
    MESSAGE("left out: there is no Chromium that starts (apt-get install chromium)");
    return;
  }
  Folder folder;
  const Outcome made =
      weft({"inspect", folder.write("att.ir", kAttention), "-o", folder / "page.html", "--bind",
            "B=4", "--bind", "S=6", "--bind", "D=8"});
  INFO(made.err);
  REQUIRE(made.code == 0);
  const auto r = on_page(folder, browser, R"js(
    result.boxes = document.querySelectorAll('.box').length;
    const kept = weft.data.passes.findIndex((p) => p.name === 'fuse_attention' && p.added > 0);
    document.querySelector('[data-pass="' + kept + '"]').click();
    result.pass = weft.view.pass === kept;
    const fused = weft.keys().filter((k) => k[0] === 'n').map((k) => Number(k.slice(1)))
      .find((n) => graphAfter(kept).nodes.get(n).o === 'attention');
    document.querySelector('[data-key="n' + fused + '"]').dispatchEvent(new MouseEvent('click', { bubbles: true }));
    const details = document.getElementById('details');
    result.title = details.querySelector('h2').textContent;
    result.rule = details.querySelector('[data-what="rule"]').textContent;
    result.from = details.querySelectorAll('[data-what="fused-from"] li').length;
    result.line = details.querySelector('[data-what="line"]').textContent;
    document.querySelector('[data-when="before"]').click();
    result.before = weft.keys().some((k) => k[0] === 'n' && graphAfter(kept - 1).nodes.get(Number(k.slice(1))).o === 'softmax');
    const all = weft.visible();
    for (const b of document.querySelectorAll('#parts button')) b.click();
    document.querySelector('[data-pass="' + (weft.data.passes.length - 1) + '"]').click();
    result.hidden = weft.visible();
    for (const b of document.querySelectorAll('#parts button')) b.click();
    for (const tab of ['time', 'memory', 'notes']) {
      weft.showTab(tab);
      result[tab] = document.getElementById('tab-' + tab).textContent.length;
    }
    result.places = document.querySelectorAll('#plan .place').length;
  )js");
  CHECK(r["faults"] == nlohmann::json::array());
  CHECK(r["boxes"].get<int>() > 3);
  CHECK(r["pass"] == true);
  CHECK(r["title"].get<std::string>().starts_with("attention"));
  CHECK(r["rule"] == "fuse_attention");
  CHECK(r["from"].get<int>() >= 3);
  CHECK(r["line"].get<std::string>().find("att.ir:") != std::string::npos);
  CHECK(r["before"] == true);
  CHECK(r["time"].get<int>() > 100);
  CHECK(r["memory"].get<int>() > 100);
  CHECK(r["places"].get<int>() > 0);
}

// As a deep stack is built: scopes layer/0, layer/1, ...
std::string tall_graph(int layers) {
  std::ostringstream text;
  text << "graph @tall(input %x0: f32[B,8]";
  for (int i = 0; i < layers; ++i)
    text << ", parameter %W" << i << ": f32[8,8] {path=\"layer/" << i << "/W\"}";
  text << ") -> (loss: f32[]) {\n";
  for (int i = 0; i < layers; ++i)
    text << "  %a" << i << " = matmul(%x" << i << ", %W" << i << ")  // layer/" << i << "\n"
         << "  %b" << i << " = tanh(%a" << i << ")  // layer/" << i << "\n"
         << "  %c" << i << " = sigmoid(%a" << i << ")  // layer/" << i << "/gate\n"
         << "  %d" << i << " = mul(%b" << i << ", %c" << i << ")  // layer/" << i << "/gate\n"
         << "  %x" << i + 1 << " = add(%d" << i << ", %x" << i << ")  // layer/" << i << "\n";
  text << "  %loss = sum(%x" << layers << ") {axes=[0,1]}\n  return %loss\n}\n";
  return text.str();
}

TEST_CASE(
    "inspect: a graph of thousands of nodes is on the screen at once; layers are shown once") {
  const std::string browser = chromium();
  if (browser.empty()) {
    MESSAGE("left out: there is no Chromium that starts (apt-get install chromium)");
    return;
  }
  Folder folder;
  const Outcome made = weft({"inspect", folder.write("tall.ir", tall_graph(400)), "-o",
                             folder / "page.html", "--bind", "B=4"},
                            {}, 120);
  INFO(made.err);
  REQUIRE(made.code == 0);
  const auto r = on_page(folder, browser, R"js(
    result.ready = performance.now() - started;
    weft.setPass(0);
    result.nodes = weft.data.passes.reduce((most, p) => Math.max(most, p.count), 0);
    result.drawn = weft.visible();
    const group = [...weft.view.tree.groups.values()].find((g) => g.repeats && g.repeats[0] === g && g.kind === 'scope');
    result.times = group.repeats.length;
    const start = performance.now();
    weft.reveal(group.key);
    if (!weft.view.isOpen(group)) document.querySelector('[data-knob="' + CSS.escape(group.key) + '"]').dispatchEvent(new MouseEvent('click', { bubbles: true }));
    result.open = weft.view.isOpen(group);
    weft.setPass(weft.data.passes.length - 1);
    result.took = performance.now() - start;
    const last = graphAfter(weft.view.pass).order.filter((n) => n.k === 'node' && !n.c).pop();
    weft.goTo(last.i);
    result.revealed = weft.keys().includes('n' + last.i);
  )js");
  CHECK(r["faults"] == nlohmann::json::array());
  CHECK(r["nodes"].get<int>() > 2000);
  CHECK(r["drawn"].get<int>() < 200);
  CHECK(r["times"].get<int>() > 300);
  CHECK(r["open"] == true);
  CHECK(r["revealed"] == true);
  CHECK(r["ready"].get<double>() < 2000);  // on a machine that does other things too
  CHECK(r["took"].get<double>() < 3000);
}

}  // namespace
}  // namespace weft::tests
