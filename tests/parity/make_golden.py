"""Writes tests/data/golden: small results of reference_trainer.py on the toy model for the C++ tests to compare with.

usage: make_golden.py [MODEL [OUTPUT]]      (tests/data/toy-sd, tests/data/golden)
Made with torch 2.11.0, diffusers 0.35.2 and transformers 4.57.1 on one CPU thread; the toy's fp16 weights are raised
to fp32. What each file holds is said in RECIPES and, under "recipe", in the file itself.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers.training_utils import compute_snr
from safetensors.torch import save_file

import reference_losses
import reference_trainer as reference
from reference_lora import LORA_INIT
from reference_samplers import explicit_step
from reference_trainer import Draws, Model, Network

TESTS = Path(__file__).resolve().parent.parent
PROMPTS = ["a big red circle", ""]
SEED = 1234
PAIRS = [
    {"target": "a big red circle", "positive": "a red circle", "resolution": 128, "batch_size": 2, "weight": 0.5},
    {"target": "circle", "positive": "a big circle", "unconditional": "a small circle", "neutral": "circle",
     "action": "enhance", "guidance_scale": 2.0, "multiplier": -1.0, "resolution": 128},
]
SETTINGS = {
    "seed": SEED, "max_train_steps": 3, "pairs_per_step": 4, "max_denoising_steps": 12,
    "leco_denoise_guidance_scale": 3.0, "rollout_length": "independent", "noise_offset": 0.05,
    "network_dim": 4, "network_alpha": 2.0, "learning_rate": 1e-3, "max_grad_norm": 0.004,
}
VARIANTS = {
    "shared rollout": {"rollout_length": "shared"},
    "antithetic rollout": {"rollout_length": "antithetic"},
    "random pair order": {"pair_order": "random"},
    "neuron dropout": {"network_dropout": 0.3},
    "warm-up": {"lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 2, "max_train_steps": 3},
    "guidance 1, no clipping": {"leco_denoise_guidance_scale": 1.0, "max_grad_norm": 0.0},
    "min-SNR": {"min_snr_gamma": 5.0},
}
SHOWN_GRADIENTS = [
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    "up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k",
    "up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj",
    "down_blocks.2.attentions.1.proj_out",
    "mid_block.attentions.0.proj_in",
]
RECIPES = {
    "unet.safetensors": f"""
seed {SEED}, LoRA off. embeddings: last hidden states of the prompts {json.dumps(PROMPTS)}. latents: purpose 5, step 0,
item 0. output: both samples in one call. odd_latents: item 1; odd_output: with the first prompt.""",
    "ddpm.safetensors": f"""
seed {SEED}, step 0, item 0: x purpose 5, prediction purpose 6, z purpose 7. KIND.K.I: x after step I of K, by
diffusers' DDPMScheduler.step with z as its noise and the schedule in double. The last step adds no noise.""",
    "lora.safetensors": f"""
seed {SEED}, rank 4, alpha 2, multiplier 1.5, inputs of unet.safetensors (latents, timesteps, embeddings). lora_down:
the contract's; lora_up: 0.25 times the normals of purpose 9, step 0, item 1, sub = module. loss: mean of (output - y)^2
over all entries, y: normals of purpose 5, step 0, item 2. Gradients under the modules' keys, norms in the order of
modules.txt.""",
    "steps.json": """
reference_trainer.train on the toy model: the records of metrics.jsonl without seconds, with each item's loss. A variant
changes the named settings of the first run. index and value as in steps_lora.safetensors.""",
    "steps_lora.safetensors": """
The LoRA after the three steps of steps.json. value: some of its entries, index: their places when all weights stand in
one row, for each module in order lora_down, then lora_up, row-major. Norms in the order of modules.txt.""",
    "loss_weight.json": """
What a sample's loss is multiplied by at each of the timesteps. snr: by diffusers' training_utils.compute_snr, the
schedule in double. factors: of --min_snr_gamma, as diffusers' train_text_to_image.py weighs its losses.""",
    "draws.json": f"""
Section 2 by numpy. draws: positions from 0, words as hexadecimal, normals as the bits of float32, integers as
[n, values]. Steps are lists of items. Seed of pairs, lengths and sizes: {SEED}. sizes: [height, width] with
dynamic_resolution.""",
}


def recipe(path):
    return " ".join(RECIPES[path.name].split())


def write_tensors(path, tensors):
    tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    save_file(tensors, path, metadata={"recipe": recipe(path)})
    path.chmod(0o644)


def relative(a, b):
    return ((a.double() - b.double()).norm() / b.double().norm()).item()


def unet_inputs(model):
    return {
        "latents": Draws(SEED, reference.LATENTS).normals(2, 4, 16, 16),
        "timesteps": torch.tensor([666, 83]),
        "embeddings": torch.cat([model.embed(prompt) for prompt in PROMPTS]),
        "odd_latents": Draws(SEED, reference.LATENTS, item=1).normals(1, 4, 9, 12),
        "odd_timesteps": torch.tensor([999]),
    }


def write_unet(model, path):
    tensors = unet_inputs(model)
    embeddings = tensors["embeddings"]
    with torch.no_grad():
        tensors["output"] = model.unet(tensors["latents"], tensors["timesteps"], embeddings).sample
        tensors["odd_output"] = model.unet(tensors["odd_latents"], tensors["odd_timesteps"], embeddings[:1]).sample
    write_tensors(path, tensors)


def write_ddpm(path):
    x, prediction, z = (Draws(SEED, purpose).normals(1, 4, 4, 4)
                        for purpose in (reference.LATENTS, reference.NOISE_OFFSET, reference.SAMPLER_NOISE))
    tensors = {"x": x, "prediction": prediction, "z": z}
    for kind in ("epsilon", "v_prediction"):
        for K, indices in ((7, (0, 3, 6)), (12, (0, 5, 11)), (40, (0, 1, 20, 38, 39)), (1000, (0, 1, 2, 999))):
            scheduler = reference.make_scheduler(K, kind)
            for index in indices:
                after = reference.scheduler_step(scheduler, index, x, prediction, z)
                assert relative(after, explicit_step(K, index, x, prediction, z, kind)) < 2e-7
                tensors[f"{kind}.{K}.{index}"] = after
    write_tensors(path, tensors)


def filled_network(model, **args):
    """The contract's initialisation, and lora_up = 0.25 * normals of purpose 9, item 1, sub = module."""
    settings = {"seed": SEED, "network_dim": 4, "network_alpha": 2.0, "network_args": args}
    network = Network(model.unet, settings, model.spelling)
    for adapter in network.adapters:
        draws = Draws(SEED, LORA_INIT, item=1, sub=adapter.index)
        adapter.up.data = 0.25 * draws.normals(*adapter.up.shape)
    return network


def norms(tensors):
    return torch.tensor([tensor.detach().double().norm().item() for tensor in tensors], dtype=torch.float32)


def write_lora(model, path, module_list):
    inputs, network = unet_inputs(model), filled_network(model)
    call = inputs["latents"], inputs["timesteps"], inputs["embeddings"]
    with torch.no_grad():
        plain = model.unet(*call).sample
    y = Draws(SEED, reference.LATENTS, item=2).normals(2, 4, 16, 16)
    with network.on(1.5):
        output = model.unet(*call).sample
    loss = (output - y).square().mean()
    loss.backward()
    print("LoRA changes the output by", relative(output, plain), "loss", loss.item())
    tensors = {"output": output, "loss": loss,
               "down_gradient_norms": norms(adapter.down.grad for adapter in network.adapters),
               "up_gradient_norms": norms(adapter.up.grad for adapter in network.adapters)}
    for adapter in network.adapters:
        if adapter.name in SHOWN_GRADIENTS:
            tensors[adapter.key() + ".lora_down.weight"] = adapter.down.grad
            tensors[adapter.key() + ".lora_up.weight"] = adapter.up.grad
    write_tensors(path, tensors)
    module_list.write_text("".join(adapter.name + "\n" for adapter in network.adapters))
    network.detach()


def flat(lora):
    """All weights in one row: for each module in order lora_down, then lora_up, row-major."""
    return torch.cat([tensor.flatten() for key, tensor in lora.items() if not key.endswith(".alpha")])


def part(lora, name):
    return [tensor for key, tensor in lora.items() if key.endswith(f".{name}.weight")]


def total_norms(lora):
    return {f"{name}_norm": torch.cat([tensor.flatten() for tensor in part(lora, f"lora_{name}")]).double().norm().item()
            for name in ("down", "up")}


def write_steps(model, path, lora_path):
    records, lora = reference.train(model, SETTINGS, PAIRS)
    weights = flat(lora)
    draws = Draws(SEED, 11)
    index = sorted({draws.integer(position, len(weights)) for position in range(2000)})
    write_tensors(lora_path, {"index": torch.tensor(index, dtype=torch.int32), "value": weights[index],
                              "down_norms": norms(part(lora, "lora_down")), "up_norms": norms(part(lora, "lora_up"))})
    few = [place for place in index if place % 7 == 0][::4][:60]
    variants = []
    for name, changes in VARIANTS.items():
        settings = {**SETTINGS, "max_train_steps": 2, **changes}
        variant_records, variant = reference.train(model, settings, PAIRS)
        variants.append({"name": name, "settings": {"max_train_steps": 2, **changes}, "records": variant_records,
                         **total_norms(variant), "index": few, "value": flat(variant)[few].tolist()})
        print(name, [record["loss"] for record in variant_records])
    path.write_text(as_json({
        "recipe": recipe(path), "settings": SETTINGS, "pairs": [{**reference.DEFAULT_PAIR, **pair} for pair in PAIRS],
        "weights": len(weights), "records": records, **total_norms(lora), "variants": variants}))


def as_json(document):
    """One line for each key of the document and each element of its lists."""
    def lines(value):
        if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
            return "[\n  " + ",\n  ".join(json.dumps(element) for element in value) + "]"
        return json.dumps(value)
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {lines(value)}" for key, value in document.items()) + "\n}\n"


def write_loss_weight(path):
    timesteps = [0, 1, 83, 249, 250, 416, 499, 583, 666, 750, 916, 998, 999]
    snr = compute_snr(reference.make_scheduler(1000), torch.tensor(timesteps)).double()
    factors = []
    for prediction_type, divisor in (("epsilon", snr), ("v_prediction", snr + 1)):
        for gamma in (0.5, 1.0, 5.0, 20.0):
            values = torch.minimum(snr, torch.full_like(snr, gamma)) / divisor
            settings = {"prediction_type": prediction_type, "min_snr_gamma": gamma}
            ours = torch.tensor([reference_losses.factor(settings_with(**settings), t) for t in timesteps],
                                dtype=torch.float64)
            assert (ours / values - 1).abs().max() < 1e-6
            factors.append({**settings, "factors": values.tolist()})
    path.write_text(as_json({"recipe": recipe(path), "timesteps": timesteps, "snr": snr.tolist(), "factors": factors}))


def draws_of(seed, purpose, step, item, sub):
    draws = Draws(seed, purpose, step, item, sub)
    bits = draws.normals(7).numpy().view(np.uint32)
    return {"seed": seed, "purpose": purpose, "step": step, "item": item, "sub": sub,
            "words": [f"{word:08x}" for word in draws.words(7).tolist()], "uniforms": draws.uniforms(3).tolist(),
            "integers": [[n, [draws.integer(position, n) for position in range(5)]] for n in (1, 2, 39, 1000)],
            "normals": [f"{word:08x}" for word in bits.tolist()]}


def write_draws(path):
    big = 0xFEDCBA9876543210
    uses = [(0, 1, 0, 0, 0), (SEED, 1, 3, 0, 0), (big, 1, 2, 5, 0), (SEED, 2, 1599, 7, 0), (SEED, 3, 2, 1, 0),
            (SEED, 5, 0, 0, 0), (big, 5, 123456, 63, 0), (SEED, 6, 1, 2, 0), (SEED, 6, 1, 2, 1), (SEED, 7, 2, 3, 0),
            (SEED, 7, 2, 3, 998), (SEED, 8, 1, 0, 4 * 191), (SEED, 8, 1, 0, 4 * 5 + 1), (SEED, 8, 1, 0, 4 * 5 + 2),
            (SEED, 9, 0, 0, 0), (big, 9, 0, 0, 191), (SEED, 9, 0, 1, 17)]
    path.write_text(as_json({
        "recipe": recipe(path), "draws": [draws_of(*use) for use in uses],
        "permutations": [{"seed": seed, "P": P, "epochs": [reference.permutation(seed, epoch, P) for epoch in range(4)]}
                         for seed in (SEED, big) for P in (1, 2, 5, 7)],
        "pairs": pair_orders(), "lengths": rollout_lengths(), "sizes": dynamic_sizes()}))


def settings_with(**changes):
    return {**reference.DEFAULT_SETTINGS, "seed": SEED, "pairs_per_step": 4, **changes}


def pair_orders():
    def steps(order, P):
        settings = settings_with(pair_order=order)
        return [[reference.pair_index(settings, P, step, item) for item in range(4)] for step in range(4)]

    return [{"pair_order": order, "P": P, "N": 4, "steps": steps(order, P)}
            for order in ("shuffle", "random") for P in (2, 5, 7)]


def rollout_lengths():
    def steps(mode, K):
        settings = settings_with(rollout_length=mode, max_denoising_steps=K)
        return [[reference.rollout_length(settings, step, item) for item in range(5)] for step in range(3)]

    return [{"rollout_length": mode, "K": K, "steps": steps(mode, K)}
            for mode in ("shared", "independent", "antithetic") for K in (2, 12, 40, 1000)]


def dynamic_sizes():
    def steps(resolution):
        pair = {"resolution": resolution, "dynamic_resolution": True}
        return [[reference.pixel_size(settings_with(), pair, step, item) for item in range(4)] for step in range(2)]

    return [{"resolution": resolution, "steps": steps(resolution)} for resolution in (64, 192, 512)]


def main(model_folder=TESTS / "data/toy-sd", output=TESTS / "data/golden"):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    write_draws(output / "draws.json")
    write_loss_weight(output / "loss_weight.json")
    write_ddpm(output / "ddpm.safetensors")
    model = Model(model_folder)
    write_unet(model, output / "unet.safetensors")
    write_lora(model, output / "lora.safetensors", output / "modules.txt")
    write_steps(model, output / "steps.json", output / "steps_lora.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:3])
