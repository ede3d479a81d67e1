// frontend/inspect/xml.h -- text made fit for XML and for Graphviz's HTML-like labels.
#pragma once
#include <string>
#include <string_view>

namespace weft::inspect {

// &, <, >, quotes escaped; control characters, which XML 1.0 has no spelling for, become U+FFFD.
std::string xml_escaped(std::string_view text);

}  // namespace weft::inspect
