#!/usr/bin/env bash
# Sends one small training run N signals at random moments, resumes it after each, and expects weights, EMA, optimizer,
# records and sample grid bit-equal to a run that was never stopped.
# usage: kills_test.sh UVIC [N] [SEED] [SIGNALS]
source "$(dirname "$0")/begin.sh"
kills=${2:-2} RANDOM=${3:-1}
read -ra signals <<< "${4:-KILL TERM INT HUP}"

steps=$((60 * kills))
train=("$uvic" train --preset smoke --steps $steps --output.save_every 3 --output.log_every 1 --output.sample_every 20
  --data.flip true --train.accumulate 2 --train.clip 0.5 --train.optimizer muon --train.lr_decay cosine --threads 2 --quiet)
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

begin=$(milliseconds)
"${train[@]}" --out whole > /dev/null
whole_ms=$(($(milliseconds) - begin))
begin=$(milliseconds)
"${train[@]}" --out startup --steps 1 > /dev/null
startup_ms=$(($(milliseconds) - begin))

# A signal comes after the start-up plus at most 1/N of the work, so on average N of them use up less than half of it.
range_ms=$((startup_ms + (whole_ms - startup_ms) / kills + 1))
# The run; a process that was killed while it made its folder leaves one that is none yet.
find_run() { run=$(dirname "$(ls killed/*/config.toml 2> /dev/null | tail -n 1)"); }
resume() {
  find_run
  local place=(--out killed)
  [ "$run" = . ] || place=(--resume "$run")
  exec env --default-signal=INT,HUP "${train[@]}" "${place[@]}"  # bash lets processes in the background ignore INT, nohup HUP
} > /dev/null
hits=0
declare -A ends
for ((attempt = 0; attempt < kills; ++attempt)); do
  resume &
  sleep "$(awk "BEGIN { print $((RANDOM * range_ms / 32768)) / 1000 }")"
  signal=${signals[RANDOM % ${#signals[@]}]}
  kill -"$signal" $! && hits=$((hits + 1))
  code=0
  wait $! 2> /dev/null || code=$?
  ends[$signal:$code]=$((${ends[$signal:$code]:-0} + 1))
  # 130: it saved and stopped; 128 + the signal: killed, as TERM, INT and HUP do with a process that has just begun.
  [ $code -eq 130 ] || [ $code -eq $((128 + $(kill -l "$signal"))) ] || die "exit code $code after SIG$signal"
done
find_run
echo "$hits of $kills signals hit the running process; reached $(readlink "$run/latest" || echo 'no checkpoint')"
for end in "${!ends[@]}"; do echo "SIG${end%:*}: exit code ${end#*:}, ${ends[$end]} times"; done
(resume)
[ $hits -eq "$kills" ]

find_run
whole=whole/00000-shapes-uvic-nano
for file in model model_ema optimizer; do cmp {$whole,$run}/latest/$file.safetensors; done
cmp {$whole,$run}/samples/"$(printf '%07d' $steps)".png
# The records tell every step once, with the same numbers; only times differ.
records() { sed -E 's/"(time|images_per_second)":[^,}]+//g' "$1/stats.jsonl"; }
diff <(records $whole) <(records $run)
[ "$(records $run | wc -l)" -eq $steps ]
[ -z "$(find killed -name '*.tmp*')" ] || die "left behind: $(find killed -name '*.tmp*')"
echo "bit-equal after $kills signals"
