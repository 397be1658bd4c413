"""Does the real client read our LoRA file, all of it, and compute what we compute?

usage: real_client.py MODEL LORA OURS
MODEL  a Diffusers folder of Stable Diffusion 1, 2 or XL, loaded in fp32
LORA   the file under test: lora_unet_….lora_down.weight, .lora_up.weight, .alpha; SDXL's in SGM spelling
OURS   a safetensors file of the program's own U-Net on MODEL and LORA: latents (B, 4, h, w), timesteps (B), embeddings
       (B, L, D), with SDXL also pooled (B, P) and time_ids (B, 6: original height, width, crop top, left, target
       height, width), and for each scale s a tensor output_<s>, at least output_-1, output_0.5 and output_1
Exit status 0 when diffusers' load_lora_weights uses every tensor of the file and its outputs equal ours to 1e-5
relative, and when every key is one that A1111 and ComfyUI look for; else 1 with what is wrong.
"""
import json
import re
import sys
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.utils import logging
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import safe_open
from safetensors.torch import load_file

PIPELINES = {"StableDiffusionPipeline": StableDiffusionPipeline, "StableDiffusionXLPipeline": StableDiffusionXLPipeline}
SCALES = ("-1", "0.5", "1")
TOLERANCE = 1e-5
PARTS = {"lora_down.weight", "lora_up.weight", "alpha"}


class Mismatch(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Mismatch(message)


def modules_of(lora):
    """{module key: {part: tensor}}, each module with its three parts."""
    modules = {}
    for key, tensor in lora.items():
        module, _, part = key.partition(".")
        check(part in PARTS, f"{key}: not one of {sorted(PARTS)}")
        modules.setdefault(module, {})[part] = tensor
    check(modules, "no module in the file")
    for module, parts in modules.items():
        check(set(parts) == PARTS, f"{module}: has only {sorted(parts)}")
        rank = parts["lora_down.weight"].shape[0]
        check(parts["lora_up.weight"].shape[1] == rank, f"{module}: lora_up's rank is not lora_down's {rank}")
    return modules


# ---- the rules of the other loaders --------------------------------------------------------------

def ldm_blocks(config):
    """Pairs (block of Diffusers, block of Stable Diffusion's own code), by walking the U-Net as the LDM code builds it.

    A level of the way down is layers_per_block blocks and a downsampler, each with its own number in input_blocks. On
    the way up a level is layers_per_block + 1 blocks in output_blocks; the upsampler stands last in the last of them.
    """
    layers, pairs, number = config["layers_per_block"], [("conv_in", "input_blocks.0.0")], 1
    for level, kind in enumerate(config["down_block_types"]):
        for layer in range(layers):
            pairs.append((f"down_blocks.{level}.resnets.{layer}", f"input_blocks.{number}.0"))
            if kind.startswith("CrossAttn"):
                pairs.append((f"down_blocks.{level}.attentions.{layer}", f"input_blocks.{number}.1"))
            number += 1
        if level + 1 < len(config["down_block_types"]):
            pairs.append((f"down_blocks.{level}.downsamplers.0.conv", f"input_blocks.{number}.0.op"))
            number += 1
    pairs += [("mid_block.resnets.0", "middle_block.0"), ("mid_block.attentions.0", "middle_block.1"),
              ("mid_block.resnets.1", "middle_block.2")]
    number = 0
    for level, kind in enumerate(config["up_block_types"]):
        for layer in range(layers + 1):
            inside = 1
            pairs.append((f"up_blocks.{level}.resnets.{layer}", f"output_blocks.{number}.0"))
            if kind.startswith("CrossAttn"):
                pairs.append((f"up_blocks.{level}.attentions.{layer}", f"output_blocks.{number}.1"))
                inside = 2
            if layer == layers and level + 1 < len(config["up_block_types"]):
                pairs.append((f"up_blocks.{level}.upsamplers.0.conv", f"output_blocks.{number}.{inside}.conv"))
            number += 1
    return pairs + [("conv_out", "out.2"), ("time_embedding.linear_1", "time_embed.0"),
                    ("time_embedding.linear_2", "time_embed.2"), ("add_embedding.linear_1", "label_emb.0.0"),
                    ("add_embedding.linear_2", "label_emb.0.2")]


RESNET_LAYERS = {"conv1": "in_layers.2", "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1",
                 "conv_shortcut": "skip_connection"}


def ldm_names(unet):
    """{Diffusers' module name: LDM's module name} of every layer with a weight matrix."""
    blocks, names = ldm_blocks(unet.config), {}
    for name, module in unet.named_modules():
        if not isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            continue
        ours, theirs = next((a, b) for a, b in blocks if name == a or name.startswith(a + "."))
        rest = name[len(ours) + 1:]
        rest = RESNET_LAYERS[rest] if ".resnets." in name else rest
        names[name] = theirs + ("." + rest if rest else "")
    return names


def underscored(name):
    return name.replace(".", "_")


def is_sdxl(unet):
    return unet.config.addition_embed_type == "text_time"


def own_names(unet):
    """{Diffusers' module name: the name that our keys are made of}: SGM's in SDXL, else Diffusers' own."""
    return {name: theirs if is_sdxl(unet) else name for name, theirs in ldm_names(unet).items()}


def comfyui_keys(unet):
    """What ComfyUI derives: LDM names and Diffusers names of the model's weights alike, dots turned into underscores."""
    return {"lora_unet_" + underscored(name) for both in ldm_names(unet).items() for name in both}


A1111_RULES = (
    (r"down_blocks_(\d+)_(attentions|resnets)_(\d+)_(.+)", lambda level, kind, layer, rest:
        f"input_blocks_{3 * int(level) + int(layer) + 1}_{int(kind == 'attentions')}_{rest}"),
    (r"up_blocks_(\d+)_(attentions|resnets)_(\d+)_(.+)", lambda level, kind, layer, rest:
        f"output_blocks_{3 * int(level) + int(layer)}_{int(kind == 'attentions')}_{rest}"),
    (r"mid_block_(attentions|resnets)_(\d+)_(.+)", lambda kind, layer, rest:
        f"middle_block_{1 if kind == 'attentions' else 2 * int(layer)}_{rest}"),
    (r"down_blocks_(\d+)_downsamplers_0_conv", lambda level: f"input_blocks_{3 * int(level) + 3}_0_op"),
    (r"up_blocks_(\d+)_upsamplers_0_conv", lambda level:
        f"output_blocks_{3 * int(level) + 2}_{2 if int(level) else 1}_conv"),
)


def a1111_name(key):
    """The LDM module, dots as underscores, that A1111 looks up for a key: rules with SD1's block numbers built in, for
    Diffusers' names; LDM's, which are SGM's, stand as they are."""
    name = key.removeprefix("lora_unet_")
    for pattern, rule in A1111_RULES:
        match = re.fullmatch(pattern, name)
        if match:
            groups = list(match.groups())
            if "resnets" in groups:
                groups[-1] = underscored(RESNET_LAYERS.get(groups[-1], groups[-1]))
            return rule(*groups)
    return name


def check_other_loaders(modules, unet):
    ours = {"lora_unet_" + underscored(name): underscored(theirs) for name, theirs in ldm_names(unet).items()}
    comfyui = comfyui_keys(unet)
    for key in modules:
        check(key in comfyui, f"{key}: ComfyUI looks for no such key")
        found = a1111_name(key)
        check(key not in ours or found == ours[key], f"{key}: A1111 takes it to {found}, which is not {ours.get(key)}")
        check(key in ours or found in ours.values(), f"{key}: A1111 finds no module {found}")


# ---- diffusers -----------------------------------------------------------------------------------

def check_layers(modules, unet, names):
    """Each module of the file is one adapted layer with the file's own weights and scaling, and there is no other."""
    layers = {"lora_unet_" + underscored(names[name]): layer for name, layer in unet.named_modules()
              if isinstance(layer, BaseTunerLayer)}
    check(set(layers) == set(modules), f"diffusers adapted {len(layers)} layers, the file has {len(modules)} modules; "
                                       f"differing: {sorted(set(layers) ^ set(modules))[:4]}")
    for key, parts in modules.items():
        layer, down, up = layers[key], parts["lora_down.weight"].float(), parts["lora_up.weight"].float()
        (adapter,) = layer.lora_A.keys()
        check(torch.equal(layer.lora_A[adapter].weight, down), f"{key}: lora_down did not arrive unchanged")
        check(torch.equal(layer.lora_B[adapter].weight, up), f"{key}: lora_up did not arrive unchanged")
        scaling, theirs = parts["alpha"].item() / down.shape[0], layer.scaling[adapter]
        check(abs(theirs - scaling) < 1e-6, f"{key}: diffusers scales by {theirs}, not by alpha/rank = {scaling}")


def load_pipeline(model):
    kind = json.loads((Path(model) / "model_index.json").read_text())["_class_name"]
    check(kind in PIPELINES, f"{model} is a {kind}; one of {sorted(PIPELINES)} is expected")
    return PIPELINES[kind].from_pretrained(model, torch_dtype=torch.float32)


def unet_arguments(ours, unet):
    arguments = {"sample": ours["latents"].float(), "timestep": ours["timesteps"],
                 "encoder_hidden_states": ours["embeddings"].float()}
    if is_sdxl(unet):
        check({"pooled", "time_ids"} <= set(ours), "SDXL's outputs come without pooled and time_ids")
        arguments["added_cond_kwargs"] = {"text_embeds": ours["pooled"].float(), "time_ids": ours["time_ids"].float()}
    return arguments


def check_outputs(pipeline, ours):
    arguments = unet_arguments(ours, pipeline.unet)
    (adapter,) = pipeline.get_list_adapters()["unet"]
    scales = [name.removeprefix("output_") for name in ours if name.startswith("output_")]
    check(set(SCALES) <= set(scales), f"the outputs at {SCALES} are wanted, found {scales}")
    distances = {}
    for scale in scales:
        pipeline.set_adapters([adapter], [float(scale)])
        with torch.no_grad():
            theirs = pipeline.unet(**arguments).sample.double()
        distances[scale] = ((ours[f"output_{scale}"].double() - theirs).norm() / theirs.norm()).item()
        check(distances[scale] <= TOLERANCE,
              f"scale {scale}: outputs are {distances[scale]:.2e} apart, allowed {TOLERANCE:.0e}")
    return distances


def main(model, lora_file, ours_file):
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    modules = modules_of(load_file(lora_file))
    with safe_open(lora_file, "pt") as file:
        metadata = file.metadata() or {}
    pipeline = load_pipeline(model)
    names = own_names(pipeline.unet)
    check_other_loaders(modules, pipeline.unet)
    path = Path(lora_file).resolve()
    pipeline.load_lora_weights(str(path.parent), weight_name=path.name)
    check_layers(modules, pipeline.unet, names)
    distances = check_outputs(pipeline, load_file(ours_file))
    print(json.dumps({"modules": len(modules), "metadata": len(metadata), "relative_distance": distances}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Mismatch as mismatch:
        sys.exit(f"real_client: {mismatch}")
