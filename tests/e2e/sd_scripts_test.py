"""The example commands of sd-scripts' guide run as they are, with the program's name replaced.

usage: sd_scripts_test.py MPIEXEC LECO
"""
import os
import re
import shlex
import sys

from leco_runs import ROOT, LecoTest, Run, main

sys.path.insert(0, str(ROOT / "tests" / "parity"))
import single_files  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

# The commands and prompt files of docs/train_leco.md in kohya-ss/sd-scripts.
SD1_COMMAND = """accelerate launch --mixed_precision bf16 train_leco.py
  --pretrained_model_name_or_path="model.safetensors"
  --prompts_file="prompts.toml"
  --output_dir="output"
  --output_name="my_leco"
  --network_dim=8
  --network_alpha=4
  --learning_rate=1e-4
  --optimizer_type="AdamW8bit"
  --max_train_steps=500
  --max_denoising_steps=40
  --mixed_precision=bf16
  --sdpa
  --gradient_checkpointing
  --save_every_n_steps=100
"""
SDXL_COMMAND = """accelerate launch --mixed_precision bf16 sdxl_train_leco.py
  --pretrained_model_name_or_path="sdxl_model.safetensors"
  --prompts_file="slider.toml"
  --output_dir="output"
  --output_name="my_sdxl_slider"
  --network_dim=8
  --network_alpha=4
  --learning_rate=1e-4
  --optimizer_type="AdamW8bit"
  --max_train_steps=1000
  --max_denoising_steps=40
  --mixed_precision=bf16
  --sdpa
  --gradient_checkpointing
  --save_every_n_steps=200
"""
PAIR = """[[prompts]]
target = "van gogh"
positive = "van gogh"
unconditional = ""
neutral = ""
action = "erase"
guidance_scale = 1.0
resolution = 512
batch_size = 1
multiplier = 1.0
weight = 1.0
"""
SLIDER_TARGET = """guidance_scale = 1.0
resolution = 1024
neutral = ""

[[targets]]
target_class = "1girl"
positive = "1girl, long hair"
negative = "1girl, short hair"
multiplier = 1.0
weight = 1.0
"""


class SdScriptsCommandsTest(LecoTest):
    """A user's command moves over by replacing the program's name."""

    def run_verbatim(self, command, family):
        words = shlex.split(re.sub(r"^accelerate launch --mixed_precision bf16 \w+\.py", "", command))
        given = dict(word.removeprefix("--").split("=") for word in words if "=" in word)
        tensors = single_files.single_file(single_files.make(family))
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()},
                  self.folder / given["pretrained_model_name_or_path"])
        self.write("prompts.toml", PAIR)
        self.write("slider.toml", SLIDER_TARGET)
        old = os.getcwd()
        os.chdir(self.folder)
        try:
            plan = Run(["plan", *words])
            for name in ("prompts.toml", "slider.toml"):  # at 512 and 1024 pixels the same would take minutes
                self.write(name, re.sub(r"resolution = \d+", "resolution = 128", (self.folder / name).read_text()))
            run = Run(["train", *words, "--max_train_steps=1", "--max_denoising_steps=2", "--threads=1"])
        finally:
            os.chdir(old)
        self.assertEqual(plan.status, 0, plan.err)
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual(run.out.splitlines(), [f"output/{given['output_name']}.safetensors"])
        self.assertNotIn(" warning: ", run.err, "nothing of it is without effect")

    def test_example_for_sd1(self):
        self.run_verbatim(SD1_COMMAND, "sd1")

    def test_example_for_sdxl(self):
        self.run_verbatim(SDXL_COMMAND, "sdxl")


if __name__ == "__main__":
    main()
