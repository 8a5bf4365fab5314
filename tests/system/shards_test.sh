#!/usr/bin/env bash
# Work shared out to processes that do not talk to each other: what shards of stats, sample and encode make together is what
# one process makes, byte for byte, and what does not belong together is refused.
# usage: shards_test.sh UVIC RANDOM_MODELS
source "$(dirname "$0")/begin.sh"
random_models=$(cd "$OLDPWD" && realpath "$2")
export OMP_NUM_THREADS=2

say 'a shard that is none is a usage error of one line'
misused() {
  local code=0
  "$uvic" --quiet "$@" 2> refused || code=$?
  [ $code -eq 2 ] && grep -q "^--shard: '.*': expected I/N" refused && [ "$(wc -l < refused)" -eq 2 ] ||
    { cat refused && die "$* is taken"; }
}
for shard in 0/0 3/2 x; do misused stats x --out y.npz --shard $shard; done
misused sample --model x --shard 2/2
misused encode x --autoencoder y --text z --out w --shard 64

equal() { diff -r "$1" "$2" || die "$1 and $2 differ"; }
weights=${UVIC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/uvic}/weights/efficientnet-lite0-57934424.pth

say 'a model to draw'
"$uvic" train --preset smoke --steps 4 --train.warmup 1 --output.sample_every 0 --quiet --name small > config.txt
model=runs/00000-small

say 'pictures'
sample() { "$uvic" --quiet sample --model $model -p 'a red circle' -p 'a blue square' --steps 2 "$@" > /dev/null; }
drawn=(--seeds 0-6,3 --strip)
sample "${drawn[@]}" --out together
for i in 0 1 2; do sample "${drawn[@]}" --shard $i/3 --out apart & done
for job in $(jobs -p); do wait $job; done
equal together apart
rm apart/00000[27].png apart/strip-011.png
refused '000000.png exists' sample --model $model -p 'a red circle' -p 'a blue square' --steps 2 "${drawn[@]}" --shard 0/3 --out apart
for i in 0 1 2; do sample "${drawn[@]}" --shard $i/3 --out apart --resume; done
equal together apart
sample "${drawn[@]}" --grid 4x4 --out together --resume
sample "${drawn[@]}" --grid 4x4 --out apart --resume
equal together apart
way=(--seeds 0-2 --to-seed 9 --frames 3)
sample "${way[@]}" --out way
for i in 3 1 0 2; do sample "${way[@]}" --shard $i/4 --out way-apart; done
equal way way-apart

refused 'give --out FOLDER' sample --model $model --shard 0/2 --out one.png
refused 'by --resume without --shard' sample --model $model --shard 0/2 --grid auto --out none

say 'latents'
"$random_models" . --tiny
"$uvic" data export 'shapes?size=96&count=11' --out photos --quiet > /dev/null
encode() { "$uvic" --quiet encode 'folder:photos?size=64' --autoencoder autoencoder.safetensors --text text --file-images 2 "$@" 2> warnings; }
encode --out latents > /dev/null
encode --out latents-2 --shard 1/2 | grep -q 'others are still to come' || die 'says that it is complete'
refused 'is not finished' data info latents:latents-2
encode --out latents-2 --shard 0/2 | grep -q 'train on them with --data latents:' || die 'does not say that it is complete'
equal latents latents-2
for i in 0 1 2 3 4 5 6; do encode --out latents-at-once --shard $i/7 > /dev/null & done  # six files: one has none
for job in $(jobs -p); do wait $job; done
equal latents latents-at-once

say 'a shard that is killed or lost'
encode --out lost --shard 0/3 > /dev/null
encode --out lost --shard 2/3 > /dev/null
cp -r lost other
touch -d '2001-01-01' lost/0000[05].safetensors
encode --out lost > /dev/null  # the rest, in one process
equal latents lost
[ "$(date -r lost/00000.safetensors +%Y) $(date -r lost/00005.safetensors +%Y)" = '2001 2001' ] || die 'encodes again what shards did'
printf 'x' | dd of=other/00004.safetensors bs=1 seek=900 conv=notrunc status=none
encode --out other --shard 1/2 > /dev/null  # of another number of shards
grep -q '00004.safetensors is not what was encoded' warnings || { cat warnings && die 'takes a damaged file'; }
encode --out other --shard 0/2 > /dev/null
equal latents other
refused 'another --file-images' encode 'folder:photos?size=64' --autoencoder autoencoder.safetensors --text text --shard 0/2 --out latents

if [ ! -e "$weights" ]; then
  say 'statistics and features: skipped, there are no weights of efficientnet-lite0'
  exit
fi
say 'statistics and features'
stats() { "$uvic" --quiet stats "$@" --features efficientnet-lite0 > /dev/null; }
# Shards of a source put together, in an order of no meaning: shards EXTENSION NUMBER SOURCE OPTIONS...
shards() {
  local kind=$1 n=$2 i
  for ((i = 0; i < n; ++i)); do stats "${@:3}" --out $i-of-$n.$kind --shard $i/$n 2>> warnings; done
  "$uvic" --quiet --threads 3 stats merge $(ls -r ?-of-$n.$kind) --out merged.$kind --force > said
}
# Ten images in batches of five: of three shards one is empty.
drawing=($model --num 10 --batch 5 --steps 2)
stats "${drawing[@]}" --out whole.npz
stats "${drawing[@]}" --out again.npz --threads 1
same whole.npz again.npz
stats "${drawing[@]}" --out whole.feats
shards npz 2 "${drawing[@]}" && same whole.npz merged.npz
shards feats 3 "${drawing[@]}" && same whole.feats merged.feats
grep -q "merged.feats: 1280 features of $model, 10 images, efficientnet-lite0" said || { cat said && die 'says something else'; }
stats 'shapes?size=16&count=20' --out other.feats
fid() { "$uvic" --quiet --json fid "$1" other.feats 2> warnings | sed 's/.*"value":\([^,}]*\).*/\1/'; }
[ "$(fid merged.npz)" = "$(fid whole.npz)" ] || die 'another FID'

say 'of files: three batches, of which the last is short; the first picture comes again there, and one is damaged'
"$uvic" data export 'shapes?size=32&count=135' --out pictures --quiet > /dev/null
cp pictures/000000.png pictures/000134.png
echo 'no picture' > pictures/000070.png
for kind in npz feats; do
  stats pictures --out whole.$kind --force 2> warnings
  shards $kind 3 pictures --force && same whole.$kind merged.$kind
done
grep -q 'merged.feats: 1280 features of pictures, 134 images' said || { cat said && die 'says something else'; }
(cd pictures && ls -r | head -70 | tar -cf ../pictures.tar -T -)  # in an order of its own
stats pictures.tar --out whole.feats --force 2> warnings
shards feats 2 pictures.tar --force && same whole.feats merged.feats
refused 'holds features already' stats whole.feats --out x.npz --shard 0/2

say 'what does not belong together'
merge() { refused "$1" stats merge "${@:2}" --out none.npz; }
merge 'shard 1/3 is missing beside 0-of-3.npz' 2-of-3.npz 0-of-3.npz
merge 'shard 1/3, 2/3 is missing beside 0-of-3.npz' 0-of-3.npz
cp 0-of-3.npz twice.npz
merge 'twice.npz is shard 0/3, and so is 0-of-3.npz' 0-of-3.npz 1-of-3.npz twice.npz
stats pictures --out fourth.npz --shard 0/4
merge 'fourth.npz is shard 0/4, 1-of-3.npz one of 3' 1-of-3.npz 2-of-3.npz fourth.npz
stats pictures --num 65 --out fewer.npz --shard 0/3
merge "fewer.npz does not go with 2-of-3.npz: its count is '65', there it is '135'" 2-of-3.npz fewer.npz 1-of-3.npz
rm pictures/000100.png && echo 'another name' > pictures/0000xx.png
stats pictures --out changed.npz --shard 2/3 2>> warnings
merge 'changed.npz does not go with 0-of-3.npz: its images is' 0-of-3.npz changed.npz 1-of-3.npz
merge 'whole.npz is no shard' whole.npz
refused '0-of-3.npz exists' stats merge 0-of-3.npz 1-of-3.npz 2-of-3.npz --out 0-of-3.npz
refused 'uvic stats merge' fid 0-of-3.npz whole.npz
refused 'uvic stats merge' fid 0-of-3.feats whole.npz
refused "with shard '0/3' instead of '1/3'" stats pictures --out 0-of-3.feats --shard 1/3 --features efficientnet-lite0
[ ! -e none.npz ] || die 'what is refused leaves a file'
echo 'all as promised'
