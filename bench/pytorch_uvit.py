"""U-ViT and U-ViC in plain PyTorch: what uvic's speed is compared with (see against_pytorch.sh).

  check DIR        compare with every U-ViT and U-ViC case of a reference folder
  train | sample   time a training step, or a sampling, and print one JSON object a line, as `uvic bench` does
"""

import argparse
import json
import math
import pathlib
import resource
import time

import torch
import torch.nn.functional as F
from torch import nn


def cog_attention(q, k, v):
    """Cog Attention (arXiv 2411.07176): sign(p) softmax(|p|), p = q k^T / sqrt(d); q, k, v [B, H, L, D]."""
    p = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return (p.sign() * p.abs().softmax(-1)) @ v


ATTENTION = {"cog": cog_attention, "softmax": F.scaled_dot_product_attention}


class Attention(nn.Module):
    def __init__(self, dim, heads, bias, kind):
        super().__init__()
        self.heads, self.attend = heads, ATTENTION[kind]
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        batch, length, dim = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(self.attend(q, k, v).transpose(1, 2).reshape(batch, length, dim))


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_ratio, bias, kind, skip):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Attention(dim, heads, bias, kind)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.skip_linear = nn.Linear(2 * dim, dim) if skip else None

    def forward(self, x, skip=None):
        if self.skip_linear is not None:
            x = self.skip_linear(torch.cat([x, skip], -1))
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def time_embedding(t, dim):
    frequencies = torch.exp(torch.arange(dim // 2, dtype=torch.float32) * -math.log(10000) / (dim // 2))
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], -1)


class PatchEmbed(nn.Module):
    def __init__(self, channels, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class UVit(nn.Module):
    """Parameters carry the names of the original state dict. kind: "softmax", or "cog" for all blocks but the ends."""

    def __init__(self, img_size=32, patch_size=2, in_chans=3, embed_dim=512, depth=12, num_heads=8, mlp_ratio=4.0,
                 qkv_bias=False, mlp_time_embed=False, num_classes=-1, clip_dim=0, num_clip_token=0, conv=True,
                 skip=True, kind="softmax", **_):
        super().__init__()
        dim, half = embed_dim, depth // 2
        self.dim, self.patch, self.side, self.channels = dim, patch_size, img_size // patch_size, in_chans
        self.patch_embed = PatchEmbed(in_chans, dim, patch_size)
        self.extras = 1 + (num_classes > 0) + num_clip_token
        self.pos_embed = nn.Parameter(torch.randn(1, self.extras + self.side**2, dim) * 0.02)
        self.time_embed = (nn.Sequential(nn.Linear(dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim))
                           if mlp_time_embed else nn.Identity())
        self.label_emb = nn.Embedding(num_classes, dim) if num_classes > 0 else None
        self.context_embed = nn.Linear(clip_dim, dim) if num_clip_token else None
        block = lambda end, skip: Block(dim, num_heads, mlp_ratio, qkv_bias, "softmax" if end else kind, skip)
        self.in_blocks = nn.ModuleList(block(i == 0, False) for i in range(half))
        self.mid_block = block(False, False)
        self.out_blocks = nn.ModuleList(block(i == half - 1, skip) for i in range(half))
        self.norm = nn.LayerNorm(dim)
        self.decoder_pred = nn.Linear(dim, patch_size**2 * in_chans)
        self.final_layer = nn.Conv2d(in_chans, in_chans, 3, padding=1) if conv else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x, t, y=None, context=None):
        tokens = [self.time_embed(time_embedding(t, self.dim).to(x.dtype))[:, None], self.patch_embed(x)]
        if context is not None:
            tokens.insert(1, self.context_embed(context))
        if y is not None:
            tokens.insert(0, self.label_emb(y)[:, None])
        x = torch.cat(tokens, 1) + self.pos_embed
        skips = []
        for block in self.in_blocks:
            x = block(x)
            skips.append(x)
        x = self.mid_block(x)
        for block in self.out_blocks:
            x = block(x, skips.pop())
        x = self.decoder_pred(self.norm(x))[:, self.extras:]
        x = x.view(-1, self.side, self.side, self.patch, self.patch, self.channels).permute(0, 5, 1, 3, 2, 4)
        return self.final_layer(x.reshape(-1, self.channels, self.side * self.patch, self.side * self.patch))


def check(folder):
    """Outputs in float64 within twice the case's fp32 tolerance; the number of cases must not be 0."""
    from safetensors.torch import load_file

    cases = [c for c in json.loads((folder / "manifest.json").read_text())["cases"] if c["kind"] == "uvit"]
    for case in cases:
        kind = "cog" if any("Cog" in name for name in case["attention_per_block(in..,mid,out..)"]) else "softmax"
        model = UVit(**case["config"]["model"], kind=kind)
        model.load_state_dict(load_file(folder / case["weights_file"]))
        tensors = load_file(folder / case["file"])
        inputs = {name: tensors[f"in.{name}"] for name in ("y", "context") if f"in.{name}" in tensors}
        inputs = {name: v.double() if v.is_floating_point() else v for name, v in inputs.items()}
        with torch.no_grad():
            y = model.double()(tensors["in.x"].double(), tensors["in.t"], **inputs)
        error = ((y - tensors["out.y"]).abs().max() / tensors["out.y"].abs().max()).item()
        print(f"{case['name']:45} relmax {error:.1e}")
        if not error < 2 * case["tolerance"]["y_relmax"]:
            raise SystemExit(f"{case['name']}: the PyTorch model differs from the reference")
    if not cases:
        raise SystemExit(f"{folder} has no case of U-ViT")


def alpha_sigma(t):
    log_alpha = -0.25 * t**2 * 19.9 - 0.05 * t  # VP, beta 0.1 to 20
    alpha = torch.exp(log_alpha)
    return alpha, (1 - alpha**2).sqrt()


def trainer(args):
    """A step as uvic's: noise, forward, backward, AdamW, EMA, of a U-ViT-S/2."""
    model = UVit(kind=args.attention)
    average = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, betas=(0.99, 0.999), weight_decay=0.03, fused=True)
    call = torch.compile(model) if args.mode == "compile" else model
    x0 = torch.randn(args.images, 3, 32, 32)

    def step():
        t, eps = torch.rand(args.images), torch.randn_like(x0)
        alpha, sigma = (v[:, None, None, None] for v in alpha_sigma(t))
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            loss = (call(alpha * x0 + sigma * eps, t * 999).float() - eps).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, list(model.parameters()), 1e-4)

    return step


def sampler(args):
    """DPM-Solver++(2M), `steps` network calls."""
    model = UVit(kind=args.attention).eval()
    call = torch.compile(model) if args.mode == "compile" else model

    @torch.no_grad()
    def draw(steps=args.steps):
        times = torch.linspace(1, 1e-3, steps + 1, dtype=torch.float64)
        x, before, h_before = torch.randn(args.images, 3, 32, 32), None, None
        for t, s in zip(times[:-1], times[1:]):
            (alpha, sigma), (alpha_s, sigma_s) = alpha_sigma(t), alpha_sigma(s)
            with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
                eps = call(x, (t * 999).float().expand(args.images))
            x0 = (x - sigma * eps.float()) / alpha
            h = torch.log(alpha_s / sigma_s) - torch.log(alpha / sigma)
            d = x0 if before is None else x0 + h / (2 * h_before) * (x0 - before)
            x = (sigma_s / sigma * x - alpha_s * torch.expm1(-h) * d).float()
            before, h_before = x0, h
        return x

    return draw


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "train", "sample"])
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("--attention", choices=ATTENTION, default="cog")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--steps", type=int, default=50)
    args = parser.parse_args()
    if args.what == "check":
        return check(args.folder)
    # One timing for every line on stdin, so that a driver can let several programs take turns.
    run = (trainer if args.what == "train" else sampler)(args)
    run() if args.what == "train" else run(steps=2)  # compiles, touches the memory
    print("ready", flush=True)
    for _ in iter(input, "stop"):
        begin = time.perf_counter()
        run()
        print(json.dumps({"ms": 1e3 * (time.perf_counter() - begin),
                          "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


if __name__ == "__main__":
    main()
