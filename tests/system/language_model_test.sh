#!/usr/bin/env bash
# Language models as a user trains them, goes on with them, writes and scores with them.
# usage: language_model_test.sh UVIC
source "$(dirname "$0")/begin.sh"
export OMP_NUM_THREADS=1

for i in $(seq 300); do echo "a red circle number $i above a blue square and $((i * 7)) green stars"; done > captions.txt
gzip --keep captions.txt
small=(--lm.layers 2 --lm.dim 32 --lm.heads 2 --lm.head_dim 16 --lm.hidden 48 --lm.vocabulary 300 --batch 4
       --data.length 64 --train.warmup 2 --train.lr_decay constant --train.ema 0.9 --output.save_every 10 --output.sample_every 10)
quietly() { "$uvic" --quiet "$@" > out; }
lm_train() { quietly lm train --preset captions --eval.every 0 "${small[@]}" --data 'text:captions.txt.gz?but_last=50' "$@"; }

say 'a run that was interrupted ends with the same bits'
lm_train --steps 20 --out whole
lm_train --steps 10 --out parts
quietly lm train --resume latest --out parts --steps 20
for file in model model_ema optimizer; do same whole/0*/latest/$file.safetensors parts/0*/latest/$file.safetensors; done
[ -s whole/0*/samples/0000020.txt ] || die 'no samples of text'
run=$(echo whole/0*)

say 'memory, whose state goes on too'
quietly lm train --preset lm-smoke --steps 20 --out fam
quietly lm train --preset lm-smoke --steps 10 --out fam-parts
quietly lm train --resume latest --out fam-parts --steps 20
for file in model model_ema optimizer; do same fam/0*/latest/$file.safetensors fam-parts/0*/latest/$file.safetensors; done

say 'the same seed writes the same text, whatever the file'
write() { "$uvic" --quiet lm generate --prompt 'a red' --tokens 12 "$@"; }
write --model "$run" --seed 3 > a
write --model "$run/latest/model_ema.safetensors" --seed 3 > b
write --model "$run" --seed 4 > c
same a b && differ a c seed && grep -q '^a red' a
for option in '--temperature 0' '--top-k 1' '--top-p 0.01'; do
  write --model "$run" --seed 3 $option > d
  write --model "$run" --seed 4 $option > e
  same d e && differ a d "$option"
done
[ "$("$uvic" --quiet lm generate --model "$run" --num 3 --tokens 3 | wc -l)" -ge 3 ] || die 'fewer texts than --num'

say 'scores'
"$uvic" --quiet --json lm score --model "$run" --data 'text:captions.txt?last=50' > score
python3 - score << 'END'
import json, math, sys
score = json.load(open(sys.argv[1]))
low, high = score['interval_95']
assert score['documents'] == 50 and low < score['perplexity'] < high < 300, score
assert math.isclose(score['bits_per_byte'] * score['bytes'], math.log2(score['perplexity']) * score['tokens'], rel_tol=1e-6)
END
quietly --json lm passkey --model fam/0* --lengths 128,1k --num 3
[ "$(wc -l < out)" -eq 2 ] && grep -q '"tokens":1024' out || { cat out && die 'no table'; }

say 'says what it is'
for place in "$run" "$run/latest" "$run/latest/model.safetensors"; do
  "$uvic" info "$place" > out
  grep -q 'language model' out && grep -q '2 layers' out || { cat out && die "info of $place"; }
done
"$uvic" info --config "$run" > config.toml
quietly lm train --config config.toml --steps 20 --out from-config
same whole/0*/latest/model.safetensors from-config/0*/latest/model.safetensors

say 'looks inside'
"$uvic" --quiet --json lm diagnose --model "$run" --data 'text:captions.txt?last=50' > out
python3 -c 'import json; d = json.load(open("out")); assert d["layers"]["0 softmax"]["negative"] == 0 and set(d["representation_difference"]) == {"8", "16", "32", "64"}, d'
refused 'without one' lm diagnose --model fam/0* --data text:captions.txt
quietly lm masks --out masks.png
python3 "$tests/system/pixels.py" masks.png > /dev/null && refused '.png' lm masks --out masks.jpg

say 'a better model predicts better'
lm_train --steps 60 --lr 0.01 --out longer --eval.every 30 --eval.against 'text:captions.txt?last=50'
grep -q perplexity longer/0*/metrics.csv && [ -e longer/0*/best ] || die 'no score of held-out text'
"$uvic" --quiet --json lm score --model longer/0* --data 'text:captions.txt?last=50' > longer.score
python3 -c 'import json; a, b = [json.load(open(f))["perplexity"] for f in ("score", "longer.score")]; assert b < 0.8 * a, (a, b)'

say 'prompts that a language model writes'
"$uvic" --quiet sample --model "$tests/../assets/shapes.safetensors" --captions-from "$run" --num 2 --prompt 'a red' --steps 2 --out drawn > out
"$uvic" --quiet sample --model "$tests/../assets/shapes.safetensors" --captions-from "$run" --num 2 --prompt 'a red' --steps 2 --out again > out
[ "$(ls drawn | wc -l)" -eq 2 ] && same drawn/000001.png again/000001.png && differ drawn/000000.png drawn/000001.png 'the caption'
"$uvic" info drawn/000000.png | grep -q 'prompt *a red' || die 'the recipe does not name the caption'

say 'to the original and back'
quietly convert "$run" c.safetensors
quietly convert c.safetensors c.pth
python3 - << 'END'
import base64, json, struct
with open('c.safetensors', 'rb') as file:
    metadata = json.loads(file.read(struct.unpack('<Q', file.read(8))[0]))['__metadata__']
open('tokenizer.model', 'wb').write(base64.b64decode(metadata['uvic.tokenizer']))
END
quietly convert c.pth back.safetensors --tokenizer tokenizer.model
write --model c.safetensors --seed 3 > d
write --model back.safetensors --seed 3 > e
same a d && same a e
quietly convert c.safetensors half.safetensors --half
write --model half.safetensors --temperature 0 > d
lm_train --steps 3 --data.tokenizer tokenizer.model --lm.vocabulary 0 --out with-tokenizer

say 'begins with another model'
begin() { quietly lm train --data 'text:captions.txt?but_last=50' --output.sample_every 0 --steps 5 --train.warmup 1 "$@"; }
begin --init "$run" --out begun
differ "$run/latest/model_ema.safetensors" begun/0*/latest/model.safetensors training
quietly convert begun/0* begun.safetensors
begin --init "$run" --lm.memory fam --lm.block 16 --lm.fam_length 4 --lm.segments 1 --data.documents false --init.allow new --out remembers
begin --init "$run" --lora.rank 4 --lr 0.01 --out adapted
begin --init "$run" --lora.rank 4 --lr 0.01 --out adapted-parts --steps 3
quietly lm train --resume latest --out adapted-parts --steps 5
for file in model model_ema optimizer; do same adapted/0*/latest/$file.safetensors adapted-parts/0*/latest/$file.safetensors; done
[ "$(stat -Lc %s adapted/0*/latest/model.safetensors)" -lt "$(stat -Lc %s "$run/latest/model.safetensors")" ] || die 'adapters are a whole model'
begin --init "$run" --lora.rank 4 --lora.alpha 8 --lr 0.01 --out alpha
differ adapted/0*/latest/model.safetensors alpha/0*/latest/model.safetensors --lora.alpha
quietly convert adapted/0* merged.safetensors --merge
write --model adapted/0* --seed 3 > d
write --model merged.safetensors --seed 3 > e
same d e
cp "$run/latest/model_ema.safetensors" moved.safetensors
begin --init moved.safetensors --lora.rank 4 --out moved-base
refused 'lora.rank' lm train --preset captions --data text:captions.txt --lora.rank 4
refused 'init.allow' lm train --preset captions --data text:captions.txt --init "$run" --lm.layers 3
refused 'give --merge' convert adapted/0* f.safetensors
rm moved.safetensors
refused 'moved.safetensors' lm generate --model moved-base/0*
quietly convert moved-base/0* f.safetensors --merge --base "$run"
refused 'holds no adapters' convert "$run" g.safetensors --merge

say 'options matter'
for option in '--lm.attention softmax' '--lm.memory bswa --lm.block 8 --lm.segments 0' '--data.documents false' '--data.length 32'; do
  lm_train --steps 3 $option --out other
  differ whole/0*/checkpoint-10/model.safetensors other/0*/latest/model.safetensors "$option" && rm -r other
done
memory=(--data.documents false --lm.memory fam --lm.block 8 --lm.segments 1 --lm.fam_length 2 --lm.layers 3)
lm_train --steps 3 "${memory[@]}" --out fam3
for option in '--lm.fam_length 3' '--lm.segments 0' '--lm.stop_gradient true' '--data.state_passing 1' '--lm.block 16'; do
  lm_train --steps 3 "${memory[@]}" $option --out other
  differ fam3/0*/latest/model.safetensors other/0*/latest/model.safetensors "$option" && rm -r other
done

say 'the shipped model'
"$uvic" --quiet lm generate --model "$tests/../assets/captions.safetensors" --prompt 'a man riding' --temperature 0 > out
grep -Eq '^a man riding( [a-z]+){2}' out || { cat out && die 'no caption'; }
printf 'a man riding a wave on top of a surfboard\nzqx wvk jjh pqz\n' > words.txt
"$uvic" --quiet --json lm score --model "$tests/../assets/captions.safetensors" --data 'text:words.txt?limit=1' > caption
"$uvic" --quiet --json lm score --model "$tests/../assets/captions.safetensors" --data 'text:words.txt?last=1' > noise
python3 -c 'import json; a, b = [json.load(open(f))["bits_per_byte"] for f in ("caption", "noise")]; assert 5 * a < b, (a, b)'

say 'mistakes'
printf 'caf\xe9\n' > latin.txt && : > empty.txt && echo 'no model' > bad.model
refused 'UTF-8' lm train --preset captions --data text:latin.txt
refused 'holds no text' lm train --preset captions --data text:empty.txt
refused 'nowhere.txt' lm train --preset captions --data text:nowhere.txt
refused 'SentencePiece' lm train --preset captions --data text:captions.txt --data.tokenizer bad.model
refused 'another --lm.vocabulary' lm train --preset captions --data text:captions.txt --lm.vocabulary 100000
refused 'lm.block = 0' lm train --preset captions --data text:captions.txt --lm.memory bswa --lm.block 0
refused '--data.documents false' lm train --preset captions --data text:captions.txt --lm.memory fam
refused 'state_passing' lm train --preset captions --data text:captions.txt --data.state_passing 0.5
refused 'tokens' lm train --preset captions --data text:captions.txt --lm.vocabulary 300 --data.length 100000
refused 'give the tokenizer.model' convert c.pth d.safetensors
refused 'has no memory' convert fam/0* d.pth
refused 'nothing to train' lm train
refused '`uvic lm train --resume`' train --resume "$run"
quietly train --preset smoke --steps 2 --out images
refused '`uvic train --resume`' lm train --resume images/0*
refused '300 pieces' lm train --preset captions --data text:captions.txt --data.tokenizer tokenizer.model --lm.vocabulary 400
refused 'language model' sample --model "$tests/../assets/shapes.safetensors" --num 2
refused 'lm.layers' lm train --resume "$run" --lm.layers 3
refused 'no language model' lm generate --model "$tests/../assets/shapes.safetensors"
refused 'language model' sample --model "$run"
refused 'without any filler' lm passkey --model "$run" --lengths 16
[ ! -e runs ] || die 'a refused run left a folder'
