"""Distances of pictures against scikit-image, resizing against Pillow, CLIP against transformers.

usage: measure_python_test.py MEASURE_TOOL
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage.metrics import structural_similarity
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

TOOL = sys.argv[1]
TOKENIZER = pathlib.Path(__file__).resolve().parents[1] / "data" / "toy-sd" / "tokenizer"
PROMPTS = ["a big red circle", "", "small"]


def picture(height, width, seed):
    """Smooth, with noise and hard edges in it: all of which resizing treats differently."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    smooth = np.stack([128 + 100 * np.sin(rows / 9 + i) * np.cos(columns / 7 - i) for i in range(3)], -1)
    smooth += random.normal(0, 12, smooth.shape)
    smooth[height // 4:height // 2, width // 3:] = random.integers(0, 2) * 255
    return np.clip(smooth, 0, 255).astype(np.uint8)


class MeasureTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def tool(self, *words, status=0):
        run = subprocess.run([TOOL, *map(str, words)], capture_output=True, text=True)
        self.assertEqual(run.returncode, status, run.stderr)
        return run.stdout if status == 0 else run.stderr

    def save(self, **pictures):
        path = self.folder / "in.safetensors"
        save_file({name: torch.from_numpy(np.array(value)) for name, value in pictures.items()}, path)
        return path

    def test_distances_equal_scikit_image(self):
        for height, width in ((64, 64), (7, 7), (40, 131)):
            a, b = picture(height, width, 1), picture(height, width, 2)
            for other in (b, a, 255 - a, np.full_like(a, 7)):
                mean, ssim = map(float, self.tool("distance", self.save(a=a, b=other)).split())
                self.assertAlmostEqual(mean, np.abs(a.astype(float) - other).mean(), places=9)
                wanted = structural_similarity(a, other, win_size=7, data_range=255, channel_axis=-1)
                self.assertAlmostEqual(ssim, wanted, places=9)

    def test_resizing_equals_pillow_to_the_bit(self):
        for height, width in ((64, 64), (512, 512), (130, 71), (333, 500)):
            a = picture(height, width, 3)
            for to_height, to_width in ((224, 224), (30, 30), (height, 50), (9, width), (1, 1), (640, 65)):
                self.tool("resize", self.save(a=a), self.folder / "out", to_height, to_width)
                found = load_file(self.folder / "out")["a"].numpy()
                # Each axis by a call of its own: Pillow 13 takes columns first in some shapes, earlier ones never.
                rows = Image.fromarray(a).resize((to_width, height), Image.BICUBIC)
                wanted = np.asarray(rows.resize((to_width, to_height), Image.BICUBIC))
                np.testing.assert_array_equal(found, wanted, f"{height}×{width} to {to_height}×{to_width}")

    def clip_folder(self, activation="quick_gelu", **vision):
        tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
        layers = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, hidden_act=activation)
        config = CLIPConfig(text_config=dict(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **layers),
                            vision_config=dict(image_size=64, patch_size=16, **layers, **vision), projection_dim=24)
        torch.manual_seed(0)
        model = CLIPModel(config).eval()
        with torch.no_grad():  # fresh ones are near zero, which hides mistakes
            for weight in model.parameters():
                weight.copy_(torch.randn_like(weight) * 0.2)
        folder = self.folder / f"clip-{activation}"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        processor = CLIPImageProcessor(size={"shortest_edge": 72}, crop_size={"height": 64, "width": 64})
        processor.save_pretrained(folder)
        return folder, model, tokenizer, processor

    def test_clip_equals_transformers(self):
        for activation in ("quick_gelu", "gelu"):
            folder, model, tokenizer, processor = self.clip_folder(activation)
            for height, width in ((64, 64), (200, 120), (96, 333)):
                a = picture(height, width, 4)
                self.tool("clip", folder, self.save(a=a), self.folder / "out", *PROMPTS)
                found = load_file(self.folder / "out")
                pixels = processor(Image.fromarray(a), return_tensors="pt")["pixel_values"]
                torch.testing.assert_close(found["pixels"], pixels[0], rtol=0, atol=1e-6)
                with torch.no_grad():
                    seen = model.get_image_features(pixels)[0]
                    read = model.get_text_features(**tokenizer(PROMPTS, padding=True, return_tensors="pt"))
                torch.testing.assert_close(found["picture"], seen / seen.norm(), rtol=0, atol=1e-5)
                torch.testing.assert_close(found["prompts"], read / read.norm(dim=-1, keepdim=True), rtol=0, atol=1e-5)

    def refusal(self, folder):
        return self.tool("clip", folder, self.save(a=picture(64, 64, 5)), self.folder / "out", "x", status=2)

    def test_a_folder_that_does_not_fit_is_refused(self):
        folder = self.clip_folder()[0]
        for name, key, value, told in (
                ("preprocessor_config.json", "resample", 2, "bicubic"),
                ("preprocessor_config.json", "crop_size", 60, "image_size"),
                ("preprocessor_config.json", "do_resize", False, "do_resize"),
                ("preprocessor_config.json", "image_std", [1, 0, 1], "image_std"),
                ("config.json", "model_type", "siglip", "siglip"),
                ("config.json", "projection_dim", 25, "25")):
            text = (folder / name).read_text()
            (folder / name).write_text(json.dumps({**json.loads(text), key: value}))
            self.assertIn(told, self.refusal(folder))
            (folder / name).write_text(text)
        (folder / "vocab.json").unlink()
        self.assertIn("vocab.json", self.refusal(folder))
        self.assertIn("no folder", self.refusal(self.folder))

    def test_weights_in_torch_format_give_the_same(self):
        folder, model, *_ = self.clip_folder()
        path = self.save(a=picture(80, 70, 6))
        self.tool("clip", folder, path, self.folder / "safe", "x")
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        self.tool("clip", folder, path, self.folder / "bin", "x")
        safe, torchs = load_file(self.folder / "safe"), load_file(self.folder / "bin")
        self.assertEqual(sorted(safe), sorted(torchs))
        for name, value in safe.items():  # a mapped weight may lie unaligned, which changes the order of sums
            torch.testing.assert_close(torchs[name], value, rtol=0, atol=1e-6)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
