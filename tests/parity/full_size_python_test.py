"""Single files of the published sizes are understood to the last tensor. No weights: the files are all holes.

usage: full_size_python_test.py LECO
"""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import reference_lora
import single_files

LECO = sys.argv[1]
GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
TYPES = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}

SD1 = {"cross_attention_dim": 768, "attention_head_dim": 8}
SD2 = {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True}
SDXL = {"cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20], "use_linear_projection": True,
        "block_out_channels": (320, 640, 1280), "transformer_layers_per_block": [1, 2, 10],
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816}
VIT_L = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12}
VIT_H = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 23}
VIT_BIG_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 20, "num_hidden_layers": 32,
             "projection_dim": 1280}


def make(unet, *encoders):
    """The parts of a pipeline on torch's meta device."""
    with torch.device("meta"):
        parts = {"unet": UNet2DConditionModel(sample_size=64, **unet),
                 "vae": AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2,
                                      down_block_types=("DownEncoderBlock2D",) * 4,
                                      up_block_types=("UpDecoderBlock2D",) * 4)}
        for name, sizes in zip(("text_encoder", "text_encoder_2"), encoders):
            kind = CLIPTextModelWithProjection if name == "text_encoder_2" else CLIPTextModel
            parts[name] = kind(CLIPTextConfig(vocab_size=49408, **sizes))
    return SimpleNamespace(**parts)


def write_holes(tensors, path, dtype):
    """A safetensors file of these shapes whose data is a hole: as long as the real one, and nothing on the disk."""
    header, offset = {}, 0
    for name, tensor in tensors.items():
        kind = dtype if tensor.is_floating_point() else tensor.dtype
        end = offset + tensor.numel() * torch.empty(0, dtype=kind).element_size()
        header[name] = {"dtype": TYPES[kind], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)


def json_of(*command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)


def modules_in(name):
    lines = (GOLDEN / name).read_text().splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


class FullSizeTest(unittest.TestCase):
    def check(self, parts, family, golden, sizes):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            write_holes(single_files.single_file(parts), path, torch.float16)
            found = json_of(LECO, "inspect", path, "--json")
            prompts = Path(folder) / "prompts.toml"
            prompts.write_text('[[prompts]]\ntarget = "a"\n')
            plan, with_convolutions = (
                json_of(LECO, "plan", f"--pretrained_model_name_or_path={path}", f"--prompts_file={prompts}", "--json", *more)
                for more in ((), ("--network_args", "conv_dim=4")))
        self.assertEqual(found["family"], family)
        self.assertTrue(found["can_be_trained"], found)
        self.assertFalse([part for part in found["parts"] if part["part"] == "unknown"])
        encoders = [parts.text_encoder] + ([parts.text_encoder_2] if hasattr(parts, "text_encoder_2") else [])
        for component, model in zip(found["components"], [parts.unet, *encoders, parts.vae], strict=True):
            self.assertEqual(component["problems"], [])
            self.assertEqual(component["unused"], [])
            constants = 77 if component["types"].get("I64") else 0  # position_ids
            used = [t.numel() for name, t in model.state_dict().items() if not name.startswith(("encoder.", "quant_conv."))]
            self.assertEqual(component["parameters"] - constants, sum(used))
        vae = "decoder, channels 128, 256, 512, 512; scaling factor " + ("0.13025" if family == "SDXL" else "0.18215")
        for component, words in zip(found["components"], [*sizes, vae], strict=True):
            self.assertIn(words, component["sizes"])
        self.assertEqual(plan["modules"], modules_in(golden))
        every_layer = [name for name, _ in reference_lora.candidates(parts.unet)]
        self.assertEqual(len(every_layer), 788 if family == "SDXL" else 278)
        self.assertEqual(with_convolutions["modules"], every_layer)
        self.assertGreater(with_convolutions["memory_bytes"], plan["memory_bytes"])
        self.assertGreater(plan["memory_bytes"], 4 * found["components"][0]["parameters"])

    def test_sd15(self):
        self.check(make(SD1, VIT_L), "SD 1.x", "modules.txt",
                   ["channels 320, 640, 1280, 1280; heads 8, 8, 8, 8; transformer blocks 1, 1, 1, 1; text of 768",
                    "12 layers of 768 features, 12 heads, quick_gelu; 77 tokens"])

    def test_sd21(self):
        self.check(make(SD2, VIT_H), "SD 2.x", "sd21_modules.txt",
                   ["channels 320, 640, 1280, 1280; heads 5, 10, 20, 20; transformer blocks 1, 1, 1, 1; text of 1024",
                    "23 layers of 1024 features, 16 heads, gelu; 77 tokens"])

    def test_sdxl(self):
        self.check(make(SDXL, VIT_L, VIT_BIG_G), "SDXL", "sdxl_modules.txt",
                   ["channels 320, 640, 1280; heads 5, 10, 20; transformer blocks 1, 2, 10; text of 2048",
                    "12 layers of 768 features, 12 heads, quick_gelu; 77 tokens",
                    "32 layers of 1280 features, 20 heads, gelu; 77 tokens at most, vocabulary of 49408; pooled to 1280"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
