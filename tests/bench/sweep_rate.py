#!/usr/bin/env python3
"""Runs of a sweep an hour, by groups of ranks, and the share of the ranks' time that is not spent in training.

usage: .venv/bin/python tests/bench/sweep_rate.py [--leco build/launcher/leco] [--groups 1 2 4] [--runs 8] [--steps 40]

Each number of groups sweeps the same runs of the toy model into a new folder, one rank a group, without an evaluation.
Training is what the metrics files count: the seconds of all steps. The rest of the ranks' time is told apart:
in runs: reading, encoding, making the LoRA, saving; waiting: for the last run of another group, when none is left to
take; start and end: of the job, once however many runs it has.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = """
output_dir: {folder}
base:
  pretrained_model_name_or_path: {root}/tests/data/toy-sd
  max_train_steps: {steps}
  threads: 1
prompts: {root}/configs/prompts/toy_size.toml
grid:
  seed: {seeds}
"""


def trained_seconds(folder):
    seconds = 0
    for path in folder.glob("*/*.metrics.jsonl"):
        for line in path.read_text().splitlines():
            seconds += sum(json.loads(line)["seconds"].values())
    return seconds


def seconds_in_runs(folder):
    """-> (in all runs, between the last runs of the groups and the end of the last of all)"""
    seconds, ends = 0, collections.defaultdict(float)
    for path in folder.glob("*/sweep.done.json"):
        log = (path.parent / f"{path.parent.name}.log").read_text()
        rank = re.search(r"\[rank +(\d+)\]", log)
        ends[rank and rank[1]] = max(ends[rank and rank[1]], path.stat().st_mtime)
        seconds += json.loads(path.read_text())["seconds"]
    return seconds, sum(max(ends.values()) - end for end in ends.values())


def sweep(leco, groups, runs, steps):
    """-> (seconds of the whole command, seconds of all ranks in training, in runs, waiting)"""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        spec = folder / "rate.yaml"
        spec.write_text(SPEC.format(folder=folder / "out", root=ROOT, steps=steps, seeds=list(range(1, runs + 1))))
        command = [shutil.which("mpirun"), "--allow-run-as-root", "--oversubscribe", "-n", str(groups), leco, "sweep", spec]
        start = time.monotonic()
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        seconds = time.monotonic() - start
        finished = len(list((folder / "out").glob("*/*.safetensors")))
        if done.returncode != 0 or finished != runs:
            sys.exit(f"{finished} of {runs} runs, status {done.returncode}\n{done.stderr}")
        return seconds, trained_seconds(folder / "out"), *seconds_in_runs(folder / "out")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leco", default=str(ROOT / "build/launcher/leco"))
    parser.add_argument("--groups", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    print(f"{given.runs} runs of {given.steps} steps on {os.cpu_count()} cores")
    print("| groups | seconds | runs/hour | not in training | in runs | waiting | start and end |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for groups in given.groups:
        seconds, trained, in_runs, waiting = sweep(given.leco, groups, given.runs, given.steps)
        whole = seconds * groups
        parts = (whole - trained, in_runs - trained, waiting, whole - in_runs - waiting)
        print(f"| {groups} | {seconds:.1f} | {3600 * given.runs / seconds:.0f} | "
              + " | ".join(f"{part / whole:.1%}" for part in parts) + " |", flush=True)


if __name__ == "__main__":
    main()
