"""What the tests of leco sweep share: specs, and what a sweep leaves."""
import json

from leco_runs import TOY, LecoTest, Run

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
