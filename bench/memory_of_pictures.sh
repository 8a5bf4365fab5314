#!/usr/bin/env bash
# Shapes of 64 x 64 pixels with patches of 2, drawn by U-ViC with all patches in sight, with block windows, and with
# feedback memory: the loss on held-out scenes at equal steps and at equal time. Goes on where it was stopped.
# usage: bench/memory_of_pictures.sh OUT [SECONDS] [SEEDS] [KINDS]
set -euo pipefail
out=$1 seconds=${2:-3600} seeds=${3:-0 1} kinds=${4:-none bswa fam}
uvic=$(realpath "$(dirname "$0")/../build/uvic")
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=passive
mkdir -p "$out"
trained() { # RUN: the seconds of its steps
  python3 - "$1/stats.jsonl" "$2" << 'END'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
batch = int(sys.argv[2])
seconds, before = 0, 0
for row in rows:
    seconds += (row["step"] - before) * batch / row["images_per_second"]
    before = row["step"]
print(int(seconds))
END
}
batch=8
for seed in $seeds; do
  for kind in $kinds; do
    name=$kind-$seed
    run=$(compgen -G "$out/*-$name" || true)
    if [ -z "$run" ]; then
      "$uvic" --quiet train --preset shapes --model.image_size 64 --model.patch 2 --model.dim 128 --model.heads 2 \
        --model.memory "$kind" --data 'shapes?count=200000&size=64' --batch $batch --seed "$seed" --steps 100 \
        --train.lr_decay constant --train.precision fp32 --output.log_every 20 --output.save_every 500 \
        --output.keep_last 1000 --output.sample_every 1000 --out "$out" --name "$name" > "$out/log"
      run=$(echo "$out"/*-"$name")
    fi
    # In pieces, until the steps have taken so long.
    while (($(trained "$run" $batch) < seconds)); do
      step=$(readlink "$run/latest")
      "$uvic" --quiet train --resume "$run" --steps $((${step#checkpoint-} / 500 * 500 + 500)) > "$out/log"
    done
    for checkpoint in "$run"/checkpoint-*; do
      file=$out/$name-${checkpoint##*-}.json
      [ -e "$file" ] || { "$uvic" --quiet --json loss "$checkpoint" 'shapes?size=64&split=test' --num 1024 > "$out/part" && mv "$out/part" "$file"; }
    done
  done
done
python3 - "$out" << 'END'
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
for run in sorted(out.glob("0*-*-*")):
    name = run.name.split("-", 1)[1]
    seconds, before = {}, 0
    total = 0
    for row in map(json.loads, open(run / "stats.jsonl")):
        total += (row["step"] - before) * 8 / row["images_per_second"]
        before = row["step"]
        seconds[before] = total
    for file in sorted(out.glob(f"{name}-*.json"), key=lambda f: int(f.stem.rsplit("-", 1)[1])):
        score = json.load(open(file))
        low, high = score["interval_95"]
        print(f"{name:8} step {score['step']:6} {seconds[score['step']]:7.0f} s  loss {score['loss']:.5f} ({low:.5f} to {high:.5f})")
END
