#!/usr/bin/env bash
# Distances between two sets of images by uvic, pytorch-fid, clean-fid and torch-fidelity: values, images a second, time
# of the Fréchet distance, peak memory. All four use the same Inception weights, which follow from a formula, so the
# values mean nothing but can be compared. Statistics files go both ways between uvic and pytorch-fid.
# Installs PyTorch (2-3 GB) and the three tools from PyPI into the cache, once.
# usage: bench/against_fid_tools.sh FOLDER_A FOLDER_B
#   for example two exports of CIFAR-10:
#     uvic data export cifar10:PATH?limit=2000 --out a; uvic data export 'cifar10:PATH?split=test&limit=2000' --out b
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 2 ] || { echo "usage: bench/against_fid_tools.sh FOLDER_A FOLDER_B" >&2; exit 2; }
[ -x build/uvic ] || { echo "against_fid_tools: no build/uvic; build it first (see README.md)" >&2; exit 1; }
. bench/venv.sh fid-tools torchvision pytorch-fid==0.3.0 clean-fid==0.1.35 torch-fidelity==0.4.0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" bench/against_fid_tools.py "$1" "$2" "$scratch"
