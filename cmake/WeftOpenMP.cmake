# cmake/WeftOpenMP.cmake -- target weft_openmp: OpenMP pragmas, run by LLVM's libomp and nothing else.
#
# find_package(OpenMP) is not used: what matters here is that libomp is a direct dependency of
# whatever links Weft, so that libdnnl's OpenMP symbols bind to it and one runtime starts threads.
include_guard(GLOBAL)
find_library(WEFT_LIBOMP NAMES omp libomp.so.5
  PATHS /usr/lib/llvm-19/lib /usr/lib/llvm-18/lib /usr/lib/llvm-17/lib /usr/lib/llvm-16/lib
        /usr/lib/llvm-15/lib /usr/lib/llvm-14/lib)
if(NOT WEFT_LIBOMP)
  message(FATAL_ERROR "LLVM's OpenMP runtime is missing: apt-get install libomp-dev")
endif()
add_library(weft_openmp INTERFACE)
# Pragmas are Weft's own: who links an installed Weft, with whatever compiler, gets the library alone.
target_compile_options(weft_openmp INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-fopenmp=libomp>>)
target_link_options(weft_openmp INTERFACE
  "LINKER:--push-state,--no-as-needed" "${WEFT_LIBOMP}" "LINKER:--pop-state")
target_link_libraries(weft_openmp INTERFACE "${WEFT_LIBOMP}")
