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
from reference_samplers import SAMPLERS, Sampler
from reference_trainer import Draws, Model

MODELS = ("toy-sd", "tiny-sd2v", "tiny-sdxl")
# Latents' height and width; tiled ones are larger than a tile, which is 8 latents wide in the toy and 16 in the others.
VAE_CASES = {"square": (16, 16), "odd": (9, 13), "tiled": (29, 21)}
ROW_STRIDE, COLUMN_STRIDE = 11, 13
make_golden.RECIPES["vae.safetensors"] = f"""
MODEL.CASE: the picture that AutoencoderKL.decode makes of latents / scaling_factor, every {ROW_STRIDE}th row and
{COLUMN_STRIDE}th column of it; MODEL.CASE.norm: the norm of the whole picture. latents: seed {SEED}, purpose 5, step 0,
item = the place of the case in {list(VAE_CASES)}, of shape (2, 4, h, w) with (h, w) {list(VAE_CASES.values())}.
"tiled" was made with enable_tiling."""

STEPS, STOPS, PART = 20, (7, 20), 5  # of the U-Net's latents every PART-th number is kept
PROMPT, NEGATIVE, GUIDANCE = "a big red circle", "a small circle", 4.0
make_golden.RECIPES["samplers.safetensors"] = f"""
SAMPLER.PREDICTION.OFFSET.I: x after I of {STEPS} steps of diffusers' scheduler from the normals of purpose 5, on
predictions that are normals of purpose 6, sub = step, and noise of purpose 7, sub = step; seed {SEED}, step 0, item 0,
shape (2, 4, 3, 3). unet.SAMPLER.OFFSET.I: the same with the toy's U-Net, {PROMPT!r} over {NEGATIVE!r} with guidance
{GUIDANCE}, shape (1, 4, 16, 16), every {PART}th number. Euler's x is divided by the square root of sigma^2 + 1."""

ROLLOUTS = {
    "dpm++2m, three points": {"rollout_sampler": "dpm++2m", "samples_per_rollout": 3},
    "euler, aligned": {"rollout_sampler": "euler", "align_timestep": True},
    "euler_a, every step a point": {"rollout_sampler": "euler_a", "samples_per_rollout": 20, "max_denoising_steps": 6},
    "ddim, two points and dropout": {"rollout_sampler": "ddim", "samples_per_rollout": 2, "network_dropout": 0.3,
                                     "align_timestep": True},
}
make_golden.RECIPES["rollout_steps.json"] = """
reference_trainer.train on the toy model with other samplers and several points of a rollout, as in steps.json: changes
of the settings of its first run, records, and some entries of the LoRA."""


def write_rollouts(model, path):
    variants = []
    for name, changes in ROLLOUTS.items():
        changes = {"max_train_steps": 2, **changes}
        records, lora = reference.train(model, {**make_golden.SETTINGS, **changes}, make_golden.PAIRS)
        weights = make_golden.flat(lora)
        index = list(range(500, len(weights), len(weights) // 60))
        variants.append({"name": name, "settings": changes, "records": records, **make_golden.total_norms(lora),
                         "index": index, "value": weights[index].tolist()})
        print(name, [record["loss"] for record in records])
    path.write_text(make_golden.as_json({"recipe": make_golden.recipe(path), "variants": variants}))


def sampled(sampler, predict, shape):
    """{I: x after I steps}"""
    x, kept = sampler.start(Draws(SEED, reference.LATENTS).normals(*shape)), {}
    for index in range(STEPS):
        z = Draws(SEED, reference.SAMPLER_NOISE, sub=index).normals(*shape)
        x = sampler.step(index, x, lambda seen, t: predict(index, seen, t), z)
        if index + 1 in STOPS:
            kept[index + 1] = sampler.handed_on(x, index + 1)
    return kept


def write_samplers(model, path):
    def made_up(index, seen, t):
        return Draws(SEED, reference.NOISE_OFFSET, sub=index).normals(*seen.shape)

    def guided(index, seen, t):
        without, target = model.predict(seen, t, [NEGATIVE, PROMPT])
        return without + GUIDANCE * (target - without)

    tensors = {}
    for name in SAMPLERS:
        for offset in (0, 1):
            for kind in ("epsilon", "v_prediction"):
                for stop, x in sampled(Sampler(name, STEPS, kind, offset), made_up, (2, 4, 3, 3)).items():
                    tensors[f"{name}.{kind}.{offset}.{stop}"] = x
            with torch.no_grad():
                kept = sampled(Sampler(name, STEPS, "epsilon", offset), guided, (1, 4, 16, 16))
            for stop, x in kept.items():
                tensors[f"unet.{name}.{offset}.{stop}"] = x.flatten()[::PART]
                print(name, offset, stop, "deviation", x.std().item())
    make_golden.write_tensors(path, tensors)


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
    toy = Model(data / "toy-sd")
    write_samplers(toy, output / "samplers.safetensors")
    write_rollouts(toy, output / "rollout_steps.json")


if __name__ == "__main__":
    main(*sys.argv[1:3])
