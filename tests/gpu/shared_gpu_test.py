"""Two MPI ranks on one GPU write the LoRA file of one rank, byte for byte. With `cpu` its twin for machines without GPU.

usage: shared_gpu_test.py cuda|cpu MPIEXEC LECO SOURCE_FOLDER
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
LAUNCHER_VARIABLES = ("OMPI_", "PMIX_", "PMI_", "SLURM_")


def train(device, ranks, folder, mpiexec, leco, source):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(LAUNCHER_VARIABLES)}
    if device == "cuda":  # the first GPU for all ranks, on a machine with several too
        first = environment.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
        environment["CUDA_VISIBLE_DEVICES"] = first
    done = subprocess.run(
        [mpiexec, "--allow-run-as-root", "--oversubscribe", "-n", str(ranks), leco, "train", "--device", device,
         "--config_file", "configs/toy_slider.toml", "--max_train_steps", "3", "--output_dir", str(folder)],
        cwd=source, env={**environment, "OMP_NUM_THREADS": "1", "OMPI_MCA_mpi_yield_when_idle": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    for reason in ("no GPU is visible", "was built without CUDA"):
        if device == "cuda" and done.returncode != 0 and reason in done.stderr:
            print("skipped:", reason)
            sys.exit(SKIPPED)
    if done.returncode != 0:
        sys.exit(f"{ranks} ranks ended with status {done.returncode}:\n{done.stderr}")
    return (folder / "toy_size.safetensors").read_bytes(), done.stderr


def main():
    device, *programs = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        files = {}
        for ranks in (1, 2):
            files[ranks], log = train(device, ranks, pathlib.Path(name) / str(ranks), *programs)
            print(ranks, "ranks:", len(files[ranks]), "bytes", hashlib.sha256(files[ranks]).hexdigest())
        if device == "cuda" and "merged by MPI" not in log:
            sys.exit("two ranks on one GPU did not say that MPI merges:\n" + log)
    if files[1] != files[2]:
        sys.exit("the files differ")


main()
