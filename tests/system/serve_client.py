"""A server of `uvic serve` and what clients ask of it, for tests and benches."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

PATIENCE = 60  # seconds


def check(right, text):
    if not right:
        raise AssertionError(text)


def until(f, what):
    """The first true value of f()."""
    end = time.monotonic() + PATIENCE
    while not (value := f()):
        check(time.monotonic() < end, f"waited {PATIENCE} s for {what}")
        time.sleep(0.01)
    return value


class Server:
    """On a free port, which it prints; it is ended with the block."""

    def __init__(self, uvic, *arguments, log=subprocess.DEVNULL):
        command = [str(word) for word in (uvic, "serve", *arguments, "--port", 0)]
        self.program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True,
                                        env=os.environ | {"OMP_WAIT_POLICY": "passive"})
        address = re.fullmatch(r"http://\S+:(\d+)\n", self.program.stdout.readline())
        check(address, f"{command} says not where it listens")
        self.port = int(address[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.program.poll() is None:
            self.end()

    def end(self):
        """As Ctrl-C does. The exit code and the seconds that it took."""
        begin = time.monotonic()
        self.program.send_signal(signal.SIGTERM)
        try:
            return self.program.wait(20), time.monotonic() - begin
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait()
            raise AssertionError("the server did not end when interrupted") from None

    def memory(self):
        """Bytes that it holds now."""
        with open(f"/proc/{self.program.pid}/statm") as numbers:
            return int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def connect(self, timeout=PATIENCE):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def send(self, data, ends=True, timeout=PATIENCE):
        """What comes back for these bytes until the connection ends; `ends`: nothing more is sent."""
        with self.connect(timeout) as connection:
            answer = b""
            try:
                connection.sendall(data)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(1 << 16):
                    answer += part
            except (ConnectionResetError, BrokenPipeError):
                pass
            return answer

    def open(self, method, path, value=None, **headers):
        """The response before its body is read. `value`: bytes, or what becomes JSON."""
        headers = {name.replace("_", "-"): text for name, text in headers.items()}
        if value is not None and not isinstance(value, bytes):
            value = json.dumps(value).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(method, path, value, headers)
        return connection.getresponse()

    def ask(self, method, path, value=None, status=200, **headers):
        """The body of the response: JSON as what it says, and other bytes as they are."""
        with self.open(method, path, value, **headers) as response:
            body = response.read()
            check(response.status == status, f"{method} {path}: {response.status} {body[:300]}, expected {status}")
            return json.loads(body) if response.headers.get_content_type() == "application/json" else body

    def events(self, response):
        """(name, data) of server-sent events."""
        with response:
            for block in response.read().decode().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
                if fields:
                    yield fields["event"], json.loads(fields["data"])

    def job(self, **wish):
        return self.ask("POST", "/api/jobs", wish, 201)

    def drawn(self, **wish):
        """The PNGs of a job."""
        job = self.job(**wish)
        until(lambda: self.state(job) not in ("waiting", "running"), "a job")
        return [self.ask("GET", row["url"]) for row in self.ask("GET", f"/api/jobs/{job['id']}")["images"]]

    def state(self, job):
        return self.ask("GET", f"/api/jobs/{job['id']}")["state"]

    def cancel(self, job):
        return self.ask("DELETE", f"/api/jobs/{job['id']}")
