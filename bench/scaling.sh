#!/usr/bin/env bash
# A training step of U-ViC tiny, 128 pictures of 32 x 32: two ranks of one thread each, with gradients sent during and after
# the backward pass, against one process of two threads. Each ROUNDS times in turn; the median step of the fastest round.
# usage: bench/scaling.sh [ROUNDS] [STEPS]
set -euo pipefail
rounds=${1:-3} steps=${2:-12}
uvic=$(realpath "$(dirname "$0")/../build/uvic")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive
measure() { # NAME options...
  "$uvic" --quiet train --preset shapes --model.size tiny --data 'shapes?size=32&count=4096' --model.image_size 32 --batch 128 --steps "$steps" --train.warmup 0 \
    --output.log_every 1 --output.sample_every 0 --output.save_every 100000 --out "$work" --name "$@" > "$work/log"
}
for ((round = 0; round < rounds; ++round)); do
  OMP_NUM_THREADS=2 measure "process-$round"
  OMP_NUM_THREADS=1 measure "ranks-$round" --ranks 2
  OMP_NUM_THREADS=1 measure "late-$round" --ranks 2 --world.overlap false
done
python3 - "$work" "$rounds" << 'END'
import json, pathlib, statistics, sys
work, rounds = pathlib.Path(sys.argv[1]), int(sys.argv[2])
def fastest(kind):
    best = None
    for i in range(rounds):
        rows = [json.loads(line) for line in open(next(work.glob(f"*-{kind}-{i}")) / "stats.jsonl")][3:]
        step = statistics.median(128 / row["images_per_second"] for row in rows)
        own = statistics.median(row.get("rank_seconds_mean", step) for row in rows)
        best = min(best or (step, own), (step, own))
    return best
model = next(work.glob("*-process-0/latest/model.safetensors")).read_bytes()
header = json.loads(model[8 : 8 + int.from_bytes(model[:8], "little")])
size = sum(v["data_offsets"][1] - v["data_offsets"][0] for k, v in header.items() if k != "__metadata__")
process, (ranks, own), (late, late_own) = fastest("process")[0], fastest("ranks"), fastest("late")
print(f"one process, two threads        {process:.4f} s a step")
for name, step, alone in [("two ranks, sent meanwhile", ranks, own), ("two ranks, sent afterwards", late, late_own)]:
    print(f"{name:31} {step:.4f} s a step, {process / step:.3f} of the throughput, {step - alone:.4f} s of them waiting ({100 * (step - alone) / step:.1f} %)")
print(f"{size / 1e6:.1f} MB of gradients sent and received by each rank in a step")
END
