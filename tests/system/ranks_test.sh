#!/usr/bin/env bash
# Any number of ranks trains the same model, a run goes on with another number of them, and what ends one ends all.
# usage: ranks_test.sh UVIC RANDOM_MODELS
source "$(dirname "$0")/begin.sh"
random_models=$(cd "$OLDPWD" && realpath "$2")
export OMP_NUM_THREADS=1

smoke=(--preset smoke --batch 7 --train.warmup 0 --train.clip 0.5 --data.flip true --output.sample_every 0 --output.log_every 1
  --output.save_every 15 --steps 30)
train() { "$uvic" --quiet train "${smoke[@]}" --out runs "$@" > out; }
same_training() { "$tests/system/same_training.py" runs/*-"$1" runs/*-"$2" || die "$1 and $2 are not the same training"; }

say 'one, two and three ranks'
train --name one
train --name two --ranks 2
train --name three --ranks 3
same_training one two
same_training one three
grep -q rank_seconds_slowest runs/*-two/stats.jsonl || die 'nothing tells how long the ranks take'
[ "$(ls runs | wc -l)" -eq 3 ] || die "not rank 0 alone writes: $(ls runs)"

say 'micro-batches, orthogonal steps shared out, gradients in half precision'
train --name cut --ranks 2 --train.micro_batch 2
same_training one cut
muon=(--train.optimizer muon --batch 4 --train.accumulate 2)
train --name muon "${muon[@]}"
train --name muon-two --ranks 2 "${muon[@]}"
same_training muon muon-two
train --name wire --ranks 2 --world.wire bf16
last_loss() { tail -1 runs/*-"$1"/stats.jsonl | grep -o '"loss":[^,]*' | cut -d: -f2; }
awk -v a="$(last_loss one)" -v b="$(last_loss wire)" 'BEGIN { exit !(a != b && a / b < 1.02 && b / a < 1.02) }' ||
  die "loss $(last_loss one), with bf16 on the wire $(last_loss wire)"

say 'gradients of several buckets'
wide=(--model.dim 512 --model.heads 8 --model.depth 4 --batch 2 --steps 3 --train.eps 0.001)
train --name wide "${wide[@]}"
train --name wide-two --ranks 2 "${wide[@]}"
same_training wide wide-two
train --name wide-late --ranks 2 "${wide[@]}" --world.overlap false
same_training wide-two wide-late | grep 'to 0.0e+00' || die 'it matters when gradients are sent'

say 'a run that goes on with other numbers of ranks'
train --name changing --ranks 3 --steps 15
"$uvic" --quiet train --resume runs/*-changing --ranks 2 --steps 22 > out
"$uvic" --quiet train --resume runs/*-changing --steps 30 > out
same_training one changing

say 'statistics, features and pictures'
for file in statistics.npz features.feats; do
  "$uvic" --quiet stats 'shapes?size=32&count=150' --out "$file" > out
  "$uvic" --quiet stats 'shapes?size=32&count=150' --out "ranks-$file" --ranks 2 > out
  same "$file" "ranks-$file"
done
[ "$(wc -l < out)" -eq 1 ] && [ -z "$(compgen -G '*rank-*')" ] || die "$(cat out; ls)"
draw() { "$uvic" --quiet sample --model runs/*-one --prompt 'a red circle' --seeds 0-6 --steps 2 "$@" > out; }
draw --out alone && draw --out together --ranks 3
diff -r alone together || die 'ranks draw other pictures'
[ "$(cat out)" = "$(ls -d together/*)" ] || die "says to have drawn $(cat out)"

say 'scores: of data, of what a model draws, of files some of which are damaged, kept features, and by CLIP'
"$random_models" models --tiny
"$uvic" --quiet data export 'shapes?size=32&count=135' --out pictures > out
for damaged in 000010 000090; do echo 'no picture' > pictures/$damaged.png; done
score() { "$uvic" --quiet --json "$@" 2> warnings | sed 's/,"seconds":[^}]*}$/}/'; }
scored_alike() { # RANKS COMMAND...: the same numbers, the same warnings
  local alone together
  alone=$(score "${@:2}") && mv warnings warnings-alone
  together=$(score "${@:2}" --ranks "$1")
  [[ $alone = *'"value":'* && $alone = "$together" ]] || die "$alone, of $1 ranks $together: $(cat warnings)"
  same warnings-alone warnings
}
scored_alike 2 fid 'shapes?size=16&count=150' 'shapes?size=16&count=100&split=test' --metrics fid,kid,prdc
scored_alike 3 fid runs/*-one 'shapes?size=16&count=20' --num 10 --batch 2 --steps 2  # of one share one batch more
scored_alike 3 fid pictures features.feats
grep -q '000010.png' warnings && grep -q '000090.png' warnings || die "what is left out is not said: $(cat warnings)"
scored_alike 2 clip-score 'shapes?size=32&count=70' --clip models/whole-clip  # of two batches
scored_alike 2 clip-score runs/*-one --num 3 --batch 2 --steps 2 --clip models/whole-clip
rm -r pictures

say 'scores that cannot be'
unscored() { # WHAT COMMAND...: all ranks end, and one says why
  local code=0
  "$uvic" --quiet "${@:2}" > out 2> err || code=$?
  [ $code -eq 1 ] && [ ! -s out ] && [ "$(grep -c '^error: ' err)" -eq 1 ] && grep -q -- "^error: .*$1" err ||
    die "exit code $code: $(cat out err)"
}
unscored "there is no 'nowhere'" fid nowhere shapes --ranks 2
unscored 'no CLIP in' clip-score shapes --clip nowhere --ranks 2
echo 'no picture' > none.png && mkdir bad && mv none.png bad/0.png && cp bad/0.png bad/1.png
unscored 'bad: only 0 of its images can be read, a score needs 2' fid bad shapes --ranks 2
for rank in 0 1; do
  RANK=$rank WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$((20000 + $$ % 20000 + 4)) "$uvic" --quiet fid 'shapes?size=16&count=20' \
    "shapes?size=16&count=$((100 + rank))" > out.$rank 2> err.$rank &
done
for job in $(jobs -p); do ! wait $job || die 'ranks of different pictures made a score'; done
for rank in 0 1; do
  [ ! -s out.$rank ] && grep -q "count=10[01] differs between ranks: rank 0 has '100 images [0-9a-f]*', rank 1 has '101 images" err.$rank ||
    die "$(cat err.$rank)"
done
"$uvic" --quiet fid 'shapes?size=16' runs/*-one --num 100000 --steps 50 --ranks 2 > out 2> err & launcher=$!
until [ "$(pgrep -c -P $launcher)" -eq 2 ] && sleep 3; do kill -0 $launcher; sleep 0.1; done
kill -KILL "$(pgrep -P $launcher | tail -1)"
code=0 && wait $launcher || code=$?
[ $code -ne 0 ] && [ ! -s out ] && grep -q 'rank [01] of 2' err || die "exit code $code: $(cat out err)"
RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=1 refused 'ranks share the work out themselves' stats shapes --out x.npz --shard 0/2

say 'by the variables of torchrun, Open MPI and Slurm'
by() { # NAME RANK_VARIABLES...: %d becomes the rank
  local name=$1 pids=() rank
  shift
  for rank in 0 1; do
    env "${@//%d/$rank}" "$uvic" --quiet train "${smoke[@]}" --out runs --name "$name" > out.$rank 2> err.$rank &
    pids+=($!)
  done
  wait "${pids[0]}" && wait "${pids[1]}" || die "$name: $(cat err.0 err.1)"
  same_training one "$name"
}
port=$((20000 + $$ % 20000))
by torchrun RANK=%d WORLD_SIZE=2 LOCAL_RANK=%d MASTER_ADDR=127.0.0.1 MASTER_PORT=$port
by openmpi OMPI_COMM_WORLD_RANK=%d OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=%d OMPI_COMM_WORLD_LOCAL_SIZE=2 MASTER_PORT=$((port + 1))
by slurm SLURM_PROCID=%d SLURM_NTASKS=2 SLURM_LOCALID=%d SLURM_JOB_ID=$((port + 2)) SLURM_JOB_NODELIST="$(hostname)"

say 'ranks that are not the same, or too many'
differing() {
  local rank pids=()
  for rank in 0 1; do
    RANK=$rank WORLD_SIZE=2 LOCAL_RANK=$rank MASTER_ADDR=127.0.0.1 MASTER_PORT=$((port + 3)) "$uvic" --quiet train "${smoke[@]}" \
      --out runs --name never --seed $((rank * $1)) > out.$rank 2> err.$rank &
    pids+=($!)
  done
  ! wait "${pids[0]}" && ! wait "${pids[1]}" || die 'ranks of different seeds trained together'
}
differing 1
for rank in 0 1; do
  [ "$(wc -l < err.$rank)" -eq 1 ] && grep -q "config differs between ranks: rank 0 has 'seed = 0', rank 1 has 'seed = 1'" err.$rank || die "$(cat err.$rank)"
done
"$uvic" --quiet train "${smoke[@]}" --out runs --name never --batch 2 --ranks 3 > out 2> err && die '3 ranks shared 2 pictures'
grep -q 'train.batch 2 cannot be shared out over 3 ranks' err || die "$(cat err)"
[ -z "$(compgen -G 'runs/*-never')" ] || die 'a run folder without a run'

say 'a rank that is killed ends the run, or is started anew'
endless() { "$uvic" --quiet train "${smoke[@]}" --steps 100000 --output.save_every 10 --out runs --ranks 2 "$@" > out 2> err & launcher=$!; }
await_checkpoint() { until compgen -G "runs/*-$1/checkpoint-*0" > /dev/null; do kill -0 $launcher && sleep 0.1; done; }
second_rank() { for pid in $(pgrep -P $launcher); do tr '\0' '\n' < /proc/$pid/environ | grep -qx 'RANK=1' && echo $pid; done; }
endless --name killed
await_checkpoint killed
kill -KILL "$(second_rank)"
code=0 && wait $launcher || code=$?
[ $code -ne 0 ] && grep -q 'rank 1' err || die "exit code $code: $(cat err)"
"$uvic" --quiet train "${smoke[@]}" --output.save_every 5 --steps 400 --out runs --name restarted --ranks 2 --restarts 2 --resume auto > out 2> err & launcher=$!
await_checkpoint restarted
kill -KILL "$(second_rank)"
wait $launcher || die "not restarted: $(cat err)"
train --name undisturbed --steps 400 --ranks 2
same_training undisturbed restarted
[ "$(wc -l < runs/*-restarted/command.txt)" -eq 2 ] || die 'was not disturbed'

say 'Ctrl-C'
endless --name interrupted
await_checkpoint interrupted
kill -INT $launcher
code=0 && wait $launcher || code=$?
[ $code -eq 130 ] && [ ! -s err ] || die "exit code $code: $(cat err)"
last=$(readlink runs/*-interrupted/latest)
[ "${last#checkpoint-}" -eq "$(wc -l < runs/*-interrupted/stats.jsonl)" ] || die 'the last step is not saved'
