#!/usr/bin/env python3
"""Times one LECO step of this program beside the same step in plain PyTorch/diffusers, in one run, step by step in turn.

usage: .venv/bin/python tests/bench/step_time.py [--model tests/data/toy-sd | DIR] [--size 64] [--threads 1] [--k 20]
                     [--precision no|bf16|fp16] [--checkpointing] [--repeats 5]

The other side is reference_step.py: the step without waste (no graph in the rollout, no unconditional half where none is
needed, frozen prompts in one batch). Both sides wait for a line before each step, so that they see the same machine in
the same minute. What is printed: the median seconds of each phase, the ratio, and each side's peak memory.
A full-size model: reference_step.py --model sd15 --save DIR --repeats 0 writes a random SD 1.5.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Side:
    """A program that makes one measured step for each line it is given."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.steps = []
        self.read()  # "ready"

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[0]} ended before its step")
        return json.loads(line)

    def step(self, keep):
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        step = self.read()
        if keep:
            self.steps.append(step)

    def finish(self):
        self.process.stdin.close()
        self.process.wait()

    def median(self, phase):
        return statistics.median(step["seconds"][phase] for step in self.steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(ROOT / "tests/data/toy-sd"))
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--precision", default="no", choices=("no", "bf16", "fp16"))
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()

    ours = Side([ROOT / "build/tests/bench/step_time", given.model, str(given.size), str(given.threads), str(given.k),
                 given.precision, *(["checkpointing"] if given.checkpointing else [])])
    theirs = Side([sys.executable, ROOT / "tests/bench/reference_step.py", "--model", given.model, "--size", str(given.size),
                   "--threads", str(given.threads), "--k", str(given.k), "--repeats", str(given.repeats), "--warmup", "1",
                   "--interactive", "--precision", given.precision, *(["--checkpointing"] if given.checkpointing else [])])
    ours.step(keep=False)  # warm-up; the other side does its own
    for _ in range(given.repeats):
        theirs.step(keep=True)
        ours.step(keep=True)
    for side in (ours, theirs):
        side.finish()

    print(f"{given.model}, {given.size}x{given.size}, {given.threads} threads, k = {given.k}, {given.precision}{', checkpointing' if given.checkpointing else ''}, median of {given.repeats}")
    print(f"{'phase':<8} {'leco':>9} {'PyTorch':>9} {'ratio':>6}")
    total = {side: 0.0 for side in (ours, theirs)}
    for phase in ("rollout", "frozen", "train", "update"):
        for side in total:
            total[side] += side.median(phase)
        print(f"{phase:<8} {ours.median(phase):>8.4f}s {theirs.median(phase):>8.4f}s {theirs.median(phase) / ours.median(phase):>6.2f}")
    print(f"{'step':<8} {total[ours]:>8.4f}s {total[theirs]:>8.4f}s {total[theirs] / total[ours]:>6.2f}")
    peaks = [side.steps[-1]["peak_bytes"] / 2**30 for side in (ours, theirs)]
    print(f"{'peak':<8} {peaks[0]:>7.2f}GB {peaks[1]:>7.2f}GB {peaks[1] / peaks[0]:>6.2f}")


if __name__ == "__main__":
    main()
