#!/usr/bin/env bash
# rank.sh STATUS_FILE COMMAND…: one rank under srun. Rank 0 leaves its exit status in the file, since srun's own says too little:
#
# - It has been 0 although the launch had failed (seen with Slurm 22.05). No file: nothing was trained.
# - With -K1 it is that of a rank that srun ended because another one was faster to leave with 85. So 85 (stopped, the state
#   saved) stands in the file, and srun is told 0; whatever else is not 0 still ends the other ranks.
set -uo pipefail
status_file=$1
shift
trap : TERM USR1 INT  # Slurm's signals reach this shell as well as the program, and it has to outlive the program
status=0
"$@" || status=$?
if [[ ${SLURM_PROCID:-0} == 0 ]]; then
  echo "$status" >"$status_file.tmp" && mv "$status_file.tmp" "$status_file"
fi
((status == 85)) && exit 0
exit "$status"
