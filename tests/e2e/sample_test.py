"""`leco sample` as a user runs it: the picture is whole and says how it was made, it does not depend on the number of
ranks, and what cannot be drawn is refused in one line.

usage: sample_test.py MPIEXEC LECO
"""
import hashlib
import os
import struct
import zlib

import torch
from safetensors.torch import load_file, save_file

from leco_runs import TOY, LecoTest, Run, main


def png_parts(data):
    """(width, height), {keyword: text}"""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    place, size, texts = 8, None, {}
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        body = data[place + 8:place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length:place + 12 + length])[0] == zlib.crc32(kind + body)
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        if kind == b"tEXt":
            keyword, _, text = body.partition(b"\0")
            texts[keyword.decode()] = text.decode("latin-1")
        if kind == b"iTXt":
            keyword, _, rest = body.partition(b"\0")
            texts[keyword.decode()] = rest[2:].split(b"\0", 2)[2].decode()
        place += 12 + length
    return size, texts


class SampleTest(LecoTest):
    @classmethod
    def setUpClass(cls):
        cls.lora = cls.train_once(network_dim=2)

    def sample(self, *flags, ranks=None, model=TOY, output="grid.png"):
        """Of a quick grid into `folder`."""
        return Run(["sample", f"--pretrained_model_name_or_path={model}", "--height=64", "--width=64",
                    "--sample_steps=2", "--threads=1", f"--output={self.folder / output}", *flags], ranks)

    def refused(self, *flags, naming):
        self.check_refused(self.sample(*flags), *((naming,) if isinstance(naming, str) else naming))

    def test_the_picture_and_the_latents_are_the_same_on_any_number_of_ranks(self):
        digests = set()
        for ranks in (None, 2, 3):
            latents = self.folder / "latents.safetensors"
            run = self.sample(f"--network_weights={self.lora}", "--prompt", "circle", "a blue square", "--scales=-1,0.5",
                              "--images_per_prompt=2", f"--latents={latents}", "--sample_sampler=euler_a", ranks=ranks)
            self.assertEqual(run.status, 0, run.err)
            self.assertEqual(run.out.splitlines(), [str(latents), str(self.folder / "grid.png")])
            digests.add(tuple(hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
                              for name in ("grid.png", "latents.safetensors")))
        self.assertEqual(len(digests), 1)
        self.assertEqual(load_file(latents)["latents"].shape, (8, 4, 8, 8))
        self.assertEqual(load_file(latents)["latents"].view(4, 2, -1).unique(dim=0).shape[0], 4, "rows differ")

    def test_the_picture_says_how_it_was_made(self):
        run = self.sample(f"--network_weights={self.lora}", "--network_mul=0.5", "--prompt=ein grüner Kreis", "--seed=7")
        self.assertEqual(run.status, 0, run.err)
        size, texts = png_parts((self.folder / "grid.png").read_bytes())
        self.assertGreater(size[0], 5 * 64)
        self.assertEqual(texts["prompt"], "ein grüner Kreis")
        self.assertEqual((texts["scales"], texts["seed"], texts["sample_steps"]), ("-2,-1,0,1,2", "7", "2"))
        self.assertEqual((texts["network_weights"], texts["network_mul"]), (str(self.lora), "0.5"))
        self.assertIn("leco", texts["Software"])

    def test_without_a_lora_there_is_one_column(self):
        run = self.sample("--prompt=circle", f"--latents={self.folder / 'l.safetensors'}")
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual(load_file(self.folder / "l.safetensors")["latents"].shape, (1, 4, 8, 8))
        self.refused("--prompt=circle", "--scales=1,2", naming=("--scales", "--network_weights"))

    def test_a_file_of_prompts_has_options_of_its_own_and_grids_by_size(self):
        prompts = self.write("prompts.txt", "circle --d 5 --s 3 --ss k_euler\nblue square --w 96 --m 0,1,2\n# no\ncircle\n")
        run = self.sample(f"--sample_prompts={prompts}", f"--network_weights={self.lora}", "--scales=0,1")
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual(run.out.splitlines(), [str(self.folder / f"grid-{i}.png") for i in (1, 2)])
        for name in ("grid-1.png", "grid-2.png"):
            png_parts((self.folder / name).read_bytes())
        self.refused(f"--sample_prompts={prompts}", f"--network_weights={self.lora}",
                     f"--latents={self.folder / 'l.safetensors'}", naming=("--latents", "2 grids"))
        self.refused(f"--sample_prompts={prompts}", naming=("line 2", "--network_weights"))
        self.refused("--sample_prompts=x.txt", "--prompt=circle", naming=("--prompt", "--sample_prompts"))
        for line, naming in (("circle --cn x.png", "ControlNet"), ("circle --zz 3", "--zz"), ("circle --w 100", "--w"),
                             ("circle --ss heun", "ddim, ddpm, euler"), ("circle --s 1000", "999")):
            self.refused(f"--sample_prompts={self.write('bad.txt', line)}", naming=("line 1", naming))

    def test_what_cannot_be_drawn_is_refused(self):
        prompt = "--prompt=circle"
        self.refused(naming=("--prompt is missing",))
        self.refused(prompt, "--scales=1,two", f"--network_weights={self.lora}", naming=("--scales=1,two", "number"))
        self.refused(prompt, "--scales=1,,2", f"--network_weights={self.lora}", naming="--scales=1,,2")
        self.refused(prompt, "--scales=nan", f"--network_weights={self.lora}", naming="--scales=nan")
        self.refused(prompt, "--network_mul=2", naming=("--network_mul", "0"))
        self.refused(prompt, "--height=100", naming=("--height=100", "multiple of 8"))
        self.refused(prompt, "--width=0", naming="--width=0")
        self.refused(prompt, "--width=100000", naming="--width=100000")
        self.refused(prompt, "--sample_steps=1000", naming="--sample_steps=1000")
        self.refused(prompt, "--sample_steps=999", "--sample_sampler=dpm++2m", naming=("--sample_steps=999", "998"))
        self.refused(prompt, "--sample_sampler=heun", naming=("--sample_sampler=heun", "ddim, ddpm, euler, euler_a"))
        self.refused(prompt, "--start_noise=1001", naming="--start_noise=1001")
        self.refused(prompt, "--guidance_scale=inf", naming="--guidance_scale=inf")
        self.refused(prompt, "--network_weight=x", naming="did you mean --network_weights?")
        self.refused(prompt, "--vae=/nowhere", naming=("--vae", "/nowhere"))

    def test_files_that_are_no_lora_for_the_model_are_refused(self):
        def written(name, tensors):
            save_file(tensors, self.folder / name)
            return f"--network_weights={self.folder / name}"

        prompt = "--prompt=circle"
        self.refused(prompt, "--network_weights=/nowhere.safetensors", naming="/nowhere.safetensors")
        self.refused(prompt, f"--network_weights={TOY / 'unet' / 'diffusion_pytorch_model.safetensors'}",
                     naming=("holds no LoRA", "U-Net"))
        self.refused(prompt, written("sdxl.safetensors", {
            "lora_unet_input_blocks_4_1_proj_in.lora_down.weight": torch.zeros(2, 640)}),
            naming=("for another model", "SD 1.x"))
        tensors = load_file(self.lora)
        self.refused(prompt, written("half.safetensors", {name: tensor for name, tensor in tensors.items()
                                                          if not name.endswith("attn2_to_q.lora_up.weight")}),
                     naming="lora_up.weight")
        self.refused(prompt, written("text.safetensors", {**tensors, "lora_te_x.lora_down.weight": torch.zeros(2, 4)}),
                     naming=("no layer for", "lora_te_x"))

    def test_an_output_that_cannot_be_written_is_refused_before_anything_is_drawn(self):
        prompt = "--prompt=circle"
        self.check_refused(self.sample(prompt, output="missing/grid.png"), "--output=")
        self.refused(prompt, "--output=grid.jpg", naming=("--output=grid.jpg", ".png"))
        self.refused(prompt, f"--latents={self.folder}", naming="--latents=")

    def test_a_model_without_a_vae_is_refused(self):
        bare = self.folder / "bare"
        bare.mkdir()
        for part in os.listdir(TOY):
            if part != "vae":
                (bare / part).symlink_to(TOY / part)
        self.check_refused(self.sample("--prompt=circle", model=bare), "VAE")


if __name__ == "__main__":
    main()
