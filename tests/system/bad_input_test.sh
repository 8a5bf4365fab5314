#!/usr/bin/env bash
# What a user can get wrong, as a table: a command line, its exit code and a text of its one line of complaint. Nothing
# may be left behind, and nothing that was there may change.
# usage: bad_input_test.sh UVIC
source "$(dirname "$0")/begin.sh"
data=$tests/data
mkdir in rows
cd in
export OMP_NUM_THREADS=1 UVIC_CACHE=$work/cache
unset XDG_CACHE_HOME

# --- What the rows work on.
quietly() { "$uvic" --quiet "$@" > /dev/null; }
zeros() { head -c "$1" /dev/zero; }
bytes() { printf "$1"; }

quietly train --preset smoke --steps 1 --output.sample_every 0 --out text_runs &
mkdir -p two_classes/{cat,dog} && quietly data export 'shapes?size=16&limit=4' --out shapes
for class in cat dog; do cp shapes/*.png two_classes/$class; done
quietly train --preset smoke --steps 1 --output.sample_every 0 --out class_runs --data folder:two_classes --data.condition class
wait $!
mv text_runs/* text_run && mv class_runs/* class_run && rmdir text_runs class_runs
weights=text_run/latest/model_ema.safetensors
quietly sample --model text_run --seeds 0-1 --out pictures
quietly convert $weights bare.pth

mkdir one && cp shapes/000000.png one
mkdir empty && echo 'just text' > note.txt && cp note.txt note.png && cp note.txt note.safetensors && cp note.txt note.npz && cp note.txt note.feats
# CIFAR-10: five batches of ten black aeroplanes, then the ways in which they may be broken.
mkdir -p cifar/cifar-10-batches-bin && for k in 1 2 3 4 5; do zeros 30730 > cifar/cifar-10-batches-bin/data_batch_$k.bin; done
tar -czf cifar.tar.gz -C cifar cifar-10-batches-bin
cp -r cifar cifar_cut && zeros 30000 > cifar_cut/cifar-10-batches-bin/data_batch_3.bin
cp -r cifar cifar_lost && rm cifar_lost/cifar-10-batches-bin/data_batch_4.bin
cp -r cifar cifar_label && { bytes '\x0b'; zeros 30729; } > cifar_label/cifar-10-batches-bin/data_batch_1.bin
head -c "$(($(stat -c %s cifar.tar.gz) / 2))" cifar.tar.gz > cifar_cut.tar.gz
# Folders of pictures with one bad file among good ones.
for bad in cut_jpeg cut_png text_as_png; do mkdir $bad && cp shapes/*.png $bad; done
cp "$data/images/progressive.jpg" . && head -c 200 progressive.jpg > cut_jpeg/bad.jpg
head -c 90 pictures/000000.png > cut_png/bad.png
cp note.txt text_as_png/bad.png
mkdir photos && cp progressive.jpg photos/a.jpg && cp progressive.jpg photos/b.jpg
mkdir only_bad && cp note.txt only_bad/bad.png
# What a library behind OpenCV would take for a picture of another file's bytes, and a GIF of a gigabyte.
mkdir reads_files && bytes 'NITF<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" subClass="VRTRawRasterBand"><SourceFilename relativetoVRT="0">/etc/passwd</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>8</LineOffset></VRTRasterBand></VRTDataset>' > reads_files/bad.png
tar -czf reads_files.tar.gz reads_files
mkdir huge_gif && bytes 'GIF89a\x00\x40\x00\x40\x80\x00\x00\0\0\0\377\377\377,\0\0\0\0\x00\x40\x00\x40\0\x02\x01\x44\0;' > huge_gif/bad.gif
mkdir short_riff && cp shapes/*.png short_riff && bytes 'RIFF123' > short_riff/bad.png
mkdir mixed && cp "$data"/images/{grey.jpg,cmyk.jpg,grey16.png,rgb16.png,grey_alpha.png,rgba.png,one_bit.png,palette.gif,rgb.tif} mixed
mkdir bad_captions && cp shapes/000000.png bad_captions && echo '{"file_name": 3}' > bad_captions/metadata.jsonl
mkdir deep_captions && cp shapes/000000.png deep_captions && zeros 1000000 | tr '\0' '[' > deep_captions/metadata.jsonl
mkdir latin1 && cp shapes/000000.png latin1 && bytes 'a fine line\na caf\xe9\n' > latin1/000000.txt
mkdir -p latin1_class/{cat,$'caf\xe9'} && for class in latin1_class/*; do cp shapes/000000.png "$class"; done
cp -r one $'caf\xe9'
mkdir unmatched && cp shapes/*.png unmatched && cp note.txt unmatched/a.avif && cp note.txt unmatched/IMG_1
echo '{"file_name": "000000.PNG", "text": "x"}' > unmatched/metadata.jsonl
tar -cf twice.tar -C shapes 000000.png && tar -rf twice.tar -C shapes 000000.png
# COCO.
mkdir -p coco_{empty,broken,other,lost}/{annotations,train2014}
for coco in coco_*; do cp shapes/000000.png $coco/train2014; done
echo '{"images": [' > coco_broken/annotations/captions_train2014.json
echo '{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"id": 1, "image_id": 1, "caption": "a cat"}]}' > coco_lost/annotations/captions_train2014.json
echo '{"rows": []}' > coco_other/annotations/captions_train2014.json
# Weights.
{ bytes '\xff\xff\xff\xff\xff\xff\xff\x7f{'; zeros 100; } > huge_header.safetensors
{ bytes '\x02\0\0\0\0\0\0\0{]'; zeros 100; } > no_json.safetensors
head -c "$(($(stat -c %s $weights) - 100))" $weights > cut.safetensors
head -c "$(($(stat -c %s bare.pth) / 2))" bare.pth > cut.pth
{ head -c -1 $weights; bytes '\x7f'; } > flipped.safetensors
LC_ALL=C sed 's/uvic\.crc32c/some.thing_/' $weights > unsigned.safetensors
{ head -c -4 unsigned.safetensors; bytes '\xff\xff\xff\xff'; } > nan.safetensors
LC_ALL=C sed '0,/"dtype":"F32"/ s//"dtype":"I32"/' unsigned.safetensors > whole.safetensors
# Runs that must not go on: a link in the place of a file, a config that is empty.
cp -r text_run linked_run && ln -sf ../note.txt linked_run/log.txt
mkdir empty_run && : > empty_run/config.toml
mkdir folder.safetensors half_run && cp text_run/config.toml half_run
for broken in deep huge text; do cp -r text_run ${broken}_state; done
zeros 1000000 | tr '\0' '[' > deep_state/latest/state.json
echo '{"format": 1, "step": 1e300, "best_score": null}' > huge_state/latest/state.json
echo '{"format": 1, "step": 1, "best_score": "x"}' > text_state/latest/state.json
for device in cuda:63 tpu; do cp -r text_run ${device%:*}_run && echo $device > ${device%:*}_run/device.txt; done
# A pickle that runs a command when Python loads it, in the legacy format: magic number, protocol, system, then the object.
command="touch $work/owned"
{
  bytes '\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02cos\nsystem\nX'
  bytes "\\x$(printf %02x ${#command})\0\0\0" && bytes "$command" && bytes '\x85R.'
} > evil.pth
cp $weights weights.feats
cp "$data/files/plain.npz" ill_shaped.npz && cp "$data/files/compressed.npz" other_keys.npz
# Configs.
echo $'[train]\nstep = 5' > unknown_key.toml
echo $'[trian]\nsteps = 5' > unknown_section.toml
echo $'[train]\nsteps = "many"' > bad_value.toml
echo $'[train]\nsteps == ' > broken.toml
bytes '[output]\nname = "J\xf6rg"\n' > latin1.toml
bytes '\xff\xfe[\0t\0' > utf16.toml
echo $'[data]\nspec = "shapes?size=16"\n[model]\nsize = "nano"' > good.toml
cp shapes/000000.png no_recipe.png
printf 'good\ncaf\xe9\n' > latin.txt && printf 'a\0b\n' > zero.txt
cp cifar.tar.gz cifar.TAR.GZ
find . -type f -exec sha256sum {} + | sort > ../before

# --- The table. Every row runs in a folder of its own, two rows at a time.
rows=() row_code=() row_text=()
row() {
  local number=${#rows[@]}
  row_code+=("$1") row_text+=("$2")
  shift 2
  rows+=("uvic $*")
  while (($(jobs -rp | wc -l) >= 2)); do wait -n || true; done
  (
    mkdir "$work/rows/$number" && cd "$work/rows/$number"
    code=0
    timeout 100 "$uvic" "$@" > ../$number.out 2> ../$number.err < /dev/null || code=$?
    echo $code > ../$number.code
  ) &
}
error() { row 1 "$@"; }
usage() { row 2 "$@"; }
works() { row 0 "$@"; }
in=../../in
train="train --preset smoke --steps 1"
sample="sample --model $in/text_run"

usage 'subcommand is required'
usage 'not expected: frobnicate' frobnicate
usage '--threads' --threads -3 data list
for command in train sample fid stats data convert info bench; do usage 'not expected: --wrong' $command --wrong; done
usage 'not expected: --wrong' $sample --wrong
usage 'not expected: --wrong' info $in/text_run --wrong
usage 'not expected: third' convert $in/bare.pth a.safetensors third
usage '--modle ../../in/text_run (did you mean --model?)' sample --modle $in/text_run
usage 'not expected: --stesp 4 (did you mean --steps?)' train --preset smoke --stesp 4
usage '--model is required' sample
usage 'A is required' fid
usage 'B is required' fid $in/pictures
usage '--out is required' stats shapes
usage 'SOURCE is required' stats --out a.npz
usage 'IN is required' convert
usage 'OUT is required' convert $in/bare.pth
usage 'PATH is required' info
usage 'subcommand is required' data
usage 'SPEC is required' data info
usage '--out is required' data export shapes
usage 'NAME is required' data fetch
usage 'subcommand is required' bench
usage "'1,2,3': expected B,H,L,D" bench attention --shape 1,2,3
usage "'1,2,3,0': expected B,H,L,D" bench attention --shape 1,2,3,0
usage "'gpu': expected cpu, cuda or cuda:N" bench attention --device gpu
usage "'flash' is none of softmax, cog" bench train --attention flash
usage "'lstm' is none of none, bswa, fam" train --preset smoke --model.memory lstm
usage "'0': expected 1 or more" train --preset smoke --model.memory bswa --model.block 0
usage "'-1': expected 0 or more" train --preset smoke --model.memory bswa --model.segments -1
usage "'future' is none of past, both" train --preset smoke --model.memory bswa --model.window future
usage "'0': expected 1 or more" train --preset smoke --model.memory fam --model.fam_length 0

usage "'nope' is none of quickstart" train --preset nope
error 'give --preset NAME or --config FILE' train
error 'missing.toml' train --config missing.toml
error "unknown key 'step' in [train]: expected one of steps" train --config $in/unknown_key.toml
error '[trian] has no key '"'steps', it belongs in [train] or [sample]" train --config $in/unknown_section.toml
error 'expected a whole number' train --config $in/bad_value.toml
error 'bare.pth is no text' train --config $in/bare.pth
error 'broken.toml, line 2' train --config $in/broken.toml
error 'latin1.toml, line 2 is not UTF-8: "name = "J\xf6rg""' train --config $in/latin1.toml
error 'utf16.toml is UTF-16' train --config $in/utf16.toml
usage "'J\xf6rg': expected UTF-8" $train --name $'J\xf6rg'
error 'latin1/000000.txt, line 2 is not UTF-8: "a caf\xe9"' $train --data folder:$in/latin1
error "class folder 'caf\xe9' is not UTF-8" $train --data folder:$in/latin1_class --data.condition class
usage 'caf\xe9'"': expected UTF-8" $train --data folder:$in/$'caf\xe9'
error 'caf\xe9'"' is not UTF-8: rename" data info folder:$in/$'caf\xe9'
usage 'expected a whole number' $train --batch 2.5
usage "'0': expected 1 or more" $train --batch 0
usage 'expected a finite number' $train --lr fast
usage "'sofmax' is none of softmax, cog" $train --model.attention sofmax
usage "'huge' is none of nano" $train --model.size huge
usage "'best' is none of" $train --sample.sampler best
usage "'sgd' is none of adamw, muon" $train --train.optimizer sgd
usage "'odd' is none of" $train --schedule.kind odd
error 'heads' $train --model.heads 5
error 'patch' $train --model.patch 5
error 'model.context_tokens is 0' $train --model.context_tokens 0
usage "'tpu': expected cpu, cuda or cuda:N" $train --device tpu
error 'the schedule has only 1000' $train --sample.steps 5000 --schedule.kind linear
error 'cannot go from beta_start 2' $train --schedule.beta_start 2 --schedule.beta_end 1
error 'model.context_tokens = 100000000000: expected at most 65536' $train --model.context_tokens 100000000000 --dry-run
error 'snr_gamma is 0' $train --objective.snr_gamma 0
error 'weights are missing' $train --eval.every 1
error "'nowhere' does not exist" $train --eval.every 1 --eval.against folder:nowhere
error "unknown kind of data 'shpes': expected one of shapes" $train --data shpes
error 'put the kind before it' $train --data ./pictures
error "has no option 'seeed'" $train --data 'shapes?seeed=1'
error "option 'limit' must be a whole number, not 'few'" $train --data 'shapes?limit=few'
error "option 'split' must be train, test or val" $train --data 'shapes?split=half'
error "'nowhere' does not exist" $train --data folder:nowhere
error 'no images in it' $train --data folder:$in/empty
error 'has no captions' $train --data folder:$in/two_classes
error "no text encoder at 'nowhere'" $train --data.text_encoder nowhere
error 'expected config.json there' $train --data.text_encoder $in/empty
error 'has no classes' $train --data.condition class
error 'cannot create the folder' $train --out $in/note.txt/runs
error 'cannot create' $train --out /proc/runs
error 'no run folder nowhere' train --resume nowhere
error 'is no run folder' train --resume $in/empty
error 'no run in the folder' train --resume latest --out $in/empty
error 'is no run folder' train --resume $in/note.txt
error "'cuda:63' is not available" $train --device cuda:63
error 'go on with it elsewhere with --device cpu' train --resume $in/cuda_run
works 'MiB on cpu' train --resume $in/cuda_run --device cpu --dry-run
error "device.txt: 'tpu': expected cpu, cuda or cuda:N" train --resume $in/tpu_run
error 'log.txt is a link' train --resume $in/linked_run
error 'config.toml is cut short or damaged: it lacks model.size' train --resume $in/empty_run
works '% of the average' train --preset smoke --steps 10 --train.ema 0.9999 --train.ema_warmup false --dry-run
works 'train.warmup 5 does not end within' train --preset smoke --steps 4 --dry-run

error "'nowhere' does not exist" data info folder:nowhere
error 'no images in it' data info folder:$in/empty
error 'neither a folder nor a' data info folder:$in/note.txt
error 'none of its 1 images can be read' data info folder:$in/only_bad
error 'no image format that uvic reads' data info "folder:$in/reads_files?size=8&strict=1"
error 'no image format that uvic reads' data info "folder:$in/reads_files.tar.gz?size=8&strict=1"
error '16384 x 16384 pixels are more than' data info "folder:$in/huge_gif?size=8&strict=1"
works 'bad.png|left out|skipped   1 ' data info "folder:$in/short_riff?size=16"
error 'bad_captions/metadata.jsonl: line 1' data info folder:$in/bad_captions
error 'deep_captions/metadata.jsonl: line 1' data info folder:$in/deep_captions
works "skipped   3 in all|left out|format that is not read; the first: 'a.avif'|'IMG_1'|there is '000000.png'" data info folder:$in/unmatched
works '"skipped":3|"left_out":[{"what":' --json data info folder:$in/unmatched
works "A: 1 pictures in a format that is not read; the first: 'a.avif'|B: 1 files without an ending" fid $in/unmatched folder:$in/unmatched --doctor
works "holds '000000.png' twice, and the last one counts|skipped   1 in all" data info folder:$in/twice.tar
error 'bad.jpg' data info "folder:$in/cut_jpeg?size=16&strict=1"
error 'bad.png' data info "folder:$in/cut_png?size=16&strict=1"
error 'bad.png' data info "folder:$in/text_as_png?size=16&strict=1"
works 'bad.jpg|left out|skipped   1 ' data info "folder:$in/cut_jpeg?size=16"
works 'bad.png|left out|skipped   1 ' data info "folder:$in/cut_png?size=16"
works 'bad.png|left out|skipped   1 ' data info "folder:$in/text_as_png?size=16"
works 'images    9|skipped   0' data info "folder:$in/mixed?size=8&strict=1"
error 'add ?size=' data info folder:$in/mixed
works 'images    50' data info cifar10:$in/cifar
works 'images    50' data info cifar10:$in/cifar.tar.gz
works 'images    50' data info cifar10:$in/cifar.TAR.GZ
error 'data_batch_3.bin' data info cifar10:$in/cifar_cut
error 'data_batch_4.bin is missing' data info cifar10:$in/cifar_lost
error 'image 0 has label 11' data info cifar10:$in/cifar_label
error 'cifar_cut.tar.gz' data info cifar10:$in/cifar_cut.tar.gz
error "there is no 'nowhere'" data info cifar10:nowhere
error 'holds no train images of CIFAR-10' data info cifar10:$in/empty
error 'holds no annotations/captions_train2014|2017.json' data info coco:$in/coco_empty
error 'is not a COCO captions file' data info coco:$in/coco_broken
error 'is not a COCO captions file' data info coco:$in/coco_other
error 'none of its 1 images can be read' data info coco:$in/coco_lost
error "'nowhere' does not exist" data info coco:nowhere
error 'is not empty' data export 'shapes?limit=2' --out $in/pictures
error 'cannot make the folder' data export 'shapes?limit=2' --out $in/note.txt/x
error 'no_recipe.png' data info 'shapes?limit=2' --preview $in/no_recipe.png
usage "'imagenet' is none of cifar10" data fetch imagenet

error "no model at 'nowhere'" sample --model nowhere
error 'neither a run folder' sample --model $in/empty
error 'note.safetensors' sample --model $in/note.safetensors
error 'note.txt' sample --model $in/note.txt
error 'has no checkpoint yet' sample --model $in/half_run
error 'huge_header.safetensors is not a safetensors file' sample --model $in/huge_header.safetensors
error 'its header is not JSON' sample --model $in/no_json.safetensors
error 'cut.safetensors' sample --model $in/cut.safetensors
error 'cut.pth' sample --model $in/cut.pth --preset smoke
error 'flipped.safetensors is damaged: its checksum is' sample --model $in/flipped.safetensors
error 'flipped.safetensors is damaged: its checksum is' convert $in/flipped.safetensors a.pth
error 'holds a non-finite number' sample --model $in/nan.safetensors
error 'holds Int, expected floating-point numbers' sample --model $in/whole.safetensors
error 'os.system' sample --model $in/evil.pth --preset smoke
error 'os.system' convert $in/evil.pth a.safetensors
error 'os.system' info $in/evil.pth
error 'bare.pth does not say how its model is built' sample --model $in/bare.pth
error 'does not fit the model' sample --model $in/bare.pth --preset shapes
usage "'nope' is none of quickstart" sample --model $in/bare.pth --preset nope
usage "'best' is none of dpm-solver" $sample --sampler best
usage "'half' is none of fp32, bf16" $sample --precision half
usage '--steps' $sample --steps 0
usage "'nan': expected a finite number" $sample --cfg-scale nan
usage '--batch' $sample --batch 0
usage "'cuda:x': expected cpu, cuda or cuda:N" $sample --device cuda:x
usage "--seeds: '5-1': expected numbers and ranges" $sample --seeds 5-1
usage "--seeds: 'nonsense': expected numbers and ranges" $sample --seeds nonsense
usage 'more than 1000000 seeds' $sample --seeds 0-9999999999
error '--grid 1x2 holds 2 images, but 4 are drawn' $sample --seeds 0-3 --grid 1x2
usage "--grid: 'wide': expected ROWSxCOLUMNS" $sample --grid wide
usage "--grid: '0x3': expected ROWSxCOLUMNS" $sample --grid 0x3
error '--from draws one image again, not 2' $sample --from $in/pictures/000001.png --seeds 4,5
error '--class does not apply' $sample --class 3
error 'was trained without text' sample --model $in/class_run --prompt 'a cat'
error "unknown class 'cow': expected 0..1 or one of cat, dog" sample --model $in/class_run --class cow
error 'no_recipe.png carries no recipe' $sample --from $in/no_recipe.png
error 'note.png' $sample --from $in/note.png
error 'missing.txt' $sample --prompts missing.txt
error '000000.png exists' $sample --out $in/pictures/000000.png
error 'x.jpg: pictures are written as PNG' $sample --out x.jpg
error 'x.WEBP: pictures are written as PNG' $sample --out x.WEBP
error '--resume fills a folder up' $sample --out x.png --resume
usage 'excludes' $sample --resume --force
usage "--to-seed: '18446744073709551616': expected a whole number" $sample --to-seed 18446744073709551616
usage "'1e300': expected 0 to 3e+38" $sample --cfg-scale 1e300
error "seed 7 gives no picture: the network's output at step" $sample --prompt 'a red circle' --seeds 7 --cfg-scale 3e38 --out x.png
error "--prompt is not valid UTF-8, the encoding of prompts: 'caf\\xe9'" $sample --prompt $'caf\xe9'
error '--negative is not valid UTF-8' $sample --negative $'\xed\xa0\x80'
error '--to-prompt is not valid UTF-8' $sample --to-prompt $'\xc0\x80'
error 'latin.txt, line 2 is not UTF-8' $sample --prompts $in/latin.txt
error 'zero.txt is no text: it holds zero bytes' $sample --prompts $in/zero.txt
error 'latin.txt, line 2 is not UTF-8' $train --output.prompts $in/latin.txt
error 'x.jpg: the picture is a .png file' data info 'shapes?limit=2' --preview x.jpg
error 'is a file, not a folder' $sample --out $in/note.txt
error 'note.txt' $sample --out $in/note.txt/x

error "there is no 'nowhere'" fid nowhere $in/pictures
error 'put its kind before' fid $in/empty $in/pictures
error 'sigma is [2, 2], expected [3, 3]' fid $in/ill_shaped.npz $in/pictures
error "no array 'mu'" fid $in/other_keys.npz $in/pictures
error 'note.npz' fid $in/note.npz $in/pictures
error "cannot score '$in/note.txt'" fid $in/note.txt $in/pictures
usage "'vgg' is none of inception-fid" fid $in/shapes $in/pictures --features vgg
usage "'vgg' is none of inception-fid" stats $in/shapes --out a.npz --features vgg
usage "'best' is none of dpm-solver" fid $in/text_run $in/pictures --sampler best
usage "'nope' is none of quickstart" fid $in/bare.pth $in/pictures --preset nope
usage "'lpips' is none of fid, fid-inf" fid $in/shapes $in/pictures --metrics fid,lpips
usage "'bicubic' is none of pytorch-fid, clean, tf" fid $in/shapes $in/pictures --resize bicubic
usage "'-1': expected a whole number, 0 or more" fid $in/shapes $in/pictures --seed=-1
error 'efficientnet-lite0 knows only its own' fid $in/shapes $in/pictures --features efficientnet-lite0 --resize clean
error 'note.feats is not a safetensors file' fid $in/note.feats $in/pictures
error "no tensor 'features'" fid $in/pictures $in/weights.feats
error 'holds 1 image' fid $in/one $in/pictures
error 'holds 1 image' fid $in/one $in/pictures --doctor
error 'the picture is a .png file' fid $in/shapes $in/pictures --explain pairs.jpg
error 'no_recipe.png exists: give --force' fid $in/shapes $in/pictures --explain $in/no_recipe.png
error 'statistics are an .npz file' stats $in/shapes --out a.txt
works 'A is png and B is jpg' fid $in/shapes $in/photos --doctor
error 'weights are missing' fid $in/shapes $in/pictures --features inception-fid
error 'weights are missing' fid $in/shapes $in/pictures
error 'missing.pth' fid $in/shapes $in/pictures --weights missing.pth
error 'bare.pth' fid $in/shapes $in/pictures --weights $in/bare.pth
usage '--num' fid $in/shapes $in/pictures --num 1
error '--steps applies to models only' fid $in/shapes $in/pictures --steps 5
error "there is no 'nowhere'" stats nowhere --out a.npz
error 'statistics are an .npz file' stats shapes --out a.txt
error 'exists: give --force' stats shapes --out $in/other_keys.npz
error 'weights are missing' stats 'shapes?limit=4' --out a.npz

error 'nowhere' convert nowhere a.safetensors
error "what 'a.bin' should become" convert $in/bare.pth a.bin
error 'exists: choose another name' convert $in/bare.pth $in/cut.pth
error 'is a folder' convert $in/bare.pth $in/folder.safetensors
usage "'nope' is none of quickstart" convert $in/bare.pth a.safetensors --preset nope
error 'does not fit the config' convert $in/bare.pth a.safetensors --preset shapes
error 'note.txt' convert $in/bare.pth $in/note.txt/a.safetensors
error 'cut.pth' convert $in/cut.pth a.safetensors
error "there is no 'nowhere'" info nowhere
error 'cannot tell what' info $in/note.txt
error 'neither a run folder' info $in/empty
error 'note.png' info $in/note.png
error 'cut.safetensors' info $in/cut.safetensors
error 'huge_header.safetensors' info $in/huge_header.safetensors
error 'note.npz' info $in/note.npz
works 'none: the image carries no text' info $in/no_recipe.png
error 'carries no config' info --config $in/bare.pth
error 'state.json is damaged: it has more than 64 levels' info $in/deep_state
error 'state.json is damaged: "step" is 1e+300' info $in/huge_state
error 'state.json is damaged: "best_score" is "x"' info $in/text_state
error 'expected an address that begins with http' data fetch cifar10 --base-url file:///etc
wait

# --- What came of it.
failures=0
complain() { echo "FAIL ${rows[$1]}: $2" && sed 's/^/     /' "$work/rows/$1.err" && failures=$((failures + 1)); }
for number in "${!rows[@]}"; do
  err=$work/rows/$number.err code=$(< "$work/rows/$number.code") text=${row_text[$number]}
  [ "$code" -eq "${row_code[$number]}" ] || { complain "$number" "exit code $code instead of ${row_code[$number]}" && continue; }
  lines=$(grep -c '^error: ' "$err" || true)
  case $code in
    0) IFS='|' read -ra texts <<< "$text" && said=$(cat "$err" "$work/rows/$number.out") wanted=0 ;;
    1) texts=("$text") said=$(grep '^error: ' "$err" || true) wanted=1 ;;
    2) texts=("$text") said=$(< "$err") wanted=0 ;;
  esac
  [ "$lines" -eq $wanted ] || complain "$number" "$lines lines of error instead of $wanted"
  # An error is the last line: nothing of LibTorch's follows it.
  [ "$code" -ne 1 ] || [ "$(tail -n 1 "$err")" = "$said" ] || complain "$number" 'more follows the error'
  for text in "${texts[@]}"; do [[ $said == *"$text"* ]] || complain "$number" "does not say '$text'"; done
  ! grep -qE 'frame #|terminate called|inside LibTorch' "$err" || complain "$number" 'a trace of the inside'
  [ -z "$(ls -A "$work/rows/$number")" ] || complain "$number" "leaves $(ls -A "$work/rows/$number")"
  [ "$code" -ne 1 ] || printf '%s\n    %s\n' "${rows[$number]}" "$said"
done
[ ! -e "$work/owned" ] || { echo 'FAIL: a pickle ran a command' && failures=$((failures + 1)); }
find . -type f -exec sha256sum {} + | sort | diff ../before - || { echo 'FAIL: input files changed' && failures=$((failures + 1)); }

# --- Two trainings into one run folder: the second says who is first.
"$uvic" train --preset smoke --steps 100000 --output.sample_every 0 --quiet --out "$work/locked" > /dev/null &
first=$!
until [ -L "$work/locked/00000-shapes-uvic-nano/latest" ]; do kill -0 $first && sleep 0.2; done
code=0
"$uvic" train --resume "$work/locked/00000-shapes-uvic-nano" > /dev/null 2> "$work/second.err" || code=$?
{ kill -KILL $first && wait $first || true; } 2> /dev/null
[ $code -eq 1 ] && grep -q "^error: another process.*$first.* trains into" "$work/second.err" ||
  { echo "FAIL: two trainings in one folder (exit code $code)" && cat "$work/second.err" && failures=$((failures + 1)); }

echo "${#rows[@]} rows, $failures failures"
[ $failures -eq 0 ]
