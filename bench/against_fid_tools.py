"""Runs uvic and the tools of fid_tools.py on the same two folders of images and prints what each says and takes.

Everything runs on one thread and times are CPU seconds, so that a busy machine changes little. uvic's are those of the
whole program; of the others only the work itself counts, without the start of Python and the loading of the network.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
UVIC = "build/uvic"
QUIET = ["--quiet", "--threads", "1"]
# The tool whose resize each of uvic's modes follows.
RESIZE_OF = {"pytorch-fid": "pytorch-fid", "clean-fid": "clean", "torch-fidelity": "tf"}
FIELDS = ["FID", "KID", "IS", "precision", "recall"]


def run(command, **options):
    """Standard output, CPU seconds and peak MiB of a command, which must succeed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True, env=environment,
                               **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return output, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def flat(folder, to):
    """Links to all pictures of a folder in one without folders: the others do not look deeper."""
    to.mkdir()
    for i, file in enumerate(sorted(pathlib.Path(folder).rglob("*.png"))):
        (to / f"{i:06}.png").symlink_to(file.resolve())
    return to


def uvic(a, b, weights, resize, scratch):
    """The features of each side into a file, in one pass; then from the files the statistics and all metrics."""
    network = ["--weights", weights, "--resize", resize]
    features_s, peaks, files = 0, [], {}
    for name, folder in (("a", a), ("b", b)):
        files[name] = scratch / f"{name}-{resize}.feats"
        _, seconds, peak = run([UVIC, "stats", folder, "-o", files[name], *network, *QUIET])
        features_s += seconds
        peaks.append(peak)
        run([UVIC, "stats", files[name], "-o", files[name].with_suffix(".npz"), *QUIET])
    statistics = [file.with_suffix(".npz") for file in files.values()]
    _, frechet_s, _ = run([UVIC, "fid", *statistics, *QUIET])
    output, _, peak = run([UVIC, "fid", *files.values(), "--metrics", "fid,kid,is,prdc", "--json", *QUIET])
    metrics = json.loads(output.splitlines()[-1])["metrics"]
    values = {name: metrics[name]["value"] for name in FIELDS}
    return {**values, "features_s": features_s, "frechet_s": frechet_s, "peak_mib": max(*peaks, peak)}


def other(tool, a, b, scratch):
    output, _, peak = run([sys.executable, HERE / "fid_tools.py", tool, a, b, scratch], stderr=subprocess.DEVNULL)
    return {**json.loads(output.splitlines()[-1]), "peak_mib": peak}


def exchange_statistics(a, b, weights, scratch, expected):
    """uvic's statistics in pytorch-fid's command line, and pytorch-fid's in uvic."""
    cli = [sys.executable, "-m", "pytorch_fid", "--device", "cpu", "--num-workers", "0"]
    environment = {"env": {"TORCH_HOME": str(scratch)}, "stderr": subprocess.DEVNULL}
    theirs, _, _ = run([*cli, scratch / "a-pytorch-fid.npz", scratch / "b-pytorch-fid.npz"], **environment)
    run([*cli, "--save-stats", a, scratch / "theirs.npz"], **environment)
    ours, _, _ = run([UVIC, "fid", scratch / "theirs.npz", b, "--weights", weights, "--resize", "pytorch-fid",
                       "--json", *QUIET])
    for name, value in (("pytorch-fid on uvic's statistics", float(re.search(r"FID:\s*(\S+)", theirs).group(1))),
                        ("uvic on pytorch-fid's statistics", json.loads(ours.splitlines()[-1])["value"])):
        print(f"{name}: {value:.6f}, {abs(value / expected - 1):.1e} from {expected:.6f}")


def main():
    scratch = pathlib.Path(sys.argv[3])
    a, b = flat(sys.argv[1], scratch / "a"), flat(sys.argv[2], scratch / "b")
    run([sys.executable, HERE / "fid_tools.py", "weights", scratch])
    weights = next(scratch.glob("pt_inception*.pth"))
    images = sum(len(list(folder.iterdir())) for folder in (a, b))
    print("| program | " + " | ".join(FIELDS) + " | images a CPU second | Fréchet, CPU s | peak MiB |\n|" + " --- |" * (len(FIELDS) + 4))
    for tool, resize in RESIZE_OF.items():
        rows = {f"uvic, {resize}": uvic(a, b, weights, resize, scratch), tool: other(tool, a, b, scratch)}
        for name, row in rows.items():
            values = [f"{row[field]:.6g}" if field in row else "" for field in FIELDS]
            print(f"| {name} | " + " | ".join(values) + f" | {images / row['features_s']:.1f} | {row['frechet_s']:.2f} |"
                  f" {row['peak_mib']:.0f} |", flush=True)
        if tool == "pytorch-fid":
            exchange_statistics(a, b, weights, scratch, rows[tool]["FID"])


main()
