// frontend/inspect/report_html.cpp -- the page put together: its sources and its data in one file.
#include "frontend/inspect/report.h"
#include "frontend/inspect/report_sources.h"
#include "frontend/inspect/xml.h"
#include "ir/check.h"

namespace weft::inspect {
namespace {

void put_in(std::string& page, std::string_view mark, std::string_view text) {
  const size_t at = page.find(mark);
  WEFT_CHECK(at != page.npos);
  page.replace(at, mark.size(), text);
}

// Inside a script element "</" would end it; "<\/" is the same in JSON.
std::string for_script(const std::string& json) {
  std::string s;
  for (size_t i = 0; i < json.size(); ++i) {
    s += json[i];
    if (json[i] == '<' && i + 1 < json.size() && json[i + 1] == '/') s += '\\';
    if (json[i] == '<' && i + 1 < json.size() && json[i + 1] == '!')
      s.replace(s.size() - 1, 1, "\\u003c");
  }
  return s;
}

}  // namespace

std::string report_html(const Inspection& inspection) {
  std::string page(report_sources::report_html);
  put_in(page, "{{title}}", xml_escaped(inspection.title));
  put_in(page, "{{style}}", report_sources::report_css);
  std::string script;
  for (const std::string_view file :
       {report_sources::data_js, report_sources::tree_js, report_sources::layout_js,
        report_sources::canvas_js, report_sources::details_js, report_sources::tables_js,
        report_sources::memory_js, report_sources::main_js})
    script += std::string(file) + "\n";
  put_in(page, "{{script}}", script);
  put_in(page, "{{data}}", for_script(report_json(inspection)));
  return page;
}

}  // namespace weft::inspect
