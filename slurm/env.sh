# shellcheck shell=bash
# Read by the batch scripts on the first node; srun and mpirun hand the environment on to every rank. Adapt it to the cluster.

# A cluster whose programs come as modules; leco must be built with the MPI that is loaded here.
if command -v module >/dev/null 2>&1 && [[ -n ${LECO_MODULES:-} ]]; then
  # shellcheck disable=SC2086  # several names
  module load $LECO_MODULES # for example: LECO_MODULES="gcc/12 openmpi/4.1"
fi

export LECO_PROGRAM=${LECO_PROGRAM:-build/launcher/leco}
command -v "$LECO_PROGRAM" >/dev/null || { echo "$LECO_PROGRAM is missing in $PWD: ./setup.sh build, or set LECO_PROGRAM" >&2; exit 2; }

# Since Slurm 22.05 srun no longer takes over --cpus-per-task from sbatch; without this every rank gets one core.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}

# Several seconds a rank are saved when NCCL is not left to guess the network; name the interface if it guesses wrong:
#   export NCCL_SOCKET_IFNAME=ib0
# What NCCL chose is printed with:
#   export NCCL_DEBUG=INFO

# Each phase of a step has a deadline that follows from its cost, ten minutes at least (docs/distributed.md). One fixed number of
# seconds for all must be longer than the slowest step and the slowest previews, and longer than Slurm's SlurmdTimeout
# (scontrol show config), after which Slurm itself requeues a job whose node is lost:
#   export LECO_TIMEOUT_SECONDS=3600
