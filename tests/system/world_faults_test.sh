#!/usr/bin/env bash
# What goes wrong between machines: three ranks on hosts of their own (network namespaces that a bridge joins), of which one
# is killed, stopped, cut off, or short of disk space, or rank 0 is killed while it saves, or whose network is slow. All
# must end within the time-out and ten seconds, with a line that names the rank, or go on; after a restart the run ends with
# the weights of an undisturbed one.
# usage: world_faults_test.sh UVIC [RUNS] [KINDS]
source "$(dirname "$0")/begin.sh"
runs=${2:-2} kinds=${3:-kill stop unplug save disk slow}
timeout=5
export OMP_NUM_THREADS=1
[ "$(id -u)" -eq 0 ] && ip netns add uvic-bridge 2> /dev/null || { echo 'skipped: this process may not make network namespaces' && exit 77; }

end_network() {
  for rank in 0 1 2; do
    ip netns pids uvic-$rank 2> /dev/null | xargs -r kill -KILL 2> /dev/null || true
    ip netns del uvic-$rank 2> /dev/null || true
  done
  ip netns del uvic-bridge || true
  umount "$work/small" 2> /dev/null || true
  rm -rf "$work"
}
trap end_network EXIT
ip -n uvic-bridge link add bridge type bridge
ip -n uvic-bridge link set bridge up
for rank in 0 1 2; do
  ip netns add uvic-$rank
  ip -n uvic-bridge link add port$rank type veth peer name eth0 netns uvic-$rank
  ip -n uvic-bridge link set port$rank master bridge up
  ip -n uvic-$rank addr add 10.99.0.$((rank + 1))/24 dev eth0
  ip -n uvic-$rank link set eth0 up
  ip -n uvic-$rank link set lo up
done

smoke=(--quiet train --preset smoke --batch 6 --train.warmup 0 --output.sample_every 0 --output.log_every 1 --output.save_every 20
  --steps 300 --world.timeout $timeout --resume auto)
port=30000
start() { # FOLDER NAME [rank 0's limits]
  pids=()
  port=$((port + 1))
  for rank in 0 1 2; do
    RANK=$rank WORLD_SIZE=3 LOCAL_RANK=0 MASTER_ADDR=10.99.0.1 MASTER_PORT=$port ip netns exec uvic-$rank \
      "$uvic" "${smoke[@]}" --out "$1" --name "$2" > out.$rank 2> err.$rank &
    pids+=($!)
  done
}
await_checkpoint() { until compgen -G "$1/*-$2/checkpoint-*0" > /dev/null; do kill -0 "${pids[0]}" 2> /dev/null && sleep 0.05; done; }
all_ended() { for pid in "${waited[@]}"; do ! kill -0 "$pid" 2> /dev/null || return 1; done; }
# Seconds until those ranks have ended, all with an error.
await_ends() {
  waited=()
  for rank in "$@"; do waited+=("${pids[rank]}"); done
  local begin=$EPOCHREALTIME
  until all_ended; do
    awk -v b="$begin" -v n="$EPOCHREALTIME" -v t=$timeout 'BEGIN { exit !(n - b < t + 10) }' || die "hangs: $(cat err.*)"
    sleep 0.05
  done
  took=$(awk -v b="$begin" -v n="$EPOCHREALTIME" 'BEGIN { printf "%.1f", n - b }')
  for rank in "$@"; do
    ! wait "${pids[rank]}" || die "rank $rank ended well"
    [ "$(wc -l < err.$rank)" -eq 1 ] && grep -q "$named" err.$rank || die "rank $rank said: $(cat err.$rank)"
  done
}
finish() { # FOLDER NAME
  start "$1" "$2"
  for pid in "${pids[@]}"; do wait "$pid" || die "did not go on: $(cat err.*)"; done
  "$tests/system/same_training.py" runs/*-undisturbed "$1"/*-"$2" | grep -q 'to 0.0e+00' || die "$2 is another training"
}

start runs undisturbed
for pid in "${pids[@]}"; do wait "$pid" || die "$(cat err.*)"; done
for kind in $kinds; do
  slowest=0
  for ((run = 0; run < runs; ++run)); do
    name=$kind-$run folder=runs named='rank 1'
    if [ $kind = slow ]; then
      ip netns exec uvic-1 tc qdisc add dev eth0 root netem delay 100ms loss 1% 2> /dev/null || { echo 'slow: skipped, this kernel has no netem' && break; }
      smoke+=(--steps 40) && start runs slow-reference && wait "${pids[@]}" || die "slow: $(cat err.*)"
      ip netns exec uvic-1 tc qdisc del dev eth0 root
      break
    fi
    if [ $kind = disk ]; then
      # For one checkpoint and half of the next.
      folder=small && mkdir -p small
      mount -t tmpfs -o size=$(($(du -k runs/*-undisturbed/latest/ | cut -f1) * 3 / 2 + 100))k tmpfs small
    fi
    start $folder $name
    [ $kind = disk ] || await_checkpoint $folder $name
    sleep "0.$((RANDOM % 10))"
    took=0
    case $kind in
      kill) kill -KILL "${pids[1]}" && await_ends 0 2 ;;
      stop) kill -STOP "${pids[1]}" && await_ends 0 2 && kill -KILL "${pids[1]}" ;;
      unplug)
        ip -n uvic-bridge link set port1 down
        named='rank' && await_ends 0 1 2
        ip -n uvic-bridge link set port1 up ;;
      save)
        until compgen -G "runs/*-$name/checkpoint-*.tmp.*" > /dev/null; do kill -0 "${pids[0]}"; done
        kill -KILL "${pids[0]}"
        named='rank 0' && await_ends 1 2 ;;
      disk) named='No space left\|cannot write\|rank 0' && await_ends 0 1 2 && mount -o remount,size=100m small ;;
    esac
    wait "${pids[@]}" 2> /dev/null || true
    finish $folder $name
    slowest=$(awk -v a="$slowest" -v b="$took" 'BEGIN { print (a > b ? a : b) }')
    [ $kind != disk ] || umount small
    rm -rf runs/*-"$name"
  done
  [ $kind = slow ] || echo "$kind: $runs of $runs ended in at most $slowest s and went on to the same weights"
done
