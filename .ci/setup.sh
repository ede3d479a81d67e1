# .ci/setup.sh -- what ./demo and ./check share: Debian packages and the release build.
#
# To be sourced. WEFT_BUILD_DIR is where the build goes (default: build).
set -euo pipefail

build=${WEFT_BUILD_DIR:-build}
packages=(
  clang cmake ninja-build pkg-config python3
  libomp-dev libdnnl-dev ocl-icd-opencl-dev opencl-headers
  libxtensor-dev librandom123-dev
  libcli11-dev libfmt-dev libtomlplusplus-dev nlohmann-json3-dev libzip-dev zlib1g-dev libzstd-dev
  libgraphviz-dev libicu-dev libsentencepiece-dev libprotobuf-dev doctest-dev
  libsndfile1-dev libkissfft-dev libpng-dev libjpeg-dev
)
test_packages=(festlex-cmu chromium)  # a dictionary to train on, a browser for pages of weft inspect

say() { printf '\n== %s\n' "$*"; }
complain() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# install_missing PACKAGE... -- through apt, as root or with sudo.
install_missing() {
  local missing=() as_root=() p
  for p in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get > /dev/null || complain "these Debian packages are needed: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || complain "run this as root once, or install sudo; needed: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing through apt: ${missing[*]}"
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# One compiler may take 1.5 GiB.
jobs() {
  local by_memory
  by_memory=$(awk '/MemAvailable/ { print int($2 / 1572864) }' /proc/meminfo)
  local n
  n=$(nproc)
  [ "$by_memory" -lt "$n" ] && n=$by_memory
  [ "$n" -lt 1 ] && n=1
  echo "$n"
}

# configure [CMAKE OPTION...] -- a release build with clang, remembered for the next call. A compiler cache is used
# where CMAKE_CXX_COMPILER_LAUNCHER names one; a first build is twice as fast without (cmake/WeftPrecompiled.cmake).
configure() {
  say "configuring in $build/"
  local compiler=(-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++)
  [ -f "$build/CMakeCache.txt" ] && compiler=()
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${compiler[@]}" "$@" > "$build.log" 2>&1 ||
    { cat "$build.log" >&2; rm -f "$build.log"; complain "the configuration failed"; }
  rm -f "$build.log"
}

# run_tests [CTEST OPTION...] -- as many programs at a time as there are cores. Their threads share them, so
# those that have nothing to do sleep. The output goes to $build/tests.log; the last line counts.
run_tests() {
  OMP_WAIT_POLICY=passive ctest --test-dir "$build" -j "$(jobs)" --verbose "$@" 2>&1 | tee "$build/tests.log" |
    grep --line-buffered -E '^ *[0-9]+/[0-9]+ Test +#' || true
  .ci/count_tests.awk "$build/tests.log"
}
