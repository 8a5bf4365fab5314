#!/usr/bin/env bash
# Shapes of 64 x 64 pixels with patches of 2, drawn by U-ViC with all patches in sight, with block windows, and with
# feedback memory: the loss on held-out scenes at equal steps, the time of a step, and what far_shapes.py sees in pairs
# of far shapes. Goes on where it was stopped; run it once for each seed beside each other, then for all.
# usage: bench/memory_of_pictures.sh OUT [STEPS] [SEEDS] [KINDS] [BLOCK]
# The learning rate falls as in a run of 4,000 steps, of which STEPS are run.
set -euo pipefail
out=$1 steps=${2:-4000} seeds=${3:-0 1} kinds=${4:-none bswa fam} block=${5:-64}
here=$(realpath "$(dirname "$0")")
uvic=${UVIC:-$here/../build/uvic}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=passive
. "$here/venv.sh" pictures numpy pillow
mkdir -p "$out"
for seed in $seeds; do
  for kind in $kinds; do
    name=$kind-$seed
    run=$(compgen -G "$out/*-$name" || true)
    if [ -z "$run" ]; then
      memory=(--model.memory "$kind")
      [ "$kind" = none ] || memory+=(--model.block "$block")
      arguments=(--preset shapes --model.image_size 64 --model.patch 2 --model.dim 128 --model.heads 2 "${memory[@]}"
        --data 'shapes?count=200000&size=64' --batch 8 --seed "$seed" --steps 4000 --output.log_every 20
        --output.save_every 500 --output.keep_last 1000 --output.sample_every 100000 --out "$out" --name "$name")
    else
      arguments=(--resume "$run")
    fi
    if [ ! -e "$run/checkpoint-$steps" ]; then
      "$uvic" --quiet train "${arguments[@]}" > "$out/$name.log" &
      until compgen -G "$out/*-$name/checkpoint-$steps" > "$out/$name.at" || ! kill -0 $!; do sleep 1; done
      kill -TERM $! 2> "$out/$name.at" || true
      wait $! || [ $? -eq 130 ]
      run=$(echo "$out"/*-"$name")
    fi
    for checkpoint in "$run"/checkpoint-*[05]00; do
      file=$out/$name-${checkpoint##*-}.json
      [ -e "$file" ] || {
        "$uvic" --quiet --json loss "$checkpoint" 'shapes?size=64&split=test' --num 1024 > "$file.part"
        mv "$file.part" "$file"
      }
    done
    [ -e "$out/$name-far-$steps.json" ] || "$python" "$here/far_shapes.py" "$uvic" "$run/checkpoint-$steps" "$out/$name-far-$steps" > "$out/$name-far-$steps.json"
  done
done
"$python" - "$out" << 'END'
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
for run in sorted(out.glob("0*-*-*")):
    name = run.name.split("-", 1)[1]
    rows = [json.loads(line) for line in open(run / "stats.jsonl")]
    speeds = sorted(row["images_per_second"] for row in rows)
    # A busy machine only makes steps longer, so that the quick ones tell what a step costs.
    seconds = 8 / speeds[len(speeds) * 9 // 10]
    for file in sorted(out.glob(f"{name}-[0-9]*.json"), key=lambda f: int(f.stem.rsplit("-", 1)[1])):
        score = json.load(open(file))
        low, high = score["interval_95"]
        print(f"{name:8} step {score['step']:6} {seconds * score['step']:7.0f} s  loss {score['loss']:.5f} ({low:.5f} to {high:.5f})")
    for file in sorted(out.glob(f"{name}-far-*.json")):
        print(f"{name:8} far shapes at step {file.stem.rsplit('-', 1)[1]}: {file.read_text().strip()}")
END
