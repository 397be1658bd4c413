"""What the tests of leco sweep share: specs, sweeps that go on while the test does something, and what a sweep leaves."""
import json
import os
import pathlib

from held import Held
from leco_runs import TOY, Going, LecoTest, Run

SLIDERS = [
    {"name": "size", "target_class": "circle", "positive": "big circle", "negative": "small circle", "resolution": 64,
     "guidance_scale": 2},
    {"name": "wide", "target_class": "square", "positive": "red square", "resolution": [64, 128]},
    {"name": "hue", "target_class": "", "positive": "red", "negative": "blue", "resolution": 64, "batch_size": 2},
]
TWELVE = [f"{slider},learning_rate={rate},network_dim={dim}" for slider in ("hue", "size", "wide")
          for rate in ("0.001", "0.01") for dim in (2, 4)]


class SweepTest(LecoTest):
    def spec(self, output, **changes):
        """A sweep of 12 short runs as a file; None removes a key. JSON is YAML."""
        spec = {"name": "toy", "output_dir": str(self.folder / output),
                "base": {"pretrained_model_name_or_path": str(TOY), "max_train_steps": 2, "max_denoising_steps": 4,
                         "network_alpha": 4, "seed": 1, "threads": 1, **changes.pop("base", {})},
                "sliders": SLIDERS, "grid": {"learning_rate": [0.001, 0.01], "network_dim": [2, 4]}, **changes}
        spec = {key: value for key, value in spec.items() if value is not None}
        return self.write(f"{output}.yaml", json.dumps(spec, indent=1))

    def sweep(self, spec, ranks=None, status=0, words=()):
        run = Run(["sweep", spec, *words], ranks)
        self.assertEqual(run.status, status, run.err)
        return run

    def start(self, spec, ranks=None):
        going = Going(self.folder, ["sweep", spec], ranks)
        self.addCleanup(going.stop)
        return going

    def start_held(self, spec, *faults, **how):
        held = Held(self.folder, ["sweep", spec], faults, **how)
        self.addCleanup(held.stop)
        return held

    def claim(self, output, run):
        """Takes the run for the test's own process, so that nobody begins it until the claim is removed."""
        path = self.folder / output / run / "sweep.claim"
        path.parent.mkdir(parents=True, exist_ok=True)
        start = pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        path.write_text(f"process {os.getpid()}\nstart {start}\nspace {boot}/{os.readlink('/proc/self/ns/pid')}\nhost here\n"
                        "since 2026-01-01T00:00:00Z\n")
        return path

    def loras(self, output):
        """Name to bytes of the finished LoRA files."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / output).glob("*/*.safetensors"))}

    def done(self, output):
        return sorted(path.parent.name for path in (self.folder / output).glob("*/sweep.done.json"))

    def starts(self, output):
        """How often each run was begun."""
        return {path.stem: path.read_text().count("effective settings")
                for path in sorted((self.folder / output).glob("*/*.log"))}

    def everything(self, output):
        """Path to size and time of writing of all that is there."""
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in (self.folder / output).rglob("*")}
