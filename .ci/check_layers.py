#!/usr/bin/env python3
"""check_layers.py -- fails on an #include that points the wrong way.

  ir  <-  autodiff  <-  frontend  <-  models          tests may include anything
  ir  <-  backends  <-  frontend  (backends/backend.h and report.h only)

Within ir and within backends/onednn the rooms have an order too: each may include those before it.
"""
import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The longest prefix of a file's path decides what it may include.
PROJECT = {
    "ir/": ["ir/"],
    "autodiff/": ["ir/", "autodiff/"],
    "backends/": ["ir/", "backends/backend.h", "backends/report.h"],
    "backends/reference/": ["ir/", "backends/backend.h", "backends/reference/"],
    "backends/onednn/": ["ir/", "backends/backend.h", "backends/report.h", "backends/onednn/"],
    "backends/onednn/kernels/": ["backends/onednn/kernels/"],
    "frontend/": ["ir/", "autodiff/", "backends/backend.h", "backends/report.h", "frontend/"],
    "models/": ["ir/", "autodiff/", "backends/backend.h", "backends/report.h", "frontend/", "models/"],
}
# The rooms of a layer, lowest first: a file belongs to the last pattern that fits it.
ROOMS = {
    "ir/": [
        "ir/*", "ir/host/*", "ir/ops/*.h",        # the language, this machine, what ops there are
        "ir/rewrite/*",                            # making graphs
        "ir/ops/*.cpp", "ir/rules/*", "ir/text/*",  # what ops are made of, what is known of them, graphs as text
        "ir/passes/pass.*", "ir/passes/clean/*", "ir/passes/padding/*", "ir/passes/loops/*", "ir/passes/fuse/*", "ir/passes/precision/*",
        "ir/passes/pipeline.*",
    ],
    "backends/onednn/": [
        "backends/onednn/kernels/*", "backends/onednn/machine/*", "backends/onednn/plan/*",
        "backends/onednn/lower/*", "backends/onednn/run/*", "backends/onednn/report/*", "backends/onednn/backend.*",
    ],
}
# Packages, and of the system, and the only places that may know them.
PACKAGES = {
    r"dnnl|oneapi/": ["backends/onednn/"],
    r"xtensor/|xtl/": ["backends/reference/"],
    r"graphviz/": ["frontend/inspect/"],
    r"sentencepiece": ["models/data/"],
    r"sndfile|kissfft/|png\.h|jpeglib": ["models/data/"],
    r"unicode/": ["models/data/", "models/metrics/"],
    r"zip\.h|zlib\.h|zstd\.h": ["frontend/formats/"],
    r"CLI/": ["models/cli/"],
    r"omp\.h|immintrin\.h": ["backends/onednn/"],
    r"sys/mman\.h": ["ir/host/memory.cpp", "frontend/formats/mapped_file.cpp"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(layer, name):
    """The number of the room that a file of this layer is in; -1: of none that is listed."""
    return max((i for i, pattern in enumerate(ROOMS[layer]) if fnmatch.fnmatch(name, pattern)), default=-1)


def runs_back(name, header):
    return any(name.startswith(layer) and header.startswith(layer) and
               (room_of(layer, header) > room_of(layer, name) or room_of(layer, header) < 0) for layer in ROOMS)


def faults_of(path):
    name = path.relative_to(ROOT).as_posix()
    layer = max((p for p in PROJECT if name.startswith(p)), key=len)
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        if quote == '"':
            if not any(header.startswith(allowed) for allowed in PROJECT[layer]):
                yield f"{name}:{number}: {layer} may not include {header}"
            elif runs_back(name, header):
                yield f"{name}:{number}: {header} is in a room above this one's"
            continue
        if layer == "ir/" and ("/" in header or "." in header) and name != "ir/host/memory.cpp":
            yield f"{name}:{number}: ir/ includes the standard library only, not <{header}>"
        for pattern, folders in PACKAGES.items():
            if re.match(pattern, header) and not any(name.startswith(f) for f in folders):
                yield f"{name}:{number}: only {', '.join(folders)} may include <{header}>"


def main():
    files = [f for folder in ("ir", "autodiff", "backends", "frontend", "models")
             for f in sorted((ROOT / folder).rglob("*")) if f.suffix in (".h", ".cpp", ".hpp")]
    faults = [fault for f in files for fault in faults_of(f)]
    print("\n".join(faults) if faults else f"{len(files)} files include in the right direction")
    return 1 if faults else 0


sys.exit(main())
