#!/usr/bin/env bash
# Kills one small training run N times at random moments (SIGKILL), resumes it each time, and expects weights, EMA,
# optimizer, records and sample grid bit-equal to a run that was never stopped.
# usage: resume_test.sh UVIC [N] [SEED]
source "$(dirname "$0")/begin.sh"
kills=${2:-2} RANDOM=${3:-1}

steps=$((60 * kills))
train() {
  "$uvic" train --preset smoke --steps $steps --output.save_every 3 --output.log_every 1 --output.sample_every 20 \
    --data.flip true --train.accumulate 2 --train.clip 0.5 --train.optimizer muon --train.lr_decay cosine --threads 2 --quiet "$@" > /dev/null
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

begin=$(milliseconds)
train --out whole
whole_ms=$(($(milliseconds) - begin))
begin=$(milliseconds)
train --out startup --steps 1
startup_ms=$(($(milliseconds) - begin))

# A kill comes after the start-up plus at most 1/N of the work, so on average N kills use up less than half of it.
range_ms=$((startup_ms + (whole_ms - startup_ms) / kills + 1))
run=killed/00000-shapes-uvic-nano
resume() { if [ -e "$run/config.toml" ]; then train --resume latest --out killed; else rm -rf killed && train --out killed; fi; }
hits=0
for ((attempt = 0; attempt < kills; ++attempt)); do
  resume &
  sleep "$(awk "BEGIN { print $((RANDOM * range_ms / 32768)) / 1000 }")"
  pkill -KILL -P $! -f "$uvic" && hits=$((hits + 1))
  wait $! 2> /dev/null || true
done
echo "$hits of $kills kills hit the running process; reached $(readlink "$run/latest" || echo 'no checkpoint')"
resume
[ $hits -eq "$kills" ]

whole=whole/00000-shapes-uvic-nano
for file in model model_ema optimizer; do cmp {$whole,$run}/latest/$file.safetensors; done
cmp {$whole,$run}/samples/"$(printf '%07d' $steps)".png
# The records tell every step once, with the same numbers; only times differ.
records() { sed -E 's/"(time|images_per_second)":[^,}]+//g' "$1/stats.jsonl"; }
diff <(records $whole) <(records $run)
[ "$(records $run | wc -l)" -eq $steps ]
echo "bit-equal after $kills kills"
