#!/usr/bin/env python3
"""Whether two runs trained the same model: losses to 1e-5, weights and their average to 1e-4 of the tensor's largest.
usage: same_training.py RUN RUN"""
import array
import json
import pathlib
import sys


def tensors(path):
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    for name, entry in json.loads(data[8:end]).items():
        if name != "__metadata__":
            begin, stop = entry["data_offsets"]
            yield name, array.array("f", data[end + begin : end + stop])


def rows(run):
    return [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]


one, other = map(pathlib.Path, sys.argv[1:])
for a, b in zip(rows(one), rows(other), strict=True):
    assert a["step"] == b["step"], f"step {a['step']} of {one}, {b['step']} of {other}"
    assert abs(a["loss"] - b["loss"]) <= 1e-5 * abs(a["loss"]), f"step {a['step']}: loss {a['loss']} and {b['loss']}"
worst = 0
for file in ["model.safetensors", "model_ema.safetensors"]:
    for (name, a), (same, b) in zip(tensors(one / "latest" / file), tensors(other / "latest" / file), strict=True):
        assert name == same and len(a) == len(b), f"{name} and {same}"
        difference = max(abs(x - y) for x, y in zip(a, b)) / (max(map(abs, a)) or 1)
        worst = max(worst, difference)
        assert difference <= 1e-4, f"{file}: {name} differs by {difference:.2g} of its largest"
print(f"{one} and {other}: the same to {worst:.1e}")
