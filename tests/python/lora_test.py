"""Adapters of uvic in Hugging Face's PEFT, and PEFT's in uvic: the same numbers on modules of the same names.

usage: lora_test.py UVIC    (exit code 77: the packages are not there)
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from safetensors.torch import load_file
except ImportError as missing:
    print(f"skipped: {missing}; `pip install torch peft` into the Python that UVIC_PYTHON names")
    sys.exit(77)

TOLERANCE = 1e-6
BLOCK_MATRICES = ("qkv", "proj", "fc1", "fc2", "skip_linear")


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def linears(weights):
    """Modules with the names of a U-ViT's linear layers, and its weights."""
    root = torch.nn.Module()
    for name, weight in weights.items():
        path = name.split(".")
        if path.pop() != "weight" or weight.dim() != 2 or path[-1].endswith("_embed") and path[-1] != "context_embed":
            continue
        parent = root
        for part in path[:-1]:
            if part not in dict(parent.named_children()):
                parent.add_module(part, torch.nn.Module())
            parent = parent.get_submodule(part)
        bias = weights.get(".".join(path) + ".bias")
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        layer.weight.data = weight.clone()
        if bias is not None:
            layer.bias.data = bias.clone()
        parent.add_module(path[-1], layer)
    return root


def expect_close(what, got, want):
    error = max((got[name] - want[name]).abs().max().item() for name in want)
    print(f"{what}: {error:.1e}")
    assert want and got.keys() >= want.keys() and error < TOLERANCE, what


def outputs(module, prefix=""):
    """What each of the adapted layers makes of the same rows."""
    rows = {}
    for name, layer in module.named_modules():
        if name.split(".")[-1] in BLOCK_MATRICES and hasattr(layer, "in_features"):
            x = torch.randn(3, layer.in_features, generator=torch.Generator().manual_seed(layer.in_features))
            with torch.no_grad():
                rows[name.removeprefix(prefix)] = layer(x)
    return rows


def ours_in_peft(uvic, folder, base):
    run(uvic, "train", "--quiet", "--init", folder / "base.safetensors", "--lora.rank", 3, "--lora.alpha", 2, "--lr", 0.05,
        "--train.warmup", 0, "--steps", 5, "--output.sample_every", 0, "--out", folder, "--name", "adapted")
    adapted = folder / "00001-adapted"
    run(uvic, "convert", "--quiet", adapted, folder / "peft", "--peft")
    run(uvic, "convert", "--quiet", adapted, folder / "merged.safetensors", "--merge")
    merged = load_file(folder / "merged.safetensors")
    changed = {name for name in base if not torch.equal(base[name], merged[name])}
    assert changed == {name for name in base if name.removesuffix(".weight").split(".")[-1] in BLOCK_MATRICES
                       and base[name].dim() == 2}, changed

    theirs = PeftModel.from_pretrained(linears(base), str(folder / "peft"))
    expect_close("outputs of uvic's adapters in PEFT", outputs(theirs, "base_model.model."), outputs(linears(merged)))
    weights = theirs.merge_and_unload().state_dict()
    expect_close("uvic's adapters merged by PEFT", weights, {name: merged[name] for name in weights})


def theirs_in_uvic(uvic, folder, base, name, **config):
    torch.manual_seed(1)
    model = get_peft_model(linears(base), LoraConfig(init_lora_weights=False, **config))
    model.save_pretrained(str(folder / name))
    run(uvic, "bundle", "--quiet", folder / f"{name}-bundle", "--model", folder / "base.safetensors", "--lora", folder / name)
    got = load_file(folder / f"{name}-bundle/transformer/diffusion_pytorch_model.safetensors")
    want = model.merge_and_unload().state_dict()
    assert any(not torch.equal(want[key], base[key]) for key in want)
    expect_close(f"PEFT's adapters in uvic, {name}", got, want)


def main(uvic):
    folder = pathlib.Path(tempfile.mkdtemp())
    run(uvic, "train", "--quiet", "--preset", "smoke", "--steps", 2, "--output.sample_every", 0, "--out", folder, "--name",
        "base")
    run(uvic, "convert", "--quiet", folder / "00000-base", folder / "base.safetensors")
    base = load_file(folder / "base.safetensors")
    ours_in_peft(uvic, folder, base)
    theirs_in_uvic(uvic, folder, base, "some", r=4, lora_alpha=6, target_modules=["qkv", "fc1", "skip_linear"])
    theirs_in_uvic(uvic, folder, base, "ranks", r=4, lora_alpha=6, target_modules=["qkv", "fc2"], rank_pattern={"fc2": 2})
    theirs_in_uvic(uvic, folder, base, "root", r=4, lora_alpha=6, target_modules=["attn.proj"], use_rslora=True)


main(sys.argv[1])
