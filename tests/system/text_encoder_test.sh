#!/usr/bin/env bash
# Models whose captions a frozen BERT (or CLIP) reads, as a user trains them, draws with them, and moves their encoder.
# usage: text_encoder_test.sh UVIC RANDOM_MODELS
source "$(dirname "$0")/begin.sh"
export OMP_NUM_THREADS=2
cp -r "$tests/data/bert" bert
"$(cd "$OLDPWD" && realpath "$2")" random --tiny

train() { "$uvic" train --quiet --preset smoke --model.context_dim 16 --data.text_encoder bert --output.sample_every 2 "$@" > /dev/null; }
sample() { "$uvic" sample --quiet --steps 2 --cfg-scale 2 "$@" > /dev/null; }

say 'train, and resume bit for bit'
train --steps 4 --out whole && train --steps 2 --out runs
run=runs/00000-shapes-uvic-nano
"$uvic" train --quiet --resume $run --steps 4 > /dev/null
for file in model model_ema optimizer; do same {whole/00000-shapes-uvic-nano,$run}/latest/$file.safetensors; done
same {whole/00000-shapes-uvic-nano,$run}/samples/0000004.png
"$uvic" info $run | grep -q 'states of width 16' && "$uvic" info $run | grep -q 'text_encoder  *bert' || die "info $("$uvic" info $run)"
train --steps 4 --out words --data.text_encoder '' && differ {words,runs}/00000-shapes-uvic-nano/samples/0000004.png 'the encoder'

say 'draw'
sample --model $run -p 'a red bus' -p 'two giraffes' --out drawn
differ drawn/000000.png drawn/000001.png 'the prompt'
sample --model $run -p 'two giraffes' --text bert --out alone && same alone/000000.png drawn/000001.png
sample --model $run -p "$(printf 'cat %.0s' {1..20})" --out long 2> warning
grep -q 'reads 14 tokens and not the last 8 of these, "' warning || { cat warning && die 'no warning of a long prompt'; }
"$uvic" --quiet fid $run 'shapes?size=16&limit=4' --features efficientnet-lite0 --num 4 --steps 2 | grep -q 'FD(efficientnet-lite0)' ||
  die 'no score'

say 'CLIP score'
clip() { "$uvic" --quiet clip-score --clip random/whole-clip "$@" > said || die "no CLIP score of $*"; }
clip drawn && grep -q '^CLIP score [0-9.]* ± [0-9.]* (95%, n=2, random/whole-clip, weights [0-9a-f]*)   drawn (2 images)$' said || die "$(cat said)"
mv said from_pictures && printf 'a red bus\ntwo giraffes\n' > prompts.txt && clip drawn --prompts prompts.txt && same said from_pictures
printf 'two giraffes\na red bus\n' > turned.txt && clip drawn --prompts turned.txt && differ said from_pictures 'the order of captions'
clip $run --prompts prompts.txt --num 3 --steps 2 --json && grep -q '"images":3,' said || die "$(cat said)"
refused 'there is no text_config in random/text/config.json' clip-score drawn --clip random/text
refused 'turned.txt has 2 captions and alone has 1 images' clip-score alone --clip random/whole-clip --prompts turned.txt
cp -r random/whole-clip cut && truncate -s 10000 cut/model.safetensors && refused cut/model.safetensors clip-score drawn --clip cut

say 'one folder'
"$uvic" --quiet bundle bundle --model $run | grep -qx bundle
[ -s bundle/text_encoder/model.safetensors ] && [ -s bundle/tokenizer/vocab.txt ] && [ ! -e bundle/vae ] || die "bundled $(find bundle)"
grep -q '"BertModel"' bundle/model_index.json

say 'another encoder, or none at its place'
cp -r bert other && sed -i 's/^cat$/cow/' other/vocab.txt
refused "another text encoder than other: give the folder of its own, bert, with --text" sample --model $run --text other --out none
cp $run/config.toml before.toml
refused "'other' is not the text encoder this run was trained with, bert" train --resume $run --steps 6 --data.text_encoder other
same $run/config.toml before.toml
mv bert moved
refused "no text encoder at 'bert'" sample --model $run --out none
grep -q 'Give it with --text (in training, --data.text_encoder)' refused || die "no remedy: $(cat refused)"
score() { "$uvic" --quiet fid "$@" 'shapes?size=64&limit=4' --features efficientnet-lite0 --num 4 --steps 2 | grep -q 'FD(efficientnet-lite0)'; }
score $run --text moved || die 'no score with the encoder given'
sample --model $run -p 'two giraffes' --text moved --out again && same again/000000.png drawn/000001.png
sample --model bundle -p 'two giraffes' --out bundled
"$uvic" sample --quiet --model bundle --from drawn/000001.png --out verdicts | grep -q identical || die 'the bundle draws another picture'
refused "no text encoder at 'bert'" train --resume $run --steps 6
"$uvic" train --quiet --resume $run --steps 6 --data.text_encoder moved > /dev/null

say 'a CLIP in its place, and latents'
train --steps 2 --out clip --data.text_encoder random/text --model.context_dim 32
sample --model clip/00000-shapes-uvic-nano -p 'two giraffes' --out clip_drawn
"$uvic" encode 'shapes?size=64&limit=8' --autoencoder random/autoencoder.safetensors --text moved --out cache --quiet > /dev/null
train --steps 1 --batch 4 --out latents --data latents:cache --data.text_encoder '' --data.latent_scale 0.2 --model.image_size 16 --model.channels 4 \
  --model.context_tokens 28
sample --model latents/00000-latents-uvic-nano --autoencoder random/autoencoder.safetensors --text moved -p 'two giraffes' --out latents_drawn
score latents/00000-latents-uvic-nano --autoencoder random/autoencoder.safetensors --text moved || die 'no score of latents'
[ -s clip_drawn/000000.png ] && [ -s latents_drawn/000000.png ] || die 'nothing drawn'

say 'what does not fit'
fit=(train --preset smoke --steps 1 --data.text_encoder moved)
refused 'set --model.context_dim 16' "${fit[@]}" --model.context_dim 8
refused 'moved reads 2 to 28 tokens, the model takes 29' "${fit[@]}" --model.context_dim 16 --model.context_tokens 29
refused 'moved reads 2 to 28 tokens, the model takes 1' "${fit[@]}" --model.context_dim 16 --model.context_tokens 1
refused 'output.text is for latents' "${fit[@]}" --model.context_dim 16 --output.text moved
sed -i 's/^\[CLS\]$/\[cls\]/' other/vocab.txt
refused 'has no [CLS]' "${fit[@]}" --data.text_encoder other
[ ! -e none ] && [ "$(ls runs)" = 00000-shapes-uvic-nano ] || die 'a refused command left something'
echo 'all as promised'
