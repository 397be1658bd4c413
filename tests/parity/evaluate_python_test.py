"""The numbers of `leco evaluate` against diffusers, numpy and scikit-image, for the same draws.

usage: evaluate_python_test.py LECO MODEL
MODEL is one of the small ones in tests/data.
The reference is SPEC section 9 written down once more: diffusers' U-Net, DDPM scheduler and LoRA loader, and sums in numpy.
"""
import base64
import io
import json
import math
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

import real_client
from reference_draws import Draws
from reference_samplers import make_scheduler, scheduler_step
from reference_trainer import LATENTS, SAMPLER_NOISE

LECO, MODEL = sys.argv[1:3]
HEIGHT, WIDTH = 96, 128
SEED, SAMPLES, K, DRAW_STEP = 7, 3, 40, 2**32 - 1
SCALES, PRESERVE = [-2.0, -1.0, 0.0, 0.5, 1.0], ["blue square", "circle"]
# What float32 leaves of differences of predictions: up to 2e-6 was seen. A wrong sign, point or prompt gives over 1e-2.
TOLERANCE = 5e-5
PROMPTS = """
resolution = [96, 128]
[[targets]]
target_class = "circle"
positive = "big circle"
negative = "small circle"
[[prompts]]
target = "red circle"
positive = "red"
unconditional = "blue"
"""
# target, from, to: the second is a pair that erases
DIRECTIONS = [("circle", "small circle", "big circle"), ("red circle", "red", "blue")]


def run(*command):
    done = subprocess.run([LECO, *map(str, command)], capture_output=True, text=True, timeout=200)
    if done.returncode:
        raise AssertionError(f"{command}: status {done.returncode}\n{done.stderr}")
    return done.stdout.splitlines()


class Reference:
    def __init__(self, lora):
        self.pipeline = real_client.load_pipeline(MODEL)
        self.texts = {}
        self.points = {target: [self.point(target, j) for j in range(SAMPLES)] for target, *_ in DIRECTIONS}
        prompts = {*PRESERVE, *(prompt for direction in DIRECTIONS for prompt in direction)}
        self.still = {(target, j, prompt): self.predict(x, t, prompt)
                      for target, points in self.points.items() for j, (x, t) in enumerate(points) for prompt in prompts}
        self.pipeline.load_lora_weights(str(lora.parent), weight_name=lora.name)

    def text(self, prompt):
        """What the U-Net is told of a prompt: its keyword arguments."""
        if prompt not in self.texts:
            with torch.no_grad():
                encoded = self.pipeline.encode_prompt(prompt, device="cpu", num_images_per_prompt=1,
                                                      do_classifier_free_guidance=False)
            self.texts[prompt] = {"encoder_hidden_states": encoded[0]}
            if real_client.is_sdxl(self.pipeline.unet):
                sizes = torch.tensor([[HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH]])
                self.texts[prompt]["added_cond_kwargs"] = {"text_embeds": encoded[2], "time_ids": sizes}
        return self.texts[prompt]

    def predict(self, x, t, prompt):
        with torch.no_grad():
            return self.pipeline.unet(x, t, **self.text(prompt)).sample

    def point(self, target, j):
        """(x, t): j's rollout by the base model, stopped after k steps."""
        scheduler = make_scheduler(K, self.pipeline.scheduler.config.prediction_type)
        x = Draws(SEED, LATENTS, DRAW_STEP, j).normals(1, 4, HEIGHT // 8, WIDTH // 8)
        k = 1 + math.floor(j * 39 / SAMPLES)
        for index in range(k):
            z = Draws(SEED, SAMPLER_NOISE, DRAW_STEP, j, sub=index).normals(*x.shape)
            x = scheduler_step(scheduler, index, x, self.predict(x, scheduler.timesteps[index], target), z)
        return x, scheduler.timesteps[k]

    def moved(self, scale, target, j, prompt):
        (adapter,) = self.pipeline.get_list_adapters()["unet"]
        self.pipeline.set_adapters([adapter], [scale])
        moved = self.predict(*self.points[target][j], prompt) - self.still[target, j, prompt]
        return moved.double().numpy().ravel()

    def at_scale(self, scale):
        along = square = across = wanted_square = 0.0
        drifted, size = dict.fromkeys(PRESERVE, 0.0), dict.fromkeys(PRESERVE, 0.0)
        for target, start, end in DIRECTIONS:
            for j in range(SAMPLES):
                d = (self.still[target, j, end] - self.still[target, j, start]).double().numpy().ravel()
                moved = self.moved(scale, target, j, target)
                along, square, wanted_square = along + moved @ d, square + moved @ moved, wanted_square + d @ d
                beside = moved - d * (moved @ d) / (d @ d)
                across += beside @ beside
                for prompt in PRESERVE:
                    change = self.moved(scale, target, j, prompt)
                    still = self.still[target, j, prompt].double().numpy().ravel()
                    drifted[prompt] += change @ change
                    size[prompt] += still @ still
        return {"response": along / wanted_square, "cosine": along / math.sqrt(square * wanted_square),
                "off_axis": math.sqrt(across / square),
                "drift": {prompt: math.sqrt(drifted[prompt] / size[prompt]) for prompt in PRESERVE}}


def pictures_of(page):
    """{scale: pictures}, as they lie in the page, the rows of targets only."""
    rows = re.findall(r"<tr>(<th scope=\"row\">.*?)</tr>", page[page.index('class="pictures"'):page.index('id="numbers"')])
    targets = [row for row in rows if "to preserve" not in row]
    assert len(rows) == 6 and len(targets) == 4, (len(rows), len(targets))  # two targets of two pictures
    found = [[np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
              for data in re.findall(r"base64,([\w+/=]+)", row)] for row in targets]
    return {scale: [row[i] for row in found] for i, scale in enumerate(SCALES)}


class EvaluateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        folder = Path(cls.holder.name)
        (folder / "prompts.toml").write_text(PROMPTS)
        common = [f"--pretrained_model_name_or_path={MODEL}", f"--prompts_file={folder / 'prompts.toml'}", "--threads=1",
                  "--device=cpu"]
        cls.lora = Path(run("train", *common, f"--output_dir={folder}", "--output_name=x", "--network_dim=3",
                            "--network_alpha=2", "--max_train_steps=4", "--max_denoising_steps=4", "--learning_rate=3e-2",
                            "--seed=3")[-1])
        written = run("evaluate", *common, f"--network_weights={cls.lora}", f"--output={folder / 'report'}",
                      "--scales=" + ",".join(map(str, SCALES)), f"--samples={SAMPLES}", f"--seed={SEED}",
                      "--preserve", *PRESERVE, "--sample_steps=3", "--images_per_prompt=2")
        assert written == [str(folder / "report" / name) for name in ("report.json", "report.html")], written
        cls.report = json.loads(Path(written[0]).read_text())
        cls.page = Path(written[1]).read_text()

    def close(self, found, wanted, what):
        print(f"{what}: {found:.6g}, reference {wanted:.6g}, apart {abs(found - wanted) / max(abs(wanted), 1e-3):.1e}")
        self.assertLessEqual(abs(found - wanted), TOLERANCE * max(abs(wanted), 1e-2), what)

    def test_fields_are_those_of_the_specification(self):
        self.assertEqual(list(self.report), ["scales", "spearman", "symmetry", "linear_range", "recommended_range"])
        for at in self.report["scales"]:
            self.assertEqual(list(at), ["scale", "response", "cosine", "off_axis", "drift", "pixel_distance", "ssim"])
            self.assertEqual(list(at["drift"]), PRESERVE)
        self.assertEqual([at["scale"] for at in self.report["scales"]], SCALES)

    def test_predictions_move_as_in_diffusers(self):
        reference = Reference(self.lora)
        for at in self.report["scales"]:
            if at["scale"] == 0:
                self.assertEqual((at["response"], at["cosine"], at["off_axis"]), (0, None, None))
                self.assertEqual(set(at["drift"].values()), {0})
                continue
            wanted = reference.at_scale(at["scale"])
            for name in ("response", "cosine", "off_axis"):
                self.close(at[name], wanted[name], f"{name} at {at['scale']}")
            for prompt in PRESERVE:
                self.close(at["drift"][prompt], wanted["drift"][prompt], f"drift of {prompt} at {at['scale']}")
            self.assertGreater(max(at["drift"].values()), 0.01, "too little to compare anything by")

    def test_the_curve_is_summed_up_as_in_scipy(self):
        response = {at["scale"]: at["response"] for at in self.report["scales"]}
        self.assertAlmostEqual(self.report["spearman"], spearmanr(SCALES, list(response.values())).statistic, places=12)
        ends = sorted([abs(response[-1.0]), abs(response[1.0])])  # 2 is listed with one sign only
        self.assertAlmostEqual(self.report["symmetry"], ends[0] / ends[1], places=12)
        small = [s for s in SCALES if abs(s) <= 1]
        slope = np.linalg.lstsq(np.array(small)[:, None], np.array([response[s] for s in small]), rcond=None)[0][0]
        fits = [abs(response[s] - slope * s) <= 0.2 * abs(slope * s) for s in SCALES]
        first = last = SCALES.index(0)
        while first > 0 and fits[first - 1]:
            first -= 1
        while last + 1 < len(SCALES) and fits[last + 1]:
            last += 1
        self.assertEqual(self.report["linear_range"], [SCALES[first], SCALES[last]])

    def test_distances_are_those_of_the_pictures_in_the_page(self):
        pictures = pictures_of(self.page)
        for at in self.report["scales"]:
            pairs = list(zip(pictures[at["scale"]], pictures[0.0]))
            mean = np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs])
            ssim = np.mean([structural_similarity(a, b, win_size=7, data_range=255, channel_axis=-1) for a, b in pairs])
            self.assertAlmostEqual(at["pixel_distance"], mean, places=9)
            self.assertAlmostEqual(at["ssim"], ssim, places=9)
        self.assertGreater(self.report["scales"][0]["pixel_distance"], 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
