#!/usr/bin/env bash
# What a user may rely on when drawing images: the same picture at any batch size and number of threads, recipes that
# re-create it, files that are never overwritten, and Ctrl-C that leaves nothing half done.
# usage: sample_test.sh UVIC
source "$(dirname "$0")/begin.sh"

same() { diff -r "$1" "$2" || die "$1 and $2 differ"; }
# The exit code of a command, which may fail.
code_of() { local code=0; "$@" || code=$?; echo $code; }
sample() { "$uvic" sample --quiet "$@" > /dev/null; }

say 'two models: the smoke preset, and one wide enough for its matrix products to be shared out among threads'
"$uvic" train --preset smoke --steps 4 --output.sample_every 0 --quiet --name small > config.txt &
"$uvic" train --preset shapes --data 'shapes?limit=16' --model.size tiny --model.image_size 32 --steps 1 --batch 2 \
  --output.sample_every 0 --eval.every 0 --quiet --out wide_runs --name wide > /dev/null
wait $!
small=runs/00000-small wide=wide_runs/00000-wide

say 'seeds 0-15 at batch 1, 3, 16 and 1, 2 threads'
for model in small wide; do
  for threads in 1 2; do
    for batch in 1 3 16; do
      sample --model "${!model}" --prompt 'a red circle' --seeds 0-15 --steps 2 --cfg-scale 2 --batch $batch \
        --threads $threads --out $model-$threads-$batch
    done
  done
  [ "$(ls $model-1-1 | wc -l)" -eq 16 ]
  for other in 1-3 1-16 2-1 2-3 2-16; do same $model-1-1 $model-$other; done
  [ "$(sha256sum $model-1-1/* | cut -d ' ' -f 1 | sort -u | wc -l)" -eq 16 ] || die 'two seeds give one image'
  sample --model "${!model}" --prompt 'a red circle' --seeds 7 --steps 2 --cfg-scale 2 --out $model-alone
  cmp $model-alone/000000.png $model-1-1/000007.png
done
for sampler in ddpm ddim; do
  sample --model $small --seeds 0-3 --sampler $sampler --steps 3 --batch 3 --out $sampler
  sample --model $small --seeds 3,1 --sampler $sampler --steps 3 --threads 1 --out $sampler-some
  cmp $sampler-some/000000.png $sampler/000003.png && cmp $sampler-some/000001.png $sampler/000001.png
done
for batch in 1 3; do
  sample --model $wide --seeds 0-3 --steps 3 --batch $batch --threads $(((batch + 1) / 2)) --precision bf16 --out bf16-$batch
done
same bf16-1 bf16-3
sample --model $wide --seeds 0-3 --steps 3 --out fp32
! cmp --silent bf16-1/000000.png fp32/000000.png || die '--precision makes no difference'
! cmp --silent ddpm/000000.png ddim/000000.png || die 'the sampler makes no difference'

say 'a picture drawn again from its recipe'
"$uvic" sample --model $wide --from wide-2-3/000005.png --out again --quiet | grep -qx 'again/000000.png: identical'
cmp again/000000.png wide-2-3/000005.png
"$uvic" sample --model $small --from ddpm/000002.png --out again --quiet | grep -qx 'again/000001.png: identical'
"$uvic" sample --model $wide --from bf16-1/000002.png --out again --quiet | grep -qx 'again/000002.png: identical'
"$uvic" sample --model $small --from ddpm/000002.png --seeds 9 --out again --quiet > verdict
grep -q 'different, by at most' verdict || { cat verdict && die '--seeds does not override the recipe'; }

say 'prompts, grid, strip, one file'
"$uvic" sample --model $small -p 'a red circle' -p 'a blue square' --seeds 0-1 --grid 2x2 --strip --out mixed --quiet > names
[ "$(echo mixed/*)" = 'mixed/000000.png mixed/000001.png mixed/000002.png mixed/000003.png mixed/grid-000.png mixed/strip-000.png mixed/strip-001.png mixed/strip-002.png mixed/strip-003.png' ] || die "made $(ls mixed)"
diff <(sort names) <(ls -d mixed/*) || die 'the printed names are not the files'
sample --model $small --seeds 0-3 --grid 2x2 --out picture.png
sample --model $small --seeds 4 --out folder/one.png
[ -s picture.png ] && [ -s folder/one.png ] && [ "$(ls folder)" = one.png ]

say 'from a picture, a part of one, and between two'
sample --model $small --seeds 1 --steps 3 --out base.png
apart() { "$uvic" sample --quiet --model $small --from base.png --out edits "$@" | sed -E 's/.*: identical/0/; s/.*at most ([0-9]+) of.*/\1/'; }
[ "$(apart)" -eq 0 ]
[ "$(apart --init base.png --seeds 2 --strength 0.01)" -lt 40 ] || die 'little strength changes much'
[ "$(apart --init base.png --seeds 2 --strength 0.9)" -gt 120 ] || die 'much strength changes little'
white() { head -c $(($1 * 16 * 3)) /dev/zero | tr '\0' '\377'; }
dark() { head -c $(($1 * 16 * 3)) /dev/zero; }
{ printf 'P6 16 16 255\n' && white 5 && dark 11; } > mask.ppm
{ printf 'P6 16 16 255\n' && white 9 && dark 7; } > other.ppm
sample --model $small --seeds 2 --steps 3 --init base.png --mask mask.ppm --out hole.png
"$uvic" sample --quiet --model $small --from hole.png --init base.png --mask mask.ppm --out edits | grep -q identical ||
  die 'not drawn again from its recipe'
"$uvic" sample --quiet --model $small --from hole.png --init base.png --mask other.ppm --out edits | grep -q different || die '--mask makes no difference'
"$uvic" info hole.png | grep -q 'mask_hash' || die 'the recipe does not name the mask'
refused() { [ "$(code_of "$uvic" sample --quiet --model $small "${@:2}" --out none 2> refused)" -eq 1 ] && grep -qF -- "$1" refused && [ "$(wc -l < refused)" -eq 1 ] || { cat refused && die "no '$1'"; }; }
refused 'give it with --init' --from hole.png
refused 'give it with --mask' --from hole.png --init base.png
refused 'must have the same size' --init base.png --mask picture.png
refused 'give --init' --strength 0.5
refused 'say where to' --frames 3
sample --model $small -p 'a red circle' --to-prompt 'a blue square' --seeds 0-1 --cfg-scale 3 --steps 2 --frames 3 --out between
[ "$(echo between/*)" = 'between/000000.png between/000001.png between/000002.png between/000003.png between/000004.png between/000005.png between/strip-000.png between/strip-001.png' ] || die "made $(ls between)"
"$uvic" sample --quiet --model $small --from between/000001.png --out edits | grep -q identical || die 'a frame is not drawn again from its recipe'
sample --model $small -p 'a red circle' -p 'a blue square' --seeds 0 --cfg-scale 3 --steps 2 --out ends
pixels_of() { "$uvic" data info "folder:$1" --quiet | grep -E '^(mean|std)'; }
mkdir first last && cp between/000000.png first && cp between/000002.png last
mkdir red blue && cp ends/000000.png red && cp ends/000001.png blue
diff <(pixels_of first) <(pixels_of red) && diff <(pixels_of last) <(pixels_of blue) || die 'the way does not end at its ends'
sample --model $small -p 'a red circle' --seeds 3 --to-seed 4 --frames 4 --steps 2 --out strip.png
[ -s strip.png ]

say 'numbers go on, --force starts over'
cp -r mixed kept
sample --model $small --seeds 5-6 --grid auto --out mixed
[ "$(ls mixed | wc -l)" -eq 12 ] && [ -s mixed/000005.png ] && [ -s mixed/grid-001.png ]
for file in kept/*; do cmp "$file" "mixed/${file#kept/}" || die "$file was overwritten"; done
[ "$(code_of sample --model $small --out picture.png 2> /dev/null)" -eq 1 ]
sample --model $small --seeds 8 --out picture.png --force
sample --model $small --seeds 8 --out mixed --force
cmp mixed/000000.png picture.png
cmp mixed/000001.png kept/000001.png

say 'the largest seed'
"$uvic" sample --quiet --model $small --seeds 18446744073709551614-18446744073709551615 --steps 1 --out largest > names
[ "$(wc -l < names)" -eq 2 ] && "$uvic" info largest/000001.png | grep -q 'seed .*18446744073709551615' || die 'not the largest seed'

say 'three into one folder at once'
for k in 1 2 3; do sample --model $small --seeds 0-19 --steps 1 --strip --out shared & done
for job in $(jobs -p); do wait $job; done
[ "$(find shared -name '0*.png' | wc -l)" -eq 60 ] && [ "$(find shared -name 'strip-*.png' | wc -l)" -eq 60 ] || die "made $(ls shared | wc -l) files"
[ "$(sha256sum shared/0* | cut -d ' ' -f 1 | sort | uniq -c | grep -c '^ *3 ')" -eq 20 ] || die 'a picture is lost'

say '--resume draws what is missing, and nothing else'
sample --model $small --seeds 0-9 --steps 1 --grid 2x5 --out filled
cp -r filled gaps && rm gaps/00000[037].png gaps/grid-000.png
"$uvic" sample --quiet --model $small --seeds 0-9 --steps 1 --grid 2x5 --out gaps --resume > names
[ "$(wc -l < names)" -eq 4 ] || { cat names && die 'draws again what is there'; }
same filled gaps
"$uvic" sample --model $small --seeds 0-9 --steps 1 --grid 2x5 --out gaps --resume > names 2> said
[ ! -s names ] && grep -q 'all 10 images are in gaps already' said || die 'draws again what is there'
sample --model $small --seeds 0-9 --steps 2 --out gaps --resume
[ "$(ls gaps | wc -l)" -eq 21 ] || die 'takes pictures of another recipe for its own'

say 'what cannot be written is refused before anything is drawn'
for out in /proc/pictures /proc/picture.png; do
  [ "$(code_of "$uvic" sample --model $small --out $out 2> refused)" -eq 1 ]
  [ "$(wc -l < refused)" -eq 1 ] || { cat refused && die "drew for $out"; }
done

say 'a grid that cannot be drawn does not end a training'
"$uvic" train --preset smoke --steps 2 --output.sample_every 1 --sample.cfg_scale 3e38 --out odd --name odd --quiet > /dev/null 2> said
grep -q '^warning: no sample grid at step 1: seed . gives no picture' said && [ -d odd/00000-odd/checkpoint-2 ] ||
  { cat said && die 'no warning of a black grid'; }

say 'lines for programs'
json() { python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert len(rows) >= int(sys.argv[2]) and all(isinstance(row, dict) for row in rows), rows' "$@"; }
"$uvic" --json sample --model $small --seeds 0-2 --grid auto --out for_programs > rows.json 2> progress.json
json rows.json 4 && json progress.json 1
"$uvic" --json info $small > info.json && json info.json 1
"$uvic" --json info picture.png > info.json && json info.json 1
"$uvic" --json data info 'shapes?limit=4' > info.json 2> progress.json && json info.json 1 && json progress.json 1
json $small/stats.jsonl 1
for command in "sample --model $small --out for_programs" "sample --model $small --from picture.png --out for_programs" \
  "info $small" "data info shapes?limit=4" "convert $small for_programs.pth" 'train --preset smoke --dry-run'; do
  "$uvic" --quiet --json $command > rows.json 2> nothing || die "--quiet --json $command"
  json rows.json 1 && [ ! -s nothing ] || die "--quiet --json $command: $(cat nothing)"
done

# Starts a command, waits until a line of its stderr has the text, sends the signal and leaves the exit code in $code.
interrupt() {
  local signal=$1 text=$2
  shift 2
  : > stopped.err  # else the last command's lines may be taken for this one's
  "$@" > stopped.out 2> stopped.err &
  local pid=$!
  until grep -q "$text" stopped.err; do
    kill -0 $pid 2> /dev/null || { cat stopped.err && die "'$*' ended by itself"; }
    sleep 0.1
  done
  local begin=$SECONDS
  kill -"$signal" $pid
  code=0
  wait $pid || code=$?
  ((SECONDS - begin < 20)) || die "took $((SECONDS - begin)) s to stop"
}

say 'Ctrl-C while sampling'
# A background command of a script ignores SIGINT unless job control is on.
set -m
interrupt INT 'sample' "$uvic" sample --model $wide --seeds 0-999 --sampler ddpm --steps 1000 --grid auto --out never
[ $code -eq 130 ] || die "exit code $code"
[ ! -e never ] || [ -z "$(ls -A never)" ] || die "leaves $(ls -A never)"

say 'what is drawn stays, whatever ends the program, and --resume draws the rest'
long=(--model $wide --seeds 0-11 --sampler ddpm --steps 100 --batch 1 --grid 3x4)
sample "${long[@]}" --out whole
for signal in INT TERM KILL; do
  interrupt $signal '"done":[2-9]' "$uvic" --json sample "${long[@]}" --out by-$signal
  [ $code -eq $([ $signal = KILL ] && echo 137 || echo 130) ] || die "exit code $code"
  rm -f by-$signal/*.tmp*
  [ -s by-$signal/000000.png ] && [ ! -e by-$signal/000011.png ] || die "left $(ls by-$signal)"
  [ $signal = KILL ] || grep -q 'interrupted: .* of 12 images are in by-.*--resume' stopped.err || { cat stopped.err && die 'does not say how to go on'; }
  [ "$(sort stopped.out | uniq | wc -l)" -le "$(ls by-$signal | wc -l)" ] || die 'names files that are not there'
  sample "${long[@]}" --out by-$signal --resume
  same whole by-$signal
done
interrupt INT '"done":[2-9]' "$uvic" --json sample "${long[@]}" --out part.png
[ $code -eq 130 ] && [ -s part.png ] || die 'the pictures of a single file are lost'

say 'Ctrl-C while a data set is opened'
"$uvic" data export 'shapes?size=2048&limit=1' --out large --quiet > /dev/null
for number in {1..300}; do ln large/000000.png large/again$number.png; done
interrupt INT 'reading folder' "$uvic" --json train --preset smoke --data 'folder:large?size=16' --data.condition none --out never_begun
[ $code -eq 130 ] || die "exit code $code"
[ ! -e never_begun ] || die 'a run was begun all the same'

for signal in INT TERM HUP; do
  say "SIG$signal while training"
  out=runs-$signal
  interrupt $signal 'train ' "$uvic" train --preset smoke --steps 100000 --output.sample_every 0 --output.save_every 100000 \
    --out $out --name stopped
  [ $code -eq 130 ] || die "exit code $code"
  run=$out/00000-stopped
  step=$(sed -n "s|^interrupted at step \([0-9]*\): .*|\1|p" stopped.err)
  [ -n "$step" ] && [ "$(readlink $run/latest)" = "checkpoint-$step" ] || { cat stopped.err && die 'does not say where it saved'; }
  grep -q "^interrupted at step $step: $run/checkpoint-$step$" stopped.err || { cat stopped.err && die 'names no checkpoint'; }
  [ -z "$(find $run -name '*.tmp*')" ]
  "$uvic" train --resume latest --out $out --steps $((step + 3)) --quiet > /dev/null
  [ "$(readlink $run/latest)" = "checkpoint-$((step + 3))" ]
done
echo 'all as promised'
