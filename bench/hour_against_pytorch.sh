#!/usr/bin/env bash
# An hour of training on CIFAR-10 by uvic and by plain PyTorch: the preset cifar10-tiny from the same weights, at the
# same time, a core each, for as many steps as each has time for. Prints a Markdown table with FD(efficientnet-lite0).
# First a few steps of both must agree. Installs PyTorch (2-3 GB) from PyPI into the cache, once.
# usage: bench/hour_against_pytorch.sh DATA [--minutes 60] [--mode eager|compile] [--num 1000] [--work FOLDER]
#   DATA is the folder cifar-10-batches-bin. What is done in the work folder is not done again.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: bench/hour_against_pytorch.sh DATA [--minutes N] [--mode MODE] ..." >&2; exit 2; }
data=$(realpath "$1")
cd "$(dirname "$0")/.."
[ -x build/uvic ] || { echo "hour_against_pytorch: no build/uvic; build it first (see README.md)" >&2; exit 1; }
. bench/venv.sh complete numpy safetensors
exec "$python" bench/hour_against_pytorch.py "$data" "${@:2}"
