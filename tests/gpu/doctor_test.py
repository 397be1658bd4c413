"""leco doctor on a real GPU: it computes, NCCL starts and sums exactly; two ranks on it are told. Its twin on the CPU is e2e.doctor.

usage: doctor_test.py MPIEXEC LECO
"""
import json
import os
import subprocess
import sys

SKIPPED = 77
LAUNCHER_VARIABLES = ("OMPI_", "PMIX_", "PMI_", "SLURM_")


def checks(mpiexec, leco, ranks):
    """Name to check. The first GPU for all ranks, on a machine with several too."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(LAUNCHER_VARIABLES)}
    environment["CUDA_VISIBLE_DEVICES"] = environment.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    done = subprocess.run([mpiexec, "--allow-run-as-root", "--oversubscribe", "-n", str(ranks), leco, "doctor", "--json"],
                          env={**environment, "OMP_NUM_THREADS": "1", "OMPI_MCA_mpi_yield_when_idle": "1"},
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"{ranks} ranks ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    print(done.stdout)
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def main():
    alone = checks(*sys.argv[1:], ranks=1)
    if "only the CPU is left" in alone["GPU"]["found"]:
        print("skipped:", alone["GPU"]["found"])
        sys.exit(SKIPPED)
    assert alone["GPU"]["verdict"] != "failed" and "GiB free" in alone["GPU"]["found"], alone["GPU"]
    assert alone["merge"]["found"].startswith("one rank: nothing to merge; sums of NCCL "), alone["merge"]
    assert "driver none" not in alone["versions"]["found"], alone["versions"]
    shared = checks(*sys.argv[1:], ranks=2)
    assert shared["GPU"]["verdict"] == "warning" and "is used by several" in shared["GPU"]["found"], shared["GPU"]
    assert shared["merge"]["found"].startswith("MPI over 2 ranks: sums are exact"), shared["merge"]


if __name__ == "__main__":
    main()
