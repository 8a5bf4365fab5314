"""uvic's DINOv2 features against transformers' Dinov2Model on weights from the formula of tests/eval/dinov2_test.cpp.

usage: dinov2_test.py UVIC             compare, with Hugging Face's and Meta's names (exit code 77: no transformers)
       dinov2_test.py --numbers        print the known answers of tests/eval/dinov2_test.cpp
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    from PIL import Image
    from safetensors.torch import load_file, save_file
    from transformers import Dinov2Config, Dinov2Model
except ImportError as missing:
    print(f"skipped: {missing}; `pip install torch transformers pillow` into the Python that UVIC_PYTHON names")
    sys.exit(77)

SIZE, TOLERANCE = 224, 1e-5
WIDTH, HEADS, DEPTH = 128, 2, 2


def image(height, width):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((7 * x + 13 * y + 50 * c + x * y) % 256).astype(np.uint8)


def preprocessed(pixels):
    """As dgm-eval: each channel as a float image through Pillow's bicubic, then ImageNet's mean and deviation."""
    channels = [np.asarray(Image.fromarray(pixels[:, :, c].astype(np.float32)).resize((SIZE, SIZE), Image.BICUBIC))
                for c in range(3)]
    x = torch.from_numpy(np.stack(channels)).clamp(0, 255) / 255
    return (x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def fill(name, index, shape):
    """A wave in place of random numbers: easy to repeat in another language."""
    wave = torch.sin(0.7 * torch.arange(int(np.prod(shape)), dtype=torch.float64) * (1 + 0.01 * index) + index)
    if name.endswith(("norm1.weight", "norm2.weight", "layernorm.weight", "lambda1")):
        wave = 1 + 0.1 * wave
    elif name.endswith(".bias"):
        wave = 0.1 * wave
    elif len(shape) > 1 and name.endswith(".weight"):
        wave = wave * (2 / np.prod(shape[1:])) ** 0.5
    return wave.reshape(shape).float()


def model(gated, folder):
    """A Dinov2Model from `folder`, where its file has the published names."""
    config = Dinov2Config(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS, mlp_ratio=2,
                          image_size=SIZE, patch_size=14, use_swiglu_ffn=gated)
    Dinov2Model(config).save_pretrained(folder)
    file = folder / "model.safetensors"
    shapes = {name: tuple(tensor.shape) for name, tensor in load_file(file).items()}
    save_file({name: fill(name, i, shapes[name]) for i, name in enumerate(sorted(shapes))}, file, {"format": "pt"})
    return Dinov2Model.from_pretrained(folder).eval()


def features(net, pictures):
    with torch.no_grad():
        return net(torch.stack([preprocessed(x) for x in pictures])).last_hidden_state[:, 0]


def meta_names(state):
    """The same weights under the names of Meta's files."""
    renamed = {"cls_token": state["embeddings.cls_token"], "mask_token": state["embeddings.mask_token"],
               "pos_embed": state["embeddings.position_embeddings"]}
    for end in ("weight", "bias"):
        renamed[f"patch_embed.proj.{end}"] = state[f"embeddings.patch_embeddings.projection.{end}"]
        renamed[f"norm.{end}"] = state[f"layernorm.{end}"]
        for i in range(DEPTH):
            theirs, ours = f"encoder.layer.{i}.", f"blocks.{i}."
            renamed[f"{ours}attn.qkv.{end}"] = torch.cat(
                [state[f"{theirs}attention.attention.{part}.{end}"] for part in ("query", "key", "value")])
            renamed[f"{ours}attn.proj.{end}"] = state[f"{theirs}attention.output.dense.{end}"]
            for a, b in (("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2"), ("mlp.weights_in", "mlp.w12"),
                         ("mlp.weights_out", "mlp.w3"), ("norm1", "norm1"), ("norm2", "norm2")):
                if f"{theirs}{a}.{end}" in state:
                    renamed[f"{ours}{b}.{end}"] = state[f"{theirs}{a}.{end}"]
    for i in range(DEPTH):
        for k in "12":
            renamed[f"blocks.{i}.ls{k}.gamma"] = state[f"encoder.layer.{i}.layer_scale{k}.lambda1"]
    return renamed


def main(uvic):
    folder = pathlib.Path(tempfile.mkdtemp())
    pictures = [image(40, 30), image(224, 224), image(300, 500)]
    (folder / "pictures").mkdir()
    for i, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / "pictures" / f"{i}.png")
    for gated in (False, True):
        want = features(model(gated, folder), pictures)
        torch.save(meta_names(load_file(folder / "model.safetensors")), folder / "meta.pth")
        for weights in ("model.safetensors", "meta.pth"):
            subprocess.run([uvic, "stats", folder / "pictures", "-o", folder / "out.feats", "--force", "--quiet",
                            "--features", "dinov2", "--weights", folder / weights], check=True, stdout=subprocess.DEVNULL)
            got = load_file(folder / "out.feats")["features"]
            error = ((got - want).abs().max() / want.abs().max()).item()
            print(f"dinov2, {'SwiGLU' if gated else 'GELU'}, {weights}: {error:.1e}")
            assert got.shape == want.shape and error < TOLERANCE


if sys.argv[1] == "--numbers":
    for gated in (False, True):
        print([round(v, 5) for v in features(model(gated, pathlib.Path(tempfile.mkdtemp())), [image(40, 30)])[0, :8].tolist()])
else:
    main(sys.argv[1])
