#!/usr/bin/env python3
"""tests/bench/peers/read_back.py -- files that Weft writes, read by safetensors, PyTorch and NumPy.

    tests/bench/peers/read_back.py [--weft PROGRAM]      needs $PEERS_CHROOT, and to be root

Into a folder of the root file system $PEERS_CHROOT (Debian 13 with python3-safetensors, python3-torch and python3-numpy) come:
a published model that was trained further, converted and adapted; a model folder of Weft's own; npz files of `weft run`.
There each file is read by each of the libraries that know its format, and what they read is compared: with each other, and with
the tensors that the model had before where these must be the same. A checkpoint that PyTorch has written, and an adapter of it,
are read by Weft, and must translate as the safetensors files of the same tensors do. Prints a line a file, and fails at the first
that is not as it should be.
"""
import argparse
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

INSIDE = r'''
import json, pathlib, struct, sys
import numpy, torch
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.numpy import load_file as load_numpy

folder = pathlib.Path(sys.argv[1])

def safetensors(path):
    tensors, arrays = load_file(path), load_numpy(path)
    assert tensors.keys() == arrays.keys()
    for name, t in tensors.items():
        assert t.dtype == torch.bfloat16 or (t.numpy() == arrays[name]).all() or not numpy.isfinite(arrays[name]).all(), name
    with safe_open(path, framework="pt") as f:
        return tensors, f.metadata() or {}

for path in sorted(folder.rglob("*.safetensors")):
    tensors, metadata = safetensors(path)
    print(f"{path.relative_to(folder)}: {len(tensors)} tensors, {sum(t.numel() for t in tensors.values())} numbers, {len(metadata)} entries of metadata")
base, _ = safetensors(folder / "base/model.safetensors")
for name in ("tuned", "hub", "merged"):
    tensors, metadata = safetensors(folder / name / "model.safetensors")
    assert metadata.get("format") == "pt", name  # transformers refuses others
    assert tensors.keys() == base.keys(), name
    for key, t in tensors.items():
        assert t.shape == base[key].shape and t.dtype == base[key].dtype and torch.isfinite(t).all(), (name, key)
    moved = sum(not torch.equal(t, base[key]) for key, t in tensors.items())
    assert moved > 0, name
    print(f"{name}: names, shapes and types as before, {moved} of {len(tensors)} tensors moved")
tuned, hub = (safetensors(folder / n / "model.safetensors")[0] for n in ("tuned", "hub"))
assert all(torch.equal(tuned[k], hub[k]) for k in tuned)
adapter, metadata = safetensors(folder / "adapter/adapter_model.safetensors")
config = json.loads((folder / "adapter/adapter_config.json").read_text())
merged = safetensors(folder / "merged/model.safetensors")[0]
worst = 0
for key in adapter:
    if not key.endswith("lora_A.weight"):
        continue
    module = key[len("base_model.model."):-len(".lora_A.weight")] + ".weight"
    delta = adapter[key.replace("lora_A", "lora_B")].double() @ adapter[key].double() * config["lora_alpha"] / config["r"]
    worst = max(worst, (base[module].double() + delta - merged[module].double()).abs().max().item())
assert worst < 1e-6, worst
print(f"adapter: W + s B A is what was merged, to {worst:.1e}")
torch.save(tuned, folder / "torch/pytorch_model.bin")
torch.save(tuned, folder / "torch-old/pytorch_model.bin", _use_new_zipfile_serialization=False)
torch.save(adapter, folder / "torch-adapter/adapter_model.bin")
for path in sorted(folder.rglob("*.npz")):
    with numpy.load(path) as arrays:
        print(f"{path.relative_to(folder)}: " + ", ".join(f"{n} {a.dtype}{list(a.shape)}" for n, a in arrays.items()))
        assert (arrays["y"] == arrays["x"] * 2).all()
'''

CONFIG = dict(model_type="t5", vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_decoder_layers=2, num_heads=4,
              feed_forward_proj="relu", relative_attention_num_buckets=8, dropout_rate=0.1, pad_token_id=0, eos_token_id=1,
              decoder_start_token_id=0, tie_word_embeddings=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    project = pathlib.Path(__file__).resolve().parents[3]
    parser.add_argument("--weft", type=pathlib.Path, default=project / "build/models/cli/weft")
    o = parser.parse_args()
    root = pathlib.Path(os.environ.get("PEERS_CHROOT") or sys.exit("PEERS_CHROOT names no root file system"))
    sys.path.insert(0, str(project / "tests/bench"))
    import make_published
    folder = pathlib.Path(tempfile.mkdtemp(prefix="read_back.", dir=root / "tmp"))

    def run(*command, text=None):
        done = subprocess.run([str(c) for c in command], input=text, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def weft(*arguments, text=None):
        return run(o.weft.resolve(), *arguments, text=text)

    try:
        make_published.write(folder / "base", CONFIG, make_published.t5_tensors)
        (folder / "data.tsv").write_text("".join(f"{4 + i % 20} {5 + i % 17} 1\t{30 + i % 20} {31 + i % 17}\n" for i in range(64)))
        base, data = folder / "base", folder / "data.tsv"
        weft("train", "--from", base, "--data", data, "--out", folder / "tuned")
        weft("convert", folder / "tuned", "--to", "hub", "-o", folder / "hub")
        weft("convert", folder / "tuned", "--to", "weft", "-o", folder / "ours")
        weft("train", "--from", base, "--data", data, "--out", folder / "adapter", "--adapt", "rank=2")
        weft("convert", folder / "adapter", "--to", "hub", "-o", folder / "merged")
        (folder / "double.ir").write_text("graph @double(input %x: f32[2,3]) -> (y: f32[2,3], x: f32[2,3]) {"
                                          " %y = add(%x, %x) return %y, %x }\n")
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".ljust(117) + "\n"
        (folder / "x.npy").write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", 118) + header.encode() + struct.pack("<6f", *range(6)))
        weft("run", folder / "double.ir", "--inputs", folder / "x.npy", "--outputs", folder / "double.npz")
        for copy, of in (("torch", "tuned"), ("torch-old", "tuned"), ("torch-adapter", "adapter")):
            (folder / copy).mkdir()
            for name in ("config.json", "adapter_config.json"):
                if (folder / of / name).exists():
                    shutil.copy(folder / of / name, folder / copy / name)
        (folder / "read.py").write_text(INSIDE)
        inside = "/" + str(folder.relative_to(root))
        print(run("chroot", root, "env", "LD_PRELOAD=libsleef.so.3", "python3", f"{inside}/read.py", inside), end="")
        lines = "".join(f"{4 + i} {5 + i} 1\n" for i in range(8))
        wanted = weft("translate", folder / "tuned", text=lines)
        for name in ("hub", "torch", "torch-old"):
            if weft("translate", folder / name, text=lines) != wanted:
                sys.exit(f"{name}: translates otherwise than tuned")
        if weft("translate", folder / "torch-adapter", text=lines) != weft("translate", folder / "adapter", text=lines):
            sys.exit("torch-adapter: translates otherwise than adapter")
        print("what PyTorch wrote of them (zip, and its older form) translates alike")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
