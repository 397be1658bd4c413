"""leco inspect against numpy, on files of ours and of other programs' spelling.

usage: inspect_test.py MPIEXEC LECO
"""
import hashlib
import json
import math
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from calls import TOY, check, json_of, output_of, refused, run_all
from safetensors import safe_open
from safetensors.torch import load_file, save_file

folder = Path(tempfile.mkdtemp())


def weights(*shape, dtype=torch.float32, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def saved(name, tensors, metadata=None):
    path = folder / f"{name}.safetensors"
    save_file({key: tensor.clone() for key, tensor in tensors.items()}, path, metadata)
    return path


def dense_norm(down, up, scale):
    """Of the whole product, multiplied out in double."""
    down, up = (tensor.double().flatten(1).numpy() for tensor in (down, up))
    return np.linalg.norm(up @ down) * abs(scale)


def close(a, b):
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def compare(module, down, up, alpha):
    rank = down.shape[0]
    wanted = {"rank": rank, "alpha": alpha, "scale": alpha / rank, "down_shape": list(down.shape),
              "up_shape": list(up.shape)}
    for key, value in wanted.items():
        check(module[key] == value, f"{module['name']}: {key} {module[key]}, expected {value}")
    for key, value in (("down_norm", down.double().norm().item()), ("up_norm", up.double().norm().item()),
                       ("change_norm", dense_norm(down, up, alpha / rank))):
        check(close(module[key], value), f"{module['name']}: {key} {module[key]}, expected {value}")


def kohya_files_of_any_shape_equal_numpy():
    tensors = {
        "lora_unet_a.lora_down.weight": weights(4, 32), "lora_unet_a.lora_up.weight": weights(48, 4, seed=1),
        "lora_unet_a.alpha": torch.tensor(1.0),
        "lora_unet_conv.lora_down.weight": weights(8, 6, 3, 3, dtype=torch.float16),
        "lora_unet_conv.lora_up.weight": weights(10, 8, 1, 1, dtype=torch.float16, seed=2),
        "lora_unet_conv.alpha": torch.tensor([-4.0], dtype=torch.float16),
        "lora_te_b.lora_down.weight": weights(2, 16, dtype=torch.bfloat16),
        "lora_te_b.lora_up.weight": torch.zeros(16, 2, dtype=torch.bfloat16),
    }
    path = saved("kohya", tensors, {"ss_network_dim": "8", "long": "x\n" * 500})
    found = json_of("inspect", path)
    modules = {module["name"]: module for module in found["modules"]}
    check(list(modules) == ["lora_te_b", "lora_unet_a", "lora_unet_conv"], f"{list(modules)}")
    for name, alpha in (("lora_unet_a", 1), ("lora_unet_conv", -4), ("lora_te_b", 2)):
        compare(modules[name], tensors[name + ".lora_down.weight"], tensors[name + ".lora_up.weight"], alpha)
    check([modules[name]["has_alpha"] for name in modules] == [False, True, True], "has_alpha")
    check(found["zero_modules"] == ["lora_te_b"] and modules["lora_te_b"]["zero"], f"{found['zero_modules']}")
    check(found["dtypes"] == ["BF16", "F16", "F32"] and found["ranks"] == [2, 4, 8], "types or ranks")
    check(found["weights"] == sum(t.numel() for n, t in tensors.items() if "alpha" not in n), "number of weights")
    check(close(found["norm"], math.sqrt(sum(m["change_norm"] ** 2 for m in found["modules"]))), "whole norm")
    check(found["bytes"] == path.stat().st_size, "bytes")
    check(found["metadata"]["long"] == "x\n" * 500 and (found["settings"], found["pairs"]) == (None, None),
          "metadata")
    check(found["hash"]["matches"] is None, "a hash without one in the file")
    text = output_of("inspect", path)
    for part in ("sd-scripts", "rank          2, 4, 8", "modules       3, 1 of them on 3×3 convolutions", "zero modules  1 of 3: lora_te_b", "lora_unet_conv",
                 "1000 bytes", "BF16, F16, F32", "the file carries none"):
        check(part in text, f"{part!r} is not in {text}")


def dotted_files_are_named_and_shown():
    down, up = weights(4, 32), weights(48, 4, seed=1)
    spellings = {"PEFT": ("unet.mid.to_q.lora_A.weight", "unet.mid.to_q.lora_B.weight"),
                 "Diffusers' own": ("unet.mid.to_q.lora.down.weight", "unet.mid.to_q.lora.up.weight"),
                 "old layout": ("mid.processor.to_q_lora.down.weight", "mid.processor.to_q_lora.up.weight")}
    for layout, (down_name, up_name) in spellings.items():
        found = json_of("inspect", saved("dotted", {down_name: down, up_name: up}))
        check(layout in found["layout"], f"{found['layout']}, expected {layout}")
        check(found["modules"][0]["name"].endswith("to_q"), f"{found['modules']}")
        compare(found["modules"][0], down, up, 4)


def our_own_files_show_settings_pairs_and_a_right_checksum():
    output_of("train", "--config_file=configs/toy_slider.toml", "--max_train_steps=2", f"--output_dir={folder}",
                "--output_name=ours", "--network_dim=3", "--network_alpha=1.5", "--save_precision=fp16")
    path = folder / "ours.safetensors"
    found = json_of("inspect", path)
    with safe_open(path, "pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()
    check(len(found["modules"]) == 192, f"{len(found['modules'])} modules")
    for module in found["modules"]:
        name = module["name"]
        compare(module, tensors[name + ".lora_down.weight"], tensors[name + ".lora_up.weight"], 1.5)
    check(found["metadata"] == metadata, "metadata")
    check(found["settings"] == json.loads(metadata["leco_settings"]), "settings")
    check(found["pairs"] == json.loads(metadata["leco_pairs"]) and len(found["pairs"]) == 4, "pairs")
    blob = path.read_bytes()
    data = blob[8 + int.from_bytes(blob[:8], "little"):]
    check(found["hash"]["computed"] == hashlib.sha256(data).hexdigest(), "hash")
    check(found["hash"]["matches"] is True, "the hash does not match")
    text = output_of("inspect", path, ranks=2)
    for part in ("scale alpha/rank 0.5", "fits the weights", "Settings it was trained with", 'target         "circle"',
                 "ss_network_dim"):
        check(text.count(part) >= 1, f"{part!r} is not in {text}")
    check(text.count("Settings it was trained with") == 1, "two ranks print twice")

    changed = bytearray(blob)
    changed[-1] ^= 1
    (folder / "changed.safetensors").write_bytes(changed)
    check(json_of("inspect", folder / "changed.safetensors")["hash"]["matches"] is False, "a changed file passes")
    check("does NOT fit" in output_of("inspect", folder / "changed.safetensors"), "a changed file passes")


def broken_numbers_and_foreign_metadata_are_shown():
    down = weights(4, 32)
    down[1, 2] = math.nan
    path = saved("nan", {"m.lora_down.weight": down, "m.lora_up.weight": weights(8, 4), "bundle_emb": weights(2)},
                 {"leco_settings": "[1", "leco_pairs": '[3, {"target": 1}, null]'})
    found = json_of("inspect", path)
    check(found["modules"][0]["change_norm"] is None and not found["modules"][0]["zero"], f"{found['modules']}")
    check(found["other_tensors"] == ["bundle_emb"], f"{found['other_tensors']}")
    text = output_of("inspect", path)
    check("NOT FINITE" in text and "other tensors" in text, text)


def what_is_no_lora_is_named_and_refused():
    refused("inspect", TOY / "unet/diffusion_pytorch_model.safetensors", naming=["U-Net"])
    refused("inspect", TOY / "text_encoder/model.safetensors", naming=["text encoder"])
    refused("inspect", TOY / "vae/diffusion_pytorch_model.safetensors", naming=["VAE"])
    one = weights(2, 2)
    pair = {"m.lora_down.weight": one, "m.lora_up.weight": one}
    for kind, tensors in {
            "channels": {"model.diffusion_model.input_blocks.0.0.weight": one},
            "LoHa": {"m.hada_w1_a": one}, "LoKr": {"m.lokr_w1": one}, "textual inversion": {"emb_params": one},
            "DoRA": {**pair, "m.dora_scale": one}, "Tucker": {**pair, "m.lora_mid.weight": one},
            "a file of 1 tensor": {"something": one}, "no up weight": {"m.lora_down.weight": one},
            "no down weight": {"m.lora_up.weight": one}, "no product": {**pair, "m.lora_up.weight": weights(2, 3)},
            "alpha": {**pair, "m.alpha": one}}.items():
        refused("inspect", saved("other", tensors), naming=[kind])


def a_model_is_shown_part_by_part():
    text = output_of("inspect", TOY)
    for part in ("SD 1.x", "epsilon (by scheduler_config.json)", "can be trained  yes", "U-Net\n", "text encoder\n", "VAE\n"):
        check(part in text, text)
    found = json.loads(output_of("inspect", TOY, "--json"))
    check([part["part"] for part in found["components"]] == ["U-Net", "text encoder", "VAE"], found)
    for part in found["components"]:
        tensors = load_file(part["file"])
        numbers = sum(t.numel() for name, t in tensors.items() if not name.startswith(("encoder.", "quant_conv.")))
        check(part["parameters"] == numbers and not part["problems"] and not part["unused"], part)
    refused("inspect", TOY, "--v2", naming=["--v2", "SD 1.x"])


def what_a_model_lacks_is_listed():
    short = folder / "short"
    shutil.copytree(TOY, short)
    unet = short / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(unet)
    del tensors["conv_in.bias"]
    tensors["spare.weight"] = weights(3)
    save_file(tensors, unet)
    shutil.rmtree(short / "vae")
    text = output_of("inspect", short)
    for part in ("can be trained  NO", "1 tensor is wrong or missing", "conv_in.bias", "not used    spare.weight"):
        check(part in text, text)
    check("VAE" not in text, text)


def bad_files_and_words_are_refused():
    good = saved("good", {"m.lora_down.weight": weights(4, 8), "m.lora_up.weight": weights(8, 4)}).read_bytes()
    for name, blob in {"empty": b"", "cut": good[:-1], "text": b"hello, this is no weights file at all"}.items():
        path = folder / f"{name}.safetensors"
        path.write_bytes(blob)
        refused("inspect", path, naming=[name])
    torch.save({"a": weights(1)}, folder / "a.ckpt")
    refused("inspect", folder / "a.ckpt", naming=["a.ckpt", "torch.save"])
    refused("inspect", folder, naming=["folder"])
    refused("inspect", "none.safetensors", naming=["none.safetensors"], ranks=2)
    refused("inspect", naming=["one file or model"])
    refused("inspect", "a", "b", naming=["one file or model"])
    refused("inspect", "a", "--jsn", naming=["--jsn", "--json"])
    check("Usage: leco inspect LORA|MODEL" in output_of("inspect", "--help"), "help")


if __name__ == "__main__":
    sys.exit(run_all([
        kohya_files_of_any_shape_equal_numpy, dotted_files_are_named_and_shown,
        our_own_files_show_settings_pairs_and_a_right_checksum, broken_numbers_and_foreign_metadata_are_shown,
        what_is_no_lora_is_named_and_refused,
        a_model_is_shown_part_by_part, what_a_model_lacks_is_listed, bad_files_and_words_are_refused]))
