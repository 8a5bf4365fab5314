#!/usr/bin/env bash
# U-ViC-S/2 training steps and sampling of 16 images: uvic against PyTorch, taking turns on this machine.
# Installs PyTorch (2-3 GB) from PyPI into the cache, once; checks its U-ViC against tests/parity/reference first.
# usage: bench/against_pytorch.sh [--what train,sample] [--precision fp32,bf16] [--mode eager,compile] [--rounds N]
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x build/uvic ] || { echo "against_pytorch: no build/uvic; build it first (see README.md)" >&2; exit 1; }
. bench/venv.sh complete numpy safetensors
"$python" bench/pytorch_uvit.py check tests/parity/reference
"$python" bench/against_pytorch.py "$@"
