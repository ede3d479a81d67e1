# readme_test.cmake -- the README's model is the program that package_test builds.
file(READ ${SOURCE}/README.md readme)
file(READ ${SOURCE}/tests/package/outside/bahdanau.cpp program)
string(FIND "${readme}" "${program}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "README.md does not contain tests/package/outside/bahdanau.cpp as it is")
endif()
