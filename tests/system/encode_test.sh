#!/usr/bin/env bash
# Pictures to latents and text states, and training on them, with tiny frozen networks of random weights: an encoding that
# is killed goes on, nothing is mixed, and a resumed training run is bit-exact.
# usage: encode_test.sh UVIC RANDOM_MODELS
source "$(dirname "$0")/begin.sh"
"$(cd "$OLDPWD" && realpath "$2")" . --tiny
export OMP_NUM_THREADS=2

networks=(--autoencoder autoencoder.safetensors --text text)
encode() { "$uvic" encode --quiet 'folder:pictures?size=64' "${networks[@]}" --file-images 2 "$@"; }

"$uvic" data export 'shapes?size=96&count=9' --out pictures --quiet > /dev/null

say 'an encoding that is killed goes on, with no duplicate and no gap'
encode --out whole | grep -q '9 images in whole'
[ "$(ls whole | tr '\n' ' ')" = '00000.safetensors 00001.safetensors 00002.safetensors 00003.safetensors 00004.safetensors index.json null.safetensors ' ] ||
  die "wrote $(ls whole)"
"$uvic" encode --quiet 'folder:pictures?size=64' "${networks[@]}" --file-images 2 --out killed > /dev/null &
for ((i = 0; i < 2000; ++i)); do [ -e killed/00001.safetensors ] && break; sleep 0.01; done
kill -KILL $!
wait $! 2> /dev/null || true
[ ! -e killed/00004.safetensors ] || die 'the kill came too late to show anything'
refused 'is not finished' data info latents:killed
touch -d '2001-01-01' killed/00000.safetensors
encode --out killed --threads 1 > /dev/null
rm -f killed/*.tmp*
diff -r whole killed || die 'the resumed cache differs'
[ "$(date -r killed/00000.safetensors +%Y)" = 2001 ] || die 'a finished shard was encoded again'
encode --out killed > /dev/null

"$uvic" data info latents:whole | grep -q 'size *4 x 16 x 16'

say 'a damaged shard is encoded again'
printf 'x' | dd of=killed/00003.safetensors bs=1 seek=900 conv=notrunc status=none
encode --out killed > /dev/null 2> warnings
grep -q '00003.safetensors is not what was encoded' warnings
diff -r whole killed

say 'nothing is mixed'
cp -r text other && sed -i 's/"layer_norm_eps": [^,]*/"layer_norm_eps": 0.001/' other/config.json
refused 'another text encoder' encode 'folder:pictures?size=64' --autoencoder autoencoder.safetensors --text other --file-images 2 --out whole
"$uvic" bundle bundled --model uvit.pth --config uvit.toml "${networks[@]}" > /dev/null
sed -i 's/"norm_num_groups": 32/"norm_num_groups": 16/' bundled/vae/config.json
refused 'another autoencoder' encode 'folder:pictures?size=64' --autoencoder bundled --text text --file-images 2 --out whole
refused 'another data SPEC' encode 'folder:pictures?size=96' "${networks[@]}" --file-images 2 --out whole
refused 'another --file-images' encode 'folder:pictures?size=64' "${networks[@]}" --file-images 3 --out whole
refused 'no cache of latents' encode 'folder:pictures?size=64' "${networks[@]}" --out pictures
refused 'multiples of 4' encode 'folder:pictures?size=66' "${networks[@]}" --out none
[ ! -e none ] || die 'a refused encoding left a folder'

say 'training on it, resumed, is bit-exact'
tiny=(train --preset mscoco-uvic --data latents:whole --model.size nano --model.image_size 16 --model.context_tokens 16
  --model.context_dim 32)
train() {
  "$uvic" "${tiny[@]}" --quiet --batch 4 --steps 3 --train.warmup 1 --data.drop_condition 0.5 \
    --sample.steps 2 --output.grid 2 --output.log_every 1 --output.save_every 1 --output.keep_last 3 --threads 2 "$@" > /dev/null
}
train --output.autoencoder autoencoder.safetensors --out straight
straight=$(echo straight/*)
[ -s "$straight/samples/0000003.png" ] || die 'no grid'
printf 'a red bus\n\ntwo cats\r\n' > prompts.txt && : > none.txt
prompted=(--output.autoencoder autoencoder.safetensors --output.prompts prompts.txt --output.text text)
train "${prompted[@]}" --out prompted
! cmp --silent {"$straight",prompted/*}/samples/0000003.png || die 'the prompts make no difference to the grid'
refused 'go together' "${tiny[@]}" --output.text text --out refused.run
refused 'is not the text encoder' "${tiny[@]}" "${prompted[@]}" --output.text other --out refused.run
refused 'holds no prompts' "${tiny[@]}" "${prompted[@]}" --output.prompts none.txt --out refused.run
[ ! -e refused.run ] || die 'a refused training left a folder'
mkdir stopped && cp -r "$straight" stopped/ && resumed=$(echo stopped/*)
ln -sfn checkpoint-1 "$resumed/latest" && rm -rf "$resumed"/checkpoint-[23] "$resumed"/samples
train --resume "$resumed" --out stopped
for file in model model_ema optimizer; do cmp {"$straight","$resumed"}/latest/$file.safetensors; done
cmp {"$straight","$resumed"}/samples/0000003.png
grep -q '"step":3' "$resumed/stats.jsonl" && [ "$(wc -l < "$resumed/stats.jsonl")" -eq 3 ]

say 'the trained model draws'
"$uvic" sample --quiet --model "$straight" "${networks[@]}" -p 'a red circle' --steps 2 --out drawn > /dev/null
"$uvic" info drawn/000000.png | grep -q 'size *64 x 64'

say "U-ViT's features give the same run"
python3 - whole features << 'PYTHON'
# The cache as extract_mscoco_feature.py lays out features; numpy is not needed for that.
import json, os, struct, sys

source, target = sys.argv[1:]
os.makedirs(target + '/train')
def read(file):
    data = open(f'{source}/{file}', 'rb').read()
    size, = struct.unpack('<Q', data[:8])
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, info in header.items():
        if name != '__metadata__':
            begin, end = info['data_offsets']
            tensors[name] = info['shape'], data[8 + size + begin:8 + size + end]
    return header.get('__metadata__', {}), tensors
def write(file, shape, data):
    head = str({'descr': '<f4', 'fortran_order': False, 'shape': tuple(shape)})
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    open(f'{target}/{file}', 'wb').write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + data)
image = 0
for shard in json.load(open(source + '/index.json'))['shards']:
    metadata, tensors = read(shard['file'])
    (n, *shape), moments = tensors['moments']
    (m, *states), contexts = tensors['contexts']
    size, width, at = len(moments) // n, len(contexts) // m, 0
    for i, captions in enumerate(json.loads(metadata['captions'])):
        write(f'train/{image}.npy', shape, moments[i * size:(i + 1) * size])
        for k in range(len(captions)):
            write(f'train/{image}_{k}.npy', states, contexts[at:at + width])
            at += width
        image += 1
write('empty_context.npy', *read('null.safetensors')[1]['context'])
PYTHON
train --data latents:features --output.sample_every 0 --out from-features
for run in straight from-features; do "$uvic" convert --quiet $run/* $run/weights.pth > /dev/null; done
cmp {straight,from-features}/weights.pth
rm features/train/3.npy
refused '3.npy is missing' data info latents:features

say 'what does not fit'
fit=(train --preset mscoco-uvit --data latents:whole --model.size nano --model.image_size 16 --dry-run)
refused 'set --model.context_tokens 16 and --model.context_dim 32' "${fit[@]}"
refused 'latents are 16 wide, not 32' "${fit[@]}" --model.image_size 32
refused 'set --model.channels 4' "${fit[@]}" --model.channels 3
refused 'data.flip' "${fit[@]}" --data.flip true
refused 'there is no folder' "${fit[@]}" --data latents:gone
refused 'neither a cache' "${fit[@]}" --data latents:pictures
fits=("${fit[@]}" --model.context_tokens 16 --model.context_dim 32)
refused 'give the one that made it' "${fits[@]}" --output.autoencoder bundled
refused 'the scale of the latents is unknown' "${fits[@]}" --data.latent_scale 0
refused 'holds pictures, not latents' train --preset quickstart --data.latent_scale 1 --dry-run
echo 'all as promised'
