#!/usr/bin/env bash
# Fine-tuning as a user does it: runs that begin with given weights, adapters on frozen ones, their files.
# usage: lora_test.sh UVIC
source "$(dirname "$0")/begin.sh"
export OMP_NUM_THREADS=1

train() { "$uvic" --quiet train --out runs --train.warmup 0 --output.sample_every 0 --output.log_every 1 "$@" > config.out; }
pixels() { "$uvic" --quiet sample -p 'a red circle' --steps 2 "$@" > /dev/null; }
# The recipes beside the pixels may differ.
hash_of() { "$tests/system/pixels.py" "$1/000000.png" | cut -d ' ' -f 4; }
same_picture() { [ "$(hash_of "$1")" = "$(hash_of "$2")" ] || die "$1 and $2 show other pictures"; }
other_picture() { [ "$(hash_of "$1")" != "$(hash_of "$2")" ] || die "$1 and $2 show the same picture"; }
# Without metadata.
same_weights() {
  "$uvic" --quiet convert "$1" 1/weights.pth --force > /dev/null
  "$uvic" --quiet convert "$2" 2/weights.pth --force > /dev/null
  cmp --silent 1/weights.pth 2/weights.pth || die "the weights of $1 and $2 differ"
}
train --preset smoke --name base --steps 4
base=runs/00000-base
file=$(realpath $base/latest)/model_ema.safetensors

say 'a run begins with what it is given, config and words included'
train --init $base --name tuned --steps 2 --lr 0 --data 'shapes?size=16&limit=64&colour=pink' 2> warning
grep -q '^warning: .* captions have words that the model does not know, 1 in all: pink' warning || die 'no warning of unknown words'
grep -q "^file = \"$file\"" runs/00001-tuned/config.toml || die 'the config does not say what it began with'
grep -q '^dim = 32' runs/00001-tuned/config.toml || die 'the config of the given model is forgotten'
"$uvic" info --tensors runs/00001-tuned/latest/model.safetensors | grep -q 'text_embed.weight *float32 \[27, 32\]' || die 'other words'
same_weights runs/00001-tuned $base # at rate 0
"$uvic" convert --quiet $base base.pth > /dev/null
train --preset smoke --init $base --name preset --steps 1
mv $base moved
"$uvic" --quiet train --resume runs/00001-tuned --steps 3 > /dev/null # needs the file no more
"$uvic" --quiet train --resume runs/00001-tuned --steps 4 --data 'shapes?size=16&limit=32' > /dev/null # nor other words
refused 'leave out --init' train --resume runs/00001-tuned --init moved --steps 5
mv moved $base

say 'strict, or as far as it is allowed'
begin() { "$uvic" train --preset smoke --init base.pth --out runs --output.sample_every 0 --steps 1 --name begin "$@" 2>&1 > /dev/null; }
refused 'missing: time_embed.0.weight' train --preset smoke --init base.pth --model.mlp_time_embed true --out runs
refused 'unexpected: final_layer.bias' train --preset smoke --init base.pth --model.conv false --out runs
refused "pos_embed is [1, 31, 32], not [1, 30, 32]" train --preset smoke --init base.pth --model.context_tokens 13 --out runs
begin --model.mlp_time_embed true --init.allow new | grep -q 'as drawn.*time_embed.0.bias' || die 'new parameters are not listed'
begin --model.conv false --init.allow missing | grep -q 'left out.*final_layer.bias' || die 'tensors left out are not listed'
begin --model.context_tokens 13 --init.allow new,missing | grep -q 'pos_embed' || die 'tensors of another shape are not listed'
refused 'init.allow' train --preset smoke --init.allow new --out runs

say 'adapters alone are trained, kept and stored'
lora=(--init "$base" --lora.rank 2 --lora.alpha 3 --lr 0.05)
sha256sum "$file" > before
train "${lora[@]}" --name whole --steps 6 --output.save_every 3
sha256sum --quiet -c before || die 'the base was changed'
whole=$(echo runs/*-whole)
for part in model model_ema; do
  "$uvic" info --tensors $whole/latest/$part.safetensors | grep 'float32 \[' | grep -v lora_ && die "$part holds more than adapters"
done
"$uvic" info --tensors $whole/latest/optimizer.safetensors | grep -E '(exp_avg|momentum)' | grep -qv lora_ && die 'the optimizer knows more than adapters'
"$uvic" info $whole | grep -q 'adapters *rank 2, alpha 3' || die 'info does not tell of adapters'
train --preset smoke --name plain --steps 1 # whose grids are of none

say 'a resumed run ends with the same bits'
train "${lora[@]}" --name part --steps 3
part=$(echo runs/*-part)
train --resume $part --steps 6
for name in model model_ema optimizer; do same_weights {$whole,$part}/latest/$name.safetensors; done
for change in '--lora.rank 4' '--lora.alpha 1' '--init.allow new'; do
  refused "which cannot become" train --resume $part --steps 7 $change
done

train --init base.pth --preset smoke --model.mlp_time_embed true --init.allow new --lora.rank 2 --name drawn --steps 1 2> /dev/null
drawn=$(echo runs/*-drawn)
refused 'train.seed 0 drew' train --resume $drawn --steps 2 --seed 5
pixels --model $drawn --out drawn 2> /dev/null

say 'a base that moved, or is another'
mv $base moved
refused 'not there: give that file with --base FILE' sample --model $part -p 'a red circle'
refused 'not there: give that file with --init FILE' train --resume $part --steps 7
pixels --model $part --base moved --out from-moved
train --resume $part --init moved --steps 7
refused 'is not (it has' sample --model $part --base runs/00001-tuned
mv moved $base
refused 'is not (it has' train --resume $part --init runs/00001-tuned --steps 8

say 'merged as unmerged, and as added'
pixels --model $whole --out unmerged
"$uvic" convert --quiet $whole merged.safetensors --merge > /dev/null
pixels --model merged.safetensors --out merged
same_picture unmerged merged
"$uvic" info merged.safetensors | grep -q 'vocabulary *27 words' || die 'the merged model has no card'
"$uvic" convert --quiet $whole peft --peft > /dev/null
grep -q '"lora_alpha": 3' peft/adapter_config.json || die 'PEFT gets another alpha'
add() { pixels --model $base "$@"; }
for adapters in $whole $whole/latest peft peft/adapter_model.safetensors; do
  add --lora $adapters --out "added-${adapters//\//-}"
  same_picture unmerged "added-${adapters//\//-}"
done
add --out plain && add --lora peft:0 --out none && same_picture plain none
add --lora peft --lora peft --out twice && add --lora peft:2 --out double && same_picture twice double
other_picture unmerged plain
other_picture twice plain
other_picture twice unmerged

say 'recipes name them'
"$uvic" info double/000000.png | grep -q 'peft:.*:2' || die 'the recipe does not name the adapters'
again() { "$uvic" --quiet sample --model $base --out again "$@"; }
refused "was drawn with the adapters peft" sample --model $base --from double/000000.png
again --from double/000000.png --lora peft:2 | grep -q 'identical$' || die 'not drawn again from its recipe'
again --from double/000000.png --lora peft | grep -q 'different.*drawn with the adapters peft.*x 2, now.*x 1' || die 'other weights are not told'
again --from plain/000000.png --lora peft | grep -q 'drawn with no adapters, now' || die 'adapters are not told'

say 'mistakes'
refused 'give these with --init FILE' train --preset smoke --lora.rank 2 --out runs
refused 'lora.rank 33: expected 1 to 32' train --init $base --lora.rank 33 --out runs
refused '--lora.rank' train --init $base --lora.alpha 2 --out runs
"$uvic" train --init $base --lora.rank -1 --out runs > /dev/null 2> refused && die 'a negative rank is taken'
grep -q "expected 0 or more" refused || die 'a negative rank is not named'
train --preset smoke --name wide --steps 1 --model.dim 64 --model.heads 4
wide=$(echo runs/*-wide)
refused 'adapters of another model' sample --model $wide --lora peft -p 'a red circle'
refused 'holds no adapters' sample --model $base --lora $wide -p 'a red circle'
refused 'leave out --merge' convert $base x.safetensors --merge
refused 'not a run of adapters' convert $base x --peft
refused 'exists' convert $whole peft --peft
sed -i 's/"LORA"/"IA3"/' peft/adapter_config.json
refused 'expected LORA' sample --model $base --lora peft -p 'a red circle'
echo 'all as promised'
