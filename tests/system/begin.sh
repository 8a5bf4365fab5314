# What the system tests begin with: the program, a folder of their own that goes with them, and words to report with.
# Sourced by TEST.sh UVIC ...
set -euo pipefail
uvic=$(realpath "$1")
tests=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

say() { echo "--- $*"; }
die() { echo "FAIL: $*" >&2 && exit 1; }
