"""The LoRA of reference_trainer.py: which layers of diffusers' U-Net get a module, and what each adds to its layer.

Written from SPEC.md sections 2, 4 and 6 and from what sd-scripts' networks/lora.py does with the same --network_args.
"""
import math
import re
from contextlib import contextmanager

import numpy as np
import torch

from reference_draws import Draws

DROPOUT, LORA_INIT = 8, 9  # purposes of draws
NEURON, RANK, MODULE = 0, 1, 2  # the kind of dropout, the lowest two bits of its sub
KNOWN_ARGS = {"conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "block_dims", "block_alphas", "conv_block_dims",
              "conv_block_alphas", "down_lr_weight", "mid_lr_weight", "up_lr_weight", "block_lr_zero_threshold",
              "loraplus_lr_ratio", "train_method"}
METHODS = {
    "full": lambda name: True,
    "xattn": lambda name: ".attn2." in name,
    "xattn-strict": lambda name: ".attn2." in name and ".to_out." not in name,
    "selfattn": lambda name: ".attn1." in name,
    "noxattn": lambda name: ".attn2." not in name,
}


# ---- which layers --------------------------------------------------------------------------------

def block_of(key):
    """-> (number of the block, number of blocks) of a LoRA key, SD's in Diffusers' spelling and SDXL's in SGM's."""
    for pattern, first in ((r"lora_unet_input_blocks_(\d+)_", 1), (r"lora_unet_middle_block_(\d+)_", 10),
                           (r"lora_unet_output_blocks_(\d+)_", 13)):
        if match := re.match(pattern, key):
            return first + int(match[1]), 23
    if key.startswith("lora_unet_mid_block_"):
        return 12, 25
    way, level, kind, place = re.match(r"lora_unet_(up|down)_blocks_(\d+)_([a-z]+)_(\d+)_", key).groups()
    within = 2 if kind.endswith("samplers") else int(place)
    return {"down": 1, "up": 13}[way] + 3 * int(level) + within, 25


def side_weights(weights, count):
    """down_lr_weight, mid_lr_weight or up_lr_weight as one factor for each of `count` blocks."""
    if weights is None:
        return [1.0] * count
    if isinstance(weights, list):
        return weights + [1.0] * (count - len(weights))
    name, _, base = weights.partition("+")
    rising = np.linspace(0.0, 1.0, count)
    curve = {"sine": np.sin(math.pi * rising / 2), "cosine": np.sin(math.pi * rising[::-1] / 2), "linear": rising,
             "reverse_linear": rising[::-1], "zeros": 0 * rising}[name]
    return (curve + float(base or 0)).tolist()


def block_weights(args, blocks):
    """Factors of the learning rate by block; what a given list brings to the threshold or below is 0."""
    side, middle = {25: (12, 1), 23: (9, 3)}[blocks]
    weights = []
    for name, count in (("down_lr_weight", side), ("mid_lr_weight", middle), ("up_lr_weight", side)):
        given, limit = args.get(name), args.get("block_lr_zero_threshold", 0.0)
        weights += [w if given is None or w > limit else 0.0 for w in side_weights(given, count)]
    return [1.0, *weights, 1.0] if blocks == 23 else weights


def chosen(name, module, key, settings):
    """-> (rank, alpha, factor of the learning rate) of a layer; rank 0 where it gets no module."""
    args = settings["network_args"]
    assert not set(args) - KNOWN_ARGS, args
    block, blocks = block_of(key)
    factor = block_weights(args, blocks)[block]
    convolutions = "conv_dim" in args or "conv_block_dims" in args
    if factor == 0 or not METHODS[args.get("train_method", "full")](name):
        return 0, 0, 0
    if ".attentions." not in name and not convolutions:
        return 0, 0, 0
    if module.weight.dim() == 4 and module.kernel_size != (1, 1):
        rank = args["conv_block_dims"][block] if "conv_block_dims" in args else args.get("conv_dim", 0)
        alpha = args["conv_block_alphas"][block] if "conv_block_alphas" in args else args.get("conv_alpha", 1.0)
    else:
        rank = args["block_dims"][block] if "block_dims" in args else settings["network_dim"]
        alpha = args["block_alphas"][block] if "block_alphas" in args else settings["network_alpha"]
    return rank, alpha or rank, factor


def candidates(unet):
    """The layers that may get a module, in the order of named_modules()."""
    return [(name, module) for name, module in unet.named_modules()
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))
            and re.search(r"\.(attentions|resnets|downsamplers|upsamplers)\.", name)]


# ---- what a module adds --------------------------------------------------------------------------

class Adapter:
    """One module's lora_down and lora_up, added to its output by a forward hook."""

    def __init__(self, network, index, name, module, choice):
        self.network, self.index, self.name = network, index, name
        self.rank, self.alpha, self.factor = choice
        weight, self.convolution = module.weight, {}
        if weight.dim() == 4:
            self.convolution = {"stride": module.stride, "padding": module.padding}
        fan_in = weight[0].numel()
        uniform = Draws(network.seed, LORA_INIT, sub=index).uniforms(self.rank * fan_in)
        down = ((2.0 * uniform - 1.0) / math.sqrt(fan_in)).astype(np.float32)
        self.down = torch.nn.Parameter(torch.from_numpy(down).reshape(self.rank, *weight.shape[1:]))
        self.up = torch.nn.Parameter(torch.zeros(weight.shape[0], self.rank, *[1] * (weight.dim() - 2)))
        self.handle = module.register_forward_hook(self.add)

    def add(self, module, inputs, output):
        scale = self.network.multiplier * self.alpha / self.rank
        if scale == 0:
            return output
        apply = torch.nn.functional.conv2d if self.down.dim() == 4 else torch.nn.functional.linear
        down, up = (weight.to(inputs[0].dtype) for weight in (self.down, self.up))
        hidden = apply(inputs[0], down, **self.convolution)
        if self.network.item is not None:
            hidden = self.dropped(hidden)
        return output + scale * apply(hidden, up)

    def dropped(self, hidden):
        """hidden (B, ..., rank) of a linear layer, (B, rank, h, w) of a convolution."""
        by_rank = (len(hidden), self.rank) + (1,) * (hidden.dim() - 2)
        if hidden.dim() == 3:
            by_rank = (len(hidden), 1, self.rank)
        for kind, p, shape, kept in ((NEURON, self.network.neuron, hidden.shape, None),
                                     (RANK, self.network.rank_dropout, by_rank, None),
                                     (MODULE, self.network.module_dropout, (1,) * hidden.dim(), 1.0)):
            if p:
                sub = 4 * (self.index + 2048 * self.network.point) + kind
                uniform = Draws(sub=sub, purpose=DROPOUT, **self.network.item).uniforms(math.prod(shape))
                hidden = hidden * torch.from_numpy(uniform >= p).reshape(shape) * (kept or 1.0 / (1.0 - p))
        return hidden

    def key(self):
        return self.network.key(self.name)


class Network:
    """The LoRA of a U-Net by --network_dim, --network_alpha and --network_args.

    spelling turns Diffusers' name of a module into the one that the LoRA file's keys are made of.
    """

    def __init__(self, unet, settings, spelling=lambda name: name):
        settings = {"network_dropout": 0.0, "network_args": {}, **settings}
        self.args, self.seed, self.spelling = settings["network_args"], settings["seed"], spelling
        self.neuron, self.multiplier, self.item, self.point = settings["network_dropout"], 0.0, None, 0
        self.rank_dropout, self.module_dropout = (self.args.get(f"{kind}_dropout", 0.0) for kind in ("rank", "module"))
        choices = [(name, module, chosen(name, module, self.key(name), settings)) for name, module in candidates(unet)]
        self.adapters = [Adapter(self, index, *choice)
                         for index, choice in enumerate(choice for choice in choices if choice[2][0])]

    def key(self, name):
        return "lora_unet_" + self.spelling(name).replace(".", "_")

    def parameters(self):
        return [p for adapter in self.adapters for p in (adapter.down, adapter.up)]

    def parameter_groups(self):
        """For an optimizer of torch: each parameter with the factor of its learning rate."""
        ratio = self.args.get("loraplus_lr_ratio", 1.0)
        return [{"params": [p], "factor": adapter.factor * (ratio if p is adapter.up else 1.0)}
                for adapter in self.adapters for p in (adapter.down, adapter.up)]

    @contextmanager
    def on(self, multiplier, item=None, point=0):
        """item: seed, step and item of a trained prediction, in which dropout acts; point: of its rollout, from 0."""
        self.multiplier, self.item, self.point = multiplier, item, point
        yield
        self.multiplier, self.item = 0.0, None

    def detach(self):
        for adapter in self.adapters:
            adapter.handle.remove()

    def state_dict(self):
        tensors = {}
        for adapter in self.adapters:
            tensors[adapter.key() + ".lora_down.weight"] = adapter.down.detach().clone()
            tensors[adapter.key() + ".lora_up.weight"] = adapter.up.detach().clone()
            tensors[adapter.key() + ".alpha"] = torch.tensor(float(adapter.alpha))
        return tensors
