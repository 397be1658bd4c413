"""Writes tests/data/golden/precision.json: how far diffusers in 16 bits is from itself in float32, and torch's loss scaler.

usage: make_precision_golden.py [DATA [OUTPUT]]      (tests/data, tests/data/golden)
From tests/data/toy-sd and tiny-sd2v, with torch 2.11.0, diffusers 0.35.2 and transformers 4.57.1 on one CPU
thread. What is stored is said in RECIPE and in the file itself.
"""
import json
import sys
from pathlib import Path

import torch

import make_family_golden
import make_golden
import reference_trainer as reference
from make_golden import SEED, TESTS, as_json, filled_network, relative
from reference_trainer import Draws

OVERFLOWS = [0, 1, 5, 2010, 4011]
SHOWN = [0, 1, 2, 5, 6, 2005, 2006, 2010, 2011, 4010, 4011, 4012, 6011, 6012]
RECIPE = """
distances: |16 bits - float32| / |float32| of diffusers' U-Net, weights and inputs in that type, as in its pipelines; inputs
of unet.safetensors and sd2v_unet.safetensors, both samples in one call. plain: the output without a
LoRA; and of the toy with the LoRA of lora.safetensors (lora_up times `up`, multiplier 1.5), its weights rounded to the
layers' type at each use, float32 masters: output, up, down: the output and all gradients of lora_up and lora_down of
lora.safetensors' loss, which in float16 is multiplied by 65536 before backward() and the gradients divided. scaler: the
scale of torch.amp.GradScaler() after each of the steps `shown` when the gradients of the steps `overflows` are not
finite."""
UPS = [0.25, 0.01]


def half_model(folder, dtype):
    model = reference.Model(folder)
    model.unet.to(dtype)
    return model


def inputs_of(model, family):
    return make_golden.unet_inputs(model) if family == "toy-sd" else make_family_golden.unet_inputs(model)


def call(model, inputs, dtype):
    inputs = {name: value.to(dtype) if value.is_floating_point() else value
              for name, value in inputs.items()}
    return make_family_golden.call_unet(model.unet, inputs).float()


def with_lora(model, inputs, dtype, up):
    network = filled_network(model)
    for adapter in network.adapters:
        adapter.up.data *= up / 0.25
    y = Draws(SEED, reference.LATENTS, item=2).normals(2, 4, 16, 16)
    scale = 65536.0 if dtype == torch.float16 else 1.0
    with network.on(1.5):
        output = call(model, inputs, dtype)
    ((output - y).square().mean() * scale).backward()
    found = {"output": output.detach(),
             "up": torch.cat([adapter.up.grad.flatten() / scale for adapter in network.adapters]),
             "down": torch.cat([adapter.down.grad.flatten() / scale for adapter in network.adapters])}
    network.detach()
    return found


def distances(data):
    rows = []
    for family in ("toy-sd", "tiny-sd2v"):
        exact_model = half_model(data / family, torch.float32)
        inputs = inputs_of(exact_model, family)
        for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
            model = half_model(data / family, dtype)
            with torch.no_grad():
                plain = relative(call(model, inputs, dtype), call(exact_model, inputs, torch.float32))
            rows.append({"model": family, "type": name, "plain": plain})
            if family == "toy-sd":
                rows[-1]["lora"] = []
                for up in UPS:
                    found, exact = (with_lora(m, inputs, d, up) for m, d in ((model, dtype), (exact_model, torch.float32)))
                    rows[-1]["lora"].append({"factor": up, **{key: relative(found[key], exact[key]) for key in exact}})
            print(json.dumps(rows[-1]))
    return rows


def scaler():
    scaler, weight = torch.amp.GradScaler("cpu"), torch.zeros(1, requires_grad=True)
    optimizer, scales = torch.optim.SGD([weight], lr=0.1), []
    for step in range(max(SHOWN) + 1):
        optimizer.zero_grad()
        scaler.scale((weight * 0).sum() + (weight * torch.inf).sum() if step in OVERFLOWS else weight.sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        if step in SHOWN:
            scales.append(scaler.get_scale())
    return {"overflows": OVERFLOWS, "shown": SHOWN, "scales": scales}


def main(data=TESTS / "data", output=TESTS / "data/golden"):
    torch.set_num_threads(1)
    Path(output, "precision.json").write_text(as_json({
        "recipe": " ".join(RECIPE.split()), "distances": distances(Path(data)), "scaler": scaler()}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
