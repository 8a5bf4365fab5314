#!/usr/bin/env bash
# Text to image in latents as a user does it, with a tiny model of random weights: from three files, then from one folder.
# usage: latents_test.sh UVIC RANDOM_MODELS
source "$(dirname "$0")/begin.sh"
"$(cd "$OLDPWD" && realpath "$2")" . --tiny
export OMP_NUM_THREADS=2

files=(--model uvit.pth --config uvit.toml --autoencoder autoencoder.safetensors --text text)
sample() { "$uvic" sample --quiet --steps 3 "$@" > /dev/null; }

say 'a picture from three files, the same at any batch size and number of threads'
for threads in 1 2; do
  for batch in 1 3; do
    sample "${files[@]}" -p 'a red bus' -p 'two cats' --seeds 0-1 --batch $batch --threads $threads --out $threads-$batch
    diff -r 1-1 $threads-$batch || die "batch $batch or $threads threads changes pictures"
  done
done
"$uvic" info 1-1/000000.png | grep -q 'size *64 x 64' || die 'the picture has not four times the side of its latents'
sample "${files[@]}" -p 'a red bus' --seeds 0 --out alone
same alone/000000.png 1-1/000000.png
differ 1-1/000000.png 1-1/000002.png 'the prompt'

say 'options matter'
pixels() { "$uvic" sample --quiet --steps 3 "${files[@]}" -p 'a red bus' --seeds 0 --out "$@" > /dev/null; }
# The recipe in a PNG differs with its options; what counts is the verdict on the pixels.
verdict() { "$uvic" sample --quiet --from alone/000000.png "${files[@]}" --out verdicts "$@"; }
verdict | grep -q identical || die 'not drawn again from its recipe'
for change in '-n blue' '--latent-scale 0.5' '--tile 8' '--cfg-scale 1' '--steps 4'; do
  verdict $change | grep -q different || die "$change makes no difference"
done
pixels scaled --latent-scale 0.5
"$uvic" sample --quiet --from scaled/000000.png "${files[@]}" --out verdicts | grep -q identical || die 'the recipe forgets --latent-scale'
pixels tiled --tile 8
"$uvic" sample --quiet --from tiled/000000.png "${files[@]}" --out verdicts | grep -q identical || die 'the recipe forgets --tile'

say 'from a picture, a part of one, and between two prompts'
# The upper half is white.
{ printf 'P6 64 64 255\n' && head -c 6144 /dev/zero | tr '\0' '\377' && head -c 6144 /dev/zero; } > mask.ppm
for edit in '--init alone/000000.png' '--init alone/000000.png --strength 0.2' '--init alone/000000.png --mask mask.ppm'; do
  rm -rf edited
  sample "${files[@]}" -p 'a red bus' --seeds 5 $edit --out edited
  "$uvic" sample --quiet --from edited/000000.png "${files[@]}" $edit --out verdicts | grep -q identical || die "the recipe forgets $edit"
  "$uvic" sample --quiet --from edited/000000.png "${files[@]}" --init 1-1/000001.png --strength 0.7 --mask mask.ppm --out verdicts |
    grep -q different || die "another picture makes no difference to $edit"
done
sample "${files[@]}" -p 'a red bus' --to-prompt 'two cats' --frames 3 --out between
[ "$(echo between/*)" = 'between/000000.png between/000001.png between/000002.png between/strip-000.png' ] || die "made $(ls between)"
"$uvic" sample --quiet --from between/000001.png "${files[@]}" --out verdicts | grep -q identical || die 'a frame is not drawn again'
differ between/000000.png between/000001.png 'the way'

say 'one folder'
"$uvic" bundle whole --model uvit.pth --config uvit.toml --autoencoder autoencoder.safetensors --text text | grep -qx whole
[ "$(cd whole && find . -type f | sort | tr '\n' ' ')" = './model_index.json ./scheduler/scheduler_config.json ./text_encoder/config.json ./text_encoder/model.safetensors ./tokenizer/merges.txt ./tokenizer/special_tokens_map.json ./tokenizer/tokenizer_config.json ./tokenizer/vocab.json ./transformer/config.json ./transformer/diffusion_pytorch_model.safetensors ./vae/config.json ./vae/diffusion_pytorch_model.safetensors ' ] ||
  die "bundled $(find whole)"
for json in $(find whole -name '*.json'); do python3 -m json.tool $json > /dev/null; done
"$uvic" sample --quiet --from alone/000000.png --model whole --out verdicts | grep -q identical || die 'the bundle draws another picture'
"$uvic" info whole/transformer/diffusion_pytorch_model.safetensors | grep -q 'text, 16 states of width 32'
grep -q '"beta_end": 0.012' whole/scheduler/scheduler_config.json && grep -q '"beta_start": 0.00085,' whole/scheduler/scheduler_config.json ||
  die "scheduler $(cat whole/scheduler/scheduler_config.json)"
sed 's/scaled-linear/vp/' uvit.toml > vp.toml
"$uvic" bundle continuous --model uvit.pth --config vp.toml --autoencoder autoencoder.safetensors 2> message > /dev/null
grep -q 'no scheduler/' message && [ ! -e continuous/scheduler ] && [ -s continuous/model_index.json ] || die 'a vp model is not bundled'
refused "'whole' exists" bundle whole --model whole --autoencoder whole
"$uvic" bundle slash/ --model whole --autoencoder whole | grep -q slash && [ -s slash/model_index.json ] || die 'a slash at the end is no name'
"$uvic" info whole | grep -q 'text, 16 states of width 32' || die 'info does not know a bundle'
mkdir pictures && cp 1-1/00000*.png pictures
"$uvic" --quiet fid whole pictures --features efficientnet-lite0 --num 3 --steps 2 | grep -q 'FD(efficientnet-lite0)' ||
  die 'fid does not know a bundle'
printf 'a red bus\n\ntwo cats\n' > prompts.txt
sample --model whole --prompts prompts.txt --seeds 0-1 --out listed
[ "$(ls listed | wc -l)" -eq 4 ]

say 'what does not fit'
from=(sample --model uvit.pth --config uvit.toml -p x --out none)
refused 'give its folder with --text' "${from[@]}" --autoencoder autoencoder.safetensors
refused 'with --autoencoder' "${from[@]}" --text text
refused "no text encoder at 'gone'" "${from[@]}" --text gone
refused 'no autoencoder' "${from[@]}" --text text --autoencoder text/model.safetensors
cp -r text other && sed -i 's/"num_hidden_layers": 2/"num_hidden_layers": 3/' other/config.json
refused 'missing: text_model.encoder.layers.2' "${from[@]}" --text other
cp -r whole/vae halves && echo '{"norm_num_groups": 0.5}' > halves/config.json
cp -r whole/vae deep && printf '[%.0s' {1..5000} > deep/config.json
cp -r text ids && sed -i 's/:0,/:9223372036854775808,/; s/: 0,/: 9223372036854775808,/' ids/vocab.json
cp -r text nameless && rm nameless/vocab.json nameless/merges.txt && echo '{"model": {"type": null}}' > nameless/tokenizer.json
cp -r text cut && head -c 20000 text/model.safetensors > cut/model.safetensors
refused 'is the file truncated' "${from[@]}" --text cut
refused 'not valid UTF-8' "${from[@]}" --text text --autoencoder autoencoder.safetensors -p $'caf\xe9'
refused 'expected a whole number above 0' "${from[@]}" --text text --autoencoder halves
refused 'levels of nesting' "${from[@]}" --text text --autoencoder deep
refused 'expected a whole number below' "${from[@]}" --text ids --autoencoder autoencoder.safetensors
refused 'is not the tokenizer of a CLIP' "${from[@]}" --text nameless --autoencoder autoencoder.safetensors
refused '--tile is for models of latents' sample --model uvit.pth --config uvit.toml --tile 8 --out none
refused '--latent-scale is for models of latents' "${from[@]}" --latent-scale 2
[ ! -e none ] || [ -z "$(ls -A none)" ] || die 'a refused command left pictures'
sample "${files[@]}" -p "$(printf 'long %.0s' {1..2000})" --out long 2> warning
[ "$(wc -l < warning)" -eq 1 ] && grep -q 'reads 16 tokens and not the last 79' warning || { cat warning && die 'no warning of a long prompt'; }
echo 'all as promised'
