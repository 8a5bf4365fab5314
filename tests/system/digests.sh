#!/usr/bin/env bash
# Digests of what must not change when the code is only moved about: 200 training steps and a resumed run, pictures for a
# seed, scores, files, the command line. They hold for one kind of processor; to compare two programs:
#   tests/system/digests.sh OLD/uvic RANDOM_MODELS > before; tests/system/digests.sh NEW/uvic RANDOM_MODELS before
# usage: digests.sh UVIC RANDOM_MODELS [BEFORE]
# With BEFORE, the output of an earlier call, it says what differs, and fails if anything does.
before=${3:+$(realpath "$3")}
source "$(dirname "$0")/begin.sh"
random_models=$(cd "$OLDPWD" && realpath "$2")
export OMP_NUM_THREADS=2

quietly() { "$uvic" --quiet "$@" > /dev/null; }
line() { printf '%-28s %s\n' "$1" "$(sha256sum | cut -d' ' -f1)"; }  # line NAME < what is digested
files() { (cd "$1" && find . -type f ! -name '*.tmp*' | LC_ALL=C sort | xargs -r sha256sum); }
pixels() { find "$@" -name '*.png' | LC_ALL=C sort | xargs python3 "$tests/system/pixels.py"; }
named() { sed -n 's/.* is none of //p' <<< "$1" | tr -d ','; }  # the names that an error lists
# A run but for its times and the command.
run() {
  (
    cd "$1"
    sha256sum checkpoint-*/*.safetensors config.toml
    sed -E 's/"(time|images_per_second)":[^,}]+//g' stats.jsonl
    cut -d, -f1,2,4,5 metrics.csv
    if [ -d samples ]; then pixels samples; fi
  )
}

digests() {
  train() { quietly train --preset smoke "$@"; }
  train --steps 200 --output.save_every 100 --out whole
  train --steps 100 --output.save_every 100 --out parts
  train --steps 200 --output.save_every 100 --resume latest --out parts
  run whole/0* | line train
  run parts/0* | line resume
  local file
  for file in model model_ema optimizer; do same whole/0*/latest/$file.safetensors parts/0*/latest/$file.safetensors; done
  train --steps 30 --train.optimizer muon --train.accumulate 2 --train.clip 0.5 --train.lr_decay cosine --data.flip true \
    --model.checkpointing true --objective.prediction v --objective.weighting min-snr-v --schedule.kind cosine --out muon
  run muon/0* | line train_muon
  train --steps 10 --train.precision bf16 --model.attention softmax --out softmax
  run softmax/0* | line train_softmax_bf16
  quietly data export 'shapes?size=64&count=12' --out pictures
  mkdir -p classes/{a,b} && cp pictures/00000[0-5].png classes/a && cp pictures/00000[6-9].png classes/b
  train --steps 10 --data 'folder:classes?size=16' --data.condition class --model.context_tokens 0 --model.kernels reference --eval.every 10 --eval.num 8 \
    --eval.features efficientnet-lite0 --out by-class
  run by-class/0* | line train_classes

  sample() { quietly sample --out "$@"; }
  local sampler
  for sampler in $(named "$("$uvic" sample --model whole/0* --sampler '?' 2>&1)" | sort -u); do
    sample "by-$sampler" --model whole/0* -p 'a red circle' --seeds 0-2 --steps 6 --cfg-scale 2 --sampler "$sampler"
    pixels "by-$sampler" | line "sample_$sampler"
  done
  sample many --model whole/0* -p 'a red circle' -p 'two blue squares' -n green --seeds 3,9 --steps 4 --strip --grid auto
  pixels many | line sample_grid
  sample way --model whole/0* -p 'a red circle' --to-prompt 'a blue square' --to-seed 7 --frames 3 --steps 4 --eta 0.5 --sampler ddim
  pixels way | line sample_way
  sample half --model whole/0* -p 'a red circle' --seeds 0-1 --steps 4 --precision bf16
  pixels half | line sample_bf16
  # A picture whose file stays as it is: its hash is in the recipe.
  local picture=$tests/../assets/shapes.png
  sample edited --model whole/0* -p 'a red circle' --init "$picture" --strength 0.5 --steps 4
  sample edited --model whole/0* -p 'a red circle' --init "$picture" --mask "$picture" --steps 4
  pixels edited | line sample_edited
  sample class --model by-class/0* --class 1 --seeds 0-1 --steps 4
  pixels class | line sample_class
  local asset
  "$uvic" --quiet lm generate --model "$tests/../assets/captions.safetensors" --num 3 --tokens 20 | line lm_generate
  for asset in "$tests"/../assets/{cifar10,shapes}.safetensors; do
    quietly sample --model "$asset" --seeds 0-1 --steps 4 --out "$(basename "$asset" .safetensors)"
    pixels "$(basename "$asset" .safetensors)" | line "sample_$(basename "$asset")"
  done

  "$random_models" . --tiny
  local networks=(--autoencoder autoencoder.safetensors --text text)
  sample latents --model uvit.pth --config uvit.toml "${networks[@]}" -p 'a red bus' --seeds 0-1 --steps 3
  sample latents --model uvit.pth --config uvit.toml "${networks[@]}" -p 'a red bus' --seeds 0 --steps 3 --tile 8
  pixels latents | line sample_latents
  quietly bundle bundle --model uvit.pth --config uvit.toml "${networks[@]}"
  files bundle | line bundle
  (pixels pictures && cat pictures/*.jsonl) | line export
  quietly encode 'folder:pictures?size=64' "${networks[@]}" --file-images 5 --out cache
  files cache | line encode
  quietly convert whole/0* model.pth
  quietly convert model.pth model.safetensors --config whole/0*/config.toml
  sha256sum model.pth model.safetensors | line convert

  local with=(--features efficientnet-lite0)
  quietly stats pictures "${with[@]}" --out pictures.npz
  quietly stats 'shapes?size=64&count=40' "${with[@]}" --out data.feats
  sha256sum pictures.npz data.feats | line statistics
  score() { "$uvic" --quiet "$@" --json | sed -E 's/"seconds":[^,}]+//'; }
  score fid pictures data.feats "${with[@]}" | line fid
  score fid whole/0* 'shapes?size=16&count=20' "${with[@]}" --num 16 --steps 3 | line fid_of_model
  score fid bundle pictures "${with[@]}" --num 3 --steps 2 | line fid_of_latents
  printf 'a red bus\ntwo cats\n' > prompts.txt
  score clip-score bundle --clip whole-clip --prompts prompts.txt --steps 2 | line clip_score

  "$uvic" info whole/0* | grep -v images_per_second | line info_run
  "$uvic" info bundle | line info_bundle
  "$uvic" info way/000001.png | line info_picture
  local command
  for command in '' $("$uvic" --help | sed -n '/^Subcommands/,$s/^  \([a-z-]\+\) .*/\1/p'); do
    "$uvic" $command --help | line "help_${command:-uvic}"
  done
}

if [ -z "$before" ]; then
  digests
  exit
fi
digests > now
diff "$before" now || die "the lines marked > are other than before"
echo "all $(wc -l < now) digests are as before"
