"""Lets uvic and the PyTorch programs of pytorch_uvit.py take turns and prints the ratios of their times."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

FOLDER = pathlib.Path(__file__).parent


class PyTorch:
    """One PyTorch variant, loaded and warmed up, that times itself when asked."""

    def __init__(self, what, attention, precision, mode):
        self.name = f"PyTorch {mode} {'U-ViC' if attention == 'cog' else 'U-ViT'}"
        self.process = subprocess.Popen(
            [sys.executable, FOLDER / "pytorch_uvit.py", what, "--attention", attention, "--precision", precision,
             "--mode", mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{self.name} did not start")

    def time(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.communicate("stop\n")


class Uvic:
    def __init__(self, program, what, attention, precision):
        self.name = f"uvic {'U-ViC' if attention == 'cog' else 'U-ViT'}"
        self.command = [program, "bench", what, "--attention", attention, "--kernels", "fused", "--precision",
                        precision, "--rounds", "1", "--json"]

    def time(self):
        return json.loads(subprocess.run(self.command, stdout=subprocess.PIPE, check=True, text=True).stdout)

    def stop(self):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uvic", default="build/uvic")
    parser.add_argument("--what", default="train,sample")
    parser.add_argument("--precision", default="fp32,bf16")
    parser.add_argument("--mode", default="eager,compile")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print("| work | program | min ms | median ms | peak MiB | uvic U-ViC by this |\n| --- | --- | --- | --- | --- | --- |")
    for what in args.what.split(","):
        for precision in args.precision.split(","):
            programs = [Uvic(args.uvic, what, "cog", precision)]
            programs += [PyTorch(what, "cog", precision, mode) for mode in args.mode.split(",")]
            programs.append(PyTorch(what, "softmax", precision, "eager"))
            rounds = [[p.time() for p in programs] for _ in range(args.rounds)]
            for program, times in zip(programs, zip(*rounds)):
                program.stop()
                ms = [t["ms"] for t in times]
                if program is programs[0]:
                    ours = min(ms)
                print(f"| {what} {precision} | {program.name} | {min(ms):.0f} | {statistics.median(ms):.0f} | "
                      f"{max(t['peak_mib'] for t in times):.0f} | {ours / min(ms):.2f} |", flush=True)


if __name__ == "__main__":
    main()
