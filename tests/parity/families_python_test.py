"""The reference of every family, and the client check, against Diffusers' own pipelines. None of our program runs here.

usage: families_python_test.py DATA
"""
import sys
import tempfile
import unittest
from pathlib import Path

import torch
from safetensors.torch import save_file

import make_family_golden
import real_client
import reference_families
import reference_trainer as reference
from reference_lora import LORA_INIT

DATA = Path(sys.argv[1])
PROMPTS = ["", "a big red circle", "wow!!! a cat!", "circle " * 90]
MODELS = {"toy-sd": reference.Model, "tiny-sd2v": reference.Model, "tiny-sdxl": reference_families.SdxlModel}


def client_case(model, folder):
    """-> (LoRA file, outputs file) of the reference itself, lora_up filled"""
    network = reference.Network(model.unet, {"seed": 1, "network_dim": 4, "network_alpha": 2.0}, model.spelling)
    for adapter in network.adapters:
        draws = reference.Draws(1, LORA_INIT, item=1, sub=adapter.index)
        adapter.up.data = 0.25 * draws.normals(*adapter.up.shape)
    tensors = make_family_golden.unet_inputs(model)
    for scale in real_client.SCALES:
        with torch.no_grad(), network.on(float(scale)):
            tensors[f"output_{scale}"] = make_family_golden.call_unet(model.unet, tensors)
    network.detach()
    lora, ours = folder / "lora.safetensors", folder / "ours.safetensors"
    reference.save_lora(lora, network.state_dict())
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, ours)
    return lora, ours


class FamiliesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.models = {name: kind(DATA / name) for name, kind in MODELS.items()}

    def test_prompts_are_encoded_as_the_pipelines_do(self):
        for name, model in self.models.items():
            pipeline = real_client.load_pipeline(DATA / name)
            for prompt in PROMPTS:
                theirs = pipeline.encode_prompt(prompt, device="cpu", num_images_per_prompt=1,
                                                do_classifier_free_guidance=False)
                ours = model.embed(prompt)
                pairs = [(ours[0], theirs[0]), (ours[1], theirs[2])] if name == "tiny-sdxl" else [(ours, theirs[0])]
                for mine, other in pairs:
                    self.assertLess((mine - other).norm() / other.norm(), 1e-6, (name, prompt))

    def test_the_client_check_accepts_what_the_reference_writes(self):
        for name, model in self.models.items():
            with tempfile.TemporaryDirectory() as folder:
                lora, ours = client_case(model, Path(folder))
                real_client.main(str(DATA / name), str(lora), str(ours))

    def test_the_client_check_refuses_sdxl_in_diffusers_spelling(self):
        model = reference_families.SdxlModel(DATA / "tiny-sdxl")
        model.spelling = lambda name: name
        with tempfile.TemporaryDirectory() as folder:
            lora, ours = client_case(model, Path(folder))
            with self.assertRaises(real_client.Mismatch):
                real_client.main(str(DATA / "tiny-sdxl"), str(lora), str(ours))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
