"""Lets uvic's language model and that of pytorch_cogformer.py take turns and prints the ratios of their times."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

FOLDER = pathlib.Path(__file__).parent
# layers, dim, heads, head_dim, hidden, vocabulary: two of uvic's sizes, and one between tiny and base.
SIZES = {"nano": (4, 128, 2, 64, 256, 1024), "tiny": (6, 192, 3, 64, 512, 4096), "middle": (8, 448, 7, 64, 1216, 8192)}
KEYS = ("layers", "dim", "heads", "head_dim", "hidden", "vocabulary")


class PyTorch:
    """Loaded and warmed up; times itself when asked."""

    def __init__(self, work, size, options):
        sizes = [word for key, value in zip(KEYS, SIZES[size]) for word in (f"--{key}", str(value))]
        self.process = subprocess.Popen([sys.executable, FOLDER / "pytorch_cogformer.py", work, *sizes, *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit("the PyTorch program did not start")

    def time(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["median_ms"]

    def stop(self):
        self.process.communicate("stop\n")


class Uvic:
    def __init__(self, program, work, size, options):
        sizes = [word for key, value in zip(KEYS, SIZES[size]) for word in (f"--lm.{key}", str(value))]
        self.command = [program, "bench", "lm", "--json", "--work", work, *sizes, *options]

    def time(self):
        return json.loads(subprocess.run(self.command, stdout=subprocess.PIPE, check=True, text=True).stdout)["median_ms"]

    def stop(self):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uvic", action="append", help="may be repeated, to compare several [build/uvic]")
    parser.add_argument("--work", default="train,write")
    parser.add_argument("--size", default=",".join(SIZES))
    parser.add_argument("--threads", default="2")
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    print("| work | size | program | median ms | tokens/s | by PyTorch's, median of the turns | least, most |\n"
          "| --- | --- | --- | --- | --- | --- | --- |")
    for work in args.work.split(","):
        # Of so many steps or texts the median counts.
        options = ["--threads", args.threads, "--rounds", "5" if work == "train" else "3"]
        tokens = 16 * 256 if work == "train" else 256
        for size in args.size.split(","):
            theirs = PyTorch(work, size, options)
            programs = {f"uvic {path}": Uvic(path, work, size, options) for path in args.uvic or ["build/uvic"]}
            programs["PyTorch"] = theirs
            turns = [[program.time() for program in programs.values()] for _ in range(args.turns)]
            for i, name in enumerate(programs):
                ms, ratios = [turn[i] for turn in turns], [turn[i] / turn[-1] for turn in turns]
                median = statistics.median(ms)
                print(f"| {work} | {size} | {name} | {median:.1f} | {1e3 * tokens / median:.0f} | "
                      f"{statistics.median(ratios):.2f} | {min(ratios):.2f}, {max(ratios):.2f} |", flush=True)
            theirs.stop()


if __name__ == "__main__":
    main()
