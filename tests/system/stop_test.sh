#!/usr/bin/env bash
# What ends a training from outside, beside Ctrl-C and kill -9: a hang-up, pipes that nobody reads, a limit on file sizes.
# usage: stop_test.sh UVIC
source "$(dirname "$0")/begin.sh"
export OMP_NUM_THREADS=1

endless=(train --preset smoke --steps 100000 --output.sample_every 0 --output.save_every 100000)
run_of() { echo "$1/00000-shapes-uvic-nano"; }
await_row() { until [ -s "$(run_of "$1")/stats.jsonl" ]; do kill -0 "$2" && sleep 0.1; done; }
await_end() { # PID: leaves its exit code
  local begin=$SECONDS
  code=0
  wait "$1" || code=$?
  ((SECONDS - begin < 20)) || die "took $((SECONDS - begin)) s to stop"
}
saved() { [ $code -eq 130 ] && [ -e "$(run_of "$1")/latest/state.json" ] || die "$1: exit code $code, $(ls "$(run_of "$1")")"; }

say 'a hang-up'
"$uvic" --quiet "${endless[@]}" --out hangup > out & pid=$!
await_row hangup $pid && kill -HUP $pid && await_end $pid && saved hangup

say 'a signal while a grid is drawn'
"$uvic" --quiet "${endless[@]}" --output.log_every 1 --output.sample_every 3 --output.grid 32 --sample.steps 3000 --out drawing > out & pid=$!
await_row drawing $pid && sleep 2 && kill -TERM $pid && await_end $pid && saved drawing
# The step whose grid there is not is recorded and saved as any other.
rows=$(wc -l < "$(run_of drawing)/stats.jsonl")
[ "$rows" -gt 0 ] && [ "$(readlink "$(run_of drawing)/latest")" = "checkpoint-$rows" ] && [ ! -e "$(run_of drawing)/samples" ] ||
  die "$rows rows, $(ls "$(run_of drawing)")"

say 'a hang-up under nohup'
nohup "$uvic" --quiet "${endless[@]}" --out kept > out 2> err & pid=$!
await_row kept $pid && kill -HUP $pid && rows=$(wc -l < "$(run_of kept)/stats.jsonl")
until [ "$(wc -l < "$(run_of kept)/stats.jsonl")" -gt "$rows" ]; do kill -0 $pid && sleep 0.1; done
kill -TERM $pid && await_end $pid && saved kept

say 'nobody reads stderr any more'
mkfifo pipe && { head -n 1 pipe > first & }
"$uvic" --json "${endless[@]}" --out unread > out 2> pipe & pid=$!
await_end $pid && saved unread && grep -q 'run folder' first

say 'nobody reads stdout any more'
{ code=0; "$uvic" --quiet train --preset smoke --steps 7 --out deaf || code=$?; echo $code > code; } | true
[ "$(< code)" -ne 141 ] && [ "$(readlink "$(run_of deaf)/latest")" = checkpoint-7 ] || die "exit code $(< code)"

say 'a limit on file sizes'
code=0
(ulimit -f 100 && exec "$uvic" --quiet train --preset smoke --steps 7 --out limited > out 2> err) || code=$?
[ $code -eq 1 ] && [ "$(wc -l < err)" -eq 1 ] && grep -q '^error: .*safetensors: File too large' err || { cat err && die "exit code $code"; }

say 'two signals while a pipe is read'
mkfifo never
twice() {
  "$uvic" train --config never > out 2> err & pid=$!
  until (((0x$(sed -n 's/^SigCgt:\s*//p' /proc/$pid/status) & 1 << 14) != 0)); do sleep 0.1; done # it has begun to watch
  sleep 0.5 && kill -TERM $pid && sleep 0.5 && kill -TERM $pid 2> gone || true
  await_end $pid && [ $code -eq 130 ] || die "exit code $code"
}
twice
exec 3<> never # a writer that says nothing
twice
echo 'all as promised'
