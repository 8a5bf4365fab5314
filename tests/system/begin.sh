# What the system tests begin with: the program, a folder of their own that goes with them, and words to report with.
# Sourced by TEST.sh UVIC ...
set -euo pipefail
uvic=$(realpath "$1")
tests=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMP_WAIT_POLICY=passive  # threads that wait for each other leave the processor to whoever else runs

say() { echo "--- $*"; }
die() { echo "FAIL: $*" >&2 && exit 1; }
same() { cmp --silent "$1" "$2" || die "$1 and $2 differ"; }
differ() { ! cmp --silent "$1" "$2" || die "$1 and $2 are the same: $3 makes no difference"; }
# The one line that a command complains with must have the text.
refused() {
  local text=$1 code=0
  shift
  "$uvic" --quiet "$@" > refused.out 2> refused || code=$?
  [ $code -eq 1 ] || die "exit code $code from $*"
  [ "$(wc -l < refused)" -eq 1 ] && grep -qF -- "$text" refused || { cat refused && die "no '$text' from $*"; }
}
