"""Runs a libFuzzer program on good files and what it makes of them.

usage: run_fuzz.py build/tests/fuzz/fuzz_NAME [--seconds 600] [--runs N --seed N]
The good files (seeds) are made anew: small ones of torch.save and of safetensors, the configurations of the models in
tests/data, and prompt files and sweeps of configs. What libFuzzer finds is left beside the program; exit status 1 then.
"""
import argparse
import ctypes
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile
from collections import OrderedDict

import torch
from safetensors.torch import save

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA, CONFIGS = ROOT / "tests" / "data", ROOT / "configs"
LARGEST = 1 << 16  # bytes of an input
ADDR_NO_RANDOMIZE = 0x0040000  # of Linux's <sys/personality.h>; where a container forbids it, the inputs may differ a little


def checkpoints():
    """Bytes of small files in the ways in which people save weights."""
    weight, bias = torch.arange(12.0).reshape(3, 4), torch.zeros(3, dtype=torch.float16)
    plain = OrderedDict(a=weight, b=bias)
    shared = torch.arange(8, dtype=torch.bfloat16)
    saved = (
        plain,
        {"state_dict": {"model.w": weight.t(), "model.b": bias}, "epoch": 3, "global_step": 7, "hyper_parameters": {"x": 0.5}},
        {"first": shared[:4], "second": shared[2:6], "scalar": torch.tensor(1), "flags": torch.tensor([True, False])},
        {"inner": {"deep": {"w": torch.nn.Parameter(weight)}}, "empty": torch.empty(0, 3)},
        torch.nn.Linear(2, 2).state_dict(),
    )
    for contents in saved:
        file = io.BytesIO()
        torch.save(contents, file)
        yield file.getvalue()


def pickles():
    """The pickles of those files; the harness has storages 0 and 1 for them."""
    for file in checkpoints():
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            yield next(archive.read(name) for name in archive.namelist() if name.endswith("/data.pkl"))


def safetensors_files():
    types = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool)
    yield save({str(i): torch.zeros(i, 2, dtype=kind) for i, kind in enumerate(types)}, {"note": "ä"})
    yield save({"only": torch.ones(())})
    yield save({})


def configs():
    for path in sorted(DATA.glob("*/*/*config.json")):
        yield path.read_bytes()


def prompts():
    """The examples, and a file of each form that has none."""
    for path in sorted(CONFIGS.glob("*/*.*")):
        yield path.read_bytes()
    yield b"a cat --n a dog --w 64 --h 64 --d 7 --s 20 --l 7.5 --ss euler_a --m -1,0,1\n# b\n"
    yield b'[{"prompt": "a", "seed": 1, "multiplier": [-1, 0.5]}, "a cat --w 64"]'
    yield b'[prompt]\nwidth = 64\n[[prompt.subset]]\nprompt = "a"\nmultiplier = [1, 2.5]\n'
    yield b'output_dir: out\nsliders: [{name: a, target_class: "", positive: "\\xe9", resolutions: [64, [64, 128]]}]\ngrid: {seed: [1, 2]}\n'


SEEDS = {"checkpoint": checkpoints, "pickle": pickles, "safetensors": safetensors_files, "config": configs, "prompts": prompts}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--runs", type=int, help="try so many inputs, the same ones each time")
    parser.add_argument("--seed", type=int, default=0, help="0: another each time")
    given = parser.parse_args()
    program = given.program.resolve()
    kind = program.name.removeprefix("fuzz_")
    options = [f"-max_total_time={given.seconds}", f"-seed={given.seed}", "-timeout=10", "-rss_limit_mb=3000",
               f"-max_len={LARGEST}", "-print_final_stats=1", f"-artifact_prefix={program.parent}/{kind}-"]
    if given.runs:  # what is compared or hashed may be an address, which else differs from process to process
        ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)
        options += [f"-runs={given.runs}", "-use_cmp=0", "-verbosity=0"]
    with tempfile.TemporaryDirectory() as folder:
        seeds = []
        for number, seed in enumerate(SEEDS[kind]()):
            seeds.append(pathlib.Path(folder) / f"seed{number}")
            seeds[-1].write_bytes(seed)
        status = subprocess.run([program, f"-seed_inputs={','.join(map(str, seeds))}", *options]).returncode
    if status:
        print(f"{program.name}: found an input that breaks the reader; it lies in {program.parent}", file=sys.stderr)
    sys.exit(min(status, 1))


if __name__ == "__main__":
    main()
