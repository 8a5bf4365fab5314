#!/usr/bin/env bash
# The README's walk in miniature: look at the data, train, sample, score, convert, inspect.
# usage: walk_test.sh UVIC
source "$(dirname "$0")/begin.sh"

# expect TEXT COMMAND...: the command succeeds and its stdout has the text.
expect() {
  local text=$1
  shift
  "$@" > said || die "'$*' fails"
  grep -qF -- "$text" said || { cat said && die "'$*' does not say '$text'"; }
}
run() { expect "$1" "$uvic" --quiet "${@:2}"; }

say 'data'
run 'shapes' data list
run 'images    64' data info 'shapes?limit=64&size=16' --preview sheet.png
run 'none: the image carries no text' info sheet.png

say 'a plan writes nothing'
before=$(ls -A)
run 'MiB on cpu at the peak' train --preset smoke --dry-run
[ "$(ls -A)" = "$before" ] || die "--dry-run leaves $(ls -A)"

say 'train'
run '[model]' train --preset smoke
run=runs/00000-shapes-uvic-nano
for file in config.toml device.txt command.txt log.txt stats.jsonl metrics.csv samples/0000020.png latest/model.safetensors \
  latest/model_ema.safetensors latest/optimizer.safetensors latest/state.json; do
  [ -s $run/$file ] || die "no $run/$file"
done
ls $run/events.out.tfevents.* > /dev/null
[ "$(readlink $run/latest)" = checkpoint-20 ] && [ "$(wc -l < $run/stats.jsonl)" -eq 4 ]
[ -z "$(find . -name '*.tmp*')" ]
# The saved config starts the same run.
run '[model]' train --config $run/config.toml --out again
cmp {$run,again/00000-shapes-uvic-nano}/latest/model_ema.safetensors

say 'sample'
run 'pictures/000003.png' sample --model $run --prompt 'a red circle above a blue square' --seeds 0-3 --grid 2x2 --out pictures
run 'a red circle above a blue square' info pictures/000002.png
run 'identical' sample --model $run --from pictures/000002.png --out again

say 'convert to .pth and back'
run 'tensors' convert $run weights.pth
run 'tensors' convert weights.pth bare.safetensors
run 'tensors' convert weights.pth whole.safetensors --config $run/config.toml
run 'tensors' convert bare.safetensors 20.ckpt
run 'tensors' convert 20.ckpt back.safetensors
cmp bare.safetensors back.safetensors
run 'tensors' convert $run half.safetensors --half
# With its config the file draws what the run drew; it lacks only the words of the training captions.
run 'drawn/000000.png' sample --model half.safetensors --prompt 'a red circle' --out drawn

say 'inspect'
run 'shapes-uvic-nano' info $run
run 'sha256' info $run/latest
run 'cog' info $run/latest/model_ema.safetensors
run 'pos_embed' info weights.pth --tensors
run 'parameters' info bare.safetensors
run '[model]' info --config half.safetensors

say 'export and import'
run 'folder:exported' data export 'shapes?size=16&limit=12' --out exported
"$uvic" --json data info 'shapes?size=16&limit=12' > original.json 2> log
"$uvic" --json data info folder:exported > exported.json 2> log
# Same pixels, so the same sums; same captions.
values() { sed -E 's/"(spec|description)":"[^"]*",//g' "$1"; }
diff <(values original.json) <(values exported.json)

say 'score'
weights=${UVIC_CACHE:-${XDG_CACHE_HOME:+$XDG_CACHE_HOME/uvic}}
weights=${weights:-$HOME/.cache/uvic}/weights
if ls "$weights"/efficientnet-lite0-*.pth > /dev/null 2>&1; then
  efficientnet='--features efficientnet-lite0'
  run '1280 features' stats 'shapes?size=16&limit=12' --out shapes.npz $efficientnet
  run 'statistics' info shapes.npz
  distance() { "$uvic" --json fid "$@" 2> log | sed -E 's/.*"value":([0-9.e+-]+),"label":"FD\(efficientnet-lite0\)".*/\1/'; }
  same=$(distance exported shapes.npz) drawn=$(distance $run shapes.npz --num 8 --steps 2)
  awk "BEGIN { exit !($same < 0.01 && $drawn > 10) }" || die "distances $same of equal images, $drawn of drawn ones"
else
  echo "skipped: no EfficientNet-Lite0 weights in $weights (scripts/setup puts them there)"
fi
say 'bench'
run '{"bench":"attention","kind":"cog","impl":"fused","pass":"fwd+bwd","dtype":"bf16","B":1,"H":2,"L":9,"D":16,"ms":' \
  --json bench attention --shape 1,2,9,16 --rounds 1
run 'vs_sdpa' bench attention --shape 1,2,9,16 --rounds 1 --precision fp32 --pass fwd
nano='--model.size nano --model.image_size 8 --images 2 --rounds 1 --precision fp32 --kernels fused --attention cog'
run '{"bench":"train","model":"nano/2","attention":"cog","memory":"none","kernels":"fused","dtype":"fp32","images":2,"ms":' --json bench train $nano
# On one thread: where others wait for a busy processor, their product hides all else.
run 'attention backward' --threads 1 bench train ${nano/size 8/size 32} --profile
run '{"bench":"sample","model":"nano/2","attention":"cog","memory":"none","kernels":"fused","dtype":"fp32","images":2,"ms":' \
  --json bench sample $nano --steps 2
lm='--lm.layers 2 --lm.dim 16 --lm.heads 1 --lm.head_dim 16 --lm.hidden 16 --lm.vocabulary 99 --batch 2 --length 9 --tokens 3'
run '{"bench":"lm train","model":"nano","attention":"cog","dtype":"bf16","ms":' \
  --json bench lm $lm --work train --precision bf16 --rounds 1
run '{"bench":"lm write","model":"nano","attention":"cog","dtype":"fp32","ms":' --json bench lm $lm --rounds 1
# Rows so long that attention takes a part that is shown.
run 'attention backward' --threads 1 bench lm ${lm/length 9/length 64} --work train --profile

echo 'walked through'
