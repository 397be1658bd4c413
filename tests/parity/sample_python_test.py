"""The latents of `leco sample` are those of Diffusers' pipelines with our LoRA file loaded, from the same noise.

usage: sample_python_test.py LECO MODEL      (MODEL is one of the small ones in tests/data)
"""
import json
import subprocess
import sys
import tempfile
import unittest
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import torch
from diffusers.utils import convert_state_dict_to_diffusers, logging
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

import real_client
from reference_samplers import NOISY, SAMPLERS, Sampler
from reference_trainer import SAMPLER_NOISE, Draws

LECO, MODEL = sys.argv[1:3]
PICTURES = 10  # the purpose of the noise that pictures start from
PROMPTS, NEGATIVE = ["a big red circle", "a small blue square"], "circle"
HEIGHT, WIDTH, STEPS, GUIDANCE, SEED = 72, 96, 7, 4.0, (9 << 32) + 77
SCALES = [-1.0, 0.0, 1.5]
TOLERANCE = 1e-4
PREDICTION = "v_prediction" if Path(MODEL).name == "tiny-sd2v" else "epsilon"


def run(*command, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=200)
    if done.returncode != status:
        raise AssertionError(f"{command[:2]} ended with status {done.returncode}\n{done.stderr}")
    return done.stdout.splitlines()


def train(folder, name, rank, alpha, seed, *flags):
    prompts = folder / "prompts.toml"
    prompts.write_text('[[prompts]]\ntarget = "a big red circle"\nguidance_scale = 2.0\nresolution = [96, 128]\n')
    return run(LECO, "train", f"--pretrained_model_name_or_path={MODEL}", f"--prompts_file={prompts}",
               f"--output_dir={folder}", f"--output_name={name}", f"--network_dim={rank}", f"--network_alpha={alpha}",
               "--max_train_steps=3", "--max_denoising_steps=3", "--learning_rate=2e-2", f"--seed={seed}",
               "--device=cpu", "--threads=1", *flags)[-1]


def relative(a, b):
    return ((a.double() - b.double()).norm() / b.double().norm()).item()


class SampleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        cls.loras = [train(cls.folder, "first", 4, 2.0, 5), train(cls.folder, "second", 3, 3.0, 6)]
        cls.pipeline = real_client.load_pipeline(MODEL)
        cls.pipeline.set_progress_bar_config(disable=True)
        for name, path in zip("ab", cls.loras):
            cls.pipeline.load_lora_weights(str(cls.folder), weight_name=Path(path).name, adapter_name=name)

    def ours(self, *flags):
        """(rows, columns, 4, h, w)"""
        latents = self.folder / "latents.safetensors"
        output = self.folder / "grid.png"
        names = run(LECO, "sample", f"--pretrained_model_name_or_path={MODEL}", *(f"--prompt={p}" for p in PROMPTS),
                    f"--negative_prompt={NEGATIVE}", f"--height={HEIGHT}", f"--width={WIDTH}", f"--seed={SEED}",
                    f"--sample_steps={STEPS}", f"--guidance_scale={GUIDANCE}", "--device=cpu", "--threads=1",
                    f"--latents={latents}", f"--output={output}", *flags)
        self.assertEqual(names, [str(latents), str(output)])
        found = load_file(latents)["latents"]
        return found.view(len(PROMPTS), -1, *found.shape[1:])

    def theirs(self, row, sampler, strengths, start_noise=1000, guidance=GUIDANCE, adapters="ab"):
        """(4, h, w) of Diffusers, each LoRA at its strength."""
        pipeline = self.pipeline
        pipeline.scheduler = Sampler(sampler, STEPS, PREDICTION, 1).scheduler
        timesteps = pipeline.scheduler.timesteps.tolist()
        shape = (1, 4, HEIGHT // 8, WIDTH // 8)
        steps = iter(range(STEPS))

        def set_strengths(t):
            pipeline.set_adapters(list(adapters), [s if t <= start_noise else 0.0 for s in strengths])

        def after_step(_, index, __, arguments):
            if index + 1 < STEPS:
                set_strengths(timesteps[index + 1])
            return arguments

        def noise(*_, **__):
            return Draws(SEED, SAMPLER_NOISE, item=row, sub=next(steps)).normals(*shape)

        set_strengths(timesteps[0])
        with ExitStack() as stack:
            if sampler in NOISY:
                module = f"diffusers.schedulers.scheduling_{NOISY[sampler]}.randn_tensor"
                stack.enter_context(mock.patch(module, noise))
            return pipeline(PROMPTS[row], negative_prompt=NEGATIVE, height=HEIGHT, width=WIDTH,
                            num_inference_steps=STEPS, guidance_scale=guidance, output_type="latent",
                            latents=Draws(SEED, PICTURES, item=row).normals(*shape),
                            callback_on_step_end=after_step).images[0]

    def compare(self, what, found, expected):
        distance = relative(found, expected)
        print(f"{what}: relative distance {distance:.2e}", flush=True)
        self.assertLess(distance, TOLERANCE, what)

    def test_every_sampler_at_each_scale(self):
        scales = ",".join(map(str, SCALES))
        for sampler in SAMPLERS:
            ours = self.ours(f"--network_weights={self.loras[0]}", f"--scales={scales}", f"--sample_sampler={sampler}")
            self.assertEqual(ours.shape[:2], (len(PROMPTS), len(SCALES)))
            self.assertGreater(relative(ours[0, 2], ours[0, 1]), 0.02, "too little to compare anything by")
            for row, column in ((0, 0), (0, 1), (0, 2), (1, 2)):
                self.compare(f"{sampler}, row {row}, scale {SCALES[column]}", ours[row, column],
                             self.theirs(row, sampler, [SCALES[column], 0.0]))

    def test_several_loras_each_at_the_scale_times_its_own_strength(self):
        ours = self.ours(f"--network_weights={self.loras[0]}", "--network_weights", self.loras[1], "--network_mul=0.5",
                         "--network_mul=-2", "--scales=0.5,1")
        self.compare("two LoRAs", ours[1, 1], self.theirs(1, "ddim", [0.5, -2.0]))
        self.compare("two LoRAs at half the scale", ours[1, 0], self.theirs(1, "ddim", [0.25, -1.0]))

    def test_above_start_noise_the_lora_is_off(self):
        ours = self.ours(f"--network_weights={self.loras[0]}", "--scales=1.5", "--start_noise=600",
                         "--sample_sampler=dpm++2m")
        self.compare("start_noise", ours[0, 0], self.theirs(0, "dpm++2m", [1.5, 0.0], start_noise=600))

    def test_guidance_1_has_no_other_half(self):
        ours = self.ours(f"--network_weights={self.loras[0]}", "--scales=1", "--guidance_scale=1")
        self.compare("guidance 1", ours[0, 0], self.theirs(0, "ddim", [1.0, 0.0], guidance=1.0))

    def test_files_that_diffusers_and_peft_wrote(self):
        torch.manual_seed(7)
        layers = ["to_q", "to_v", "to_out.0", "proj_in", "ff.net.2"]
        unet = self.pipeline.unet
        unet.add_adapter(LoraConfig(r=3, lora_alpha=5, target_modules=layers, init_lora_weights=False,
                                    rank_pattern={"ff.net.2": 2}, alpha_pattern={"attn1.to_q": 9}), adapter_name="c")
        expected = self.theirs(0, "ddim", [1.0], adapters="c")
        tensors = get_peft_model_state_dict(unet, adapter_name="c")
        config = unet.peft_config["c"].to_dict()
        files = {"diffusers": self.folder / "diffusers", "dotted": self.folder / "dotted", "peft": self.folder / "peft"}
        for name, written in (("diffusers", tensors), ("dotted", convert_state_dict_to_diffusers(tensors))):
            type(self.pipeline).save_lora_weights(files[name], unet_lora_layers=written, unet_lora_adapter_metadata=config)
            files[name] /= "pytorch_lora_weights.safetensors"
        files["peft"].mkdir()
        unet.peft_config["c"].save_pretrained(files["peft"])
        beside = files["peft"] / "adapter_config.json"
        files["peft"] /= "adapter_model.safetensors"
        save_file({f"base_model.model.{name}": tensor.contiguous() for name, tensor in tensors.items()}, files["peft"])
        for name, path in files.items():
            found = self.ours(f"--network_weights={path}", "--scales=1")[0, 0]
            self.compare(name, found, expected)
            modules = json.loads("\n".join(run(LECO, "inspect", str(path), "--json")))["modules"]
            self.assertEqual({(module["rank"], module["alpha"]) for module in modules}, {(3, 5), (3, 9), (2, 5)}, name)
        # A training that starts from it and learns nothing writes it in sd-scripts' names.
        same = train(self.folder, "same", 3, 3.0, 5, f"--network_weights={files['diffusers']}", "--dim_from_weights",
                     "--learning_rate=0")
        self.compare("from a training", self.ours(f"--network_weights={same}", "--scales=1")[0, 0], expected)
        self.assertGreater(relative(expected, self.theirs(0, "ddim", [0.0], adapters="c")), 0.02)

        bare = self.folder / "bare.safetensors"  # as Diffusers wrote it before it kept the alphas: they are the ranks
        save_file({f"unet.{name}": tensor.contiguous() for name, tensor in tensors.items() if "ff.net" not in name}, bare)
        self.pipeline.load_lora_weights(str(self.folder), weight_name=bare.name, adapter_name="d")
        self.compare("bare", self.ours(f"--network_weights={bare}", "--scales=1")[0, 0],
                     self.theirs(0, "ddim", [1.0], adapters="d"))

        for text, words in (('{"lora_alpha": "much"}', "a number is expected"), ('{"use_dora": true}', "DoRA"),
                            ('{"alpha_pattern": {"to_[qk]": 1}}', "regular expression"), (None, "none beside it")):
            beside.unlink()
            if text is not None:
                beside.write_text(text)
            done = subprocess.run([LECO, "sample", f"--pretrained_model_name_or_path={MODEL}", "--prompt=x",
                                   f"--network_weights={files['peft']}", f"--output={self.folder / 'no.png'}"],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
