#!/usr/bin/env bash
# Passkey retrieval (docs/math.md): trains the preset `passkey` with feedback memory, and with windows alone, on texts of
# at most 4,096 tokens, and asks for 100 keys at 1, 4, 16 and 64 times that length. Goes on where it was stopped.
# usage: bench/passkey.sh OUT [KINDS] [LENGTHS]
#   KINDS  of MEMORY-SEGMENTS; default: fam-0 fam-3 bswa-0 bswa-1 bswa-2 bswa-4
set -euo pipefail
out=$1 kinds=${2:-fam-0 fam-3 bswa-0 bswa-1 bswa-2 bswa-4} lengths=${3:-1k,4k,16k,64k,260k}
uvic=$(realpath "$(dirname "$0")/../build/uvic")
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=passive
mkdir -p "$out"
for kind in $kinds; do
  run=$(compgen -G "$out/*-$kind" || true)
  if [ -n "$run" ]; then
    "$uvic" --quiet lm train --resume "$run" > "$out/log"
  else
    "$uvic" --quiet lm train --preset passkey --lm.memory "${kind%-*}" --lm.segments "${kind#*-}" --out "$out" \
      --name "$kind" > "$out/log"
    run=$(echo "$out"/*-"$kind")
  fi
  [ -e "$out/$kind.txt" ] || { "$uvic" --quiet lm passkey --model "$run" --lengths "$lengths" --num 100 > "$out/part" && mv "$out/part" "$out/$kind.txt"; }
  echo "$kind" && cat "$out/$kind.txt"
done
