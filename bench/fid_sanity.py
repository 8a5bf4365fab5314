"""Writes damaged copies of CIFAR-10's test images and prints the distance of each set to training images."""

import io
import json
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image, ImageFilter

IMAGES = 2000
QUIET = ["--features", "efficientnet-lite0", "--quiet"]


def read(folder, file):
    """Pixels [N, 32, 32, 3] and classes [N] of one file of the binary version."""
    records = np.fromfile(pathlib.Path(folder) / "cifar-10-batches-bin" / file, np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]


def each(change):
    return lambda images, strength: np.stack([np.asarray(change(Image.fromarray(x), strength)) for x in images])


def noised(images, deviation):
    noise = np.random.default_rng(0).normal(0, deviation, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def shuffled(images, percent):
    """Red, green and blue in another order, in a part of the images."""
    images = images.copy()
    part = len(images) * percent // 100
    images[:part] = images[:part][..., [2, 0, 1]]
    return images


DAMAGE = {"Gaussian blur, radius {} pixels": ([0.5, 1, 2], each(lambda x, r: x.filter(ImageFilter.GaussianBlur(r)))),
          "Gaussian noise, deviation {} of 255": ([4, 12, 36], noised),
          "JPEG, quality {}": ([90, 50, 10], each(jpeg)),
          "channels shuffled in {} % of the images": ([25, 50, 100], shuffled)}
CLASSES = [8, 4, 1]


def write(images, to):
    np.savez(to, arr_0=images)
    return to


def main():
    folder, scratch = sys.argv[1], pathlib.Path(sys.argv[2])
    train, _ = read(folder, "data_batch_1.bin")
    test, _ = read(folder, "test_batch.bin")
    reference = scratch / "train.npz"
    subprocess.run(["build/uvic", "stats", write(train[:IMAGES], scratch / "images.npz"), "-o", reference, *QUIET],
                   check=True, stdout=subprocess.DEVNULL)

    def row(name, images):
        output = subprocess.run(["build/uvic", "fid", write(images, scratch / "images.npz"), reference, "--json", *QUIET],
                                check=True, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL).stdout
        result = json.loads(output.splitlines()[-1])
        distance = next(iter(result["metrics"].values()))
        print(f"| {name} | {distance['value']:.2f} ± {distance['spread']:.2f} |", flush=True)

    print("| test images | distance |\n| --- | --- |")
    row("as they are", test[:IMAGES])
    for name, (strengths, change) in DAMAGE.items():
        for strength in strengths:
            row(name.format(strength), change(test[:IMAGES], strength))
    # Test images have 1,000 of a class, so the few classes come from training images behind those of the reference.
    files = [read(folder, f"data_batch_{i}.bin") for i in range(2, 6)]
    others, classes = (np.concatenate(parts) for parts in zip(*files))
    for count in CLASSES:
        kept = others[classes < count][:IMAGES]
        row(f"{count} of the 10 classes only (training images)", kept)


main()
