#!/usr/bin/env python3
"""`uvic serve` as its clients see it: all interfaces draw what `uvic sample` draws, jobs are told of and cancelled, and
whatever is wrong with a request, on the wire or in its JSON, is answered with a status below 500, and the server lives on.
usage: serve_test.py UVIC"""
import base64
import concurrent.futures
import json
import pathlib
import re
import select
import struct
import subprocess
import sys
import tempfile
import time
import zlib

from serve_client import Server, check, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPES = ROOT / "assets" / "shapes.safetensors"
CIFAR = ROOT / "assets" / "cifar10.safetensors"
PROMPT = "a red circle above a blue square"
WISH = {"model": "shapes", "prompt": PROMPT, "steps": 5, "cfg_scale": 3}
INTERRUPTED = 130  # what Ctrl-C exits with everywhere

SD, OPENAI = "/sdapi/v1", "/v1/images/generations"


def say(text):
    print(f"--- {text}", flush=True)


def from_base64(texts):
    return [base64.b64decode(text) for text in texts]


def sample(uvic, folder, *arguments):
    """The PNGs of `uvic sample`."""
    command = [uvic, "--quiet", "sample", "--model", SHAPES, "--prompt", PROMPT, "--steps", 5, "--cfg-scale", 3, "--out", folder, *arguments]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return [file.read_bytes() for file in sorted(folder.iterdir())]


def asks_a1111(server, kind="txt2img", **wish):
    wish = {"prompt": PROMPT, "steps": 5, "cfg_scale": 3, "override_settings": {"sd_model_checkpoint": "shapes"}, **wish}
    answer = server.ask("POST", f"{SD}/{kind}", wish)
    return from_base64(answer["images"]), json.loads(answer["info"])


def asks_openai(server, **wish):
    answer = server.ask("POST", OPENAI, {**WISH, "response_format": "b64_json", **wish})
    return from_base64(row["b64_json"] for row in answer["data"])


def draws_the_same_everywhere(server, uvic, work):
    say("every interface draws what `uvic sample` draws, alone and beside others")
    wanted = sample(uvic, work / "wanted", "--seeds", "7-9")
    ways = {
        "jobs": lambda seed, count: server.drawn(**WISH, seed=seed, count=count),
        "A1111": lambda seed, count: asks_a1111(server, seed=seed, batch_size=count)[0],
        "OpenAI": lambda seed, count: asks_openai(server, seed=seed, n=count),
    }
    for name, draw in ways.items():
        check(draw(7, 3) == wanted, f"{name} draws other pictures")
    blocker = server.job(**{**WISH, "steps": 1000})
    until(lambda: server.state(blocker) == "running", "the job that keeps the others waiting")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        each = [(name, i, pool.submit(draw, 7 + i, 1)) for name, draw in ways.items() for i in range(2)]
        until(lambda: waiting(server) == len(each), "all of them to wait")
        server.cancel(blocker)
        for name, i, pictures in each:
            check(pictures.result() == wanted[i:i + 1], f"{name} draws another picture beside others")


def waiting(server):
    return int(metrics(server)["uvic_waiting_pictures"])


def metrics(server):
    text = server.ask("GET", "/metrics").decode()
    for line in text.splitlines():
        check(re.fullmatch(r'# (HELP|TYPE) uvic_\w+ .+|uvic_\w+(\{state="\w+"\})? [\d.e+-]+', line), f"/metrics has the line {line}")
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def repaints(server, uvic, work):
    say("image to image, within a mask")
    picture, mask = work / "wanted" / "000000.png", work / "mask.png"
    size = 32
    rows = b"".join(b"\0" + bytes(255 if x >= size // 2 else 0 for x in range(size)) for _ in range(size))
    mask.write_bytes(png(size, size, rows))
    wanted = sample(uvic, work / "repainted", "--seeds", "3", "--init", picture, "--mask", mask, "--strength", 0.8)
    init, hole = (base64.b64encode(file.read_bytes()).decode() for file in (picture, mask))
    check(server.drawn(**WISH, seed=3, init="data:image/png;base64," + init, mask=hole, strength=0.8) == wanted, "jobs repaint otherwise")
    check(asks_a1111(server, "img2img", seed=3, init_images=[init], mask=hole, denoising_strength=0.8)[0] == wanted, "img2img repaints otherwise")


def png(width, height, rows):
    """A grey one."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def tells_of_seeds(server):
    say("random seeds are told and draw the same again; batches count on; what A1111's clients read")
    pictures, info = asks_a1111(server, seed=-1)
    seed = info["all_seeds"][0]
    check(0 <= seed < 2**32 and info["seed"] == seed, f"the seed is {seed}")
    check(asks_a1111(server, seed=seed)[0] == pictures, "the seed draws another picture")
    check(seed != asks_a1111(server, seed=-1)[1]["seed"], "a random seed came twice")
    pictures, info = asks_a1111(server, seed=20, n_iter=2, batch_size=2)
    check(info["all_seeds"] == [20, 21, 22, 23] and len(pictures) == 4 and info["batch_size"] == 2, f"seeds {info['all_seeds']}")
    for number, text in zip(info["all_seeds"], info["infotexts"]):
        prompt, fields = text.split("\n")
        fields = dict(field.split(": ", 1) for field in fields.split(", "))
        check(prompt == PROMPT and fields["Seed"] == str(number) and fields["Steps"] == "5" and fields["CFG scale"] == "3", text)
    last = server.job(**WISH, seed=2**64 - 1, count=2)
    until(lambda: server.state(last) == "done", "a job")
    rows = server.ask("GET", f"/api/jobs/{last['id']}")["images"]
    check([row["seed_text"] for row in rows] == [str(2**64 - 1), "0"], f"seeds {rows}")
    recipe = server.ask("POST", "/api/recipe", server.ask("GET", rows[0]["url"]), Content_Type="image/png")
    check(recipe["seed_text"] == str(2**64 - 1) and recipe["prompt"] == PROMPT and recipe["settings"]["steps"] == 5, str(recipe))
    check(server.ask("GET", f"/api/jobs/{last['id']}/grid.png").startswith(b"\x89PNG"), "the grid is no PNG")


def shows_progress(server):
    say("progress, interrupt, and what is drawn so far")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        drawn = pool.submit(asks_a1111, server, steps=1000, seed=1)
        progress = until(lambda: (p := server.ask("GET", f"{SD}/progress"))["current_image"] and p, "a picture under way")
        state = progress["state"]
        check(0 < progress["progress"] < 1 and state["sampling_steps"] == 1000 and state["sampling_step"] > 0, str(state))
        check(from_base64([progress["current_image"]])[0].startswith(b"\x89PNG"), "the picture under way is no PNG")
        server.ask("POST", f"{SD}/interrupt", b"")
        check(drawn.result(10)[0] == [], "what was interrupted gave a picture")
    until(lambda: server.ask("GET", f"{SD}/progress")["progress"] == 0, "nothing to be under way")


def switches_models(server):
    say("options choose the model")
    titles = {row["model_name"]: row["title"] for row in server.ask("GET", f"{SD}/sd-models")}
    check(set(titles) == {"shapes", "cifar10"}, str(titles))
    shapes = asks_a1111(server, seed=1)[0]
    for name in ("cifar10", "shapes"):
        server.ask("POST", f"{SD}/options", {"sd_model_checkpoint": titles[name]})
        check(server.ask("GET", f"{SD}/options")["sd_model_checkpoint"] == titles[name], "the option was not taken")
        prompt = PROMPT if name == "shapes" else ""
        answer = server.ask("POST", f"{SD}/txt2img", {"prompt": prompt, "seed": 1, "steps": 5, "cfg_scale": 3})
        check(json.loads(answer["info"])["sd_model_name"] == name, f"{name} was not drawn with")
        check((from_base64(answer["images"]) == shapes) == (name == "shapes"), f"the picture is not one of {name}")
    check({row["id"] for row in server.ask("GET", "/v1/models")["data"]} == set(titles), "/v1/models differ")


def streams(server):
    say("events of a job and of OpenAI's stream")
    response = server.open("POST", OPENAI, {**WISH, "steps": 40, "stream": True, "partial_images": 3, "seed": 5})
    events = list(server.events(response))
    names = [name for name, _ in events]
    check(names == ["image_generation.partial_image"] * 3 + ["image_generation.completed"], str(names))
    check([data["partial_image_index"] for _, data in events[:3]] == [0, 1, 2], "partial pictures are out of order")
    check(all(data["type"] == name for name, data in events), "an event has another type")
    check(from_base64([events[-1][1]["b64_json"]]) == asks_openai(server, seed=5, steps=40), "the stream ends with another picture")

    blocker = server.job(**{**WISH, "steps": 1000})
    job = server.job(**{**WISH, "steps": 40}, count=2)
    response = server.open("GET", f"/api/jobs/{job['id']}/events")
    server.cancel(blocker)
    events = list(server.events(response))
    states = [data["state"] for name, data in events if name == "job"]
    check(states[0] in ("waiting", "running") and states[-1] == "done" and events[-1][0] == "job", str(states))
    check("done" not in states[:-1], "the stream goes on when the job is over")
    previews = [data for name, data in events if name == "preview"]
    check(previews and all(data["image"].startswith("data:image/png;base64,") and 0 < data["step"] <= 40 for data in previews), "no previews")
    check(sorted(data["number"] for name, data in events if name == "image") == [0, 1], "not both pictures were told of")


def cancels(server):
    say("a cancelled job ends at once, waiting or running")
    running = server.job(**{**WISH, "steps": 1000})
    until(lambda: server.state(running) == "running", "a job to run")
    others = server.job(**{**WISH, "steps": 999})
    begin = time.monotonic()
    for job in (others, running):
        check(server.cancel(job)["state"] == "cancelled", "the job is not cancelled")
    check(len(server.drawn(**WISH)) == 1 and time.monotonic() - begin < 2, "a cancelled job kept another one waiting")
    check(server.ask("GET", f"/api/jobs/{others['id']}")["images"] == [], "a cancelled job has a picture")
    # Who hangs up wants it no more.
    with server.connect() as connection:
        body = json.dumps({**WISH, "steps": 1000, "n": 3}).encode()
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (OPENAI.encode(), len(body), body))
        until(lambda: server.ask("GET", "/api/jobs")["jobs"][0]["count"] == 3, "its job")
    until(lambda: server.ask("GET", "/api/jobs")["jobs"][0]["state"] == "cancelled", "the job of a client that hung up to be cancelled")


def bounds_streams(server):
    say("as many streams of events as the server has")
    job = server.job(**{**WISH, "steps": 1000})
    streams = [server.open("GET", f"/api/jobs/{job['id']}/events") for _ in range(64)]
    for method, path, wish in (("GET", f"/api/jobs/{job['id']}/events", None), ("POST", OPENAI, {**WISH, "stream": True})):
        with server.open(method, path, wish) as response:
            check(response.status == 503 and response.headers["Retry-After"], f"{path}: {response.status}")
    check(server.ask("GET", "/api/jobs")["jobs"][0]["state"] == "cancelled", "a job is drawn that nobody can ask for")
    for stream in streams:
        stream.close()
    server.cancel(job)
    until(lambda: metrics(server)["uvic_event_streams"] == "0", "the streams to end")


def refuses(server):
    say("what is wrong with a request is said")
    def is_refused(status, text, method, path, value=None, **headers):
        error = server.ask(method, path, value, status, **headers)["error"]
        message = error["message"] if path.startswith("/v1") else error
        check(text in message and "\n" not in message, f"{method} {path}: {message}")

    jobs = "/api/jobs"
    is_refused(422, "steps is 0", "POST", jobs, {**WISH, "steps": 0})
    is_refused(422, "there is no model 'none'", "POST", jobs, {"model": "none"})
    is_refused(422, "init", "POST", jobs, {**WISH, "init": "!"})
    is_refused(422, "mask", "POST", jobs, {**WISH, "mask": "aaaa"})
    is_refused(422, "sampler_name is 'none'", "POST", f"{SD}/txt2img", {"sampler_name": "none"})
    is_refused(422, "init_images", "POST", f"{SD}/img2img", {})
    is_refused(422, "size", "POST", OPENAI, {"size": "0x0"})
    is_refused(422, "recipe", "POST", "/api/recipe", png(1, 1, b"\0\0"), Content_Type="image/png")
    is_refused(422, "", "POST", "/api/recipe", b"no picture", Content_Type="image/png")
    for path in (jobs, f"{SD}/txt2img", OPENAI):
        is_refused(400, "the body", "POST", path, b"{", Content_Type="application/json")
        is_refused(400, "no JSON object", "POST", path, b"[]", Content_Type="application/json")
        is_refused(415, "application/json", "POST", path, b"{}", Content_Type="text/plain")
    for path in (f"{jobs}/999999", f"{jobs}/{'9' * 40}", "/api/runs/none", "/none", "/api/jobs/1/images/99.png"):
        is_refused(404, "", "GET", path)
    is_refused(415, "compressed", "POST", jobs, b"\x1f\x8b", Content_Encoding="gzip", Content_Type="application/json")
    is_refused(413, "larger", "POST", jobs, b"", Content_Length=str(10**9), Content_Type="application/json")
    is_refused(414, "address", "GET", "/" + "a" * 600)
    is_refused(414, "address", "GET", "/" + "a" * 9000)
    is_refused(431, "headers", "GET", "/healthz", X_Long="a" * 40000)
    check(server.ask("GET", "/healthz", Range="bytes=0-" + ",0-" * 1000) == {"status": "ok"}, "parts of an answer were given")
    is_refused(403, "Host", "GET", jobs, Host="evil.example")
    is_refused(403, "origins", "GET", jobs, Origin="http://evil.example")
    for path in (OPENAI, f"{SD}/txt2img"):
        is_refused(422, "not finite", "POST", path, {"prompt": PROMPT, "steps": 3, "cfg_scale": 1e30})
    error = server.ask("POST", OPENAI, {"n": 0}, 422)["error"]
    check(error["type"] == "invalid_request_error" and error["message"].startswith("n is 0"), str(error))


def drips(server):
    """A head that comes a byte a second."""
    begin = time.monotonic()
    with server.connect() as connection:
        connection.settimeout(1)
        for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n":
            connection.sendall(bytes([byte]))
            try:
                answer = connection.recv(1 << 16)
                break
            except TimeoutError:
                continue
    check(answer.startswith(b"HTTP/1.1 408 ") and 9 < time.monotonic() - begin < 13, f"a slow head is answered with {answer}")


def bounds_bodies(server):
    say("a body in chunks beyond 64 MB is refused, and its memory given back")
    before = server.memory()
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    head = b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(3):
        answer = server.send(head + chunk * 70)
        check(answer.startswith(b"HTTP/1.1 413 "), f"refused with {answer[:80]}")
        check(server.ask("GET", "/healthz"), "the server is gone")
    say("so are bodies that are more together than the server takes")
    head = b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (64 << 20)
    connections = [server.connect() for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda connection: is_taken(connection, head + bytes(50 << 20)), connections))
    answers = [connection.recv(1 << 16) for connection in connections if select.select([connection], [], [], 0.2)[0]]
    check(answers and all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers), f"answered with {answers}")
    check(server.memory() - before < 1 << 30, f"{server.memory() - before} bytes more than before")
    for connection in connections:
        connection.close()
    until(lambda: server.memory() - before < 32 << 20, f"memory to be given back, {server.memory() - before} more than before")


def is_taken(connection, data):
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def asks_for_keys(uvic):
    say("keys, users, and pages of other origins")
    for refused, text in ((["--host", "0.0.0.0"], "--api-key"), (["--user", "me"], "NAME:PASSWORD"), (["--cors", "*"], "--api-key")):
        program = subprocess.run([uvic, "serve", SHAPES, "--port", "0", *refused], capture_output=True, text=True, timeout=20)
        check(program.returncode == 1 and text in program.stderr and program.stderr.count("\n") == 1, f"{refused}: {program.stderr}")
    cors = "https://example.org"
    with Server(uvic, SHAPES, "--host", "0.0.0.0", "--api-key", "secret", "--user", "me:pass", "--cors", cors) as server:
        for path in ("/", "/api/jobs", f"{SD}/progress", "/v1/models", "/metrics"):
            with server.open("GET", path) as response:
                check(response.status == 401 and response.headers["WWW-Authenticate"].startswith("Basic"), f"{path}: {response.status}")
        server.ask("GET", "/healthz")
        basic = {name: "Basic " + base64.b64encode(name.encode()).decode() for name in ("me:pass", "any:secret", "me:secre", "you:pass")}
        for text in ("Bearer secret", basic["me:pass"], basic["any:secret"]):
            server.ask("GET", "/api/jobs", Authorization=text, Host="any.example")
        for text in ("Bearer secre", "Bearer", basic["me:secre"], basic["you:pass"], "Basic !", "Digest x"):
            server.ask("GET", "/api/jobs", status=401, Authorization=text)
        with server.open("OPTIONS", "/api/jobs", Origin=cors, Access_Control_Request_Method="POST") as response:
            check(response.status == 204 and response.headers["Access-Control-Allow-Origin"] == cors and
                  "DELETE" in response.headers["Access-Control-Allow-Methods"], str(response.headers))
        server.ask("OPTIONS", "/api/jobs", status=403, Origin="https://example.com")
        with server.open("GET", "/api/jobs", Origin=cors, Authorization="Bearer secret") as response:
            check(response.status == 200 and response.headers["Access-Control-Allow-Origin"] == cors, "the origin is not allowed")


def is_bounded(uvic):
    say("a full queue, a port in use, and an end while many wait")
    with Server(uvic, SHAPES, "--queue", 4, "--batch", 1) as server:
        blocker = server.job(**{**WISH, "steps": 1000})
        until(lambda: server.state(blocker) == "running", "a job to run")
        server.job(**WISH, count=4)
        for path, wish in (("/api/jobs", WISH), (f"{SD}/txt2img", {"prompt": PROMPT}), (OPENAI, WISH)):
            with server.open("POST", path, wish) as response:
                check(response.status == 429 and int(response.headers["Retry-After"]) >= 1, f"{path}: {response.status}")
        program = subprocess.run([uvic, "serve", SHAPES, "--port", str(server.port)], capture_output=True, text=True, timeout=20)
        check(program.returncode == 1 and f"port {server.port}" in program.stderr and program.stderr.count("\n") == 1, program.stderr)
    with Server(uvic, SHAPES) as server:
        blocker = server.job(**{**WISH, "steps": 1000})
        until(lambda: server.state(blocker) == "running", "a job to run")
        with concurrent.futures.ThreadPoolExecutor(32) as pool, server.connect() as slow, server.connect():
            slow.sendall(b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n")
            paths = [f"{SD}/txt2img", OPENAI]
            many = [pool.submit(server.open, "POST", paths[i % 2], {"prompt": PROMPT, "steps": 900}) for i in range(20)]
            watched = pool.submit(lambda: list(server.events(server.open("GET", f"/api/jobs/{blocker['id']}/events"))))
            until(lambda: waiting(server) == 20, "20 to wait")
            code, seconds = server.end()
            answers = [answer.result().status for answer in many]
            check(set(answers) <= {200, 503} and watched.result()[-1][1]["state"] == "cancelled", f"answers {answers}")
        check(code == INTERRUPTED and seconds < 2, f"ended with {code} after {seconds:.1f} s")


def follows_its_file(uvic, work):
    say("a model's file that is replaced, damaged and mended")
    file, new = work / "model.safetensors", work / "new.safetensors"

    def replace(data):
        new.write_bytes(data)
        new.replace(file)

    replace(SHAPES.read_bytes())
    with Server(uvic, file) as server:
        shapes, hashes = asks_openai(server, model="model", seed=1), []
        for model in (CIFAR, SHAPES):
            replace(model.read_bytes())
            check((asks_openai(server, model="model", seed=1) == shapes) == (model == SHAPES), f"the picture is not one of {model}")
            hashes.append(server.ask("GET", "/api/models")["models"][0]["hash"])
        check(hashes[0] != hashes[1], "another file has the same hash")
        with open(file, "r+b") as damaged:
            damaged.truncate(1 << 20)
        error = server.ask("POST", OPENAI, {"prompt": PROMPT}, 500)["error"]
        check("model.safetensors" in error["message"] and "\n" not in error["message"], str(error))
        replace(SHAPES.read_bytes())
        check(asks_openai(server, model="model", seed=1) == shapes, "the mended file draws another picture")


HOST = b"Host: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
BODY = b'{"prompt": "", "steps": 1}'
POST = b"POST /api/jobs HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"


def malformed():
    """Bytes that are no request that the server takes."""
    end = b"\r\n"
    yield from (b"", b"\r\n", b"\n", b"\r\n\r\n", b"\0", b"\0" * 5000, b"garbage", b"garbage\r\n\r\n", bytes(range(256)), b"\xff" * 40000)
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)  # TLS
    yield from (line + b"\r\n" + HOST + end for line in (
        b"GET", b"GET /healthz", b"GET  /healthz HTTP/1.1", b"GET /healthz HTTP/1.1 ", b" GET /healthz HTTP/1.1", b"GET\t/healthz\tHTTP/1.1",
        b"GET /heal thz HTTP/1.1", b"get /healthz HTTP/1.1", b"GE\0T /healthz HTTP/1.1", b"GET /healthz\0 HTTP/1.1", b"GET /h\x7fz HTTP/1.1",
        b"G" * 100 + b" / HTTP/1.1", b"G" * 9000 + b" / HTTP/1.1", b"G" * 40000 + b" / HTTP/1.1", b"() / HTTP/1.1", b"BREW / HTTP/1.1",
        b"TRACE /healthz HTTP/1.1", b"CONNECT evil:80 HTTP/1.1", b"PATCH /healthz HTTP/1.1", b"OPTIONS * HTTP/1.1", b"PRI * HTTP/2.0"))
    yield from (b"GET /healthz " + version + b"\r\n" + HOST + end for version in (
        b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2", b"HTTP/2.0", b"HTTP/3", b"HTTP/11", b"HTTP/1.", b"HTTP/", b"HTTP", b"http/1.1", b"HTTPS/1.1", b"HTTP/1.1\0",
        b"HTTP/1.1x", b"HTTP/-1.1", b"HTTP/1.99999999999999999999"))
    yield from (b"GET " + path + b" HTTP/1.1\r\n" + HOST + end for path in (
        b"healthz", b"/../healthz", b"/api/../healthz", b"/api/runs/../../etc/passwd", b"/api/runs/..%2f..%2fetc%2fpasswd", b"/%2e%2e/%2e%2e/etc/passwd",
        b"/..", b"/...", b"/.", b"//", b"//healthz", b"/healthz/", b"/healthz%00", b"/%00", b"/%", b"/%z", b"/%zz", b"/%0d%0aSet-Cookie:%20a=b", b"/%ff%fe",
        b"/%c0%ae%c0%ae/", b"/\xff", b"/%u0041", b"/%u", b"/%25", b"/\\..\\", b"http://localhost/healthz", b"http://evil.example/", b"https://[::1", b"*", b"?", b"#", b"/#", b"/?", b"/none?" + b"a=b&" * 2000,
        b"/api/jobs/-1", b"/api/jobs/0x1", b"/api/jobs/1e3", b"/api/jobs/99999999999999999999999", b"/api/jobs/1/images/-1.png", b"/api/jobs/1/images/99999999999999999999.png",
        b"/api/jobs/1/images/..%2f0.png", b"/api/runs/%00", b"/api/runs/x?after=-1", b"/api/runs/x/samples/..", b"/a" * 200, b"/a" * 5000, b"/" + b"%41" * 5000) if path not in (b"/?", b"/#"))
    yield from (GET.replace(HOST, hosts) + end for hosts in (
        b"", HOST * 2, HOST + b"Host: evil.example\r\n", b"Host:\r\n", b"Host: \r\n", b"Host: evil.example\r\n", b"Host: localhost.evil.example\r\n", b"Host: localhost@evil.example\r\n",
        b"Host: [::1\r\n" + HOST, b"Host: 127.0.0.1.evil.example\r\n", b"Host : localhost\r\n", b"Host\r\n", b"Host: " + b"a" * 9000 + b"\r\n"))
    yield from (GET + header + b"\r\n" + end for header in (
        b"X", b": x", b" X: y", b"\tX: y", b"X : y", b"X\t: y", b"X: a\r\n b", b"X: a\r\n\tb", b"X: a\rb", b"X: a\nb", b"X: a\0b", b"X: a\x01b", b"X\0: a", b"X\xff: a", b"X(: a", b"X: a\x7f", b"X: a\n",
        b"X: a\r\r", b"Content-Encoding: gzip", b"Range: bytes=5-2", b"Range: bytes=99999999999999999999-", b"Range: x", b"Origin: null", b"Origin: x\x01",
        b"X: " + b"a" * 33000))
    yield GET.replace(b"\r\n", b"\n") + b"\n"
    yield GET + b"\n"
    yield GET + b"A: b\r\n" * 100_000 + end
    yield from (POST + header + b"\r\n\r\n" + BODY for header in (
        b"Content-Length: -1", b"Content-Length: +26", b"Content-Length: 0x1a", b"Content-Length: 26.0", b"Content-Length: 26, 26", b"Content-Length:", b"Content-Length: abc", b"Content-Length: 2 6",
        b"Content-Length: 27", b"Content-Length: 25", b"Content-Length: 1", b"Content-Length: 0", b"Content-Length: 99999999", b"Content-Length: 9223372036854775807", b"Content-Length: 18446744073709551615",
        b"Content-Length: 18446744073709551642", b"Content-Length: " + b"9" * 1000, b"Content-Length: 26\r\nContent-Length: 26", b"Content-Length: 26\r\nContent-Length: 0",
        b"Content-Length: 26\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 26", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: xchunked", b"Transfer-Encoding: identity", b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding: ", b"Content-Length: 26\r\nContent-Encoding: gzip", b"Content-Length: 26\r\nContent-Type: text/plain\r\nContent-Encoding: br"))
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from (chunked + chunks for chunks in (
        b"", b"1a", b"1a\r\n", b"1a\r\n" + BODY, b"19\r\n" + BODY + b"\r\n0\r\n\r\n", b"-1a\r\n" + BODY + b"\r\n0\r\n\r\n", b"g\r\n\r\n0\r\n\r\n", b"\r\n" + BODY, b"ffffffffffffffff\r\n" + BODY,
        b"fffffffffffffffe\r\n" + BODY, b"7fffffffffffffff\r\n" + BODY, b"1" * 100 + b"\r\n" + BODY, b"1" * 100_000, b"0\r\n\r\n", b"0", b"1a;" + b"x" * 50_000 + b"\r\n", b"1\r\n{\r\n" * 100, b"\0\r\n", b"-0\r\n\r\n"))
    yield POST.replace(b"application/json", b"multipart/form-data; boundary=" + b"x" * 500) + b"Content-Length: 26\r\n\r\n" + BODY
    yield POST.replace(b"application/json", b"multipart/form-data") + b"Content-Length: 26\r\n\r\n" + BODY
    yield POST.replace(b"application/json", b"application/x-www-form-urlencoded") + b"Content-Length: 9000\r\n\r\n" + b"%" * 9000
    yield POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Transfer-Encoding: chunked\r\n\r\n1a\r\n" + BODY + b"\r\n0\r\n\r\n"
    valid = POST + b"Content-Length: 26\r\n\r\n" + BODY
    yield from (valid[:length] for length in range(len(valid)))


def statuses(answer):
    """Of the responses in a row, of which each says its length."""
    found = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        check(status and length and len(rest) >= int(length[1]), f"no response: {answer[:200]}")
        check(b"\r\nSet-Cookie" not in head, f"a header was slipped in: {head}")
        found.append(int(status[1]))
        answer = rest[int(length[1]):]
    return found


def first_answer(server, request):
    """To a client that waits for it."""
    with server.connect(timeout=5) as connection:
        connection.sendall(request)
        answer = b""
        while not re.search(rb"\r\n\r\n.", answer) and (part := connection.recv(1 << 16)):
            answer += part
        return answer


def outlives_malformed(server):
    cases = list(malformed())
    say(f"{len(cases)} malformed requests")
    check(len(cases) > 300, "there are fewer")
    for case in cases:
        has_head_alone = b"\r\n\r\n" in case and b"Content-Length" not in case and b"Transfer-Encoding" not in case
        answer = first_answer(server, case) if has_head_alone else server.send(case, timeout=5)
        check(len(found := statuses(answer)) <= 1 and all(400 <= status < 500 for status in found), f"{case[:200]}: {answer[:300]}")
        check(server.send(GET + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 "), f"the server does not answer behind {case[:200]}")
    # What belongs to the body of a request is no request of its own.
    for head in (GET + b"Content-Length: %d\r\n\r\n", b"POST /none HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n", b"POST /api/jobs HTTP/1.1\r\nHost: evil\r\nContent-Length: %d\r\n\r\n"):
        inner = GET + b"\r\n"
        check(len(statuses(server.send(head % len(inner) + inner))) == 1, f"{head} was answered twice")
    check(statuses(server.send((GET + b"\r\n") * 5)) == [200] * 5, "five requests at once are not answered five times")


VALUES = ["null", "true", "-1", "0", "1", "1.5", "-0.0", "1e30", "1e308", "-1e308", "1e400", "NaN", "-Infinity", "18446744073709551615", "18446744073709551616", "-9223372036854775809", "9" * 400,
          '""', '"x"', '"\\u0000"', '"\\ud800"', '"\xff"', '"' + "x" * 20_000 + '"', '"data:,"', '"data:image/png;base64,aaaa"', "[]", "{}", "[[]]", '[""]', "[null]", '{"a": 1}', "[1, 2]", "[" * 1000, '{"a":' * 1000]
FIELDS = {
    "/api/jobs": ["model", "prompt", "negative", "class", "seeds", "seed", "count", "to_prompt", "to_seed", "frames", "init", "mask", "strength"],
    f"{SD}/txt2img": ["prompt", "negative_prompt", "sampler_name", "sampler_index", "scheduler", "batch_size", "n_iter", "width", "height", "seed", "override_settings", "styles", "enable_hr", "subseed"],
    f"{SD}/img2img": ["init_images", "mask", "denoising_strength"],
    f"{SD}/options": ["sd_model_checkpoint", "x"],
    OPENAI: ["model", "prompt", "n", "size", "response_format", "output_format", "stream", "partial_images", "seed", "negative_prompt", "quality", "user"],
}


def outlives_bad_values(server):
    settings = [row["key"] for row in server.ask("GET", "/api/settings")["settings"]]
    cases = [(path, field, value) for path, fields in FIELDS.items() for field in fields + (settings if path in ("/api/jobs", OPENAI) else []) for value in VALUES]
    say(f"{len(cases)} JSON bodies with a wrong value")

    def ask(case):
        path, field, value = case
        usual = {"steps": "1", "cfg_scale": "1", field: value}
        body = "{" + ", ".join(f'"{name}": {text}' for name, text in usual.items()) + "}"
        with server.open("POST", path, body.encode("latin-1"), Content_Type="application/json") as response:
            text = response.read()
            check(response.status < 500, f"{path} {body[:200]}: {response.status} {text[:300]}")
            is_stream = response.headers.get_content_type() == "text/event-stream"
            if response.status == 201:
                server.cancel(json.loads(text))
            elif not is_stream:
                json.loads(text)
        return response.status

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, cases))
    for field in ("", "{", "null", "[]", "1", '"x"', "{]", '{"a"}', "{'a': 1}", '{"a": 1,}', '{"a": 1} x', "\xef\xbb\xbf{}x", "{" * 100_000, "[" * 1_000_000, '{"steps": 1, "steps": "x"}', "\x00", "{\x00}", '{"prompt": "\n"}'):
        for path in FIELDS:
            server.ask("POST", path, field.encode("latin-1"), 422 if "steps" in field and path != f"{SD}/options" else 200 if "steps" in field else 400, Content_Type="application/json")
    check(found.count(200) + found.count(201) > 100 and found.count(422) > 500, "hardly any value was refused, or taken")
    check(server.ask("GET", "/healthz") == {"status": "ok"}, "the server is gone")


def main(uvic):
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor() as pool:
        work = pathlib.Path(folder)
        with open(work / "log", "w+") as log, Server(uvic, SHAPES, CIFAR, log=log) as server:
            slow = pool.submit(drips, server)
            draws_the_same_everywhere(server, uvic, work)
            repaints(server, uvic, work)
            tells_of_seeds(server)
            shows_progress(server)
            switches_models(server)
            streams(server)
            cancels(server)
            bounds_streams(server)
            refuses(server)
            bounds_bodies(server)
            outlives_malformed(server)
            outlives_bad_values(server)
            slow.result()
            check(metrics(server)['uvic_jobs_total{state="failed"}'] == "2", "a job failed that should not")
            log.seek(0)
            check("warning" not in (text := log.read()), text)
        asks_for_keys(uvic)
        is_bounded(uvic)
        follows_its_file(uvic, work)
    print("all as promised")


main(sys.argv[1])
