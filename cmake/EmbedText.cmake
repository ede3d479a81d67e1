# cmake/EmbedText.cmake -- text files as constants of a header, run when one of them changes:
#   cmake -DHEADER=report_sources.h -DNAMESPACE=a::b "-DFILES=x/page.html;x/page.js" -P EmbedText.cmake
#
# page.js becomes page_js. Literals are cut into pieces: compilers need not take long ones.
set(text "// Made by cmake/EmbedText.cmake.\n#pragma once\n#include <string_view>\n\nnamespace ${NAMESPACE} {\n")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  string(REPLACE "." "_" name "${name}")
  file(READ "${file}" content)
  string(LENGTH "${content}" length)
  string(APPEND text "\ninline constexpr std::string_view ${name} =\n")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${content}" ${at} 8000 piece)
    string(APPEND text "R\"weft(${piece})weft\"\n")
    math(EXPR at "${at} + 8000")
  endwhile()
  string(APPEND text ";\n")
endforeach()
string(APPEND text "\n}  // namespace ${NAMESPACE}\n")
file(WRITE "${HEADER}" "${text}")
