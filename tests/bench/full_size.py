#!/usr/bin/env python3
"""Takes a random full-size model in one file through loading, `leco plan` and one step. By hand: it needs 24 GB of memory,
10 GB of disk, and some minutes.

usage: .venv/bin/python tests/bench/full_size.py [--family sdxl] [--dtype float16] [--size 256] [--keep FILE]

Shapes are those of the published models (tests/parity/full_size_python_test.py); weights are random and small enough for
the predictions to stay finite. What is printed: seconds of loading beside those of reading the same bytes, then the
plan's estimate of the memory, the peak of the step, and its loss.
"""
import argparse
import json
import math
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/parity"))
arguments, sys.argv = sys.argv[1:], [sys.argv[0], ""]  # the modules below read theirs
import full_size_python_test as full_size  # noqa: E402
import single_files  # noqa: E402

MODELS = {"sd15": (full_size.SD1, full_size.VIT_L), "sd21": (full_size.SD2, full_size.VIT_H),
          "sdxl": (full_size.SDXL, full_size.VIT_L, full_size.VIT_BIG_G)}
TYPES = {"float16": torch.float16, "float32": torch.float32}


def write_random(shapes, path, dtype):
    """The holes of full_size.write_holes, filled in place, tensor by tensor."""
    full_size.write_holes(shapes, path, dtype)
    generator = np.random.default_rng(1)
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        for name, entry in header.items():
            file.seek(8 + length + entry["data_offsets"][0])
            shape, count = entry["shape"], math.prod(entry["shape"])
            if entry["dtype"] == "I64":
                file.write(np.arange(count, dtype=np.int64).tobytes())
                continue
            kind = np.float16 if entry["dtype"] == "F16" else np.float32
            if name.endswith("bias") or len(shape) == 0:
                values = np.zeros(count, kind)
            elif len(shape) == 1:
                values = np.ones(count, kind)
            else:
                values = generator.standard_normal(count, np.float32)
                values *= 0.7 / math.sqrt(count / shape[0])
            file.write(values.astype(kind).tobytes())


def run(*command):
    start = time.monotonic()
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{command[0]} {command[1]} ended with status {done.returncode}")
    return done.stdout, time.monotonic() - start


def measure(given, path, folder):
    bench = json.loads(run(ROOT / "build/tests/bench/load_time", path, given.threads, given.compute)[0])
    print(f"{bench['bytes'] / 1e9:.2f} GB; seconds: read {bench['read']}, take {bench['take']} ({bench['take'] / bench['read']:.2f} "
          f"of reading), take and convert {bench['convert']}, U-Net loaded and laid out {bench['load']}")
    print(f"loading the U-Net: one copy {bench['model'] / 1e9:.2f} GB, own memory {bench['own_peak'] / 1e9:.2f} GB at most, "
          f"with mapped pages {bench['peak'] / 1e9:.2f} GB", flush=True)
    if not given.size:
        return
    prompts = folder / "prompts.toml"
    prompts.write_text(f'[[prompts]]\ntarget = "a red circle"\nneutral = "a circle"\nresolution = {given.size}\n')
    flags = [f"--pretrained_model_name_or_path={path}", f"--prompts_file={prompts}", "--max_denoising_steps=3",
             "--max_train_steps=1", "--seed=1"]
    plan = json.loads(run(ROOT / "build/launcher/leco", "plan", *flags, "--json")[0])
    print(f"plan: {len(plan['modules'])} modules, memory {plan['memory_bytes'] / 1e9:.2f} GB", flush=True)
    out, seconds = run(ROOT / "build/launcher/leco", "train", *flags, f"--output_dir={folder}", "--output_name=full",
                       f"--threads={given.threads}", "--device=cpu", "--learning_rate=1e-4")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    metrics = (folder / "full.metrics.jsonl").read_text()
    print(f"train: {seconds:.0f} s, peak {peak / 1e9:.2f} GB; {metrics.strip()}\n{out.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=MODELS, default="sdxl")
    parser.add_argument("--dtype", choices=TYPES, default="float16", help="in which the file stores its weights")
    parser.add_argument("--compute", default="float32", help="in which the U-Net is loaded in the first part")
    parser.add_argument("--size", type=int, default=256, help="pixels of the step; 0: loading only")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=pathlib.Path, help="the model's file; made where it is missing, and kept")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as holder:
        folder = pathlib.Path(holder)
        path = given.keep or folder / "model.safetensors"
        if not path.exists():
            write_random(single_files.single_file(full_size.make(*MODELS[given.family])), path, TYPES[given.dtype])
        measure(given, path, folder)


if __name__ == "__main__":
    main()
