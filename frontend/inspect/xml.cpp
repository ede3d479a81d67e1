// frontend/inspect/xml.cpp -- escapes.
#include "frontend/inspect/xml.h"

#include "frontend/formats/text.h"

namespace weft::inspect {

std::string xml_escaped(std::string_view text) {
  static constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string out;
  while (!text.empty()) {
    const size_t good = std::min(formats::find_malformed_utf8(text), text.size());
    for (const char c : text.substr(0, good)) {
      switch (c) {
        case '&':
          out += "&amp;";
          break;
        case '<':
          out += "&lt;";
          break;
        case '>':
          out += "&gt;";
          break;
        case '"':
          out += "&quot;";
          break;
        case '\'':
          out += "&#39;";
          break;
        case '\n':
          out += "&#10;";
          break;
        default:
          if (static_cast<unsigned char>(c) < 0x20 && c != '\t')
            out += kReplacement;
          else
            out += c;
      }
    }
    text.remove_prefix(good);
    if (!text.empty()) out += kReplacement, text.remove_prefix(1);
  }
  return out;
}

}  // namespace weft::inspect
