"""Lets uvic and pytorch_train.py train at the same time, uvic on core 0 and PyTorch on core 1, and scores both."""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys
import time
import tomllib

FOLDER = pathlib.Path(__file__).parent
UVIC = FOLDER.parent / "build" / "uvic"
PRESET = "cifar10-tiny"
BATCH = tomllib.loads((FOLDER.parent / "presets" / f"{PRESET}.toml").read_text())["train"]["batch"]
TIMED_STEPS = 50


def uvic_train(out, data, *options):
    return ["taskset", "-c", "0", UVIC, "--quiet", "--threads", "1", "train", "--preset", PRESET, "--data",
            f"cifar10:{data}", "--output.sample_every", "0", "--out", out, *map(str, options)]


def pytorch(*arguments):
    return ["taskset", "-c", "1", sys.executable, FOLDER / "pytorch_train.py", *map(str, arguments)]


def average(out):
    """The averaged weights of the newest run in the folder `out`, as a model file."""
    file = out.with_suffix(".safetensors")
    subprocess.run([UVIC, "--quiet", "convert", "--force", max(out.iterdir()), file], check=True,
                   stdout=subprocess.DEVNULL)
    return file


def initial_weights(work, data):
    """uvic's, once PyTorch has done the same few steps as uvic. The first step has rate 0: one step changes nothing."""
    file = work / "init.safetensors"
    if not file.exists():
        one_image = ["--data.flip", "false", "--data.drop_condition", "0", "--train.precision", "fp32", "--batch", "8",
                     "--train.warmup", "2"]
        files = []
        for steps in (1, 5):
            out = work / f"check-{steps}"
            subprocess.run(uvic_train(out, f"{data}?limit=1", *one_image, "--steps", steps), check=True,
                           stdout=subprocess.DEVNULL)
            files.append(average(out))
        subprocess.run(pytorch("check", *files, data), check=True, stdout=sys.stderr)
        subprocess.run(uvic_train(work / "init", data, "--steps", 1), check=True, stdout=subprocess.DEVNULL)
        average(work / "init")
    return file


def seconds_per_step(work, data, init, mode):
    """Of uvic and PyTorch, which run until PyTorch is timed; of uvic the rows of its log count, but for the first."""
    out = work / "timing"
    uvic = subprocess.Popen(uvic_train(out, data, "--output.log_every", 5), stdout=subprocess.DEVNULL)
    try:
        answer = subprocess.run(pytorch("time", init, data, "--steps", TIMED_STEPS, "--mode", mode), check=True,
                                stdout=subprocess.PIPE)
    finally:
        uvic.terminate()
        uvic.wait()
    records = max(out.iterdir()) / "metrics.csv"
    rows = list(csv.DictReader(records.open()))[1:] if records.exists() else []
    if not rows:
        raise SystemExit("uvic did hardly a step while PyTorch was timed: is core 0 free?")
    return {"uvic": statistics.mean(BATCH / float(row["images_per_second"]) for row in rows),
            "pytorch": json.loads(answer.stdout)["seconds_per_step"]}


def run_together(commands):
    """Starts all of {name: (command, stdout)}, yields each name and its seconds as it ends; if one fails, all stop."""
    begin = time.monotonic()
    running = {name: subprocess.Popen(command, stdout=out) for name, (command, out) in commands.items()}
    try:
        while running:
            time.sleep(0.1)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                if status := running.pop(name).returncode:
                    raise SystemExit(f"{name} ended with status {status}")
                yield name, time.monotonic() - begin
    finally:
        for process in running.values():
            process.terminate()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--num", type=int, default=1000, help="images for the score")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs/hour"))
    args = parser.parse_args()
    work, data = args.work, args.data
    work.mkdir(parents=True, exist_ok=True)
    init = initial_weights(work, data)

    plan_file = work / "plan.json"
    settings = {"minutes": args.minutes, "mode": args.mode}
    if not plan_file.exists():
        plan = {**settings, "seconds_per_step": seconds_per_step(work, data, init, args.mode), "seconds": {}}
        plan_file.write_text(json.dumps(plan))
    plan = json.loads(plan_file.read_text())
    if {key: plan[key] for key in settings} != settings:
        raise SystemExit(f"{plan_file} is of other settings: give another --work")
    steps = {name: max(1, round(60 * args.minutes / s)) for name, s in plan["seconds_per_step"].items()}
    print(f"{plan['seconds_per_step']} seconds a step, so {steps} steps; logs are in {work}", file=sys.stderr)

    with open(work / "pytorch.log", "a") as log:
        commands = {"uvic": (uvic_train(work / "uvic", data, "--steps", steps["uvic"]), subprocess.DEVNULL),
                    "pytorch": (pytorch("train", init, work / "pytorch.safetensors", data, "--steps", steps["pytorch"],
                                        "--mode", args.mode), log)}
        for name, seconds in run_together({name: c for name, c in commands.items() if name not in plan["seconds"]}):
            if name == "uvic":
                average(work / "uvic")
            plan["seconds"][name] = seconds
            plan_file.write_text(json.dumps(plan))

    print(f"| program | s a step | steps | images | seconds | FD(efficientnet-lite0), {args.num} images |\n"
          "| --- | --- | --- | --- | --- | --- |")
    for name, title in {"uvic": "uvic", "pytorch": f"PyTorch {args.mode}"}.items():
        score = subprocess.run([UVIC, "--quiet", "fid", work / f"{name}.safetensors", f"cifar10:{data}", "--num",
                                str(args.num), "--features", "efficientnet-lite0"], check=True, text=True,
                               stdout=subprocess.PIPE).stdout
        print(f"| {title} | {plan['seconds_per_step'][name]:.3f} | {steps[name]} | {BATCH * steps[name]} | "
              f"{plan['seconds'][name]:.0f} | {' '.join(score.split()[1:4])} |", flush=True)


if __name__ == "__main__":
    main()
