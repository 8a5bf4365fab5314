#!/usr/bin/env bash
# A U-ViC with a feedback memory as a user trains it: stopped and resumed it ends with the same bits, draws, tells what it
# is, and what does not fit is refused with one line.
# usage: memory_test.sh UVIC
source "$(dirname "$0")/begin.sh"
export OMP_NUM_THREADS=1

memory=(--preset smoke --model.memory fam --model.block 6 --model.fam_length 3 --model.window past --output.sample_every 0
  --train.warmup 0)
train() { "$uvic" --quiet train "$@" > config.out; }
run=00000-shapes-uvic-nano

say 'train, stop and resume'
train "${memory[@]}" --steps 9 --out whole
train "${memory[@]}" --steps 4 --out parts
train --resume parts/$run --steps 9
for file in model model_ema optimizer; do same {whole,parts}/$run/latest/$file.safetensors; done
for option in 'memory = "fam"' 'block = 6' 'segments = 1' 'window = "past"' 'fam_length = 3'; do
  grep -qF "$option" whole/$run/config.toml || die "no $option in the config"
done

say 'every option makes another model'
losses() { sed -E 's/.*("loss":[^,}]+).*/\1/' "$1/$run/stats.jsonl"; }
option=0
for change in '--model.memory bswa' '--model.memory none' '--model.block 5' '--model.segments 0' '--model.window both' \
  '--model.fam_length 4'; do
  train "${memory[@]}" --steps 9 --out other$((++option)) $change
  [ "$(losses other$option)" != "$(losses whole)" ] || die "$change makes no difference"
done
# This one makes the same, with less memory.
train "${memory[@]}" --steps 9 --out other --model.checkpointing true
paste <(losses other) <(losses whole) | tr ':' '\t' | awk '{ exit !($2 - $4 < 1e-4 && $4 - $2 < 1e-4) }' || die 'checkpointing changes the losses'

say 'draw, look, convert'
"$uvic" --quiet sample --model parts/$run --prompt 'a red circle' --seeds 0-2 --out pictures > /dev/null
"$uvic" --quiet sample --model parts/$run --prompt 'a red circle' --seeds 2 --batch 1 --out one > /dev/null
cmp pictures/000002.png one/000000.png || die 'a picture depends on those beside it'
"$uvic" --quiet info parts/$run/latest/model.safetensors | grep -qF '3 vectors fed back; blocks of 6 patches, each sees 1 more before it' ||
  die 'info does not tell the memory'
"$uvic" --quiet convert parts/$run bare.pth > /dev/null
"$uvic" --quiet info bare.pth | grep -qF '3 vectors fed back' || die 'info does not see the memory in bare weights'
"$uvic" --quiet convert bare.pth whole.safetensors --config parts/$run/config.toml > /dev/null
refused 'model.memory is none or bswa in the config and fam in the weights' convert bare.pth x.safetensors \
  --config parts/$run/config.toml --model.memory bswa

say 'what does not fit'
refused 'was trained with model.block 6, which cannot become 8: leave out --model.block' train --resume parts/$run --steps 20 --model.block 8
refused 'model.memory "fam"' train --resume parts/$run --steps 20 --model.memory none
refused 'model.fam_length 3' train --resume parts/$run --steps 20 --model.fam_length 4

echo 'remembers'
