"""A small LECO trainer in plain Python: the second opinion that the C++ program is checked against.

Written from SPEC.md sections 1 to 3 alone, on the CPU in fp32, with the U-Net, text encoder and DDPM scheduler of
other people: diffusers 0.35.2, transformers 4.57.1, torch 2.11. It is meant to be read beside the specification, so it
takes no short cut. The LoRA is in reference_lora.py, SDXL's own parts in reference_families.py. Settings and pairs are plain dicts; their keys are the flags of section 4 and the fields of section 3.
"""
import math
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizerFast

import reference_losses
from reference_draws import Draws
from reference_lora import Network
from reference_samplers import Sampler, make_scheduler, scheduler_step

PAIR_ORDER, ROLLOUT_LENGTH, RESOLUTION, CROP, LATENTS, NOISE_OFFSET, SAMPLER_NOISE = 1, 2, 3, 4, 5, 6, 7

DEFAULT_SETTINGS = {
    "seed": 0, "max_train_steps": 1, "pairs_per_step": 1, "pair_order": "shuffle",
    "max_denoising_steps": 40, "leco_denoise_guidance_scale": 3.0, "rollout_length": "shared",
    "rollout_sampler": "ddpm", "samples_per_rollout": 1, "align_timestep": False,
    "noise_offset": 0.0, "noise_offset_random_strength": False, "prediction_type": "epsilon",
    "min_snr_gamma": 0.0, "debiased_estimation_loss": False, "scale_v_pred_loss_like_noise_pred": False,
    "loss_type": "l2", "huber_schedule": "snr", "huber_c": 0.1, "huber_scale": 1.0, "zero_terminal_snr": False,
    "network_dim": 4, "network_alpha": 1.0, "network_dropout": 0.0, "network_args": {}, "max_grad_norm": 1.0,
    "learning_rate": 2e-6, "lr_scheduler": "constant", "lr_warmup_steps": 0,
    "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01,
}
DEFAULT_PAIR = {
    "unconditional": "", "neutral": "", "action": "erase", "guidance_scale": 1.0, "resolution": 512,
    "dynamic_resolution": False, "dynamic_crops": False, "batch_size": 1, "multiplier": 1.0, "weight": 1.0,
}


def with_defaults(given, defaults):
    unknown = set(given) - set(defaults) - {"target", "positive"}
    if unknown:
        raise KeyError(f"unknown keys: {sorted(unknown)}")
    return {**defaults, **given}


# ---- section 2: draws ----------------------------------------------------------------------------

def permutation(seed, epoch, size):
    order, draws = list(range(size)), Draws(seed, PAIR_ORDER, step=epoch)
    for position, j in enumerate(range(size - 1, 0, -1)):
        other = draws.integer(position, j + 1)
        order[j], order[other] = order[other], order[j]
    return order


def pair_index(settings, pair_count, step, item):
    if settings["pair_order"] == "random":
        return Draws(settings["seed"], PAIR_ORDER, step, item).integer(0, pair_count)
    epoch, place = divmod(step * settings["pairs_per_step"] + item, pair_count)
    return permutation(settings["seed"], epoch, pair_count)[place]


def rollout_length(settings, step, item):
    K, mode = settings["max_denoising_steps"], settings["rollout_length"]

    def drawn(by_item):
        return 1 + Draws(settings["seed"], ROLLOUT_LENGTH, step, by_item).integer(0, K - 1)

    if mode == "shared":
        return drawn(0)
    if mode == "antithetic" and item % 2 == 1:
        return K - drawn(item - 1)
    return drawn(item)


def pixel_size(settings, pair, step, item):
    resolution = pair["resolution"]
    if not isinstance(resolution, int):
        return tuple(resolution)
    if not pair["dynamic_resolution"]:
        return resolution, resolution
    low, high = -(-resolution // 128), resolution // 64  # multiples of 64 in [resolution/2, resolution]
    draws = Draws(settings["seed"], RESOLUTION, step, item)
    return tuple(64 * (low + draws.integer(position, high - low + 1)) for position in (0, 1))


def initial_latents(settings, pair, step, item):
    """(B, 4, H/8, W/8)"""
    height, width = pixel_size(settings, pair, step, item)
    batch, seed = pair["batch_size"], settings["seed"]
    latents = Draws(seed, LATENTS, step, item).normals(batch, 4, height // 8, width // 8)
    offset = settings["noise_offset"]
    if offset:
        if settings["noise_offset_random_strength"]:
            offset *= float(Draws(seed, NOISE_OFFSET, step, item, sub=1).uniforms(1)[0])
        latents = latents + offset * Draws(seed, NOISE_OFFSET, step, item).normals(batch, 4, 1, 1)
    return latents


# ---- section 1: the work item and the step -------------------------------------------------------

class Model:
    """A frozen U-Net and text encoder of a Diffusers folder, in fp32 whatever the files hold.

    dtype float64 runs the U-Net in double, to see how far fp32 is from the exact result; all else stays as it is.
    """

    def __init__(self, folder, dtype=torch.float32):
        folder = Path(folder)
        unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
        self.unet, self.dtype = unet.to(dtype).eval().requires_grad_(False), dtype
        self.tokenizer = CLIPTokenizerFast.from_pretrained(folder / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).eval()
        self.embeddings = {}

    def spelling(self, name):
        return name

    def embed(self, prompt):
        """(1, 77, C): the last hidden state after the final norm."""
        if prompt not in self.embeddings:
            tokens = self.tokenizer([prompt], padding="max_length", max_length=77, truncation=True, return_tensors="pt")
            with torch.no_grad():
                self.embeddings[prompt] = self.text_encoder(tokens.input_ids).last_hidden_state
        return self.embeddings[prompt]

    def predict(self, latents, t, prompts):
        """One batch: latents (B, 4, h, w) once for each prompt, in the prompts' order -> one (B, 4, h, w) each."""
        batch = len(latents)
        context = torch.cat([self.embed(prompt).expand(batch, -1, -1) for prompt in prompts])
        latents = torch.cat([latents] * len(prompts)).to(self.dtype)
        return self.unet(latents, t, context.to(self.dtype)).sample.float().split(batch)

    def predictor(self, settings, pair, step, item):
        """(latents, t, prompts) -> predictions, with all else that an item's predictions have in common."""
        return self.predict


def points(settings, k):
    """After how many steps of the rollout there is a loss."""
    n = settings["samples_per_rollout"]
    return sorted({math.ceil(j * k / n) for j in range(1, n + 1)})


def make_sampler(settings):
    """(timesteps, the first x from noise, x after a step, what a rollout of k steps hands on)"""
    K, kind = settings["max_denoising_steps"], settings["prediction_type"]
    if settings["rollout_sampler"] == "ddpm":  # in double, as above
        scheduler = make_scheduler(K, kind, settings["zero_terminal_snr"])

        def step(index, x, predict, z):
            return scheduler_step(scheduler, index, x, predict(x, scheduler.timesteps[index]), z)

        return scheduler.timesteps, lambda noise: noise, step, lambda x, k: x
    sampler = Sampler(settings["rollout_sampler"], K, kind, 0)
    return sampler.timesteps, sampler.start, sampler.step, sampler.handed_on


def roll_out(predict, network, settings, pair, k, step, item):
    """{length: x after it} at each point"""
    _, start, advance, handed_on = make_sampler(settings)
    x, guidance = start(initial_latents(settings, pair, step, item)), settings["leco_denoise_guidance_scale"]
    stops = {}

    def guided(x, t):
        if guidance == 1:
            return predict(x, t, [pair["target"]])[0]
        without, target = predict(x, t, [pair["unconditional"], pair["target"]])
        return without + guidance * (target - without)

    with torch.no_grad(), network.on(pair["multiplier"]):
        for index in range(k):
            z = Draws(settings["seed"], SAMPLER_NOISE, step, item, sub=index).normals(*x.shape)
            x = advance(index, x, guided, z)
            stops[index + 1] = handed_on(x, index + 1)
    return {length: stops[length] for length in points(settings, k)}


def timestep_after(settings, k):
    if settings["align_timestep"]:
        return int(make_sampler(settings)[0][k])
    return 999 - k * 1000 // settings["max_denoising_steps"]


def goal(predict, pair, x, t):
    prompts = [pair["positive"], pair["unconditional"], pair["neutral"]]
    distinct = list(dict.fromkeys(prompts))
    with torch.no_grad():
        predictions = dict(zip(distinct, predict(x, t, distinct)))
    positive, unconditional, neutral = (predictions[prompt] for prompt in prompts)
    sign = {"erase": -1.0, "enhance": 1.0}[pair["action"]]
    return neutral + sign * pair["guidance_scale"] * (positive - unconditional)


def work_item(model, network, settings, pairs, step, item):
    """-> (loss with its graph, what was drawn)"""
    place = pair_index(settings, len(pairs), step, item)
    pair, k = pairs[place], rollout_length(settings, step, item)
    predict = model.predictor(settings, pair, step, item)
    losses = []
    for point, (length, x) in enumerate(roll_out(predict, network, settings, pair, k, step, item).items()):
        t = timestep_after(settings, length)
        y = goal(predict, pair, x, t)
        with network.on(pair["multiplier"], {"seed": settings["seed"], "step": step, "item": item}, point):
            (e,) = predict(x, t, [pair["target"]])
        losses.append(pair["weight"] * reference_losses.of_samples(settings, e, y, t).mean())
    loss = torch.stack(losses).mean()
    height, width = 8 * x.shape[2], 8 * x.shape[3]
    return loss, {"pair": place, "k": k, "t": t, "height": height, "width": width, "loss": loss.item()}


def learning_rate(settings, step):
    rate, warmup = settings["learning_rate"], settings["lr_warmup_steps"]
    if settings["lr_scheduler"] == "constant_with_warmup":
        return rate * min(1.0, step / max(1, warmup))
    return rate


def step_gradients(model, network, settings, pairs, step):
    """Sets every .grad to (1/N) times the sum over the items -> the items' records."""
    parameters, N = network.parameters(), settings["pairs_per_step"]
    total = [torch.zeros_like(p, dtype=torch.float64) for p in parameters]
    items = []
    for item in range(N):
        loss, drawn = work_item(model, network, settings, pairs, step, item)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        for sum_, gradient in zip(total, gradients):
            sum_ += gradient.double()
        items.append(drawn)
    for p, sum_ in zip(parameters, total):
        p.grad = (sum_ / N).float()
    return items


def clip(parameters, limit):
    """-> the global norm before clipping"""
    norm = math.sqrt(sum(p.grad.double().square().sum().item() for p in parameters))
    if limit:
        for p in parameters:
            p.grad *= min(1.0, limit / (norm + 1e-6))
    return norm


def train(model, settings, pairs, after_step=None):
    """-> (one record a step as in metrics.jsonl, the LoRA's state dict)"""
    settings = with_defaults(settings, DEFAULT_SETTINGS)
    pairs = [with_defaults({"positive": pair["target"], **pair}, DEFAULT_PAIR) for pair in pairs]
    network = Network(model.unet, settings, model.spelling)
    optimizer = torch.optim.AdamW(network.parameter_groups(), lr=settings["learning_rate"], betas=tuple(settings["betas"]),
                                  eps=settings["eps"], weight_decay=settings["weight_decay"])
    records = []
    for step in range(settings["max_train_steps"]):
        items = step_gradients(model, network, settings, pairs, step)
        norm = clip(network.parameters(), settings["max_grad_norm"])
        rate = learning_rate(settings, step)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        optimizer.step()
        loss = sum(item["loss"] for item in items) / settings["pairs_per_step"]
        records.append({"step": step + 1, "loss": loss, "lr": rate, "grad_norm": norm, "items": items})
        if after_step:
            after_step(records[-1])
    network.detach()
    return records, network.state_dict()


def save_lora(path, state_dict):
    save_file(state_dict, path, metadata={"ss_network_module": "networks.lora"})
