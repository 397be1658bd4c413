"""Model files that are damaged, or of another kind, are refused in one line that says what they are.

usage: model_refusals_test.py LECO
"""
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

import single_files

LECO = sys.argv[1]
UNET = "model.diffusion_model."
WEIGHT = UNET + "input_blocks.1.1.proj_in.weight"


class ModelRefusalsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.holder.name)
        cls.pipelines = {family: single_files.make(family) for family in single_files.FAMILIES}
        cls.tensors = {family: {name: tensor.half().contiguous() if tensor.is_floating_point() else tensor.contiguous()
                                for name, tensor in single_files.single_file(pipeline).items()}
                       for family, pipeline in cls.pipelines.items()}
        cls.prompts = cls.folder / "prompts.toml"
        cls.prompts.write_text('[[prompts]]\ntarget = "a"\nresolution = 64\n')

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def saved(self, tensors, name="model.safetensors"):
        path = self.folder / name
        save_file(tensors, path)
        return path

    def train(self, path, *flags):
        return subprocess.run(
            [LECO, "train", f"--pretrained_model_name_or_path={path}", f"--prompts_file={self.prompts}",
             f"--output_dir={self.folder / 'out'}", "--output_name=x", "--max_train_steps=1", "--max_denoising_steps=2",
             "--seed=1", "--device=cpu", *flags], capture_output=True, text=True, timeout=120)

    def refused(self, path, naming, *flags, call=None):
        done = (call or self.train)(path, *flags)
        self.assertEqual(done.returncode, 2, (naming, done.stderr))
        errors = [line for line in done.stderr.splitlines() if " error: " in line]
        self.assertEqual(len(errors), 1, done.stderr)
        for part in [str(path), *naming]:
            self.assertIn(part, errors[0])
        self.assertFalse((self.folder / "out" / "x.safetensors").exists())

    def changed(self, family="sd1", drop=(), **new):
        tensors = {name: t for name, t in self.tensors[family].items() if not name.startswith(tuple(drop) or "\0")}
        return {**tensors, **new}

    def test_files_of_other_kinds_are_named(self):
        one = torch.zeros(4, 4)
        kinds = {
            "Stable Diffusion 3": {UNET + "joint_blocks.0.x_block.attn.qkv.weight": one},
            "Flux": {"double_blocks.0.img_attn.qkv.weight": one},
            "a LoRA": {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": one},
            "a VAE": {"decoder.conv_in.weight": one},
            "a CLIP text encoder": {"text_model.embeddings.token_embedding.weight": one},
            "a ControlNet": {"control_model.input_blocks.0.0.weight": one},
            "a U-Net in Diffusers": {"down_blocks.0.resnets.0.conv1.weight": one},
            "a textual inversion": {"emb_params": one},
            "a file of 1 tensors, the first 'other'": {"other": one},
        }
        for kind, tensors in kinds.items():
            self.refused(self.saved(tensors), [kind])

    def test_variants_of_the_families_are_named(self):
        wide = torch.zeros(32, 9, 3, 3).half()
        self.refused(self.saved(self.changed(**{UNET + "input_blocks.0.0.weight": wide})), ["inpainting"])
        self.refused(self.saved(self.changed(drop=["cond_stage_model."])), ["not its text encoder", "cond_stage_model."])
        sdxl = self.tensors["sdxl"]
        refiner = {name.replace("embedders.1.", "embedders.0."): t for name, t in sdxl.items()
                   if "embedders.0." not in name}
        self.refused(self.saved(refiner), ["refiner"])
        unclip = {name.replace("conditioner.embedders.1.", "cond_stage_model."): t for name, t in sdxl.items()
                  if "embedders.0." not in name}
        self.refused(self.saved(unclip), ["unCLIP"])

    def test_claims_against_the_weights_are_refused(self):
        self.refused(self.saved(self.tensors["sd1"]), ["--v2", "SD 1.x"], "--v2")

    def test_what_no_file_says_decides_the_flag(self):
        path = self.saved(self.tensors["sd2v"])
        without = self.train(path)
        self.assertEqual(without.returncode, 0, without.stderr)
        self.assertIn("add --v_parameterization", without.stderr)
        self.assertIn("SD 2.x, epsilon prediction (the file does not say it)", without.stderr)
        given = self.train(path, "--v_parameterization", "--v2")
        self.assertIn("SD 2.x, v prediction (by --v_parameterization)", given.stderr)
        self.assertNotIn("warning", given.stderr)
        marked = self.train(self.saved({**self.tensors["sdxl"], "v_pred": torch.zeros(0)}))
        self.assertIn("SDXL, v prediction (by its tensor 'v_pred')", marked.stderr)
        self.assertRegex(marked.stderr, "zero_terminal_snr +false")
        (self.folder / "out" / "x.safetensors").unlink()

    def test_a_file_that_says_so_is_trained_with_zero_terminal_snr(self):
        for marks, warned in ((["ztsnr", "v_pred"], False), (["ztsnr"], True)):
            done = self.train(self.saved({**self.tensors["sdxl"], **{mark: torch.zeros(0) for mark in marks}}))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr, "zero_terminal_snr +true")
            self.assertEqual("ends in pure noise" in done.stderr, warned)
            (self.folder / "out" / "x.safetensors").unlink()
        self.refused(self.saved(self.tensors["sd1"]), ["--scale_v_pred_loss_like_noise_pred", "predicts noise"],
                     "--scale_v_pred_loss_like_noise_pred")
        self.refused(self.saved(self.tensors["sd1"]), ["--max_denoising_steps=1000", "at most 999"],
                     "--zero_terminal_snr", "--max_denoising_steps=1000")

    def test_every_tensor_is_accounted_for(self):
        path = self.saved(self.changed(**{"strange.tensor": torch.zeros(2)}))
        found = self.train(path)
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertIn("1 tensors that belong to no part", found.stderr)
        self.assertIn("strange.tensor", found.stderr)
        (self.folder / "out" / "x.safetensors").unlink()
        report = json.loads(subprocess.run([LECO, "inspect", path, "--json"], capture_output=True, check=True).stdout)
        self.assertEqual(sum(part["tensors"] for part in report["parts"]), len(self.tensors["sd1"]) + 1)
        self.assertEqual(report["parts"][-1], {"part": "unknown", "tensors": 1, "numbers": 2, "names": ["strange.tensor"]})

    def test_missing_and_misshaped_tensors_are_named(self):
        tensors = self.tensors["sd1"]
        self.refused(self.saved({name: t for name, t in tensors.items() if name != WEIGHT}), ["no tensor", WEIGHT])
        swapped = {**tensors, WEIGHT: tensors[WEIGHT].reshape(32, 1, 32, 1).contiguous()}
        self.refused(self.saved(swapped), [WEIGHT, "[32, 1, 32, 1]", "[32, 32, 1, 1]"])
        two = {name: t for name, t in swapped.items() if not name.endswith("middle_block.0.in_layers.2.bias")}
        report = json.loads(subprocess.run([LECO, "inspect", self.saved(two), "--json"], capture_output=True,
                                           check=True).stdout)
        self.assertFalse(report["can_be_trained"])
        self.assertEqual(len(report["components"][0]["problems"]), 2)

    def test_numbers_that_are_none_and_types_that_are_no_weights_are_refused(self):
        for bad in (math.nan, math.inf):
            broken = self.tensors["sd1"][WEIGHT].clone()
            broken[3, 5] = bad
            self.refused(self.saved(self.changed(**{WEIGHT: broken})), [WEIGHT, "infinite or undefined"])
        text = "cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc1.bias"
        self.refused(self.saved(self.changed(**{text: self.tensors["sd1"][text] / 0.0})), [text, "infinite or undefined"])
        for kind in (torch.int8, torch.float8_e4m3fn):
            self.refused(self.saved(self.changed(**{WEIGHT: self.tensors["sd1"][WEIGHT].to(kind)})),
                         [WEIGHT, "stored as", "convert"])

    def test_truncated_and_lying_files_are_refused(self):
        whole = self.saved(self.tensors["sd1"]).read_bytes()
        path = self.folder / "cut.safetensors"
        for length in (0, 5, 1000, len(whole) - 1):
            path.write_bytes(whole[:length])
            self.refused(path, [])
        path.write_bytes(struct.pack("<Q", 1 << 60) + whole[8:])
        self.refused(path, [])

    def test_pickles_do_nothing(self):
        flag = self.folder / "executed"

        class Evil:
            def __reduce__(self):
                return os.system, (f"touch {flag}",)

        path = self.folder / "evil.ckpt"
        torch.save({"state_dict": {**self.tensors["sd1"], "x": Evil()}}, path)
        self.refused(path, ["posix.system"])
        self.assertFalse(flag.exists())
        torch.save(self.tensors["sd1"], path, _use_new_zipfile_serialization=False)
        self.refused(path, ["before 1.6", "save it again"])
        torch.save(self.tensors["sd1"], path)
        path.write_bytes(path.read_bytes()[:-100])
        self.refused(path, [])
        torch.save(self.tensors["sd1"], path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("../outside", b"x")
        self.refused(path, ["../outside"])

    def test_the_model_itself_is_never_overwritten(self):
        out = self.folder / "out"
        out.mkdir(exist_ok=True)
        path = self.saved(self.tensors["sd1"], "out/y.safetensors")
        before = path.read_bytes()
        done = self.train(path, "--output_name=y")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("is the model itself", done.stderr)
        self.assertEqual(path.read_bytes(), before)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
