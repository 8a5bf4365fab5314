#!/usr/bin/env bash
# A language model's training steps and its writing of 256 tokens: uvic against PyTorch, taking turns on this machine.
# Installs PyTorch (2-3 GB) from PyPI into the cache, once; checks its Cogformer against a folder of references first.
# usage: bench/lm_against_pytorch.sh REFERENCE [--work train,write] [--size nano,tiny,middle] [--turns N] [--threads N]
set -euo pipefail
[ $# -ge 1 ] || { sed -n 's/^# usage/usage/p' "$0" >&2; exit 2; }
reference=$(realpath "$1")
cd "$(dirname "$0")/.."
[ -x build/uvic ] || { echo "lm_against_pytorch: no build/uvic; build it first (see README.md)" >&2; exit 1; }
. bench/venv.sh complete numpy safetensors
"$python" bench/pytorch_cogformer.py check "$reference"
"$python" bench/lm_against_pytorch.py "${@:2}"
