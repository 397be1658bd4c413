"""A file that `leco train` wrote works in Diffusers as it works here, in every --save_precision.

usage: real_client_test.py LECO WRITE_CLIENT_CASE MODEL
MODEL is one of the small ones in tests/data.
"""
import hashlib
import json
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

import real_client

LECO, WRITE_CLIENT_CASE, MODEL = sys.argv[1:4]
TYPES = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
RANK, ALPHA = 6, 3.0
MODULES = {"toy-sd": 192, "tiny-sd2v": 192, "tiny-sdxl": 302}[Path(MODEL).name]
BLOCKS = 23 if Path(MODEL).name == "tiny-sdxl" else 25
BY_BLOCK = ",".join(str(1 + block % 3) for block in range(BLOCKS))
NETWORK_ARGS = {
    "conv": ["conv_dim=3", "conv_alpha=1.5"],
    "blocks": [f"block_dims={BY_BLOCK}", f"conv_block_dims={BY_BLOCK}", "up_lr_weight=0,1,0.5"],
    "noxattn": ["conv_dim=2", "train_method=noxattn", "dropout=0.1", "rank_dropout=0.1", "module_dropout=0.1"],
}
LINEAR_PROJECTION = json.loads((Path(MODEL) / "unet/config.json").read_text()).get("use_linear_projection", False)
PROMPTS = """
[[prompts]]
target = "a big red circle"
positive = "a big red circle"
guidance_scale = 2.0
resolution = [96, 128]
"""


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    if done.returncode:
        raise AssertionError(f"{command[0]} ended with status {done.returncode}\n{done.stderr}")
    return done.stdout.split()


def train(folder, precision, *more):
    """-> the LoRA's path. The learning rate is high, so that four steps move the output well. `more` flags win."""
    prompts = folder / "prompts.toml"
    prompts.write_text(PROMPTS)
    return run(LECO, "train", f"--pretrained_model_name_or_path={MODEL}", f"--prompts_file={prompts}",
               f"--output_dir={folder}", f"--output_name={precision}", f"--save_precision={precision}",
               f"--network_dim={RANK}", f"--network_alpha={ALPHA}", "--max_train_steps=4", "--max_denoising_steps=4",
               "--learning_rate=3e-2", "--seed=5", "--device=cpu", *more)[-1]


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


class RealClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.holder.name)
        cls.files = {precision: train(cls.folder, precision) for precision in TYPES}

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def test_diffusers_gives_our_outputs_in_every_precision(self):
        for precision, lora in self.files.items():
            ours = self.folder / f"{precision}_ours.safetensors"
            run(WRITE_CLIENT_CASE, MODEL, lora, str(ours))
            outputs = load_file(ours)
            for scale in ("-1", "0.5", "1"):
                effect = relative(outputs[f"output_{scale}"], outputs["output_0"])
                print(f"{precision}, scale {scale}: the LoRA changes the output by {effect:.3f}", flush=True)
                self.assertGreater(effect, 0.02, "too little to compare anything by")
            real_client.main(MODEL, lora, str(ours))

    def test_diffusers_gives_our_outputs_with_every_kind_of_module(self):
        for name, arguments in NETWORK_ARGS.items():
            lora = train(self.folder, "float", f"--output_name={name}", "--network_args", *arguments)
            modules = real_client.modules_of(load_file(lora))
            self.assertTrue(any(parts["lora_down.weight"].shape[2:] == (3, 3) for parts in modules.values()))
            ours = self.folder / f"{name}_ours.safetensors"
            run(WRITE_CLIENT_CASE, MODEL, lora, str(ours))
            outputs = load_file(ours)
            self.assertGreater(relative(outputs["output_1"], outputs["output_0"]), 0.02, "too little to compare by")
            real_client.main(MODEL, lora, str(ours))

    def test_a_run_takes_modules_ranks_and_alphas_from_a_file(self):
        for name, arguments in NETWORK_ARGS.items():
            lora = train(self.folder, "float", f"--output_name={name}", "--max_train_steps=1", "--network_args", *arguments)
            before = load_file(lora)
            after = load_file(train(self.folder, "float", "--output_name=again", "--dim_from_weights", "--learning_rate=0",
                                    f"--network_weights={lora}", "--max_train_steps=1", "--network_dim=4",
                                    "--network_alpha=1"))
            self.assertEqual(before.keys(), after.keys())
            for key, tensor in before.items():
                self.assertTrue(torch.equal(tensor, after[key]), key)

    def test_ckpt_and_pt_hold_the_same_tensors_for_torch(self):
        for kind in ("ckpt", "pt"):
            for precision in TYPES:
                path = train(self.folder, precision, f"--save_model_as={kind}")
                self.assertEqual(Path(path).name, f"{precision}.{kind}")
                tensors, wanted = torch.load(path, weights_only=True), load_file(self.files[precision])
                self.assertEqual(tensors.keys(), wanted.keys())
                for name, tensor in wanted.items():
                    self.assertEqual(tensors[name].dtype, tensor.dtype)
                    self.assertTrue(torch.equal(tensors[name], tensor), name)
                self.assertIsNone(zipfile.ZipFile(path).testzip())
                self.assertEqual(torch.load(path, weights_only=True, mmap=True).keys(), wanted.keys())

    def test_a_run_starts_from_a_file_of_either_kind(self):
        before = load_file(self.files["float"])
        pickled = self.folder / "start.pt"
        torch.save(before, pickled)
        for start in (self.files["float"], str(pickled)):
            after = load_file(train(self.folder, "float", f"--network_weights={start}", "--learning_rate=0",
                                    "--max_train_steps=1", "--output_name=continued"))
            self.assertEqual(before.keys(), after.keys())
            for name, tensor in before.items():
                self.assertTrue(torch.equal(tensor, after[name]), name)

    def test_the_file_has_sd_scripts_form(self):
        for precision, lora in self.files.items():
            modules = real_client.modules_of(load_file(lora))
            self.assertEqual(len(modules), MODULES)
            for name, parts in modules.items():
                self.assertEqual({tensor.dtype for tensor in parts.values()}, {TYPES[precision]}, name)
                down, up, alpha = (parts[part] for part in ("lora_down.weight", "lora_up.weight", "alpha"))
                self.assertEqual((down.shape[0], up.shape[1], alpha.shape, alpha.item()), (RANK, RANK, (), ALPHA), name)
                is_convolution = name.endswith(("proj_in", "proj_out")) and not LINEAR_PROJECTION
                kernel = [1, 1] if is_convolution else []
                self.assertEqual((list(down.shape[2:]), list(up.shape[2:])), (kernel, kernel), name)

    def test_the_hashes_are_those_that_sd_scripts_computes(self):
        """Of a file with the ss_ entries only: the data section, and 64 KiB at 1 MiB of the whole."""
        for lora in self.files.values():
            with safe_open(lora, "pt") as file:
                metadata = file.metadata()
            bare = save(load_file(lora), {key: text for key, text in metadata.items() if key.startswith("ss_")})
            data = bare[8 + int.from_bytes(bare[:8], "little"):]
            self.assertEqual(metadata["sshs_model_hash"], hashlib.sha256(data).hexdigest())
            self.assertEqual(metadata["sshs_legacy_hash"], hashlib.sha256(bare[1 << 20:][:1 << 16]).hexdigest()[:8])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
