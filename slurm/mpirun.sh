# shellcheck shell=bash
# Read by the batch scripts for a cluster whose srun does not start this MPI's ranks: mpirun starts them inside of the allocation.

# under_mpirun COMMAND…: runs it in all of the job's slots; its status is then in $status.
under_mpirun() {
  mpirun --bind-to none "$@" &
  mpirun=$!
  # USR1, since mpirun passes it on to all ranks; TERM at mpirun would kill them within two seconds, state or not.
  trap 'kill -USR1 "$mpirun" 2>/dev/null || :' USR1 TERM
  status=0
  while kill -0 "$mpirun" 2>/dev/null; do  # a signal ends a wait, not the program
    status=0
    wait "$mpirun" || status=$?
  done
  # mpirun has lost one of its daemons: the node is gone, or Slurm preempts the job and signals the daemons and not the ranks.
  if ((status == 205)); then status=85; fi
}
