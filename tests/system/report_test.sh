#!/usr/bin/env bash
# `uvic report`: what the page holds, that it asks for nothing, and what is refused.
# usage: report_test.sh UVIC
source "$(dirname "$0")/begin.sh"
export OMP_NUM_THREADS=1

train() { "$uvic" --quiet train --preset smoke --out runs "$@" > /dev/null; }
train --name one
train --name two --lr 0.002 --steps 30
runs="runs/00000-one runs/00001-two"
page() { python3 "$tests/system/report_page.py" "$@"; }

say 'a page of one run and of two'
[ "$("$uvic" --quiet --json report runs/00000-one --out one.html)" = '{"file":"one.html"}' ] || die 'another result'
page one.html --points 4 --runs 1 --samples 2
"$uvic" --quiet report $runs --out new/two.html > out
[ "$(cat out)" = new/two.html ] || die "printed $(cat out)"
page new/two.html --points 4 6 --runs 2 --samples 5 --differ train.lr train.steps output.name

say 'machines are in the records, a line for each time'
train --resume runs/00001-two --steps 40
python3 - << 'CODE'
import json
lines = [json.loads(line) for line in open("runs/00001-two/machine.jsonl")]
assert [line["step"] for line in lines] == [0, 30], lines
assert all(line["threads"] == 1 and line["device"] == "cpu" and line["uvic_version"] for line in lines), lines
CODE

say 'a run that is being trained'
"$uvic" --quiet train --preset smoke --out runs --name long --steps 1000000 --output.sample_every 0 > /dev/null &
until grep -qs '"step":10,' runs/00002-long/stats.jsonl; do sleep 0.1; done
"$uvic" --quiet report runs/00002-long --out training.html > /dev/null
kill %1 && wait %1 || true
page training.html --runs 1
grep -q 'training now, at step [0-9]* of 1000000' training.html || die 'it does not say that the run is being trained'
"$uvic" --quiet report runs/00002-long --out training.html --force > /dev/null
grep -q 'stopped at step [0-9]* of 1000000' training.html || die 'it does not say that the run was stopped'

say 'records that are empty, half written, of another uvic or hostile'
cp -r runs/00000-one cut && printf '{"step":25,"lo' >> cut/stats.jsonl
"$uvic" --quiet report cut --out cut.html > /dev/null && page cut.html --points 4
cp -r runs/00000-one empty && : > empty/stats.jsonl && rm -r empty/samples empty/checkpoint-* empty/machine.jsonl empty/command.txt
"$uvic" --quiet report empty --out empty.html > /dev/null && page empty.html --runs 1
grep -q 'No step has been recorded yet' empty.html || die 'it does not say that there is nothing'
evil='<script>alert(1)<'
cp -r runs/00000-one "$evil"
sed -i "s|^spec = .*|spec = \"shapes?limit=256\&x=<script>'</style>\"|" "$evil/config.toml"
echo '<script src="http://example.org/x.js"></script>' >> "$evil/command.txt"
echo '{"step":21,"<img src=x onerror=alert(1)>":5}' >> "$evil/stats.jsonl"
"$uvic" --quiet report "$evil" runs/00000-one --out evil.html > /dev/null
page evil.html --runs 2 --differ data.spec --quotes
printf '\x89PNG\r\n\x1a\ncut' > "$evil/samples/0000010.png"
"$uvic" --quiet report "$evil" --out damaged.html > /dev/null 2> warnings
[ "$(wc -l < warnings)" -eq 1 ] && grep -q '^warning: no sample of step 10' warnings || { cat warnings && die 'no warning of a damaged picture'; }
page damaged.html --samples 1 --quotes
sed -i '/^overlap/d' cut/config.toml && rm -r cut/checkpoint-* cut/latest
"$uvic" --quiet report cut --out older.html > /dev/null 2> warnings
[ "$(wc -l < warnings)" -eq 1 ] && page older.html --points 4 || { cat warnings && die 'no report of an older run'; }

say 'what is refused'
refused 'no run folder nowhere' report nowhere --out x.html
refused 'holds no config.toml' report runs --out x.html
refused 'is given twice' report runs/00000-one "$PWD/runs/00000-one/" --out x.html
refused 'one.html exists: give another --out, or --force' report runs/00000-one --out one.html
refused '--out runs is a folder' report runs/00000-one --out runs --force
refused 'cannot write' report runs/00000-one --out /proc/x.html
refused 'at most 12' report $(seq 13) --out x.html
echo '[model' > cut/config.toml
refused 'cut/config.toml' report cut --out x.html
[ ! -e x.html ] || die 'a refused report is written'
echo 'all as promised'
