# cmake/WeftPrecompiled.cmake -- headers that most files read are parsed once for all of them.
#
#   weft_precompile(weft_ir ${weft_headers})          parses these headers for the target
#   weft_precompile(weft_autodiff FROM weft_ir)       uses what was parsed for another, built with the same flags
#
# Nothing depends on it: every file includes what it needs. A build through a compiler cache leaves it
# out, because a cache would have to keep the parsed headers' 20 MB with every file.
include_guard(GLOBAL)
set(default ON)
if(CMAKE_CXX_COMPILER_LAUNCHER)
  set(default OFF)
endif()
option(WEFT_PRECOMPILED_HEADERS "Parse common headers once" ${default})

set(weft_standard_headers
  <algorithm> <array> <charconv> <cmath> <cstdint> <cstdio> <cstdlib> <cstring> <functional> <limits> <map> <memory>
  <numeric> <optional> <set> <span> <string> <string_view> <tuple> <unordered_map> <utility> <variant> <vector>)
set(weft_headers ${weft_standard_headers} [["ir/graph.h"]])

function(weft_precompile target)
  if(NOT WEFT_PRECOMPILED_HEADERS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 given "" FROM "")
  if(given_FROM)
    target_precompile_headers(${target} REUSE_FROM ${given_FROM})
  else()
    target_precompile_headers(${target} PRIVATE ${given_UNPARSED_ARGUMENTS})
  endif()
endfunction()
