#!/usr/bin/env python3
"""`uvic serve` under load, on this machine: 64 clients draw with the shapes model, in turns with `uvic sample` of as many
pictures; then clients that cancel, that die, that only connect, and a model's file that is replaced and damaged.
Prints the table of docs/results.md.
usage: bench/serve_load.py UVIC [SECONDS of drawing, 60]"""
import collections
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
from serve_client import Server, check, until  # noqa: E402

MODEL = ROOT / "assets" / "shapes.safetensors"
OTHER = ROOT / "assets" / "cifar10.safetensors"
PROMPT = "a red circle above a blue square"
DRAW = "/v1/images/generations"
CLIENTS, TURNS = 64, 4
CANCELS, DEATHS, IDLE = 1000, 100, 10_000
MIB = 1 << 20


def row(name, value):
    print(f"| {name} | {value} |", flush=True)


class Clients:
    """Each draws one picture after the other until it is told to stop."""

    def __init__(self, server, count):
        self.seconds, self.answers = [], collections.Counter()
        self.errors = []
        self.is_over = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(count)
        self.clients = [self.pool.submit(self.draw, server, i) for i in range(count)]

    def draw(self, server, client):
        connection = None
        body = json.dumps({"prompt": PROMPT, "seed": client})
        while not self.is_over.is_set():
            begin = time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
                connection.request("POST", DRAW, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                text = response.read()
                self.answers[response.status] += 1
                if response.status == 200:
                    self.seconds.append(time.monotonic() - begin)
                else:
                    self.errors.append(json.loads(text)["error"]["message"])
                if response.will_close:
                    connection = None
            except OSError as error:
                self.answers[type(error).__name__] += 1
                connection = None

    def stop(self):
        self.is_over.set()
        for client in self.clients:
            client.result()
        self.pool.shutdown()
        return self.answers


def processor_seconds(server):
    with open(f"/proc/{server.program.pid}/stat") as numbers:
        fields = numbers.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sample_seconds(uvic, folder, count):
    """By the clock, and of the processors."""
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([uvic, "--quiet", "sample", "--model", MODEL, "--prompt", PROMPT, "--seeds", f"0-{count - 1}", "--out", folder, "--force"],
                   check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_WAIT_POLICY": "passive"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - begin, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def draws(server, uvic, folder, seconds):
    pictures, served, sampled, worked, waited, memory = 0, 0, 0, 0, [], [server.memory()]
    before = processor_seconds(server)
    answers = collections.Counter()
    for _ in range(TURNS):
        begin = time.monotonic()
        clients = Clients(server, CLIENTS)
        time.sleep(seconds / TURNS)
        answers += clients.stop()
        served += time.monotonic() - begin
        memory.append(server.memory())
        pictures += len(clients.seconds)
        waited += clients.seconds
        by_clock, of_processors = sample_seconds(uvic, folder, len(clients.seconds))
        sampled, worked = sampled + by_clock, worked + of_processors
    busy = processor_seconds(server) - before
    waited.sort()
    row(f"pictures a second, {CLIENTS} clients", f"{pictures / served:.1f}")
    row("pictures a second, `uvic sample`", f"{pictures / sampled:.1f}")
    row("ratio", f"{sampled / served:.2f}")
    row("processor seconds a picture, `uvic serve` and `uvic sample`, ratio", f"{busy / pictures:.3f}, {worked / pictures:.3f}, {worked / busy:.2f}")
    row("seconds until a picture is there, median and 99th percentile", f"{statistics.median(waited):.2f}, {waited[int(len(waited) * 0.99)]:.2f}")
    row("memory before, then after each turn, MiB", ", ".join(f"{bytes / MIB:.0f}" for bytes in memory))
    row("answers", dict(answers))
    check(set(answers) <= {200, 429}, "there are errors")


def cancels(server):
    begin = time.monotonic()

    def cancel(count):
        for i in range(count):
            job = server.job(prompt=PROMPT, seed=i, count=random.randint(1, 4))
            check(server.cancel(job)["state"] in ("cancelled", "done"), "a job was not cancelled")

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        list(pool.map(cancel, [CANCELS // 10] * 10))
    until(lambda: not unfinished(server), "all jobs to be over")
    row(f"{CANCELS} jobs that are cancelled, seconds", f"{time.monotonic() - begin:.1f}")


def unfinished(server):
    return [job for job in server.ask("GET", "/api/jobs")["jobs"] if job["state"] in ("waiting", "running")]


def deaths(server):
    """In the middle of a head, of a body, of the wait, and of events."""
    before = server.memory()
    body = json.dumps({"prompt": PROMPT, "stream": True, "n": 2}).encode()
    request = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (DRAW.encode(), len(body), body)
    for i in range(DEATHS):
        connection = server.connect()
        sent = [20, len(request) - 10, len(request), len(request)][i % 4]
        connection.sendall(request[:sent])
        if i % 4 == 3:
            connection.recv(100)
        connection.close()
    until(lambda: not unfinished(server) and "uvic_event_streams 0\n" in server.ask("GET", "/metrics").decode(), "the jobs of dead clients to be over")
    row(f"{DEATHS} clients that die, memory before and after, MiB", f"{before / MIB:.0f}, {server.memory() / MIB:.0f}")


def idlers(server):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, most - 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    begin = time.monotonic()
    idle = [server.connect() for _ in range(count)]
    connected = time.monotonic() - begin
    refused = 0
    for connection in idle:
        connection.settimeout(0)
        try:
            refused += connection.recv(1 << 12).startswith(b"HTTP/1.1 503 ")
        except BlockingIOError:
            pass

    def is_drawn():
        try:
            with server.open("POST", DRAW, {"prompt": PROMPT}) as response:
                return response.status == 200
        except OSError:
            return False

    begin = time.monotonic()
    until(is_drawn, "a picture beside idle connections")
    row(f"{count} idle connections: made in s, refused with 503, s until another client has its picture",
        f"{connected:.1f}, {refused}, {time.monotonic() - begin:.1f}")
    for connection in idle:
        connection.close()


def replaces(uvic, folder):
    file, new = folder / "model.safetensors", folder / "new.safetensors"
    shutil.copy(MODEL, file)

    def hash_of(server):
        return server.ask("GET", "/api/models")["models"][0]["hash"]

    with Server(uvic, file) as server:
        clients, hashes = Clients(server, 8), [hash_of(server)]
        for model in (OTHER, MODEL):
            shutil.copy(model, new)
            os.replace(new, file)
            until(lambda: hash_of(server) != hashes[-1], "the new file to be read")
            hashes.append(hash_of(server))
        answers = clients.stop()
        check(set(answers) == {200} and hashes[0] == hashes[2] != hashes[1], f"{answers} {clients.errors[:3]} {hashes}")
        row("a model's file replaced twice: answers", dict(answers))
        clients = Clients(server, 8)
        time.sleep(1)
        os.truncate(file, file.stat().st_size // 2)
        until(lambda: clients.errors, "a job to fail")
        answers = clients.stop()
        check(set(answers) == {200, 500} and all("\n" not in text for text in clients.errors), f"{answers} {clients.errors[:3]}")
        row("and cut off: what is said", sorted(set(clients.errors))[0].replace(str(folder) + "/", ""))
        shutil.copy(MODEL, new)
        os.replace(new, file)
        server.ask("POST", DRAW, {"prompt": PROMPT})


def main(uvic, seconds=60):
    print("| | |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with Server(uvic, MODEL) as server:
            server.ask("POST", DRAW, {"prompt": PROMPT})
            draws(server, uvic, folder / "samples", float(seconds))
            cancels(server)
            deaths(server)
            idlers(server)
        replaces(uvic, folder)


main(*sys.argv[1:])
