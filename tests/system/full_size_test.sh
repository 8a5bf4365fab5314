#!/usr/bin/env bash
# One command from a prompt to a picture of 256 x 256 pixels with networks of the true sizes (U-ViT-S/2, the text encoder of
# CLIP ViT-L/14, Stable Diffusion's autoencoder) and random weights: its time, its memory, and that loading takes no more
# than 1.3 times the weights.
# usage: full_size_test.sh UVIC RANDOM_MODELS
source "$(dirname "$0")/begin.sh"
"$(cd "$OLDPWD" && realpath "$2")" .
files=(--model uvit.pth --config uvit.toml --autoencoder autoencoder.safetensors --text text)

# Runs a command and leaves "seconds MiB" (wall time, peak of resident memory) in the file `used`.
measured() {
  python3 - "$@" <<'PYTHON'
import resource, subprocess, sys, time
begin = time.time()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
seconds, peak = time.time() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
open("used", "w").write(f"{seconds:.1f} {peak}\n")
sys.exit(code)
PYTHON
}

weights=$(du -cm --apparent-size uvit.pth autoencoder.safetensors text/model.safetensors | tail -1 | cut -f 1)
measured "$uvic" --version
program=$(cut -d ' ' -f 2 used)
# An option that is refused, once everything is loaded.
! measured "$uvic" sample --quiet "${files[@]}" --class 0 --out none 2> refused || die 'the class was not refused'
grep -q -e '--class does not apply' refused || { cat refused && die 'refused for another reason'; }
read -r seconds peak < used
say "loading: $seconds s, $peak MiB at the peak; $weights MiB of weights, $program MiB of program"
((10 * (peak - program) <= 13 * weights)) || die 'loading takes more than 1.3 times the weights'

for tile in 0 16; do
  option=()
  [ $tile -eq 0 ] || option=(--tile $tile)
  measured "$uvic" sample --quiet "${files[@]}" -p 'a red bus on a bridge' --seeds 0 "${option[@]}" --out pictures-$tile
  "$uvic" info pictures-$tile/000000.png | grep -q '256 x 256' || die 'not a picture of 256 x 256'
  read -r seconds peak < used
  say "a picture in 50 steps, tile $tile: $seconds s, $peak MiB at the peak"
done
