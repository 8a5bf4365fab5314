#!/usr/bin/env bash
# Resumes that must not be: each is refused with one line, and the run is bit for bit as it was. Then what is damaged in a
# run, or was cut short, and how it goes on all the same.
# usage: refused_resume_test.sh UVIC
source "$(dirname "$0")/begin.sh"
export OMP_NUM_THREADS=1

train() { "$uvic" --quiet train --preset smoke --train.warmup 0 --output.sample_every 0 --output.log_every 1 "$@" > /dev/null; }
resume() { "$uvic" --quiet train --resume "$@" > config.out; }
fingerprint() { (cd "$1" && find . ! -name .lock ! -name . \( -type f -exec sha256sum {} + -o -printf '%p %y %l\n' \) | sort); }
train --out runs --name text --steps 4 --output.save_every 2
train --out runs --name muon --steps 2 --train.optimizer muon --data.condition none
mkdir -p classes/{cat,dog} others/{cat,cow} && "$uvic" --quiet data export 'shapes?size=16&limit=2' --out pictures > /dev/null
for class in classes/cat classes/dog others/cat others/cow; do cp pictures/*.png $class; done
train --out runs --name class --steps 2 --data folder:classes --data.condition class
text=runs/00000-text muon=runs/00001-muon class=runs/00002-class

say 'what a run keeps'
echo 'half' > $text/config.toml.tmp123-4 # a leftover stays as well
kept() {
  local says=$1 run=$2
  shift 2
  fingerprint "$run" > before
  refused "$says" train --resume "$run" --steps 9 "$@"
  fingerprint "$run" | diff before - || die "the refused $* changed the run"
  # Nor does it look as if it would go.
  refused "$says" train --resume "$run" --steps 9 --dry-run "$@"
  fingerprint "$run" | diff before - || die "the dry run of $* changed the run"
}
kept 'was trained with model.dim 32, which cannot become 64: leave out --model.dim' $text --model.dim 64
kept 'model.depth 2' $text --model.depth 4
kept 'model.patch 4' $text --model.patch 2
kept 'model.heads 2' $text --model.heads 4
kept 'model.context_tokens 14' $text --model.context_tokens 15
kept 'model.attention "cog", which cannot become "softmax"' $text --model.attention softmax
kept 'objective.prediction "eps"' $text --objective.prediction v
kept 'schedule.kind "vp"' $text --schedule.kind cosine
kept 'schedule.beta_end 0, which cannot become 10' $text --schedule.beta_end 10
kept 'data.condition "text"' $text --data.condition none
kept 'train.optimizer "adamw"' $text --train.optimizer muon
kept 'train.optimizer "muon"' $muon --train.optimizer adamw
kept 'their words differ' $text --data 'shapes?size=16&limit=1'
kept 'their names differ' $class --data folder:others
cp -r $text old && sed -i 's/"format": 2/"format": 1/' old/latest/state.json
kept 'old was trained by an older uvic, which drew other noise' old
# Whatever fails before the first step has succeeded: no memory for a batch, a loss that is not finite.
rest() {
  local says=$1
  shift
  fingerprint $text > before
  local code=0
  (ulimit -v $(($(ps -o vsz= $$) + 6000000)) && exec "$uvic" --quiet train --resume $text --steps 9 "$@" > /dev/null 2> refused) || code=$?
  [ $code -eq 1 ] && [ "$(wc -l < refused)" -eq 1 ] && grep -q "$says" refused || { cat refused && die "exit code $code from $*"; }
  fingerprint $text | diff before - || die "$* changed the run"
}
ldd "$uvic" | grep -q 'lib[at]san' || rest 'not enough memory' --batch 10000000  # sanitizers need all addresses

say 'what may change'
resume $text --steps 6 --batch 4 --lr 0.002 --output.save_every 3 --model.kernels reference --threads 2
grep -q '^batch = 4$' $text/config.toml && [ "$(readlink $text/latest)" = checkpoint-6 ] || die 'did not go on'
[ ! -e $text/config.toml.tmp123-4 ] || die 'a leftover stays for ever'
[ "$(wc -l < $text/command.txt)" -eq 2 ] && [ "$(grep -c 'resumed at step 4' $text/log.txt)" -eq 1 ] || die 'does not say that it went on'

say 'before the first checkpoint'
cp -r $text begun && rm -r begun/checkpoint-* begun/latest
truncate -s -5 begun/stats.jsonl && truncate -s -3 begun/metrics.csv && truncate -s -4 begun/command.txt && truncate -s -2 begun/log.txt
resume begun --steps 3 --batch 8 --lr 0.001 --model.kernels fused
[ "$(sed -E 's/.*"step":([0-9]+).*/\1/' begun/stats.jsonl | tr '\n' ' ')" = '1 2 3 ' ] || die 'rows stand twice'
[ "$(cut -d , -f 1 begun/metrics.csv | tr '\n' ' ')" = 'step 1 2 3 ' ] || die 'rows of the table stand twice'
[ "$(grep -c '^uvic train' begun/command.txt)" -eq 3 ] || die 'a command is glued to half another'
! grep -qE '.+20[0-9]{2}-[0-9]{2}-[0-9]{2} .*20[0-9]{2}-[0-9]{2}-[0-9]{2} ' begun/log.txt || die 'a line of the log is glued to half another'
train --out whole --name text --steps 3 --output.save_every 3
for file in model model_ema optimizer; do same {begun,whole/00000-text}/latest/$file.safetensors; done

say 'a damaged newest checkpoint'
flip() { printf "\\x$(printf %02x $(($(tail -c 1 "$1" | od -An -tu1) ^ 1)))" | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") - 1)) conv=notrunc status=none; }
for file in model model_ema optimizer; do
  for harm in rm flip 'truncate -s 0'; do
    rm -rf again && cp -r $text again
    $harm again/checkpoint-6/$file.safetensors
    resume again --steps 7 2> warning
    grep -q "^warning: .*$file.safetensors.*trying an older checkpoint" warning || { cat warning && die "$harm $file"; }
    [ "$(readlink again/latest)" = checkpoint-7 ] || die "did not go on after $harm of $file"
  done
done

say 'a damaged config'
for harm in 'truncate -s 0' 'truncate -s 300' 'truncate -s -60' "sed -i 3d" "sed -i s/^depth.*/dep/" "sed -i s/^depth.*/depth=many/"; do
  rm -rf again && cp -r $text again
  $harm again/config.toml
  "$uvic" --quiet info --config again > shown 2> warning && same shown $text/config.toml
  resume again --steps 7 2> warning
  grep -q '^warning: again/config.toml.*checkpoint-6 of again takes its place' warning || { cat warning && die "$harm of the config"; }
  diff <(sed s/^steps.*// $text/config.toml) <(sed s/^steps.*// again/config.toml) || die "another config after $harm"
  rm -r again/checkpoint-* && $harm again/config.toml
  refused 'again/config.toml' train --resume again
done
sed 's/^dim = 32$/dim = 64/' $text/config.toml > again/config.toml && cp -r $text/checkpoint-6 again
refused 'model.dim 32, which cannot become 64' train --resume again

say 'weights that are not finite'
rm -rf again && cp -r $text again
refused 'the weights are not finite' train --resume again --steps 8 --output.save_every 1 --lr 1e300
[ "$(readlink again/latest)" = checkpoint-6 ] || die 'weights that are not finite were saved'
resume again --steps 8 --lr 0.001

say 'a log that cannot be written'
rm -rf again && cp -r $text again && rm again/log.txt && mkdir again/log.txt
refused 'log.txt' train --resume again --steps 8
# The error that there is to log is the one to say.
rm -rf again && cp -r $text again && rm -r again/checkpoint-* again/latest && head -c 200000 /dev/zero > again/log.txt
(ulimit -f 100 && refused 'model.safetensors: File too large' train --resume again --steps 3) || exit 1
echo 'all as promised'
