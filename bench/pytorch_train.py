"""Trains a U-ViC on CIFAR-10 in plain PyTorch by the recipe in a model file of uvic's (see hour_against_pytorch.sh).

  train INIT OUT DATA      from the weights INIT, and write their moving average as a model file for uvic
  time INIT DATA           print the seconds a step takes, as JSON
  check INIT TRAINED DATA  do what uvic did from INIT, with its random numbers, and compare with its result TRAINED
"""

import argparse
import json
import math
import os
import pathlib
import re
import time
import tomllib

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from pytorch_uvit import UVit, alpha_sigma

PAD, UNKNOWN = 0, 1
WARM = 5  # steps before those that are timed


def read_metadata(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


class Cifar10:
    """Batches of images in [-1, 1] and the word ids of "a photo of a CLASS": each image once an epoch, shuffled."""

    def __init__(self, folder, vocabulary, config, limit=None):
        self.train, self.data = config["train"], config["data"]
        content = b"".join((folder / f"data_batch_{k}.bin").read_bytes() for k in range(1, 6))
        records = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(-1, 1 + 3 * 32 * 32)[:limit]
        self.images, self.labels = records[:, 1:].view(-1, 3, 32, 32), records[:, 0].long()
        ids = {word: i for i, word in enumerate(vocabulary.split())}
        length = config["model"]["context_tokens"]
        self.captions = torch.tensor([self.encode(name, ids, length)
                                      for name in (folder / "batches.meta.txt").read_text().split()])
        self.generator = torch.Generator().manual_seed(self.train["seed"])
        self.order = torch.empty(0, dtype=torch.long)

    @staticmethod
    def encode(name, ids, length):
        words = f"a photo of {'an' if name[0] in 'aeiou' else 'a'} {name}".split()
        return ([ids.get(word, UNKNOWN) for word in words] + [PAD] * length)[:length]

    def chosen(self, share):
        return torch.rand(self.train["batch"], generator=self.generator) < share

    def next(self):
        while len(self.order) < self.train["batch"]:
            self.order = torch.cat([self.order, torch.randperm(len(self.images), generator=self.generator)])
        index, self.order = self.order.split([self.train["batch"], len(self.order) - self.train["batch"]])
        x, words = self.images[index].float() / 127.5 - 1, self.captions[self.labels[index]]
        if self.data["flip"]:
            x = torch.where(self.chosen(0.5)[:, None, None, None], x.flip(3), x)
        return x, words.masked_fill(self.chosen(self.data["drop_condition"])[:, None], PAD)


def noise_generator(seed, step):
    """uvic's generator of a step's times and noise (core/random.cpp)."""
    mask = 2**64 - 1

    def splitmix64(x):
        x = (x + 0x9E3779B97F4A7C15) & mask
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & mask
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & mask
        return x ^ (x >> 31)

    state, noise_stream = 0, 5
    for value in (seed, noise_stream, step, 0):
        state = splitmix64(state ^ splitmix64(value))
    return torch.Generator().manual_seed(state)


def orthogonalize(x):
    """Muon's five Newton-Schulz iterations on matrices [N, rows, cols]."""
    tall = x.shape[1] > x.shape[2]
    x = x.mT.contiguous() if tall else x
    x = x / (x.square().sum((1, 2), keepdim=True, dtype=torch.float32).sqrt() + 1e-7).to(x.dtype)
    for _ in range(5):
        square = x @ x.mT
        polynomial = torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, polynomial, x, beta=3.4445)
    return x.mT if tall else x


class Muon:
    """Nesterov's momentum of 0.95, orthogonal; steps of 0.2 sqrt(longer side). Matrices of one shape go together."""

    def __init__(self, matrices, weight_decay, dtype):
        self.weight_decay, self.dtype = weight_decay, dtype
        shapes = {matrix.shape: [] for matrix in matrices}
        for matrix in matrices:
            shapes[matrix.shape].append(matrix)
        self.groups = [(group, [torch.zeros_like(p) for p in group]) for group in shapes.values()]

    @torch.no_grad()
    def step(self, lr):
        for weights, momentum in self.groups:
            gradients = [p.grad for p in weights]
            torch._foreach_mul_(momentum, 0.95)
            torch._foreach_add_(momentum, gradients)
            ahead = torch._foreach_add(gradients, momentum, alpha=0.95)
            direction = orthogonalize(torch.stack(ahead).to(self.dtype)).float()
            torch._foreach_mul_(weights, 1 - lr * self.weight_decay)
            torch._foreach_add_(weights, direction.unbind(), alpha=-lr * 0.2 * math.sqrt(max(weights[0].shape)))


class Trainer:
    def __init__(self, init, data, config, mode):
        self.data, self.train, self.objective = data, config["train"], config["objective"]
        self.expect_recipe(config)
        m = config["model"]
        self.model = UVit(img_size=m["image_size"], patch_size=m["patch"], in_chans=m["channels"], embed_dim=m["dim"],
                          depth=m["depth"], num_heads=m["heads"], mlp_ratio=m["mlp_ratio"], qkv_bias=m["qkv_bias"],
                          mlp_time_embed=m["mlp_time_embed"], conv=m["conv"], skip=m["skip"], kind=m["attention"],
                          num_clip_token=m["context_tokens"], clip_dim=m["context_dim"])
        self.model.text_embed = nn.Embedding(m["vocabulary"], m["context_dim"])
        self.model.load_state_dict({name: tensor.float() for name, tensor in load_file(init).items()})
        self.call = torch.compile(self.model) if mode == "compile" else self.model
        self.average = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[self.train["precision"]]
        is_matrix = lambda name, p: p.dim() == 2 and "block" in name
        matrices = [p for name, p in self.model.named_parameters() if is_matrix(name, p)]
        others = [p for name, p in self.model.named_parameters() if not is_matrix(name, p)]
        self.muon = Muon(matrices, self.train["weight_decay"], self.dtype)
        self.adamw = torch.optim.AdamW(others, betas=(self.train["beta1"], self.train["beta2"]), eps=self.train["eps"],
                                       weight_decay=self.train["weight_decay"], fused=True)
        self.done = 0

    @staticmethod
    def expect_recipe(config):
        """Only the choices of the preset cifar10-tiny are written here."""
        expected = {"schedule": {"kind": "vp", "beta_start": 0, "beta_end": 0},
                    "objective": {"prediction": "x0", "weighting": "min-snr-v"}, "data": {"condition": "text"},
                    "model": {"end_attention": "softmax", "classes": 0},
                    "train": {"lr_decay": "cosine", "optimizer": "muon", "accumulate": 1, "ema_warmup": True}}
        for section, entries in expected.items():
            for key, value in entries.items():
                if config[section][key] != value:
                    raise SystemExit(f"{section}.{key} is {config[section][key]!r}, only {value!r} is written here")

    def learning_rate(self):
        cosine = 0.5 * (1 + math.cos(math.pi * self.done / self.train["steps"]))
        return self.train["lr"] * min(1, self.done / self.train["warmup"]) * cosine

    def loss(self):
        x0, words = self.data.next()
        generator = noise_generator(self.train["seed"], self.done)
        t = torch.rand(len(x0), generator=generator, dtype=torch.float64)
        eps = torch.randn(x0.shape, generator=generator)
        alpha, sigma = alpha_sigma(t)
        weight = (alpha / sigma).square().clamp(max=self.objective["snr_gamma"]) + 1
        alpha, sigma = (v.float()[:, None, None, None] for v in (alpha, sigma))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            x = self.call(alpha * x0 + sigma * eps, (t * 999).float(), context=self.model.text_embed(words))
        return ((x.float() - x0).square().flatten(1).mean(1) * weight.float()).mean()

    def step(self):
        self.model.zero_grad()
        loss = self.loss()
        loss.backward()
        lr = self.learning_rate()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.train["clip"], error_if_nonfinite=True)
        self.adamw.param_groups[0]["lr"] = lr
        self.adamw.step()
        self.muon.step(lr)
        self.done += 1
        keep = min(self.train["ema"], (1 + self.done) / (10 + self.done))
        torch._foreach_lerp_(list(self.average.values()), [p.detach() for p in self.model.parameters()], 1 - keep)
        return loss.item()


def save(trainer, metadata, out):
    config = re.sub(r"(?<=\[train\]\nsteps = )\d+", str(trainer.train["steps"]), metadata["uvic.config"])
    temporary = out.with_suffix(".tmp")
    save_file(trainer.average, temporary, {**metadata, "uvic.config": config, "uvic.step": str(trainer.done)})
    os.replace(temporary, out)


def train(trainer, metadata, out):
    steps, begin, losses = trainer.train["steps"], time.perf_counter(), []
    while trainer.done < steps:
        losses.append(trainer.step())
        if trainer.done % 50 == 0 or trainer.done == steps:
            rate = len(losses) * trainer.train["batch"] / (time.perf_counter() - begin)
            print(f"step {trainer.done}/{steps} loss {sum(losses) / len(losses):.4f} {rate:.1f} images/s", flush=True)
            begin, losses = time.perf_counter(), []
        if trainer.done % 1000 == 0 or trainer.done == steps:
            save(trainer, metadata, out)


def seconds_per_step(trainer, steps):
    for _ in range(WARM):
        trainer.step()
    begin = time.perf_counter()
    for _ in range(steps):
        trainer.step()
    return (time.perf_counter() - begin) / steps


def check(trainer, init, trained):
    """The averages must have gone the same way: by tensor, the difference is small beside the way."""
    for _ in range(trainer.train["steps"]):
        trainer.step()
    errors = {name: ((trainer.average[name] - after).norm() / (after - init[name]).norm()).item()
              for name, after in trained.items() if not torch.equal(after, init[name])}
    if len(errors) < len(init):
        raise SystemExit(f"{len(init) - len(errors)} tensors of the trained file are those of the initial one")
    name = max(errors, key=errors.get)
    print(f"{trainer.done} steps in PyTorch and uvic: the weights differ by {errors[name]:.1e} of their way ({name})")
    if not all(error < 5e-3 for error in errors.values()):
        raise SystemExit("the PyTorch training differs from uvic's")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "time", "check"])
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    init, *other, folder = args.files
    metadata = read_metadata(other[0] if args.what == "check" else init)
    config = tomllib.loads(metadata["uvic.config"])
    if args.what != "check":
        config["train"]["steps"] = args.steps
    data = Cifar10(folder, metadata["uvic.vocabulary"], config, limit=1 if args.what == "check" else None)
    trainer = Trainer(init, data, config, args.mode)
    if args.what == "train":
        train(trainer, metadata, other[0])
    elif args.what == "time":
        print(json.dumps({"seconds_per_step": seconds_per_step(trainer, args.steps)}))
    else:
        check(trainer, load_file(init), load_file(other[0]))


if __name__ == "__main__":
    main()
