"""leco inspect against numpy, on files of ours and of other programs' spelling.

usage: inspect_test.py MPIEXEC LECO
"""
import hashlib
import json
import math
import shutil

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from leco_runs import ROOT, TOY, LecoTest, Run, main


def weights(*shape, dtype=torch.float32, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def dense_norm(down, up, scale):
    """Of the whole product, multiplied out in double."""
    down, up = (tensor.double().flatten(1).numpy() for tensor in (down, up))
    return np.linalg.norm(up @ down) * abs(scale)


class InspectTest(LecoTest):
    def saved(self, name, tensors, metadata=None):
        path = self.folder / f"{name}.safetensors"
        save_file({key: tensor.clone() for key, tensor in tensors.items()}, path, metadata)
        return path

    def inspect(self, path):
        return self.json_of("inspect", path)

    def text(self, path, ranks=None):
        return self.ok("inspect", path, ranks=ranks).out

    def refused(self, words, *texts, ranks=None):
        self.check_refused(Run(["inspect", *words], ranks), *texts)

    def check_close(self, a, b, what=None):
        self.assertTrue(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12), f"{what}: {a}, expected {b}")

    def compare(self, module, down, up, alpha):
        rank = down.shape[0]
        wanted = {"rank": rank, "alpha": alpha, "scale": alpha / rank, "down_shape": list(down.shape),
                  "up_shape": list(up.shape)}
        self.assertEqual({key: module[key] for key in wanted}, wanted, module["name"])
        for key, value in (("down_norm", down.double().norm().item()), ("up_norm", up.double().norm().item()),
                           ("change_norm", dense_norm(down, up, alpha / rank))):
            self.check_close(module[key], value, f"{module['name']}: {key}")

    def test_sd_scripts_files_of_any_shape_equal_numpy(self):
        tensors = {
            "lora_unet_a.lora_down.weight": weights(4, 32), "lora_unet_a.lora_up.weight": weights(48, 4, seed=1),
            "lora_unet_a.alpha": torch.tensor(1.0),
            "lora_unet_conv.lora_down.weight": weights(8, 6, 3, 3, dtype=torch.float16),
            "lora_unet_conv.lora_up.weight": weights(10, 8, 1, 1, dtype=torch.float16, seed=2),
            "lora_unet_conv.alpha": torch.tensor([-4.0], dtype=torch.float16),
            "lora_te_b.lora_down.weight": weights(2, 16, dtype=torch.bfloat16),
            "lora_te_b.lora_up.weight": torch.zeros(16, 2, dtype=torch.bfloat16),
        }
        path = self.saved("kohya", tensors, {"ss_network_dim": "8", "long": "x\n" * 500})
        found = self.inspect(path)
        modules = {module["name"]: module for module in found["modules"]}
        self.assertEqual(list(modules), ["lora_te_b", "lora_unet_a", "lora_unet_conv"])
        for name, alpha in (("lora_unet_a", 1), ("lora_unet_conv", -4), ("lora_te_b", 2)):
            self.compare(modules[name], tensors[name + ".lora_down.weight"], tensors[name + ".lora_up.weight"], alpha)
        self.assertEqual([modules[name]["has_alpha"] for name in modules], [False, True, True])
        self.assertEqual((found["zero_modules"], modules["lora_te_b"]["zero"]), (["lora_te_b"], True))
        self.assertEqual((found["dtypes"], found["ranks"]), (["BF16", "F16", "F32"], [2, 4, 8]))
        self.assertEqual(found["weights"], sum(t.numel() for n, t in tensors.items() if "alpha" not in n))
        self.check_close(found["norm"], math.sqrt(sum(m["change_norm"] ** 2 for m in found["modules"])))
        self.assertEqual(found["bytes"], path.stat().st_size)
        self.assertEqual((found["metadata"]["long"], found["settings"], found["pairs"]), ("x\n" * 500, None, None))
        self.assertIsNone(found["hash"]["matches"], "a hash without one in the file")
        text = self.text(path)
        for part in ("sd-scripts", "rank          2, 4, 8", "modules       3, 1 of them on 3×3 convolutions",
                     "zero modules  1 of 3: lora_te_b", "lora_unet_conv", "1000 bytes", "BF16, F16, F32",
                     "the file carries none"):
            self.assertIn(part, text)

    def test_dotted_files_are_named_and_shown(self):
        down, up = weights(4, 32), weights(48, 4, seed=1)
        spellings = {"PEFT": ("unet.mid.to_q.lora_A.weight", "unet.mid.to_q.lora_B.weight"),
                     "Diffusers' own": ("unet.mid.to_q.lora.down.weight", "unet.mid.to_q.lora.up.weight"),
                     "old layout": ("mid.processor.to_q_lora.down.weight", "mid.processor.to_q_lora.up.weight")}
        for layout, (down_name, up_name) in spellings.items():
            found = self.inspect(self.saved("dotted", {down_name: down, up_name: up}))
            self.assertIn(layout, found["layout"])
            module, = found["modules"]
            self.assertTrue(module["name"].endswith("to_q"), module["name"])
            self.compare(module, down, up, 4)

    def test_our_own_files_show_settings_pairs_and_a_right_checksum(self):
        self.ok("train", "--config_file=configs/toy_slider.toml", "--max_train_steps=2", f"--output_dir={self.folder}",
                "--output_name=ours", "--network_dim=3", "--network_alpha=1.5", "--save_precision=fp16", folder=ROOT)
        path = self.folder / "ours.safetensors"
        found = self.inspect(path)
        with safe_open(path, "pt") as file:
            tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()
        self.assertEqual(len(found["modules"]), 192)
        for module in found["modules"]:
            name = module["name"]
            self.compare(module, tensors[name + ".lora_down.weight"], tensors[name + ".lora_up.weight"], 1.5)
        self.assertEqual(found["metadata"], metadata)
        self.assertEqual(found["settings"], json.loads(metadata["leco_settings"]))
        self.assertEqual((found["pairs"], len(found["pairs"])), (json.loads(metadata["leco_pairs"]), 4))
        blob = path.read_bytes()
        data = blob[8 + int.from_bytes(blob[:8], "little"):]
        self.assertEqual((found["hash"]["computed"], found["hash"]["matches"]), (hashlib.sha256(data).hexdigest(), True))
        text = self.text(path, ranks=2)
        for part in ("scale alpha/rank 0.5", "fits the weights", "Settings it was trained with",
                     'target         "circle"', "ss_network_dim"):
            self.assertIn(part, text)
        self.assertEqual(text.count("Settings it was trained with"), 1, "two ranks print twice")

        changed = self.folder / "changed.safetensors"
        changed.write_bytes(blob[:-1] + bytes([blob[-1] ^ 1]))
        self.assertIs(self.inspect(changed)["hash"]["matches"], False)
        self.assertIn("does NOT fit", self.text(changed))

    def test_broken_numbers_and_foreign_metadata_are_shown(self):
        down = weights(4, 32)
        down[1, 2] = math.nan
        path = self.saved("nan", {"m.lora_down.weight": down, "m.lora_up.weight": weights(8, 4), "bundle_emb": weights(2)},
                          {"leco_settings": "[1", "leco_pairs": '[3, {"target": 1}, null]'})
        found = self.inspect(path)
        self.assertEqual((found["modules"][0]["change_norm"], found["modules"][0]["zero"]), (None, False))
        self.assertEqual(found["other_tensors"], ["bundle_emb"])
        text = self.text(path)
        self.assertIn("NOT FINITE", text)
        self.assertIn("other tensors", text)

    def test_what_is_no_lora_is_named_and_refused(self):
        self.refused([TOY / "unet/diffusion_pytorch_model.safetensors"], "U-Net")
        self.refused([TOY / "text_encoder/model.safetensors"], "text encoder")
        self.refused([TOY / "vae/diffusion_pytorch_model.safetensors"], "VAE")
        one = weights(2, 2)
        pair = {"m.lora_down.weight": one, "m.lora_up.weight": one}
        for kind, tensors in {
                "channels": {"model.diffusion_model.input_blocks.0.0.weight": one},
                "LoHa": {"m.hada_w1_a": one}, "LoKr": {"m.lokr_w1": one}, "textual inversion": {"emb_params": one},
                "DoRA": {**pair, "m.dora_scale": one}, "Tucker": {**pair, "m.lora_mid.weight": one},
                "a file of 1 tensor": {"something": one}, "no up weight": {"m.lora_down.weight": one},
                "no down weight": {"m.lora_up.weight": one}, "no product": {**pair, "m.lora_up.weight": weights(2, 3)},
                "alpha": {**pair, "m.alpha": one}}.items():
            with self.subTest(kind):
                self.refused([self.saved("other", tensors)], kind)

    def test_a_model_is_shown_part_by_part(self):
        text = self.text(TOY)
        for part in ("SD 1.x", "epsilon (by scheduler_config.json)", "can be trained  yes", "U-Net\n", "text encoder\n",
                     "VAE\n"):
            self.assertIn(part, text)
        components = self.inspect(TOY)["components"]
        self.assertEqual([part["part"] for part in components], ["U-Net", "text encoder", "VAE"])
        for part in components:
            tensors = load_file(part["file"])
            numbers = sum(t.numel() for name, t in tensors.items() if not name.startswith(("encoder.", "quant_conv.")))
            self.assertEqual((part["parameters"], part["problems"], part["unused"]), (numbers, [], []), part["part"])
        self.refused([TOY, "--v2"], "--v2", "SD 1.x")

    def test_what_a_model_lacks_is_listed(self):
        short = self.folder / "short"
        shutil.copytree(TOY, short)
        unet = short / "unet/diffusion_pytorch_model.safetensors"
        tensors = load_file(unet)
        del tensors["conv_in.bias"]
        tensors["spare.weight"] = weights(3)
        save_file(tensors, unet)
        shutil.rmtree(short / "vae")
        text = self.text(short)
        for part in ("can be trained  NO", "1 tensor is wrong or missing", "conv_in.bias", "not used    spare.weight"):
            self.assertIn(part, text)
        self.assertNotIn("VAE", text)

    def test_bad_files_and_words_are_refused(self):
        good = self.saved("good", {"m.lora_down.weight": weights(4, 8), "m.lora_up.weight": weights(8, 4)}).read_bytes()
        for name, blob in {"empty": b"", "cut": good[:-1], "text": b"hello, this is no weights file at all"}.items():
            path = self.folder / f"{name}.safetensors"
            path.write_bytes(blob)
            self.refused([path], name)
        torch.save({"a": weights(1)}, self.folder / "a.ckpt")
        self.refused([self.folder / "a.ckpt"], "a.ckpt", "torch.save")
        self.refused([self.folder], "folder")
        self.refused(["none.safetensors"], "none.safetensors", ranks=2)
        self.refused([], "one file or model")
        self.refused(["a", "b"], "one file or model")
        self.refused(["a", "--jsn"], "--jsn", "--json")
        self.assertIn("Usage: leco inspect LORA|MODEL", self.ok("inspect", "--help").out)


if __name__ == "__main__":
    main()
