#!/usr/bin/env bash
# Cogformer against the same model with softmax everywhere, on held-out captions: equal steps, seeds and initial weights,
# AdamW and Muon, each at a learning rate that was best for Cogformer among 0.002, 0.005 and 0.01. Prints the perplexities
# with their spread over seeds. Goes on where it was stopped.
# usage: bench/cogformer_against_softmax.sh CAPTIONS OUT [STEPS] [SEEDS]
#   CAPTIONS  a text file with a caption a line, .gz or not; the last 2,000 are held out
set -euo pipefail
captions=$(realpath "$1") out=$2 steps=${3:-600} seeds=${4:-0 1 2}
uvic=$(realpath "$(dirname "$0")/../build/uvic")
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=passive
for seed in $seeds; do
  for optimizer in muon adamw; do
    for attention in cog softmax; do
      lr=$([ $optimizer = adamw ] && echo 0.005 || echo 0.01)
      name=$attention-$optimizer-$seed
      run=$(compgen -G "$out/*-$name" || true)
      if [ -n "$run" ]; then
        "$uvic" --quiet lm train --resume "$run" > "$out/log"
        continue
      fi
      mkdir -p "$out"
      "$uvic" --quiet lm train --preset captions --data "text:$captions?but_last=2000" --seed "$seed" --steps "$steps" \
        --train.warmup $((steps / 10)) --train.optimizer $optimizer --lr "$lr" --lm.attention $attention \
        --output.sample_every 0 --eval.every "$steps" --eval.against "text:$captions?last=2000" --out "$out" \
        --name "$name" > "$out/log"
    done
  done
done
python3 - "$out" << 'END'
import collections, json, pathlib, statistics, sys
found = collections.defaultdict(list)
for run in sorted(pathlib.Path(sys.argv[1]).glob("*-*-*-*")):
    _, attention, optimizer, seed = run.name.split("-")
    rows = [json.loads(line) for line in open(run / "stats.jsonl")]
    found[optimizer, attention].append([row["perplexity"] for row in rows if "perplexity" in row][-1])
for (optimizer, attention), values in sorted(found.items()):
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    print(f"{optimizer:6} {attention:8} {statistics.mean(values):.3f}{spread}  {[round(v, 3) for v in values]}")
END
