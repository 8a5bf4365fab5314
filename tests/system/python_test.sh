#!/usr/bin/env bash
# tests/python/*_test.py with the Python that UVIC_PYTHON names, else the one that bench/against_pytorch.sh installs.
# Exit code 77 (skipped) where transformers or diffusers is not there.
# usage: python_test.sh UVIC RANDOM_MODELS RUN_ENCODERS RUN_CLIP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^torch_version=//p' "$here/../../scripts/setup")
python=${UVIC_PYTHON:-${UVIC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/uvic}/pytorch-$version/bin/python}
command -v "$python" > /dev/null || { echo "skipped: no $python" && exit 77; }
"$python" "$here/../python/dinov2_test.py" "$1"
"$python" "$here/../python/encoders_test.py" "$1" "$2" "$3"
"$python" "$here/../python/clip_test.py" "$1" "$2" "$4"
"$python" "$here/../python/lora_test.py" "$1"
"$python" "$here/../python/server_test.py" "$1"
