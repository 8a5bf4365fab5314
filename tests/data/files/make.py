"""Writes the small files beside it with Python's own torch, numpy and pickle, for the readers in core/ to be tested on."""
import collections
import pathlib
import pickle

import numpy as np
import torch

here = pathlib.Path(__file__).parent


class Inner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)
        self.register_buffer("steps", torch.tensor(7))

    def forward(self, x):
        return self.fc(x)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(Inner(), torch.nn.BatchNorm1d(2))
        self.names = ["a", "b"]
        self.scale = torch.nn.Parameter(torch.arange(3.0))

    def forward(self, x):
        return self.layers(x * self.scale)


net = Net().eval()
with torch.no_grad():
    for p in net.parameters():
        p.copy_(torch.arange(p.numel()).reshape(p.shape) / 4)
torch.jit.script(net).save(str(here / "script.pt"))
torch.save(net, here / "whole_model.pth")
torch.save({"w": torch.arange(6.0)}, here / "legacy.pth", _use_new_zipfile_serialization=False)
mixed = {
    "w": torch.arange(6.0).reshape(2, 3).t(),
    "u16": torch.arange(5).to(torch.uint16),
    "c": torch.tensor([1 + 2j]),
    "score": np.float64(1.5),
    "rng": np.arange(3),
    "p": torch.nn.Parameter(torch.ones(2)),
}
torch.save(mixed, here / "mixed.pth")

values = {
    "n": None,
    "t": True,
    "i": -5,
    "big": 1 << 40,
    "huge": 1 << 70,
    "f": 2.5,
    "s": "\u00e9t\u00e9 \u20ac",
    "b": b"\x00\xff",
    "l": [1, [2]],
    "tup": (1, 2, 3, 4),
    "set": {3},
    "arr": np.arange(6, dtype=">i2").reshape(2, 3, order="F"),
    "f16": np.asfortranarray(np.arange(6, dtype=np.float16).reshape(2, 3)),
    "sc": np.float32(0.5),
    "ba": bytearray(b"xy"),
    "od": collections.OrderedDict(a=1),
    "flags": np.array([True, False]),
}
for protocol in range(6):
    with open(here / f"protocol{protocol}.pkl", "wb") as file:
        pickle.dump(values, file, protocol=protocol)

np.savez(
    here / "plain.npz",
    mu=np.arange(3.0),
    sigma=np.eye(2, order="F"),
    b=np.array([True, False]),
    be=np.arange(3, dtype=">f4"),
    name=np.array("x"),
    scalar=np.float64(2),
)
np.savez_compressed(here / "compressed.npz", z=np.zeros((100, 100)), i=np.arange(4, dtype=np.uint8))
np.save(here / "fortran.npy", np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)))
np.save(here / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
