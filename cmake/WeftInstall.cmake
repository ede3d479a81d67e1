# cmake/WeftInstall.cmake -- `cmake --install`: the program, headers, libraries, and a package for
# find_package(weft), whose target weft::weft is all a program needs.
include_guard(GLOBAL)
include(CMakePackageConfigHelpers)

# <weft/weft.h> is the same here and where Weft is installed.
file(WRITE ${PROJECT_BINARY_DIR}/include/weft/weft.h.new
  "// weft/weft.h -- what a user includes.\n#pragma once\n#include \"frontend/api.h\"\n")
configure_file(${PROJECT_BINARY_DIR}/include/weft/weft.h.new ${PROJECT_BINARY_DIR}/include/weft/weft.h COPYONLY)

file(WRITE ${PROJECT_BINARY_DIR}/include/weft/models.h.new
  "// weft/models.h -- what a user of whole models includes.\n#pragma once\n#include \"models/models.h\"\n")
configure_file(${PROJECT_BINARY_DIR}/include/weft/models.h.new ${PROJECT_BINARY_DIR}/include/weft/models.h COPYONLY)

set(weft_libraries weft_autodiff weft_backend weft_formats weft_frontend weft_inspect weft_ir weft_kernels weft_onednn
  weft_reference weft_session)
add_library(weft_all INTERFACE)
target_include_directories(weft_all INTERFACE $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include> $<INSTALL_INTERFACE:include>)
# weft_openmp first: libdnnl must find LLVM's OpenMP runtime before any other.
target_link_libraries(weft_all INTERFACE weft_openmp ${weft_libraries})
target_compile_features(weft_all INTERFACE cxx_std_20)
set_target_properties(weft_all PROPERTIES EXPORT_NAME weft)
add_library(weft::weft ALIAS weft_all)
# Families of models, their data, training and translation: weft::models.
set(weft_model_libraries weft_data weft_families weft_measure weft_metrics weft_published weft_search weft_settings weft_training weft_translator)
add_library(weft_models INTERFACE)
target_link_libraries(weft_models INTERFACE weft_all ${weft_model_libraries})
set_target_properties(weft_models PROPERTIES EXPORT_NAME models)
add_library(weft::models ALIAS weft_models)
# The source folder must not be part of what is installed.
set_property(TARGET weft_kernels PROPERTY INTERFACE_INCLUDE_DIRECTORIES
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/weft>)

install(TARGETS weft_all weft_models weft_openmp weft_warnings ${weft_libraries} ${weft_model_libraries} EXPORT weft ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
set(weft_package ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(EXPORT weft FILE weft-targets.cmake NAMESPACE weft:: DESTINATION ${weft_package})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/weft-config.cmake.in ${PROJECT_BINARY_DIR}/weft-config.cmake
  INSTALL_DESTINATION ${weft_package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weft-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weft-config.cmake ${PROJECT_BINARY_DIR}/weft-config-version.cmake DESTINATION ${weft_package})

# The same for pkg-config: c++ x.cpp $(pkg-config --cflags --libs weft).
set(weft_pc_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH weft_pc_prefix /${weft_pc_folder} /)
string(REGEX REPLACE "/$" "" weft_pc_prefix "${weft_pc_prefix}")
set(weft_pc_libraries)
foreach(library ${weft_libraries})
  string(APPEND weft_pc_libraries ",\${libdir}/lib${library}.a")
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/weft.pc.in ${PROJECT_BINARY_DIR}/weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft.pc DESTINATION ${weft_pc_folder})

install(FILES ${PROJECT_BINARY_DIR}/include/weft/weft.h ${PROJECT_BINARY_DIR}/include/weft/models.h DESTINATION include/weft)
foreach(folder ir autodiff frontend models)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION include/weft FILES_MATCHING PATTERN "*.h" PATTERN cli EXCLUDE)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/backends/backend.h ${PROJECT_SOURCE_DIR}/backends/report.h DESTINATION include/weft/backends)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
