"""Draws pairs of far shapes and counts what a picture as a whole must agree on: one background, and both shapes where
the caption says, alone. Pairs above each other are many rows of patches apart, pairs beside each other share rows.
usage: far_shapes.py UVIC MODEL FOLDER (prints one JSON object)"""
import json, pathlib, random, subprocess, sys

import numpy
from PIL import Image

COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128), "red": (225, 35, 40), "green": (30, 160, 65),
           "blue": (40, 75, 230), "yellow": (250, 215, 20), "purple": (140, 45, 190), "orange": (250, 130, 20), "cyan": (25, 200, 225)}
NAMES, FORMS = list(COLOURS), ["circle", "square", "triangle", "diamond"]
VERTICAL, HORIZONTAL = ["above", "below"], ["left of", "right of"]


def pairs(count):
    """Captions of two shapes of two colours that no background has; half of them above or below each other."""
    draws = random.Random(0)
    for number in range(count):
        first, second = draws.sample(NAMES[3:], 2)
        yield first, draws.choice(FORMS), draws.choice((VERTICAL, HORIZONTAL)[number % 2]), second, draws.choice(FORMS)


def judged(pixels, first, relation, second):
    palette = numpy.array(list(COLOURS.values()), float)
    nearest = ((pixels[:, :, None] - palette) ** 2).sum(-1).argmin(-1)
    ring = numpy.concatenate([nearest[0], nearest[-1], nearest[:, 0], nearest[:, -1]])
    background = numpy.bincount(ring, minlength=len(NAMES))
    shares = numpy.bincount(nearest.ravel(), minlength=len(NAMES)) / nearest.size
    a, b = NAMES.index(first), NAMES.index(second)
    one = background.max() >= 0.95 * ring.size
    # A shape of radius 0.18 to 0.22 covers 4 to 15 % of the picture.
    placed = min(shares[a], shares[b]) > 0.03 and max(shares[a], shares[b]) < 0.2
    if placed:
        axis = 0 if relation in VERTICAL else 1
        way = numpy.nonzero(nearest == b)[axis].mean() - numpy.nonzero(nearest == a)[axis].mean()
        placed = (way if relation in ("above", "left of") else -way) > 0.25 * len(pixels)
    others = 1 - shares[a] - shares[b] - shares[background.argmax()]
    return one, bool(placed), bool(one and placed and others < 0.05)


uvic, model, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
folder.mkdir(parents=True, exist_ok=True)
asked = list(pairs(200))
(folder / "prompts.txt").write_text("".join(f"a {a} {f} {r} a {b} {g}\n" for a, f, r, b, g in asked))
subprocess.run([uvic, "--quiet", "sample", "-m", model, "--prompts", str(folder / "prompts.txt"), "--out", str(folder),
                "--grid", "10x20", "--force"], check=True, stdout=subprocess.DEVNULL)
files = sorted(file for file in folder.glob("*.png") if "grid" not in file.name)
assert len(files) == len(asked), (len(files), len(asked))
marks = [judged(numpy.asarray(Image.open(file).convert("RGB"), float), a, r, b) for file, (a, f, r, b, g) in zip(files, asked)]
result = {}
for way, offset in (("vertical", 0), ("horizontal", 1)):
    for what, column in (("one background", 0), ("in place", 1), ("whole", 2)):
        result[f"{way}, {what}"] = int(sum(mark[column] for mark in marks[offset::2]))
print(json.dumps(result | {"of": len(asked) // 2}))
