"""Writes the goldens of SD 2.x (v-prediction) and SDXL into tests/data/golden, as make_golden.py does those of SD 1.x.

usage: make_family_golden.py [DATA [OUTPUT]]      (tests/data, tests/data/golden)
From tests/data/tiny-sd2v and tiny-sdxl (make_tiny_models.py), with torch 2.11.0, diffusers 0.35.2 and transformers
4.57.1 on one CPU thread; fp16 weights are raised to fp32. The module lists are those of the full-size models, made on
torch's meta device. What each file holds is said in RECIPES and, under "recipe", in the file itself.
"""
import json
import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import lora_conversion_utils as diffusers_rules

import make_golden
import reference_families as families
import reference_trainer as reference
from make_golden import SEED, TESTS, as_json, flat, norms, part, relative, total_norms
from real_client import ldm_names, underscored
from reference_trainer import Draws

PROMPTS = ["a big red circle", ""]
TEXTS = ["", "a big red circle", "wow!!! a cat!", "circle " * 90, "a photo of a cat, " * 14, "!" + " small square" * 60]
SIZES = [[128, 128, 0, 0, 128, 128], [371, 290, 211, 17, 104, 144]]
SETTINGS = {
    "seed": SEED, "max_train_steps": 3, "pairs_per_step": 2, "max_denoising_steps": 12,
    "leco_denoise_guidance_scale": 3.0, "rollout_length": "independent", "noise_offset": 0.05,
    "network_dim": 4, "network_alpha": 2.0, "learning_rate": 1e-3, "max_grad_norm": 0.005,
}
PAIRS = [
    {"target": "a big red circle", "positive": "a red circle", "resolution": 128, "batch_size": 2, "weight": 0.5},
    {"target": "circle", "positive": "a big circle", "unconditional": "a small circle", "neutral": "circle",
     "action": "enhance", "guidance_scale": 2.0, "multiplier": -1.0, "resolution": 128},
]
VARIANTS = {
    "sd2v": {"min-SNR": {"settings": {"min_snr_gamma": 5.0}}},
    "sdxl": {"dynamic crops": {"pairs": {"dynamic_crops": True}}},
}
UNET_RECIPE = f"""
seed {SEED}, LoRA off. embeddings (and pooled): the prompts {json.dumps(PROMPTS)}. latents: purpose 5, step 0, item 0.
output: both samples in one call. odd_latents: item 1; odd_output: with the first prompt (and row of time_ids)."""
STEPS_RECIPE = """
reference_trainer.train on the tiny model: the records of metrics.jsonl without seconds, with each item's loss. A
variant changes the named settings and pairs' fields of the first run. index and value as in the file _steps_lora."""
make_golden.RECIPES.update({
    "sd2v_unet.safetensors": UNET_RECIPE,
    "sdxl_unet.safetensors": UNET_RECIPE,
    "sd2v_text.safetensors": f"""
NAME.I: of prompt I of {json.dumps(TEXTS)}. context: (77, 8). skip2: with --clip_skip 2. context150: with
--max_token_length 150, (152, 8).""",
    "sdxl_text.safetensors": f"""
NAME.I: of prompt I of {json.dumps(TEXTS)}. context: (77, 12), the first encoder's 4 before the second's 8. pooled:
(10). context150, pooled150: with --max_token_length 150, (152, 12) and (10).""",
    "sd2v_steps.json": STEPS_RECIPE,
    "sdxl_steps.json": STEPS_RECIPE + """ crops: with dynamic_crops, for each resolution the steps' items' time ids.""",
    **{f"{family}_steps_lora.safetensors": make_golden.RECIPES["steps_lora.safetensors"]
       .replace("steps.json", f"{family}_steps.json") for family in ("sd2v", "sdxl")},
})


# ---- one call ------------------------------------------------------------------------------------

def unet_inputs(model):
    """What a U-Net call takes, under the names in the golden."""
    embedded = [model.embed(prompt) for prompt in PROMPTS]
    inputs = {
        "latents": Draws(SEED, reference.LATENTS).normals(2, 4, 16, 16),
        "timesteps": torch.tensor([666, 83]),
        "odd_latents": Draws(SEED, reference.LATENTS, item=1).normals(1, 4, 9, 12),
        "odd_timesteps": torch.tensor([999]),
    }
    if isinstance(model, families.SdxlModel):
        contexts, pooled = zip(*embedded)
        return {**inputs, "embeddings": torch.cat(contexts), "pooled": torch.cat(pooled),
                "time_ids": torch.tensor(SIZES, dtype=torch.float32)}
    return {**inputs, "embeddings": torch.cat(embedded)}


def call_unet(unet, inputs, rows=2, kind=""):
    added = None
    if "pooled" in inputs:
        added = {"text_embeds": inputs["pooled"][:rows], "time_ids": inputs["time_ids"][:rows]}
    return unet(inputs[kind + "latents"], inputs[kind + "timesteps"], inputs["embeddings"][:rows],
                added_cond_kwargs=added).sample


def write_unet(model, path):
    tensors = unet_inputs(model)
    with torch.no_grad():
        output, odd_output = call_unet(model.unet, tensors), call_unet(model.unet, tensors, 1, "odd_")
    make_golden.write_tensors(path, {**tensors, "output": output, "odd_output": odd_output})


# ---- text ----------------------------------------------------------------------------------------

def write_sd2_text(model, path):
    tensors = {}
    for i, prompt in enumerate(TEXTS):
        for name, options in (("context", {}), ("skip2", {"clip_skip": 2}), ("context150", {"max_token_length": 150})):
            tensors[f"{name}.{i}"] = families.encode_sd2(model.tokenizer, model.text_encoder, prompt, **options)[0]
        assert relative(tensors[f"context.{i}"], model.embed(prompt)[0]) < 1e-6
    make_golden.write_tensors(path, tensors)


def check_against_transformers(model, prompt, pooled):
    """transformers' own pooling, which takes the place of the highest id: the end token's, as it is the last id."""
    ids = families.token_rows(model.tokenizers[1], prompt)
    with torch.no_grad():
        assert relative(model.encoders[1](ids).text_embeds, pooled) < 1e-6


def write_sdxl_text(model, path):
    tensors = {}
    for i, prompt in enumerate(TEXTS):
        for length, name in ((75, ""), (150, "150")):
            context, pooled = families.encode_sdxl(model.tokenizers, model.encoders, prompt, length)
            tensors.update({f"context{name}.{i}": context[0], f"pooled{name}.{i}": pooled[0]})
        check_against_transformers(model, prompt, tensors[f"pooled.{i}"])
    make_golden.write_tensors(path, tensors)


# ---- training ------------------------------------------------------------------------------------

def write_steps(model, prediction_type, path, lora_path, variants):
    base = {**SETTINGS, "prediction_type": prediction_type}
    records, lora = reference.train(model, base, PAIRS)
    weights, draws = flat(lora), Draws(SEED, 11)
    index = sorted({draws.integer(position, len(weights)) for position in range(1000)})
    make_golden.write_tensors(lora_path, {
        "index": torch.tensor(index, dtype=torch.int32), "value": weights[index],
        "down_norms": norms(part(lora, "lora_down")), "up_norms": norms(part(lora, "lora_up"))})
    print(path.name, [(record["loss"], record["grad_norm"]) for record in records])
    document = {
        "recipe": make_golden.recipe(path), "settings": base,
        "pairs": [{**reference.DEFAULT_PAIR, **pair} for pair in PAIRS], "weights": len(weights), "records": records,
        **total_norms(lora), "variants": [run_variant(model, base, name, index, changes)
                                          for name, changes in variants.items()]}
    if isinstance(model, families.SdxlModel):
        document["crops"] = drawn_crops()
    path.write_text(as_json(document))


def run_variant(model, base, name, index, changes):
    settings, pairs = changes.get("settings", {}), changes.get("pairs", {})
    records, lora = reference.train(model, {**base, **settings}, [{**pair, **pairs} for pair in PAIRS])
    few = index[::len(index) // 60]
    print(name, [(record["loss"], record["grad_norm"]) for record in records])
    return {"name": name, "settings": settings, "pairs": pairs, "records": records, **total_norms(lora),
            "index": few, "value": flat(lora)[few].tolist()}


def drawn_crops():
    def steps(resolution):
        pair = {"resolution": resolution, "dynamic_resolution": isinstance(resolution, int), "dynamic_crops": True}
        settings = make_golden.settings_with()
        return [[families.size_ids(settings, pair, step, item) for item in range(4)] for step in range(3)]

    return [{"resolution": resolution, "steps": steps(resolution)} for resolution in (128, 1024, [64, 1536])]


# ---- modules of the full-size models -------------------------------------------------------------

def transformer_modules(unet):
    """The LoRA's modules by Diffusers' names, in their order."""
    return [name for name, module in unet.named_modules()
            if ".attentions." in name and isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))]


def full_size_sd21():
    return UNet2DConditionModel(
        sample_size=96, block_out_channels=(320, 640, 1280, 1280), attention_head_dim=[5, 10, 20, 20],
        cross_attention_dim=1024, use_linear_projection=True, upcast_attention=True)


def full_size_sdxl():
    return UNet2DConditionModel(
        sample_size=128, block_out_channels=(320, 640, 1280), attention_head_dim=[5, 10, 20], cross_attention_dim=2048,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=[1, 2, 10], use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)


def diffusers_reading(keys, config):
    """{SGM key: the name of the module that diffusers' loader takes it to, as it writes its own LoRA files}"""
    reading = {}
    for key in keys:
        (mapped,) = diffusers_rules._maybe_map_sgm_blocks_to_diffusers({key + ".lora_down.weight": None}, config)
        name = diffusers_rules._convert_unet_lora_key(mapped).replace(".processor", "")
        for end in (".lora.down.weight", "_lora.down.weight"):
            name = name.removesuffix(end)
        reading[key] = name + ".0" if name.endswith("to_out") else name
    return reading


def write_modules(output):
    with torch.device("meta"):
        sd21, sdxl = full_size_sd21(), full_size_sdxl()
    assert sum(parameter.numel() for parameter in sdxl.parameters()) == 2567463684
    assert sum(parameter.numel() for parameter in sd21.parameters()) == 865910724
    names = transformer_modules(sd21)
    assert len(names) == 192
    (output / "sd21_modules.txt").write_text("".join(name + "\n" for name in names))
    names, sgm = transformer_modules(sdxl), ldm_names(sdxl)
    keys = {name: "lora_unet_" + underscored(sgm[name]) for name in names}
    assert len(set(keys.values())) == 722
    assert diffusers_reading(keys.values(), sdxl.config) == {key: name for name, key in keys.items()}
    (output / "sdxl_modules.txt").write_text("".join(f"{name} {key}\n" for name, key in keys.items()))


def main(data=TESTS / "data", output=TESTS / "data/golden"):
    torch.set_num_threads(1)
    data, output = Path(data), Path(output)
    write_modules(output)
    sd2, sdxl = reference.Model(data / "tiny-sd2v"), families.SdxlModel(data / "tiny-sdxl")
    write_sd2_text(sd2, output / "sd2v_text.safetensors")
    write_sdxl_text(sdxl, output / "sdxl_text.safetensors")
    for family, model, kind in (("sd2v", sd2, "v_prediction"), ("sdxl", sdxl, "epsilon")):
        write_unet(model, output / f"{family}_unet.safetensors")
        write_steps(model, kind, output / f"{family}_steps.json", output / f"{family}_steps_lora.safetensors",
                    VARIANTS[family])


if __name__ == "__main__":
    main(*sys.argv[1:3])
