"""Writes what `leco sample` is compared with into tests/data/golden: pictures of the VAE, steps of the samplers.

usage: make_sampling_golden.py [DATA [OUTPUT]]      (tests/data, tests/data/golden)
From tests/data/toy-sd, tiny-sd2v and tiny-sdxl, with torch 2.11.0 and diffusers 0.35.2 on one CPU thread; fp16 weights
are raised to fp32. What each file holds is said in RECIPES and, under "recipe", in the file itself.
"""
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL

import make_golden
import reference_trainer as reference
from make_golden import SEED, TESTS
from reference_trainer import Draws

MODELS = ("toy-sd", "tiny-sd2v", "tiny-sdxl")
# Latents' height and width; tiled ones are larger than a tile, which is 8 latents wide in the toy and 16 in the others.
VAE_CASES = {"square": (16, 16), "odd": (9, 13), "tiled": (29, 21)}
ROW_STRIDE, COLUMN_STRIDE = 11, 13
make_golden.RECIPES["vae.safetensors"] = f"""
MODEL.CASE: the picture that AutoencoderKL.decode makes of latents / scaling_factor, every {ROW_STRIDE}th row and
{COLUMN_STRIDE}th column of it; MODEL.CASE.norm: the norm of the whole picture. latents: seed {SEED}, purpose 5, step 0,
item = the place of the case in {list(VAE_CASES)}, of shape (2, 4, h, w) with (h, w) {list(VAE_CASES.values())}.
"tiled" was made with enable_tiling."""


def write_vae(data, path):
    tensors = {}
    for model in MODELS:
        vae = AutoencoderKL.from_pretrained(data / model / "vae", torch_dtype=torch.float32).eval()
        for item, (case, size) in enumerate(VAE_CASES.items()):
            latents = Draws(SEED, reference.LATENTS, item=item).normals(2, 4, *size)
            vae.enable_tiling(case == "tiled")
            with torch.no_grad():
                picture = vae.decode(latents / vae.config.scaling_factor).sample
            assert picture.shape == (2, 3, 8 * size[0], 8 * size[1])
            tensors[f"{model}.{case}"] = picture[:, :, ::ROW_STRIDE, ::COLUMN_STRIDE]
            tensors[f"{model}.{case}.norm"] = picture.double().norm().float()
            print(model, case, "range", picture.min().item(), picture.max().item())
    make_golden.write_tensors(path, tensors)


def main(data=TESTS / "data", output=TESTS / "data/golden"):
    torch.set_num_threads(1)
    data, output = Path(data), Path(output)
    write_vae(data, output / "vae.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:3])
