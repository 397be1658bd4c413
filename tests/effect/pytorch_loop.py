"""The training of docs/effect.md's size slider once more, as a plain PyTorch loop around Diffusers' U-Net: the yardstick for
how strong a slider is after equal work. Written from the formulas alone; nothing of leco is used, and the random numbers are
PyTorch's own.

usage: pytorch_loop.py OUT.safetensors [--seed 1] [--steps 120]
Four pairs a step, K 12, rank 4, AdamW at 2e-3, guidance_scale 2, 64×64 pixels: the settings of configs/toy_slider.toml.
OUT has the names that Diffusers and measure_effect.py read.
"""
import argparse
import math

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file

from measure_effect import TOY

TARGET, BIG, SMALL, NEUTRAL = "circle", "big circle", "small circle", ""
# (strengthened end, weakened end, the rollout's negative prompt, multiplier)
# The goal is neutral + g·(strengthened - weakened).
PAIRS = ((BIG, SMALL, BIG, 1.0), (BIG, SMALL, SMALL, 1.0), (SMALL, BIG, SMALL, -1.0), (SMALL, BIG, BIG, -1.0))
DENOISING_STEPS, ROLLOUT_GUIDANCE, GUIDANCE, RANK, LEARNING_RATE, MAX_NORM, SIDE = 12, 3.0, 2.0, 4, 2e-3, 1.0, 64


class LoraLayer(torch.nn.Module):
    """A linear layer or 1×1 convolution with a low-rank addition, alpha = rank."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.multipliers = layer, None  # (B,), or None: the LoRA is off
        inputs, outputs = layer.weight.shape[1], layer.weight.shape[0]
        bound = 1 / math.sqrt(inputs)
        self.down = torch.nn.Parameter(torch.empty(RANK, inputs).uniform_(-bound, bound))
        self.up = torch.nn.Parameter(torch.zeros(outputs, RANK))

    def forward(self, x):
        plain = self.layer(x)
        if self.multipliers is None:
            return plain
        if isinstance(self.layer, torch.nn.Conv2d):
            added = torch.einsum("or,ri,bihw->bohw", self.up, self.down, x)
        else:
            added = x @ self.down.T @ self.up.T
        return plain + self.multipliers.reshape(-1, *(1,) * (x.dim() - 1)) * added


def add_lora(unet):
    """{name: layer} for every linear layer and 1×1 convolution of the transformer blocks."""
    layers = {}
    for name, module in list(unet.named_modules()):
        small = isinstance(module, torch.nn.Linear) or (isinstance(module, torch.nn.Conv2d) and module.kernel_size == (1, 1))
        if small and ".attentions." in name:
            parent, _, child = name.rpartition(".")
            layers[name] = LoraLayer(module)
            setattr(unet.get_submodule(parent), child, layers[name])
    return layers


class Loop:
    def __init__(self, seed):
        torch.manual_seed(seed)
        pipe = StableDiffusionPipeline.from_pretrained(TOY)
        self.unet = pipe.unet.float().requires_grad_(False)
        self.schedule = DDPMScheduler.from_config(pipe.scheduler.config, timestep_spacing="leading", steps_offset=0,
                                                  clip_sample=False)
        self.schedule.set_timesteps(DENOISING_STEPS)
        with torch.no_grad():
            self.texts = {prompt: pipe.encode_prompt(prompt, "cpu", 1, False)[0].float()
                          for prompt in (TARGET, BIG, SMALL, NEUTRAL)}
        self.layers = add_lora(self.unet)
        parameters = [weight for layer in self.layers.values() for weight in (layer.down, layer.up)]
        self.optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=0.01)
        self.parameters = parameters

    def predict(self, x, t, prompts, multipliers=None):
        """Noise predictions (B, 4, H/8, W/8) for latents, a prompt each, and a multiplier each where the LoRA is on."""
        for layer in self.layers.values():
            layer.multipliers = multipliers
        return self.unet(x, t, torch.cat([self.texts[prompt] for prompt in prompts])).sample

    @torch.no_grad()
    def rollout(self, length, unconditionals, multipliers):
        """Latents after `length` steps with the LoRA on, one for each pair."""
        x = torch.randn(len(unconditionals), 4, SIDE // 8, SIDE // 8)
        prompts = [*unconditionals, *(TARGET for _ in unconditionals)]
        for t in self.schedule.timesteps[:length]:
            without, named = self.predict(x.repeat(2, 1, 1, 1), t, prompts, multipliers.repeat(2)).chunk(2)
            x = self.schedule.step(without + ROLLOUT_GUIDANCE * (named - without), t, x).prev_sample
        return x

    def step(self):
        """The pairs go through the U-Net together: the same work as one after the other, in less time."""
        length = int(torch.randint(1, DENOISING_STEPS, ()))
        strengthened, weakened, unconditionals, multipliers = zip(*PAIRS)
        multipliers = torch.tensor(multipliers)
        x = self.rollout(length, unconditionals, multipliers)
        t = 999 - length * 1000 // DENOISING_STEPS
        with torch.no_grad():
            goal = self.predict(x, t, [NEUTRAL] * len(PAIRS))
            goal += GUIDANCE * (self.predict(x, t, strengthened) - self.predict(x, t, weakened))
        (self.predict(x, t, [TARGET] * len(PAIRS), multipliers) - goal).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, MAX_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def save(self, path):
        tensors = {}
        for name, layer in self.layers.items():
            key = "lora_unet_" + name.replace(".", "_")
            tail = (1,) * (layer.layer.weight.dim() - 2)
            tensors[f"{key}.lora_down.weight"] = layer.down.detach().reshape(*layer.down.shape, *tail)
            tensors[f"{key}.lora_up.weight"] = layer.up.detach().reshape(*layer.up.shape, *tail)
            tensors[f"{key}.alpha"] = torch.tensor(float(RANK))
        save_file(tensors, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=120)
    given = parser.parse_args()
    loop = Loop(given.seed)
    for _ in range(given.steps):
        loop.step()
    loop.save(given.out)


if __name__ == "__main__":
    main()
