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

# finish STATUS: 85 (stopped, with a state to go on from) queues the job again, under its own number, with a limit so that one
# that can never finish does not run for ever. Anything else is the job's status: a mistake would only be repeated.
finish() {
  local most=${LECO_MOST_REQUEUES:-50} requeued=${SLURM_RESTART_COUNT:-0}
  if (($1 == 85 && requeued >= most)); then
    echo "$SLURM_JOB_NAME: stopped, after $requeued requeues; submit it again to go on" >&2
  elif (($1 == 85)); then
    echo "$SLURM_JOB_NAME: stopped, queued again" >&2
    scontrol requeue "$SLURM_JOB_ID"
  fi
  exit "$1"
}
