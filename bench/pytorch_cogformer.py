"""Cogformer in plain PyTorch: what the speed of uvic's language model is compared with (see lm_against_pytorch.sh).

  check DIR          compare with every Cogformer case of a reference folder
  train | write      time training steps, or the writing of tokens, and print one JSON object for each line read
"""

import argparse
import json
import math
import pathlib
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def cog_attention(q, k, v, mask):
    """Cog Attention (arXiv 2411.07176): sign(p) softmax(|p|), p = q k^T / sqrt(d); q, k, v [B, H, L, D]."""
    p = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    size = p.abs()
    if mask is not None:
        size = size.masked_fill(~mask, -math.inf)
    return (p.sign() * size.softmax(-1)) @ v


def softmax_attention(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, mask)


ATTENTION = {"cog": cog_attention, "softmax": softmax_attention}


class RMSNorm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rotate(x, turn):
    """Turns the pairs (2i, 2i + 1) of x [B, L, H, D] by the complex numbers turn [L, 1, D / 2]."""
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * turn).flatten(-2)


class Cache:
    """Room for the keys and values of `room` tokens of a layer."""

    def __init__(self, batch, room, heads, head_dim):
        self.keys, self.values = (torch.empty(batch, heads, room, head_dim) for _ in range(2))

    def append(self, first, k, v):
        last = first + k.shape[2]
        self.keys[:, :, first:last], self.values[:, :, first:last] = k, v
        return self.keys[:, :, :last], self.values[:, :, :last]


class Attention(nn.Module):
    def __init__(self, dim, heads, head_dim, kind):
        super().__init__()
        self.head_dim, self.attend = head_dim, ATTENTION[kind]
        self.qw, self.kw, self.vw = (nn.Parameter(torch.randn(dim, heads * head_dim) * 0.02) for _ in range(3))
        self.ow = nn.Parameter(torch.randn(heads * head_dim, dim) * 0.02)

    def forward(self, x, mask, turn, cache, first):
        q, k, v = ((x @ w).unflatten(-1, (-1, self.head_dim)) for w in (self.qw, self.kw, self.vw))
        q, k, v = rotate(q, turn).transpose(1, 2), rotate(k, turn).transpose(1, 2), v.transpose(1, 2)
        if cache is not None:
            k, v = cache.append(first, k, v)
        return self.attend(q, k, v, mask).transpose(1, 2).flatten(2) @ self.ow


class Expert(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.gw, self.pw = (nn.Parameter(torch.randn(dim, hidden) * 0.02) for _ in range(2))
        self.ow = nn.Parameter(torch.randn(hidden, dim) * 0.02)

    def forward(self, x):
        return ((x @ self.gw) * F.silu(x @ self.pw)) @ self.ow


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.shared_experts = nn.ModuleList([Expert(dim, hidden)])

    def forward(self, x):
        return self.shared_experts[0](x)


class Layer(nn.Module):
    def __init__(self, dim, heads, head_dim, hidden, eps, kind):
        super().__init__()
        self.attention, self.ffn = Attention(dim, heads, head_dim, kind), FeedForward(dim, hidden)
        self.attention_norm, self.ffn_norm = RMSNorm(dim, eps), RMSNorm(dim, eps)

    def forward(self, x, mask, turn, cache, first):
        x = x + self.attention(self.attention_norm(x), mask, turn, cache, first)
        return x + self.ffn(self.ffn_norm(x))


class Cogformer(nn.Module):
    """Parameters carry the names of the original state dict."""

    def __init__(self, vocab_size, n_layers, dim, n_heads, head_dim, hidden_dim, attention, norm_eps=1e-6,
                 max_seq_length=2048, **_):
        super().__init__()
        self.heads, self.head_dim = n_heads, head_dim
        self.embedding = nn.Embedding(vocab_size, dim)
        self.layers = nn.ModuleList(Layer(dim, n_heads, head_dim, hidden_dim, norm_eps, kind) for kind in attention)
        self.norm = RMSNorm(dim, norm_eps)
        self.output = nn.Linear(dim, vocab_size, bias=False)
        angles = torch.outer(torch.arange(max_seq_length).double(),
                             10000.0 ** (-torch.arange(head_dim // 2).double() * 2 / head_dim))
        self.turn = torch.polar(torch.ones_like(angles), angles).unsqueeze(1).to(torch.complex64)

    def forward(self, tokens, mask, caches=None, first=0):
        x = self.embedding(tokens)
        turn = self.turn[first:first + tokens.shape[1]]
        for i, layer in enumerate(self.layers):
            x = layer(x, mask, turn, caches[i] if caches else None, first)
        return self.output(self.norm(x))

    def room(self, batch, tokens):
        return [Cache(batch, tokens, self.heads, self.head_dim) for _ in self.layers]

    @torch.no_grad()
    def generate(self, prompt, count):
        """`count` greedy tokens behind prompt [1, L]."""
        length = prompt.shape[1]
        caches, new = self.room(1, length + count), []
        mask = torch.ones(length, length, dtype=torch.bool).tril()
        logits = self(prompt, mask, caches)
        for first in range(length, length + count):
            new.append(logits[:, -1].argmax(-1, keepdim=True))
            if len(new) < count:
                logits = self(new[-1], None, caches, first)
        return torch.cat(new, 1)


def document_mask(begins):
    """[B, 1, L, L] of begins [B, L] bool: a token sees those of its document up to itself."""
    number = begins.cumsum(1)
    return ((number[:, :, None] == number[:, None, :]).tril())[:, None]


def next_token_loss(logits, tokens):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


def check(folder):
    """Logits in float32 within the case's tolerance; the number of cases must not be 0."""
    from safetensors.torch import load_file

    cases = [c for c in json.loads((folder / "manifest.json").read_text())["cases"] if c["kind"] == "cogformer"]
    for case in cases:
        config, tensors = case["config"], load_file(folder / case["file"])
        model = Cogformer(**config["model"], attention=config["attention_per_layer"])
        model.load_state_dict(load_file(folder / case["file"].replace(".safetensors", ".weights.safetensors")))
        tokens, begins = tensors["in.tokens"], tensors["in.bos"].bool()

        def compare(what, got, want, tolerance):
            error = ((got.double() - want).abs().max() / want.abs().max()).item()
            print(f"{case['name']:25} {what:50} relmax {error:.1e}")
            if not error < tolerance:
                raise SystemExit(f"{case['name']}: the PyTorch model differs from the reference")

        mask, tolerance = document_mask(begins), case["tolerance"]["logits_relmax"]
        logits = model(tokens, mask)
        compare("logits", logits, tensors["out.logits"], tolerance)
        loss = next_token_loss(logits, tokens)
        compare("loss", loss, tensors["out.loss"], case["tolerance"]["loss_rel"])
        loss.backward()
        for name, p in model.named_parameters():
            if f"out.grad.{name}" in tensors:
                compare(name + "'s gradient", p.grad, tensors[f"out.grad.{name}"], case["tolerance"]["grad_relmax"])
        if "cache_chunks" not in config:
            continue
        caches, first, parts = model.room(*tokens.shape), 0, []
        with torch.no_grad():
            for count in config["cache_chunks"]:
                part = slice(first, first + count)
                parts.append(model(tokens[:, part], mask[:, :, part, :first + count], caches, first))
                first += count
        compare("logits_cached", torch.cat(parts, 1), tensors["out.logits_cached"], tolerance)
    if not cases:
        raise SystemExit(f"{folder} has no case of Cogformer")


def random_tokens(vocabulary, *shape):
    return torch.randint(vocabulary, shape, generator=torch.Generator().manual_seed(0))


def trainer(model, args):
    """A step as uvic's: forward, backward, AdamW, EMA."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, betas=(0.99, 0.999), weight_decay=0.03, fused=True)
    average = [p.detach().clone() for p in model.parameters()]
    tokens = random_tokens(args.vocabulary, args.batch, args.length)
    begins = (torch.arange(args.length) % args.document == 0).expand_as(tokens)

    def step():
        loss = next_token_loss(model(tokens, document_mask(begins)), tokens)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, list(model.parameters()), 1e-4)

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "train", "write"])
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    for name, default in dict(layers=4, dim=128, heads=2, head_dim=64, hidden=256, vocabulary=1024, batch=16,
                              length=256, document=64, prompt=32, tokens=256, rounds=1, threads=2).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.what == "check":
        return check(args.folder)
    torch.manual_seed(0)
    model = Cogformer(args.vocabulary, args.layers, args.dim, args.heads, args.head_dim, args.hidden,
                      ["softmax"] + ["cog"] * (args.layers - 2) + ["softmax"])
    if args.what == "train":
        run = trainer(model, args)
    else:
        run = lambda: model.generate(random_tokens(args.vocabulary, 1, args.prompt), args.tokens)
    # One measurement for every line on stdin, so that a driver can let several programs take turns.
    run()
    print("ready", flush=True)
    for _ in iter(sys.stdin.readline, "stop\n"):
        ms = []
        for _ in range(args.rounds):
            begin = time.perf_counter()
            run()
            ms.append(1e3 * (time.perf_counter() - begin))
        print(json.dumps({"ms": min(ms), "median_ms": statistics.median(ms)}), flush=True)


if __name__ == "__main__":
    main()
