"""`uvic serve` asked by the packages openai and webuiapi, as their users ask other servers: the same pictures by both.

usage: server_test.py UVIC    (exit code 77: the packages are not there)
"""
import base64
import concurrent.futures
import io
import pathlib
import sys

try:
    import openai
    import webuiapi
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing}; `pip install openai webuiapi` into the Python that UVIC_PYTHON names")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "system"))
from serve_client import Server, until  # noqa: E402

PROMPT = "a red circle above a blue square"
HOW = {"steps": 8, "cfg_scale": 3}


def pixels(picture):
    return picture.convert("RGB").tobytes()


def from_base64(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def with_openai(server):
    client = openai.OpenAI(base_url=f"http://localhost:{server.port}/v1", api_key="secret", max_retries=0)
    assert [model.id for model in client.models.list()] == ["shapes", "cifar10"]
    wish = {"model": "shapes", "prompt": PROMPT, "response_format": "b64_json", "extra_body": {**HOW, "seed": 3}}
    answer = client.images.generate(n=2, size="1024x1024", **wish)
    pictures = [from_base64(picture.b64_json) for picture in answer.data]
    assert len(pictures) == 2 and answer.created > 0 and pixels(pictures[0]) != pixels(pictures[1])

    events = list(client.images.generate(stream=True, partial_images=2, **wish))
    assert [event.type for event in events] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert pixels(from_base64(events[-1].b64_json)) == pixels(pictures[0])

    try:
        client.images.generate(model="none", prompt=PROMPT)
        raise AssertionError("a model that there is not was drawn with")
    except openai.UnprocessableEntityError as error:
        assert "there is no model 'none'" in error.message, error.message
    try:
        client.with_options(api_key="other").models.list()
        raise AssertionError("another key opens")
    except openai.AuthenticationError:
        pass
    return pictures


def with_webuiapi(server, pictures):
    api = webuiapi.WebUIApi(host="localhost", port=server.port, username="any", password="secret")
    names = api.util_get_model_names()
    assert [name.split(" ")[0] for name in names] == ["cifar10", "shapes"], names
    for name in names:  # shapes last
        api.util_set_model(name)
        assert api.util_get_current_model() == name
    assert "dpm-solver++2m" in api.util_get_sampler_names() and api.util_get_scheduler_names() == ["automatic"]

    drawn = api.txt2img(prompt=PROMPT, seed=3, batch_size=2, sampler_name="DPM++ 2M", scheduler="Automatic", **HOW)
    assert [pixels(picture) for picture in drawn.images] == [pixels(picture) for picture in pictures]
    assert drawn.info["all_seeds"] == [3, 4] and PROMPT in drawn.images[0].text["parameters"]
    usual = api.txt2img(prompt=PROMPT)  # with all that it sends when nothing else is said
    assert len(usual.images) == 1 and usual.info["seed"] >= 0

    hole = Image.new("L", drawn.image.size)
    hole.paste(255, (0, 0, hole.width // 2, hole.height))
    other = api.img2img(images=[drawn.image], mask_image=hole, prompt="a green star", seed=4, sampler_name="DPM++ 2M",
                        denoising_strength=0.9, **HOW)
    kept = (hole.width // 2, 0, hole.width, hole.height)
    assert pixels(other.image.crop(kept)) == pixels(drawn.image.crop(kept)), "what the mask does not show was changed"
    assert pixels(other.image) != pixels(drawn.image)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        long = pool.submit(api.txt2img, prompt=PROMPT, steps=1000)
        progress = until(lambda: (now := api.get_progress())["progress"] > 0 and now["current_image"] and now, "a picture under way")
        assert from_base64(progress["current_image"]).size == drawn.image.size
        api.interrupt()
        assert long.result(10).images == []
    api.util_wait_for_ready(check_interval=0.05)


def main(uvic):
    models = [ROOT / "assets" / f"{name}.safetensors" for name in ("shapes", "cifar10")]
    with Server(uvic, *models, "--api-key", "secret") as server:
        with_webuiapi(server, with_openai(server))
    print("openai and webuiapi draw the same pictures")


main(sys.argv[1])
