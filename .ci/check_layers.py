#!/usr/bin/env python3
"""check_layers.py -- fails on an #include that points the wrong way.

  ir  <-  autodiff  <-  frontend  <-  models          tests may include anything
  ir  <-  backends  <-  frontend  (backends/backend.h and report.h only)
"""
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
# Packages, and of the system, and the only places that may know them.
PACKAGES = {
    r"dnnl|oneapi/": ["backends/onednn/"],
    r"xtensor/|xtl/": ["backends/reference/"],
    r"graphviz/": ["frontend/inspect/"],
    r"sentencepiece": ["models/data/"],
    r"unicode/": ["models/metrics/"],
    r"zip\.h": ["frontend/formats/"],
    r"CLI/": ["models/cli/"],
    r"omp\.h|immintrin\.h": ["backends/onednn/"],
    r"sys/mman\.h": ["ir/host/memory.cpp"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


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
