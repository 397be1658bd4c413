"""Measures what a LoRA does to the toy model's pictures, on pictures that Diffusers draws with the file.

usage: measure_effect.py LORA [--model DIR] [--prompts "a red circle" …] [--scales -1 0 1] [--pictures 16]
                         [--grid F.png] [--json F.json]
Prints for each prompt and scale the mean area of the shape (share of the picture), its spread over the pictures, and the
share of pictures in each colour; then means over the prompts. The same noise begins each picture at all scales (DDIM, 15 steps, guidance 3).
"""
import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from PIL import Image

from shapes import color_named, distance, fill, measure, nearest

TOY = Path(__file__).resolve().parents[1] / "data" / "toy-sd"
PROMPTS = ("a red circle", "a green circle", "a blue circle", "a yellow circle")
STEPS, GUIDANCE, SIDE = 15, 3.0, 64


class Artist:
    """Draws with a model and, at scales other than 0, a LoRA file."""

    def __init__(self, model=TOY, lora=None):
        self.pipe = StableDiffusionPipeline.from_pretrained(model, torch_dtype=torch.float32)
        self.pipe.scheduler = DDIMScheduler.from_config(self.pipe.scheduler.config)
        self.pipe.set_progress_bar_config(disable=True)
        if lora:
            self.pipe.load_lora_weights(str(lora), adapter_name="tested")

    def draw(self, prompt, scale, pictures, seed=1, side=SIDE):
        """(pictures, side, side, 3) in 0..255; picture i begins with the same noise at every scale and prompt."""
        if scale:
            self.pipe.enable_lora()
            self.pipe.set_adapters("tested", scale)
        elif self.pipe.get_list_adapters():
            self.pipe.disable_lora()
        noise = torch.randn(pictures, 4, side // 8, side // 8, generator=torch.Generator().manual_seed(seed))
        drawn = self.pipe([prompt] * pictures, latents=noise, height=side, width=side, num_inference_steps=STEPS,
                          guidance_scale=GUIDANCE, output_type="np").images
        return drawn * 255


def measured(prompt, pictures):
    """{"area": mean, "areas": each, "fill": mean, "colors": {name: share of the pictures}, "off": mean distance from the
    named colour}"""
    areas, colors = zip(*(measure(picture) for picture in pictures))
    shares = {name: count / len(colors) for name, count in Counter(map(nearest, colors)).items()}
    name = color_named(prompt)
    off = [distance(color, name) for color in colors if color is not None] if name else []
    fills = [each for each in map(fill, pictures) if each is not None]
    return {"area": float(np.mean(areas)), "areas": areas, "fill": float(np.mean(fills)) if fills else None,
            "colors": shares, "off": float(np.mean(off)) if off else None}


def measure_file(lora, prompts=PROMPTS, scales=(-1, 0, 1), pictures=16, model=TOY):
    """{prompt: {scale: measured(…)}}"""
    artist = Artist(model, lora)
    return {prompt: {scale: measured(prompt, artist.draw(prompt, scale, pictures)) for scale in scales} for prompt in prompts}


def mean_area(results, scale):
    return float(np.mean([by_scale[scale]["area"] for by_scale in results.values()]))


def mean_fill(results, scale):
    return float(np.mean([by_scale[scale]["fill"] for by_scale in results.values()]))


def kept(results, scale):
    """Share of the pictures that have the colour their prompt names, over the prompts that name one."""
    shares = [by_scale[scale]["colors"].get(color_named(prompt), 0) for prompt, by_scale in results.items()
              if color_named(prompt)]
    return float(np.mean(shares))


def color_shift(results, scale):
    """How far the shapes are from the colour their prompt names, beyond what they are without the LoRA."""
    return float(np.mean([by_scale[scale]["off"] - by_scale[0]["off"] for by_scale in results.values()]))


def ranks(values):
    """Ranks from 0; equal values share their mean rank."""
    values = np.asarray(values)
    return (values[:, None] > values).sum(1) + ((values[:, None] == values).sum(1) - 1) / 2


def rank_correlation(scales, values):
    """Spearman's; 0 where all values are equal."""
    return float(np.corrcoef(ranks(scales), ranks(values))[0, 1]) if len(set(values)) > 1 else 0.0


def spearman(results):
    """Rank correlation of scale and mean area, the mean over the prompts."""
    return float(np.mean([rank_correlation(list(by_scale), [one["area"] for one in by_scale.values()])
                          for by_scale in results.values()]))


def spearman_of_pictures(results):
    """Rank correlation of scale and area along the pictures that begin with one noise, the mean over noises and prompts."""
    return float(np.mean([rank_correlation(list(by_scale), areas) for by_scale in results.values()
                          for areas in zip(*(one["areas"] for one in by_scale.values()))]))


def grid(lora, prompts, scales, path, model=TOY, seed=1):
    """A picture of pictures: a row for each prompt, a column for each scale."""
    artist = Artist(model, lora)
    rows = [np.concatenate([artist.draw(prompt, scale, 1, seed)[0] for scale in scales], 1) for prompt in prompts]
    Image.fromarray(np.concatenate(rows, 0).round().astype(np.uint8)).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lora")
    parser.add_argument("--model", default=TOY)
    parser.add_argument("--prompts", nargs="+", default=PROMPTS)
    parser.add_argument("--scales", nargs="+", type=float, default=[-1, -0.5, 0, 0.5, 1])
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--grid")
    parser.add_argument("--json")
    given = parser.parse_args()
    results = measure_file(given.lora, given.prompts, given.scales, given.pictures, given.model)
    for prompt, by_scale in results.items():
        for scale, one in by_scale.items():
            colors = ", ".join(f"{name} {share:.0%}" for name, share in sorted(one["colors"].items()))
            print(f"{prompt:24} {scale:5g}   area {one['area']:.3f} ± {np.std(one['areas']):.3f}   {colors}")
    areas = ", ".join(f"{scale:g}: {mean_area(results, scale):.3f}" for scale in given.scales)
    colors = ", ".join(f"{scale:g}: {kept(results, scale):.0%}" for scale in given.scales)
    print(f"mean area {areas}\ncolours kept {colors}\nSpearman {spearman(results):.3f}, "
          f"picture by picture {spearman_of_pictures(results):.3f}")
    if 0 in given.scales and all(map(color_named, given.prompts)):
        print("fill " + ", ".join(f"{scale:g}: {mean_fill(results, scale):.2f}" for scale in given.scales))
        print("colour shift " + ", ".join(f"{scale:g}: {color_shift(results, scale):.1f}" for scale in given.scales))
    if given.grid:
        grid(given.lora, given.prompts, given.scales, given.grid, given.model)
    if given.json:
        Path(given.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
