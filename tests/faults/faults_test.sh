#!/usr/bin/env bash
# Makes each change that a command makes to its folder fail, one after the other: the disk is full once (enospc), or broken
# from there on (eio), or the process is killed (kill). Each time the error must be one line that tells the cause, what has
# its final name must be complete, and the same command, run again, must end as if nothing had happened.
# usage: faults_test.sh UVIC FAULTS RANDOM_MODELS FETCH_FILE [POINTS [CASE...]]
# POINTS: at how many of a case's calls, evenly spread, each kind of failure is tried; 0 (default): at all of them
source "$(dirname "$0")/../system/begin.sh"
cd "$OLDPWD"
faults=$(realpath "$2") random_models=$(realpath "$3") fetch_file=$(realpath "$4") points=${5:-0}
shift $(($# < 5 ? $# : 5))
cd "$work"
work=$(pwd -P)
export OMP_NUM_THREADS=1
modes=(enospc eio kill)

# --- What the commands work on.
quietly() { "$uvic" --quiet "$@" > /dev/null; }
train_options=(train --preset smoke --output.save_every 2 --output.sample_every 4 --output.log_every 1 --output.grid 1
  --sample.steps 1)
mkdir input
(
  cd input
  "$random_models" . --tiny
  quietly data export 'shapes?size=16&count=3' --out pictures
  mkdir -p classes/{a,b} && cp pictures/000000.png classes/a && cp pictures/000001.png classes/b
  quietly "${train_options[@]}" --steps 2 --out half
  quietly train --preset smoke --steps 1 --output.sample_every 0 --out runs
  mv runs/* run
  mkdir www && head -c 100000 run/latest/model.safetensors > www/data.bin
)
input=$work/input
python3 -u -m http.server 0 --bind 127.0.0.1 --directory input/www > server.txt 2> server.log &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
for ((i = 0; i < 100; ++i)); do grep -q port server.txt && break; sleep 0.1; done
port=$(sed -E 's/.* port ([0-9]+) .*/\1/' server.txt)

# --- The cases: a command, run in a folder of its own, and what runs after a failure if that is another one.
declare -A command again
sample="sample --model $input/run --prompt circle --seeds 0-2 --batch 2 --steps 1"
features="--features efficientnet-lite0"
encode="encode folder:$input/pictures?size=64 --autoencoder $input/autoencoder.safetensors --text $input/text --file-images 2"
command[train]="${train_options[*]} --steps 4 --out runs"
command[resume]="${train_options[*]} --steps 4 --resume latest --out runs"
command[sample]="$sample --grid 3x1 --out pictures"
command[sample_file]="$sample --out picture.png"
command[stats]="stats $input/pictures $features --out a.npz"
command[feats]="stats $input/pictures $features --out a.feats"
command[export]="data export folder:$input/classes --out pictures"
command[convert]="convert $input/run model.safetensors"
command[convert_pth]="convert $input/run model.pth"
command[bundle]="bundle bundled --model $input/uvit.pth --config $input/uvit.toml --autoencoder $input/autoencoder.safetensors --text $input/text"
command[encode]="$encode --out latents"
command[fetch]="http://127.0.0.1:$port/data.bin $input/www/data.bin data"
for case in sample_file stats convert convert_pth export; do again[$case]="${command[$case]} --force"; done
again[sample]="${command[sample]} --resume"

start() {  # start CASE FOLDER: the folder as it is before the command
  mkdir -p "$2"
  [ "$1" != resume ] || cp -r "$input/half" "$2/runs"
}
run() {  # run CASE arguments...: in the current folder
  if [ "$1" = fetch ]; then timeout 60 "$fetch_file" "${@:2}"; else timeout 60 "$uvic" --quiet "${@:2}"; fi
}
run_again() {
  local words=${again[$1]:-${command[$1]}}
  # A run that has begun is gone on with.
  if [ "$1" = train ] && ls runs/*/config.toml > /dev/null 2>&1; then words=${command[resume]}; fi
  run "$1" $words
}

# What a case's folder holds in the end, times aside.
contents() (
  if [ "$1" = train ] || [ "$1" = resume ]; then
    cd "$(dirname "$(ls runs/*/config.toml | tail -n 1)")" || exit 0
    ls -A | grep -v events
    sha256sum checkpoint-*/*.safetensors samples/* config.toml
    sed -E 's/"(time|images_per_second)":[^,}]+//g' stats.jsonl
    cut -d, -f1,2,4,5 metrics.csv  # without images_per_second
    readlink latest
  else
    find . -type f ! -path '*.tmp*' -exec sha256sum {} + | sort -k 2
  fi
) 2> /dev/null

# Files that have their final name, which only complete ones may have.
finals() {
  find . -type f ! -path '*.tmp*' \( -name '*.safetensors' -o -name '*.png' -o -name '*.npz' -o -name '*.pth' \
    -o -name '*.feats' -o -name data.bin \) -exec sha256sum {} + | sort -k 2
}

# --- One failure, in a subshell and a new folder CASE.MODE.K.
problem() { echo "$*" > ../problem && exit 0; }
check_error() {  # check_error MODE
  grep -v '^warning: ' ../stderr > ../error || true
  [ "$(wc -l < ../error)" -eq 1 ] && grep -q '^error: ' ../error || problem "not one line of error: $(cat ../error)"
  ! grep -qE 'filesystem error|basic_ios|terminate|what\(\)' ../error || problem "a raw error: $(cat ../error)"
  local cause='No space left on device'
  [ "$1" = enospc ] || cause='Input/output error'
  grep -q "$cause" ../error || problem "the cause is not told: $(cat ../error)"
}
try() (  # try CASE MODE K
  code=0
  start "$1" "$1.$2.$3/in"
  cd "$1.$2.$3/in"
  (
    export LD_PRELOAD=$faults UVIC_FAULTS_UNDER=$PWD UVIC_FAULTS_MODE=$2 UVIC_FAULTS_AT=$3
    run "$1" ${command[$1]}
  ) > ../stdout 2> ../stderr || code=$?
  case $2.$code in
    kill.137 | *.0) ;;
    enospc.1 | eio.1) check_error "$2" ;;
    *) problem "exit code $code" ;;
  esac
  finals > ../finals
  diff ../finals "$work/$1.finals" | grep '^<' > ../damaged && problem "not complete: $(cat ../damaged)"
  contents "$1" > ../contents
  if ! cmp --silent ../contents "$work/$1.contents"; then
    [ $code -ne 0 ] || problem "exit code 0, but $(diff ../contents "$work/$1.contents")"
    run_again "$1" > ../stdout2 2> ../stderr2 || problem "does not go on: $(cat ../stderr2)"
    contents "$1" > ../contents
    diff ../contents "$work/$1.contents" > ../difference || problem "ends with something else: $(cat ../difference)"
  fi
  cd .. && rm -rf in
)

# --- All of them, two at a time.
[ $# -gt 0 ] || set -- train resume sample sample_file stats feats export convert convert_pth bundle encode fetch
[ -f "${UVIC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/uvic}/weights/efficientnet-lite0-57934424.pth" ] ||
  set -- $(printf '%s\n' "$@" | grep -vE '^(stats|feats)$')
for case in "$@"; do
  start "$case" "$case"
  (
    cd "$case"
    LD_PRELOAD=$faults UVIC_FAULTS_UNDER=$PWD UVIC_FAULTS_LOG=$work/$case.calls run "$case" ${command[$case]} > /dev/null
    finals > "$work/$case.finals"
    contents "$case" > "$work/$case.contents"
  )
  calls=$(wc -l < "$case.calls")
  [ "$calls" -gt 5 ] || die "$case makes only $calls calls: they are not seen"
  # Each mode at other calls than the others, unless all are tried.
  count=$((points == 0 || points > calls ? calls : points))
  for ((m = 0; m < 3; ++m)); do
    for ((i = 0; i < count; ++i)); do
      while (($(jobs -rp | wc -l) > 2)); do wait -n || true; done  # the server is one
      try "$case" "${modes[m]}" $((count == calls ? i + 1 : 1 + (6 * i + 2 * m + 1) * calls / (6 * count))) &
    done
  done
  while (($(jobs -rp | wc -l) > 1)); do wait -n || true; done
  problems=$(find . -maxdepth 2 -path "./$case.*/problem" | wc -l)
  say "$case: $calls calls, $((3 * count)) failures, $problems problems"
done

failures=0
for file in *.*.*/problem; do
  [ -e "$file" ] || continue
  at=${file%/problem}
  echo "FAIL $at ($(grep "^${at##*.} " "${at%%.*}.calls" | sed "s|$work/||")): $(head -n 6 "$file")" >&2
  failures=$((failures + 1))
done
[ $failures -eq 0 ] || die "$failures problems"
echo 'no failure loses anything'
