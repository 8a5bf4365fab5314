#!/usr/bin/env python3
"""The page of `uvic serve` in a real browser, as a person uses it: draws, cancels, comes back by the link, takes a recipe
over, paints a mask, interpolates, watches. Nothing is asked of other hosts, nothing overflows, every control has a name.
usage: browser_test.py UVIC [FOLDER for pictures of the page]"""
import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from serve_client import PATIENCE, check, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "assets" / "shapes.safetensors"
WIDTHS = {360: 780, 1280: 860, 1920: 1080}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver's key of an element
KEYS = {"Escape": "\ue00c", "Enter": "\ue007", "Control": "\ue009", "Right": "\ue014"}
CONTRAST = 4.5  # WCAG AA


@contextlib.contextmanager
def started(command, pattern, **how):
    """A program that says where it listens; it is ended with the block."""
    program = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True, **how)
    try:
        for line in program.stdout:
            if found := re.search(pattern, line):
                yield found[1]
                return
        raise AssertionError(f"{command[0]} said not where it listens")
    finally:
        program.send_signal(signal.SIGINT)
        try:
            program.wait(20)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
            raise AssertionError(f"{command[0]} did not end when interrupted") from None


class Browser:
    """W3C WebDriver, as far as it is used here."""

    def __init__(self, driver, profile):
        self.driver = driver
        options = {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                     "--no-first-run", f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self.session = ""
        self.session = self.ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def ask(self, method, path, value=None):
        url = f"{self.driver}/session" + (f"/{self.session}" if self.session else "") + (f"/{path}" if path else "")
        body = None if method != "POST" else json.dumps(value or {}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=2 * PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"].split("\n")[0]) from None

    def open(self, url):
        self.ask("POST", "url", {"url": url})

    def run(self, script, *values):
        return self.ask("POST", "execute/sync", {"script": script, "args": list(values)})

    def run_async(self, script, *values):
        """What the script gives to `done`."""
        text = f"const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().catch((e) => done(String(e)));"
        return self.ask("POST", "execute/async", {"script": text, "args": list(values)})

    def find(self, selector):
        return self.ask("POST", "element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.ask("POST", f"element/{self.find(selector)}/click")

    def type(self, selector, text, clear=True):
        if clear:
            self.ask("POST", f"element/{self.find(selector)}/clear")
        self.ask("POST", f"element/{self.find(selector)}/value", {"text": text})

    def press(self, *keys):
        actions = [{"type": "keyDown", "value": KEYS[key]} for key in keys] + [{"type": "keyUp", "value": KEYS[key]} for key in keys]
        self.ask("POST", "actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def drag(self, selector, path):
        """The mouse over an element, by points about its centre."""
        origin = {ELEMENT: self.find(selector)}
        moves = [{"type": "pointerMove", "duration": 50, "origin": origin, "x": x, "y": y} for x, y in path]
        actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        self.ask("POST", "actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})

    def devtools(self, command, **values):
        return self.ask("POST", "goog/cdp/execute", {"cmd": command, "params": values})

    def look(self, width, colours):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=WIDTHS[width], deviceScaleFactor=1, mobile=width < 500)
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": colours}])

    def log(self, kind):
        return self.ask("POST", "se/log", {"type": kind})

    def keep_picture(self, file):
        file.write_bytes(base64.b64decode(self.ask("GET", "screenshot")))


def value_of(browser, name):
    return browser.run("return document.getElementById(arguments[0]).value", name)


def set_number(browser, name, text):
    """Of a field that may lie in a fold."""
    browser.run("document.getElementById(arguments[0]).closest('details')?.setAttribute('open', '')", name)
    browser.type(f"#{name}", text)


def drawn(browser):
    return browser.run("return document.querySelectorAll('.job:first-child .tile:not(:disabled) img').length")


def state(browser):
    return browser.run("return document.querySelector('.job:first-child')?.dataset.state")


def await_drawn(browser, count):
    until(lambda: state(browser) == "done" and drawn(browser) == count, f"{count} pictures")


def complaint(browser):
    return browser.run("const box = document.getElementById('alert'); return box.hidden ? '' : box.innerText")


def colours_in(browser, selector):
    """How many colours a picture has: that its pixels are there."""
    return browser.run_async("""
      const image = document.querySelector(arguments[0]);
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      done(new Set(new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size);""", selector)


def opens(browser, address):
    browser.open(address)
    until(lambda: browser.run("return document.getElementById('model')?.value") == "shapes", "the form")
    check(browser.run("return document.querySelectorAll('#settings input, #settings select').length") >= 4, "there are no settings")


def cancels(browser):
    browser.type("#prompt", "a red circle")
    set_number(browser, "setting-steps", "1000")
    browser.press("Control", "Enter")
    until(lambda: browser.run("return document.querySelector('.tile.preview img')?.naturalWidth > 0"), "a preview")
    browser.press("Escape")
    until(lambda: state(browser) == "cancelled", "the end of a cancelled job")


def warns_of_words(browser):
    browser.type("#prompt", "a red dodecahedron")
    check("dodecahedron" in browser.run("return document.getElementById('prompt-note').innerText"), "no warning of an unknown word")


def draws(browser):
    set_number(browser, "setting-steps", "5")
    browser.type("#prompt", "a red circle above a blue square")
    browser.type("#seeds", "18446744073709551612")  # more than a JavaScript number holds
    browser.type("#count", "3")
    browser.click("#form button[type=submit]")
    await_drawn(browser, 3)
    check(colours_in(browser, ".job:first-child .tile img") > 16, "the picture has hardly any colours")
    texts = browser.run("return [...document.querySelectorAll('.job:first-child .tile img')].map((image) => image.alt)")
    check(texts == [f"a red circle above a blue square, seed {18446744073709551612 + i}" for i in range(3)], f"alt texts are {texts}")


def comes_back(browser):
    """The link restores the form, and the server its jobs."""
    until(lambda: "seeds=18446744073709551612" in browser.run("return location.hash"), "the link")
    browser.ask("POST", "refresh")
    until(lambda: value_of(browser, "prompt") == "a red circle above a blue square", "the prompt of the link")
    kept = [value_of(browser, name) for name in ("setting-steps", "seeds", "count")]
    check(kept == ["5", "18446744073709551612", "3"], f"the link brings {kept}")
    until(lambda: drawn(browser) == 3, "the jobs that the server knows")


def takes_recipe(browser):
    """A PNG dropped on the page."""
    browser.type("#prompt", "a")
    browser.type("#seeds", "1")
    browser.run_async("""
      const answer = await fetch(document.querySelector(".job:first-child .tile img").src);
      const transfer = new DataTransfer();
      transfer.items.add(new File([await answer.blob()], "x.png", {type: "image/png"}));
      document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
      done();""")
    until(lambda: value_of(browser, "prompt") == "a red circle above a blue square", "the recipe's prompt")
    check(value_of(browser, "seeds") == "18446744073709551612", "the recipe's seed is another")
    check(value_of(browser, "setting-steps") == "5", "the recipe's steps are others")


def shows_picture(browser):
    """Large, with its recipe, and the next by a key."""
    browser.click(".job:first-child .tile")
    until(lambda: browser.run("return document.getElementById('picture').open"), "the picture")
    fields = browser.run("return document.getElementById('picture-recipe').innerText")
    check("18446744073709551612" in fields and "Sampler" in fields, f"the recipe shown is {fields}")
    browser.press("Right")
    until(lambda: "18446744073709551613" in browser.run("return document.getElementById('picture-recipe').innerText"), "the next picture")
    browser.press("Escape")
    until(lambda: not browser.run("return document.getElementById('picture').open"), "the picture to close")


def interpolates(browser):
    browser.click(".job:first-child .tile")
    browser.click("#picture-way")
    browser.click(".job:first-child li:nth-child(2) .tile")
    await_drawn(browser, 8)
    check(value_of(browser, "to_seed") == "18446744073709551613", "the seed to interpolate to is another")
    browser.type("#to_seed", "")


def paints_mask(browser, picture):
    browser.run("document.getElementById('start-fold').open = true")
    browser.type("#start-file", str(picture), clear=False)
    until(lambda: browser.run("return !document.getElementById('start-edit').hidden"), "the picture to start from")
    browser.run("document.getElementById('mask-canvas').scrollIntoView({block: 'center'})")
    browser.drag("#mask-canvas", [(-60, -60), (60, 60)])
    until(lambda: browser.run("return document.getElementById('start-changed').innerText") == "with a mask", "the mask")
    browser.type("#seeds", "5")
    browser.type("#count", "1")
    browser.click("#form button[type=submit]")
    await_drawn(browser, 1)
    check("strength" in browser.run_async("""
      const answer = await fetch(document.querySelector(".job:first-child .tile img").src);
      done(new TextDecoder("latin1").decode(await answer.arrayBuffer()));"""), "the recipe names no strength")
    browser.click("#start-remove")


def says_what_is_wrong(browser):
    browser.type("#seeds", "7-3")
    browser.click("#form button[type=submit]")
    until(lambda: "range of seeds" in complaint(browser), "a complaint about seeds")
    browser.click("#alert-close")
    browser.type("#seeds", "")


def switches_colours(browser):
    """And keeps them."""
    ground = "return getComputedStyle(document.documentElement).backgroundColor"
    light = browser.run(ground)
    browser.click("#theme option[value=dark]")
    check(browser.run(ground) != light, "dark is as light")
    browser.ask("POST", "refresh")
    until(lambda: value_of(browser, "theme") == "dark", "the colours that were chosen")
    check(browser.run(ground) != light, "dark is not kept")
    browser.click("#theme option[value='']")


def watches(browser):
    browser.click(".top a[href='#watch']")
    until(lambda: browser.run("return document.querySelector('.plot path.curve')?.getAttribute('d').length > 20"), "the loss")
    until(lambda: browser.run("return document.getElementById('sample-image').naturalWidth > 0"), "a sample")


def names_controls(browser):
    """As assistive technology gets them from the browser."""
    kinds = "input, select, textarea, button, a, summary, img, dialog"
    controls = browser.ask("POST", "elements", {"using": "css selector", "value": kinds})
    for control in controls:
        path = f"element/{control[ELEMENT]}"
        if browser.ask("GET", f"{path}/displayed") and not browser.ask("GET", f"{path}/computedlabel"):
            raise AssertionError("no name: " + browser.run("return arguments[0].outerHTML", control)[:200])


LOOK = """
  const channel = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`overflows: ${root.scrollWidth} > ${root.clientWidth}`);
  for (const element of document.querySelectorAll("body *")) {
    if (!element.checkVisibility() || element.closest("svg, .unseen, :disabled, progress")) continue;
    if (![...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < arguments[0]) faults.push(`contrast ${contrast.toFixed(2)}: ${element.outerHTML.slice(0, 100)}`);
  }
  return faults;"""


def looks_right(browser, pictures):
    """Each view, in each width, dark and light."""
    for width in WIDTHS:
        for colours in ("light", "dark"):
            browser.look(width, colours)
            for view in ("draw", "watch", "models"):
                browser.run("document.querySelector(`.top a[href='#${arguments[0]}']`).click(); scrollTo(0, 0)", view)
                until(lambda: browser.run("return !document.getElementById(`${arguments[0]}-view`).hidden", view), view)
                time.sleep(0.3)  # for curves to be drawn anew
                if pictures:
                    browser.keep_picture(pictures / f"{view}-{width}-{colours}.png")
                faults = browser.run(LOOK, CONTRAST)
                check(not faults, f"{view}, {width} wide, {colours}: {faults}")
                if colours == "light":
                    names_controls(browser)


def keeps_to_itself(browser, address):
    """Neither errors nor requests to others."""
    errors = [entry["message"] for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    check(not errors, f"the browser complains: {errors}")
    events = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
    urls = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    check(len(urls) > 10, "the requests were not seen")
    others = [url for url in urls if url.startswith(("http", "ws")) and not url.startswith(address)]
    check(not others, f"asked of others: {others}")


def make_run(uvic, folder):
    subprocess.run([uvic, "train", "--preset", "smoke", "--steps", "40", "--output.log_every", "1", "--output.sample_every", "20",
                    "--quiet", "--name", "watched"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def make_start(uvic, folder):
    subprocess.run([uvic, "sample", "--model", MODEL, "--prompt", "a green star", "--steps", "4", "--out", "start.png", "--quiet"],
                   cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "start.png"


def main(uvic, pictures):
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            print(f"skipped: no {program} here (Debian: apt install chromium chromium-driver)")
            return 77
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
        folder = pathlib.Path(work)
        make_run(uvic, folder)
        start = make_start(uvic, folder)
        quiet = {**os.environ, "HOME": work, "OMP_WAIT_POLICY": "passive"}
        address = stack.enter_context(started([uvic, "serve", MODEL, "runs", "--port", "0"], r"(http://127\.0\.0\.1:\d+)",
                                              cwd=work, env=quiet))
        driver = stack.enter_context(started(["chromedriver", "--port=0"], r"started successfully on port (\d+)", env=quiet,
                                             stderr=subprocess.DEVNULL))
        browser = Browser(f"http://127.0.0.1:{driver}", folder / "profile")
        stack.callback(browser.ask, "DELETE", "")
        browser.look(1280, "light")
        steps = [(opens, address), (warns_of_words,), (cancels,), (draws,), (comes_back,), (takes_recipe,), (shows_picture,),
                 (interpolates,), (paints_mask, start), (says_what_is_wrong,), (switches_colours,), (watches,), (looks_right, pictures),
                 (keeps_to_itself, address)]
        for step, *values in steps:
            print("---", step.__name__.replace("_", " "), flush=True)
            try:
                step(browser, *values)
                check(not complaint(browser), f"the page says: {complaint(browser)}")
            except AssertionError as error:
                if pictures:
                    browser.keep_picture(pictures / "fault.png")
                print(f"FAIL: {step.__name__.replace('_', ' ')}: {error}", file=sys.stderr)
                return 1
    print("all passed")
    return 0


if __name__ == "__main__":
    shots = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), shots))
