"""Writes the goldens of --network_args into tests/data/golden, as make_golden.py does those of a plain LoRA.

usage: make_lora_golden.py [DATA [OUTPUT]]      (tests/data, tests/data/golden)
From tests/data/toy-sd, tiny-sd2v and tiny-sdxl, with torch 2.11.0, diffusers 0.35.2 and transformers 4.57.1 on one CPU
thread. What each file holds is said in RECIPES and, under "recipe", in the file itself.
"""
import sys
from pathlib import Path

import torch

import make_golden
import make_family_golden as family_golden
import reference_families as families
import reference_lora
import reference_trainer as reference
from make_golden import SEED, TESTS, as_json, filled_network, flat, norms, total_norms
from reference_draws import Draws

SD_DIMS, SDXL_DIMS = [1 + block % 3 for block in range(25)], [1 + block % 3 for block in range(23)]
LOCON = {"conv_dim": 3, "conv_alpha": 1.5}
PAIRS = [
    {"target": "a big red circle", "positive": "a red circle", "resolution": 128, "batch_size": 2, "weight": 0.5},
    {"target": "circle", "positive": "a big circle", "unconditional": "a small circle", "neutral": "circle",
     "action": "enhance", "guidance_scale": 2.0, "multiplier": -1.0, "resolution": 128},
]
SETTINGS = {
    "seed": SEED, "max_train_steps": 2, "pairs_per_step": 2, "max_denoising_steps": 8, "rollout_length": "independent",
    "network_dim": 4, "network_alpha": 2.0, "learning_rate": 1e-3, "max_grad_norm": 0.004,
}
VARIANTS = {
    "toy-sd": {
        "convolutions": {"network_args": LOCON},
        "convolutions, neuron dropout": {"network_args": LOCON, "network_dropout": 0.3},
        "convolutions, rank dropout": {"network_args": {**LOCON, "rank_dropout": 0.3}},
        "convolutions, module dropout": {"network_args": {**LOCON, "module_dropout": 0.3}},
        "every dropout": {"network_args": {**LOCON, "rank_dropout": 0.2, "module_dropout": 0.2}, "network_dropout": 0.1},
        "LoRA+": {"network_args": {"loraplus_lr_ratio": 4.0}},
        "block rates": {"network_args": {
            "down_lr_weight": "sine+0.25", "mid_lr_weight": [0.0], "up_lr_weight": [0.0, 0.5, 0.1, 2.0, 1.5],
            "block_lr_zero_threshold": 0.1, **LOCON}},
        "block ranks": {"network_args": {
            "block_dims": [dim % 3 for dim in SD_DIMS], "block_alphas": [0.5 * dim for dim in SD_DIMS],
            "conv_block_dims": SD_DIMS[::-1]}},
        "noxattn with convolutions": {"network_args": {**LOCON, "train_method": "noxattn"}},
    },
    "tiny-sdxl": {
        "convolutions, every dropout": {
            "network_args": {**LOCON, "rank_dropout": 0.2, "module_dropout": 0.2}, "network_dropout": 0.1},
        "block ranks and rates": {"network_args": {
            "block_dims": SDXL_DIMS, "conv_dim": 2, "down_lr_weight": "linear", "mid_lr_weight": [0.5, 1.0, 0.0],
            "up_lr_weight": "cosine"}},
    },
}
make_golden.RECIPES.update({
    "locon.safetensors": f"""
As lora.safetensors, on the layers of resnets and samplers too: network_args {LOCON}. norms in the order of the modules
of lora_layers.txt; gradients of the layers that only convolutions bring.""",
    "lora_steps.json": """
reference_trainer.train on the toy model and on tiny-sdxl with other network_args: the records of metrics.jsonl without
seconds. index and value: some entries of the LoRA's weights in one row, for each module in order lora_down, then
lora_up, row-major.""",
})
SHOWN = ["down_blocks.0.resnets.0.conv1", "down_blocks.1.resnets.0.time_emb_proj", "down_blocks.1.downsamplers.0.conv",
         "up_blocks.2.resnets.1.conv_shortcut", "up_blocks.0.upsamplers.0.conv", "mid_block.resnets.1.conv2"]


def write_locon(model, path):
    inputs, network = make_golden.unet_inputs(model), filled_network(model, **LOCON)
    call = inputs["latents"], inputs["timesteps"], inputs["embeddings"]
    with network.on(1.5):
        output = model.unet(*call).sample
    loss = (output - Draws(SEED, reference.LATENTS, item=2).normals(2, 4, 16, 16)).square().mean()
    loss.backward()
    tensors = {"output": output, "loss": loss,
               "down_gradient_norms": norms(adapter.down.grad for adapter in network.adapters),
               "up_gradient_norms": norms(adapter.up.grad for adapter in network.adapters)}
    for adapter in network.adapters:
        if adapter.name in SHOWN:
            tensors[adapter.key() + ".lora_down.weight"] = adapter.down.grad
            tensors[adapter.key() + ".lora_up.weight"] = adapter.up.grad
    make_golden.write_tensors(path, tensors)
    network.detach()


def write_layers(unets, path):
    """Of each full-size U-Net the layers that conv_dim adds: place among all, Diffusers' name, key, block."""
    lines = ["# family, place among all layers that may get a module, layer, key of LoRA files, block of sd-scripts"]
    for family, (unet, spelling) in unets.items():
        for place, (name, _) in enumerate(reference_lora.candidates(unet)):
            key = "lora_unet_" + spelling(name).replace(".", "_")
            if ".attentions." not in name or name.endswith("proj_in"):
                lines.append(f"{family} {place} {name} {key} {reference_lora.block_of(key)[0]}")
    path.write_text("\n".join(lines) + "\n")


def full_size():
    with torch.device("meta"):
        sd1 = family_golden.UNet2DConditionModel(
            sample_size=64, block_out_channels=(320, 640, 1280, 1280), attention_head_dim=8, cross_attention_dim=768)
        sdxl = family_golden.full_size_sdxl()
    assert len(reference_lora.candidates(sd1)) == 278 and len(reference_lora.candidates(sdxl)) == 788
    sgm = family_golden.ldm_names(sdxl)
    return {"sd1": (sd1, lambda name: name), "sdxl": (sdxl, sgm.__getitem__)}


def run(model, name, changes):
    settings = {**SETTINGS, "network_args": {}, **changes}
    records, lora = reference.train(model, settings, PAIRS)
    weights = flat(lora)
    index = sorted({Draws(SEED, 11).integer(position, len(weights)) for position in range(60)})
    print(name, len(lora) // 3, [(record["loss"], record["grad_norm"]) for record in records])
    return {"name": name, "settings": changes, "modules": len(lora) // 3, "weights": len(weights), "records": records,
            **total_norms(lora), "index": index, "value": weights[index].tolist()}


def main(data=TESTS / "data", output=TESTS / "data/golden"):
    torch.set_num_threads(1)
    data, output = Path(data), Path(output)
    write_layers(full_size(), output / "lora_layers.txt")
    toy = reference.Model(data / "toy-sd")
    write_locon(toy, output / "locon.safetensors")
    path = output / "lora_steps.json"
    path.write_text(as_json({
        "recipe": make_golden.recipe(path), "settings": SETTINGS,
        "pairs": [{**reference.DEFAULT_PAIR, **pair} for pair in PAIRS],
        "variants": [run(toy, name, changes) for name, changes in VARIANTS["toy-sd"].items()],
        "sdxl_variants": [run(families.SdxlModel(data / "tiny-sdxl"), name, changes)
                          for name, changes in VARIANTS["tiny-sdxl"].items()]}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
