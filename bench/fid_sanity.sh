#!/usr/bin/env bash
# Does the distance see what spoils images? FD(efficientnet-lite0) of 2,000 training images of CIFAR-10 to 2,000 test
# images, and to the same test images after each kind of damage at three strengths. Prints a Markdown table.
# Installs PyTorch's Python with Pillow (2-3 GB) into the cache, once.
# usage: bench/fid_sanity.sh FOLDER    the folder with cifar-10-batches-bin in it
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { echo "usage: bench/fid_sanity.sh FOLDER" >&2; exit 2; }
[ -x build/uvic ] || { echo "fid_sanity: no build/uvic; build it first (see README.md)" >&2; exit 1; }
. bench/venv.sh pictures numpy pillow
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" bench/fid_sanity.py "$1" "$scratch"
