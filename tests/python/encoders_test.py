"""Folders saved by transformers and diffusers against uvic's reading of them, and uvic's bundle read back by both.

usage: encoders_test.py UVIC RANDOM_MODELS RUN_ENCODERS    (exit code 77: the packages are not there)
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    from diffusers import AutoencoderKL
    from safetensors.torch import load_file, save_file
    from transformers import BertConfig, BertModel, BertTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTokenizer
except ImportError as missing:
    print(f"skipped: {missing}; `pip install torch transformers diffusers` into the Python that UVIC_PYTHON names")
    sys.exit(77)

TOLERANCE = 1e-4
TEXT = "A red bus, crossing 2 bridges"
TOKENS, WIDTH = 16, 32  # of the random text-to-image model


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def expect_close(what, got, want):
    error = (got - want).abs().max().item()
    print(f"{what}: {error:.1e}")
    assert got.shape == want.shape and error < TOLERANCE, what


def outputs(text_encoder, tokenizer, vae, inputs):
    """The same four tensors as uvic-run-encoders."""
    read = tokenizer(TEXT, truncation=True, max_length=TOKENS, padding="max_length", return_tensors="pt")
    ids = read.input_ids
    # A CLIP was trained to see its padding; behind the text of a BERT uvic's states are zero.
    mask = read.attention_mask if isinstance(text_encoder, BertModel) else torch.ones_like(ids)
    with torch.no_grad():
        return {"ids": ids[0], "states": text_encoder(ids, attention_mask=mask).last_hidden_state * mask[..., None],
                "moments": vae.encode(inputs["images"]).latent_dist.parameters, "decoded": vae.decode(inputs["latents"]).sample}


def compare(origin, got, want):
    assert torch.equal(got["ids"], want["ids"]), f"{origin}: tokens {got['ids']} instead of {want['ids']}"
    for name in ("states", "moments", "decoded"):
        expect_close(f"{origin}, {name}", got[name], want[name])


def random_clip(folder):
    tokenizer = CLIPTokenizer(str(folder / "text/vocab.json"), str(folder / "text/merges.txt"), model_max_length=TOKENS,
                              pad_token="<|endoftext|>")
    return tokenizer, CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=TOKENS, hidden_act="gelu", bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)).eval()


def random_bert():
    tokenizer = BertTokenizer(str(pathlib.Path(__file__).parent.parent / "data/bert/vocab.txt"), model_max_length=TOKENS)
    return tokenizer, BertModel(BertConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=TOKENS, initializer_range=0.3)).eval()


def check(folder, uvic, run_encoders, models, tokenizer, text_encoder, vae, inputs):
    want = outputs(text_encoder, tokenizer, vae, inputs)

    saved = folder / "saved"
    for part, name in ((tokenizer, "tokenizer"), (text_encoder, "text_encoder"), (vae, "vae")):
        part.save_pretrained(saved / name)
    run(run_encoders, saved, models / "in.safetensors", folder / "out.safetensors")
    compare("saved in Python, read by uvic", load_file(folder / "out.safetensors"), want)

    for part in ("text_encoder", "vae"):  # in several files
        {"text_encoder": text_encoder, "vae": vae}[part].save_pretrained(folder / "sharded" / part, max_shard_size="40KB")
        assert list((folder / "sharded" / part).glob("*.index.json")), f"{part} is not in shards"
    tokenizer.save_pretrained(folder / "sharded/tokenizer")
    run(run_encoders, folder / "sharded", models / "in.safetensors", folder / "out.safetensors")
    compare("in shards", load_file(folder / "out.safetensors"), want)

    bundle = folder / "bundle"
    run(uvic, "--quiet", "bundle", bundle, "--model", models / "uvit.pth", "--config", models / "uvit.toml", "--autoencoder",
        saved / "vae", "--text", saved / "text_encoder")
    back = outputs(type(text_encoder).from_pretrained(bundle / "text_encoder").eval(),
                   type(tokenizer).from_pretrained(bundle / "tokenizer"), AutoencoderKL.from_pretrained(bundle / "vae").eval(), inputs)
    compare("bundled by uvic, read in Python", back, want)
    scale = json.loads((bundle / "vae/config.json").read_text())["scaling_factor"]
    assert scale == 0.2301, f"the bundle's scale is {scale}, not that of the model"


def main(uvic, random_models, run_encoders):
    torch.manual_seed(0)
    folder = pathlib.Path(tempfile.mkdtemp())
    run(random_models, folder, "--tiny")
    inputs = {"images": torch.rand(2, 3, 32, 32) * 2 - 1, "latents": torch.randn(2, 4, 8, 8)}
    save_file(inputs, folder / "in.safetensors", {"text": TEXT})
    vae = AutoencoderKL(block_out_channels=(16, 32, 32), down_block_types=("DownEncoderBlock2D",) * 3,
                        up_block_types=("UpDecoderBlock2D",) * 3, layers_per_block=2, latent_channels=4, norm_num_groups=8,
                        scaling_factor=0.5).eval()
    for name, (tokenizer, text_encoder) in (("clip", random_clip(folder)), ("bert", random_bert())):
        print(name)
        (folder / name).mkdir()
        check(folder / name, uvic, run_encoders, folder, tokenizer, text_encoder, vae, inputs)


main(*sys.argv[1:])
