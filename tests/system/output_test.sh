#!/usr/bin/env bash
# What comes out of the program: results that cannot be written, errors for programs and for terminals, help.
# usage: output_test.sh UVIC
source "$(dirname "$0")/begin.sh"
export LC_ALL=C.UTF-8 OMP_NUM_THREADS=1

"$uvic" train --preset smoke --steps 1 --output.sample_every 0 --quiet --out runs --name small > /dev/null
run=runs/00000-small

results="info $run
info --config $run
info --tensors $run/latest
report $run --out page.html --force
data list
data info shapes?limit=4
convert $run out.pth --force
data export shapes?limit=2 --out exported --force
train --preset smoke --dry-run"

say 'a full disk, a closed output and a reader that has gone'
exec 3> >(:)
sleep 1
outputs() {
  local text=$1
  shift
  code=0
  "$uvic" --quiet "$@" > /dev/full 2> err || code=$?
  [ $code -eq 1 ] && [ "$(cat err)" = "$(printf "$text" 'No space left on device')" ] || { cat err && die "$code from '$*' to a full disk"; }
  code=0
  "$uvic" --quiet "$@" >&- 2> err || code=$?
  [ $code -eq 1 ] && [ "$(cat err)" = "$(printf "$text" 'Bad file descriptor')" ] || { cat err && die "$code from '$*' without an output"; }
  code=0
  "$uvic" --quiet "$@" >&3 2> err || code=$?
  [ $code -eq 141 ] && [ ! -s err ] || { cat err && die "$code from '$*' without a reader"; }
}
while read -r command; do
  outputs 'error: cannot write to standard output: %s' $command
done << COMMANDS
$results
sample --model $run --out pictures
sample --model $run --out picture.png --force
--version
--help
train --help
COMMANDS
outputs '{"error":"cannot write to standard output: %s"}' --json info $run
[ "$(ls pictures | wc -l)" -eq 3 ] && [ -s picture.png ] && [ -s out.pth ] || die 'a result is lost'
code=0
"$uvic" info nowhere 2> /dev/full || code=$?
[ $code -eq 1 ] || die "exit code $code where an error cannot be said"
code=0
"$uvic" info nowhere >&- 2>&- <&- || code=$?
[ $code -eq 1 ] || die "exit code $code where an error cannot be said"

say 'errors for programs'
while read -r wanted command; do
  code=0
  "$uvic" $command > out 2> err || code=$?
  [ $code -eq $wanted ] && [ ! -s out ] && [ "$(wc -l < err)" -eq 1 ] || { cat err && die "$code from '$command'"; }
  python3 -c 'import json, sys; (key, text), = json.load(open("err")).items(); assert key == "error" and text' ||
    { cat err && die "no JSON from '$command'"; }
done << COMMANDS
1 --json info nowhere
1 sample --model nowhere --json
1 --quiet --json sample --model $run --seeds 0-3 --grid 1x2
2 --json sample --stesp 4
2 sample --model $run --steps 0 --json
2 --json
2 data info --json
COMMANDS

say 'results for programs'
while read -r command; do
  "$uvic" --quiet --json $command > out
  python3 -c 'import json; rows = [json.loads(line) for line in open("out")]; assert rows and all(type(r) is dict for r in rows)' ||
    { cat out && die "no JSON from '$command'"; }
done << COMMANDS
$results
sample --model $run --out pictures --force
fid exported shapes?limit=20 --doctor
COMMANDS

say 'text of others, which a terminal must not obey'
evil=$'evil\e]0;name\a\u009b31m\u202e'
mkdir "pictures$evil" && cp pictures/000000.png "pictures$evil/$evil.png"
printf '{"file_name": "%s.png", "text": "red \\u001b[31m\\u202e \\u0085circle"}\n' $'evil\\u001b]0;name\\u0007\\u009b31m\\u202e' > "pictures$evil/metadata.jsonl"
echo text > "$evil.png" && cp "$evil.png" "$evil.npz" && mkdir -p "classes/cat$evil" && cp pictures/000000.png "classes/cat$evil" && cp "$evil.png" "classes/cat$evil/$evil.png"
quiet_and_loud() {
  "$uvic" "$@" > out 2>&1 || true
  python3 - << 'PYTHON' || { cat -v out && die "'$*' lets it through"; }
text = open("out", "rb").read().decode()  # all of it UTF-8
assert not [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c == "\u202e"], text
assert "\\x1b" in text, text
PYTHON
}
quiet_and_loud info "$evil.png"
quiet_and_loud info "$evil.npz"
quiet_and_loud info "nowhere$evil"
quiet_and_loud data info "folder:pictures$evil?size=16"
quiet_and_loud data info "folder:classes?size=16"
quiet_and_loud data info "nope$evil:x"
quiet_and_loud train --preset smoke --data "folder:nowhere$evil"
quiet_and_loud sample --model "$run" --out "drawn$evil"
quiet_and_loud sample --model "$run" "--$evil"
quiet_and_loud sample --model "$run" --prompt $'a \e[31mred circle' --out drawn
"$uvic" sample --model "$run" --prompt $'a \e[31mred\nsquare' --out prompted.png --quiet > /dev/null
quiet_and_loud info prompted.png

say 'an error is one line of at most 1,000 characters'
for name in "$(printf 'x%.0s' {1..4000})" $'two\nlines' "$(printf 'ü%.0s' {1..4000})" "$(printf '\xff%.0s' {1..4000})"; do
  for arguments in info 'sample --model' 'data info' 'sample --wrong' 'sample --steps'; do
    "$uvic" $arguments "$name" 2> err && die "'$arguments' takes anything"
    [ "$(head -1 err | wc -L)" -le 1000 ] && [ "$(grep -vc '^Run with --help' err)" -eq 1 ] || { cat err && die "a long line from '$arguments'"; }
  done
done

say 'help fits 100 columns'
helps() {
  "$uvic" "$@" --help > help || die "no help of '$*'"
  [ "$(wc -L < help)" -le 100 ] || { awk 'length > 100' help && die "help of '$*' is $(wc -L < help) columns wide"; }
  for command in $(sed -n '/^Subcommands:/,/^$/ s/^  \([a-z][a-z-]*\) .*/\1/p' help); do
    helps "$@" "$command"
    seen=$((seen + 1))
  done
}
seen=0
helps
[ $seen -ge 15 ] || die "only $seen commands have help"
echo 'all as promised'
