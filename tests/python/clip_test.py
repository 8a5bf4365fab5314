"""uvic's CLIP and its score against transformers' CLIPModel, on random weights that save_pretrained wrote.

usage: clip_test.py UVIC RANDOM_MODELS RUN_CLIP    (exit code 77: the packages are not there)
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    from PIL import Image
    from safetensors.torch import load_file, save_file
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
except ImportError as missing:
    print(f"skipped: {missing}; `pip install torch transformers pillow` into the Python that UVIC_PYTHON names")
    sys.exit(77)
try:
    from transformers import CLIPImageProcessorPil as CLIPImageProcessor  # its name from transformers 5 on
except ImportError:
    from transformers import CLIPImageProcessor

TOLERANCE = 1e-5
TEXTS = ["A red bus, crossing 2 bridges", "two giraffes", "a very long caption, of so many tokens that not all of them fit",
         "an <|endoftext|> in the middle"]
TOKENS, SIZE = 40, 48
SIDES = [(48, 48), (30, 41), (41, 30), (200, 333), (333, 200), (97, 97)]


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def expect_close(what, got, want):
    error = ((got - want).abs().max() / want.abs().max()).item()
    print(f"{what}: {error:.1e}")
    assert got.shape == want.shape and error < TOLERANCE, what


def random_clip(act, tokenizer, eos):
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "hidden_act": act,
              "initializer_factor": 5.0}
    text = layers | {"vocab_size": len(tokenizer), "max_position_embeddings": TOKENS, "bos_token_id": tokenizer.bos_token_id,
                     "eos_token_id": eos, "pad_token_id": tokenizer.pad_token_id}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=layers | {"image_size": SIZE, "patch_size": 8, "hidden_size": 48},
                                projection_dim=24)).eval()


def vector(output):
    """transformers 5 wraps what get_image_features and get_text_features give."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output


def check(folder, uvic, run_clip, tokenizer, model, pictures):
    processor = CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder / "clip")
    pixels = processor([Image.fromarray(x) for x in pictures], return_tensors="pt").pixel_values
    read = tokenizer(TEXTS, truncation=True, max_length=TOKENS, padding="max_length", return_tensors="pt")
    with torch.no_grad():
        images = vector(model.get_image_features(pixel_values=pixels))
        texts = vector(model.get_text_features(input_ids=read.input_ids, attention_mask=read.attention_mask))
    for t, text in enumerate(TEXTS):
        save_file({str(i): torch.from_numpy(x).permute(2, 0, 1).contiguous() for i, x in enumerate(pictures)},
                  folder / "in.safetensors", {"text": text})
        run(run_clip, folder / "clip", folder / "in.safetensors", folder / "out.safetensors")
        got = load_file(folder / "out.safetensors")
        assert torch.equal(got["ids"], read.input_ids[t]), f"{got['ids']} instead of {read.input_ids[t]}"
        expect_close(f"text {t}", got["text"][0], texts[t])
    for i, (height, width) in enumerate(SIDES):
        expect_close(f"pixels of {height} x {width}", got[f"{i}.pixels"], pixels[i])
        expect_close(f"image of {height} x {width}", got[f"{i}.embedding"][0], images[i])

    n = len(TEXTS)
    (folder / "pictures").mkdir(exist_ok=True)
    for i in range(n):
        Image.fromarray(pictures[i]).save(folder / f"pictures/{i}.png")
        (folder / f"pictures/{i}.txt").write_text(TEXTS[i])
    said = json.loads(run(uvic, "--quiet", "--json", "clip-score", folder / "pictures", "--clip", folder / "clip"))
    scores = (100 * torch.cosine_similarity(images[:n], texts)).clamp(min=0).double()
    print(f"score {said['value']:.6f}, transformers {scores.mean():.6f} of {[round(x, 2) for x in scores.tolist()]}")
    assert abs(said["value"] - scores.mean()) < 1e-4 and abs(said["spread"] - 1.959964 * scores.std() / n**0.5) < 1e-4


def main(uvic, random_models, run_clip):
    torch.manual_seed(0)
    folder = pathlib.Path(tempfile.mkdtemp())
    run(random_models, folder, "--tiny")
    tokenizer = CLIPTokenizer(str(folder / "text/vocab.json"), str(folder / "text/merges.txt"), model_max_length=TOKENS,
                              pad_token="<|endoftext|>")
    pictures = [np.random.default_rng(i).integers(0, 256, (height, width, 3), dtype=np.uint8)
                for i, (height, width) in enumerate(SIDES)]
    # 2 is what OpenAI's config.json says for the end of text, whatever its number is.
    for act, eos in (("quick_gelu", 2), ("gelu", tokenizer.eos_token_id)):
        print(f"clip, {act}, eos_token_id {eos}")
        (folder / act).mkdir()
        check(folder / act, uvic, run_clip, tokenizer, random_clip(act, tokenizer, eos), pictures)


main(*sys.argv[1:])
