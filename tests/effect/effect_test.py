"""Trains LoRA files of the toy model with the committed configurations and measures what they do, on pictures drawn by
Diffusers.

usage: effect_test.py MPIEXEC LECO [slider | enhance | erase | preserve …]      (default: slider)
Each prints what docs/effect.md says of it. The slider takes about a minute and runs with all tests; the others take some
minutes: tests/effect/all_effects.sh.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from measure_effect import kept, mean_area, measure_file, spearman, spearman_of_pictures

ROOT = Path(__file__).resolve().parents[2]
SMALLER, BIGGER, KEPT, ORDERED = 0.6, 1.4, 0.9, 0.9
PICTURES = 24  # of each prompt, where many prompts are drawn


class Effects:
    def __init__(self, mpiexec, leco, folder):
        self.command = [mpiexec, "--allow-run-as-root", "--oversubscribe", "-n", "2", leco, "train"]
        self.folder = folder
        self.failed = False

    def train(self, config, name, **flags):
        words = [f"--{flag}={value}" for flag, value in flags.items()]
        run = subprocess.run([*self.command, f"--config_file=configs/{config}.toml", f"--output_dir={self.folder}",
                              f"--output_name={name}", *words],
                             cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        if run.returncode:
            sys.exit(run.stderr)
        return Path(self.folder) / f"{name}.safetensors"

    def expect(self, what, value, holds):
        self.failed |= not holds
        print(f"{'ok    ' if holds else 'FAILED'} {what}: {value:.3f}", flush=True)

    def size(self, lora, scales, pictures):
        """Both directions of a size LoRA."""
        results = measure_file(lora, ("a red circle", "a green circle", "a blue circle", "a yellow circle"), scales, pictures)
        plain = mean_area(results, 0)
        print("areas " + ", ".join(f"{scale:g}: {mean_area(results, scale):.3f}" for scale in scales))
        self.expect("area at -1 / at 0", mean_area(results, -1) / plain, mean_area(results, -1) < SMALLER * plain)
        self.expect("area at 1 / at 0", mean_area(results, 1) / plain, mean_area(results, 1) > BIGGER * plain)
        self.expect("Spearman of scale and area", spearman(results), spearman(results) >= ORDERED)
        print(f"picture by picture: {spearman_of_pictures(results):.3f}")
        for scale in (-1, 1):
            self.expect(f"colours kept at {scale}", kept(results, scale), kept(results, scale) >= KEPT)

    def slider(self):
        self.size(self.train("toy_slider", "size"), (-1, -0.5, 0, 0.5, 1), 8)

    def enhance(self):
        self.size(self.train("toy_enhance", "bigger"), (-1, -0.5, 0, 0.5, 1), 32)

    def erase(self):
        results = measure_file(self.train("toy_erase", "no_red"), ("red circle", "blue circle", "green circle"), (0, 1), 50)
        share = {prompt: {scale: one["colors"] for scale, one in by_scale.items()} for prompt, by_scale in results.items()}
        self.expect("red circles that are red, without", share["red circle"][0].get("red", 0), True)
        self.expect("red circles that are red, with", share["red circle"][1].get("red", 0),
                    share["red circle"][1].get("red", 0) <= 0.1)
        for color in ("blue", "green"):
            stay = share[f"{color} circle"][1].get(color, 0)
            self.expect(f"{color} circles that stay {color}", stay, stay >= KEPT)

    def preserve(self):
        """Erasing red takes other colours along; with `preserve` they stay."""
        prompts = ROOT / "configs" / "prompts" / "toy_preserve.toml"
        without = Path(self.folder) / "without.toml"
        without.write_text(re.sub(r"^preserve = .*\n", "", prompts.read_text(), flags=re.M))
        others = [f"{color} {shape}" for shape in ("circle", "square") for color in ("green", "blue", "yellow")]
        shares = {}
        for name, file in (("with", prompts), ("without", without)):
            results = measure_file(self.train("toy_preserve", name, prompts_file=file), ("red circle", *others), (1,), PICTURES)
            red = results.pop("red circle")[1]["colors"].get("red", 0)
            self.expect(f"red circles that are red, {name} preserve", red, red <= 0.1)
            shares[name] = kept(results, 1)
        self.expect("other colours kept with preserve", shares["with"], shares["with"] >= KEPT)
        self.expect("other colours kept without preserve", shares["without"], shares["without"] < shares["with"] - 0.15)


def main():
    mpiexec, leco, *names = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        effects = Effects(mpiexec, leco, folder)
        for name in names or ["slider"]:
            print(f"{name}:", flush=True)
            getattr(effects, name)()
    sys.exit(effects.failed)


if __name__ == "__main__":
    main()
