# shellcheck shell=bash
# Read by the batch scripts: how they prepare for their end, and how they end.

# The status that rank.sh left, or 1 where it left none. status_of FILE STATUS_OF_SRUN
status_of() {
  local left
  left=$(cat "$1" 2>/dev/null) || left=
  rm -f "$1"
  if [[ -z $left ]]; then
    echo "$SLURM_JOB_NAME: no rank was started to its end (srun's status: $2); the reason stands above" >&2
    left=$(($2 == 0 ? 1 : $2))
  elif ((left == 0 && $2 != 0)); then
    echo "$SLURM_JOB_NAME: rank 0 ended well, but srun with status $2" >&2
    left=$2
  fi
  echo "$left"
}

# Whether every node of the job still starts a program.
nodes_answer() {
  timeout 60 srun --overlap --mpi=none --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 \
    true >/dev/null 2>&1
}

# The ranks that are left may notice a lost node long before Slurm does, and end with 1. Slurm queues the job again itself, after
# SlurmdTimeout, and knows then which node not to take; this waits for that, and returns where it does not come.
await_requeue_of_lost_node() {
  local timeout
  timeout=$(scontrol show config | sed -n 's/^SlurmdTimeout *= *\([0-9]*\).*/\1/p')
  echo "$SLURM_JOB_NAME: ended with status $1, and a node does not answer; waits ${timeout:=300} s and a minute for Slurm to queue the job again" >&2
  sleep "$((timeout + 60))" &
  wait "$!"
}

# finish STATUS: 85 (stopped, with a state to go on from) queues the job again, under its own number, with a limit so that one
# that can never finish does not run for ever. So does a lost node. Anything else is the job's status: a mistake would only be repeated.
finish() {
  local status=$1 most=${LECO_MOST_REQUEUES:-50} requeued=${SLURM_RESTART_COUNT:-0}
  if ((status != 0 && status != 2 && status != 85 && SLURM_JOB_NUM_NODES > 1)) && ! nodes_answer; then
    await_requeue_of_lost_node "$status"
    status=85
  fi
  if ((status == 85 && requeued >= most)); then
    echo "$SLURM_JOB_NAME: stopped, after $requeued requeues; submit it again to go on" >&2
  elif ((status == 85)); then
    echo "$SLURM_JOB_NAME: stopped, queued again" >&2
    scontrol requeue "$SLURM_JOB_ID"
  fi
  exit "$status"
}
