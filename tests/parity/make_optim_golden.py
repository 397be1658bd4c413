"""Writes what optimizers and learning-rate schedules are compared with into tests/data/golden: optim.json,
optim.safetensors, lr_schedule.json.

usage: make_optim_golden.py [OUTPUT]      (tests/data/golden)
With torch 2.11.0, transformers 4.57.1 and diffusers 0.35.2 of tests/requirements.txt, and, for this script only,
  pip install lion-pytorch==0.2.3 prodigyopt==1.1.2 dadaptation==3.2 schedulefree==1.4 bitsandbytes==0.49.2
on one CPU thread. Arguments are read and handed on as sd-scripts does it. bitsandbytes has its 8-bit updates as CUDA
kernels only, so EightBit below computes them from their published source (csrc/kernels.cu, the blockwise kernels) with
bitsandbytes' own map of 256 values. Its quantize_blockwise is not used: on the CPU it writes -1 over the map's first
value, which for the unsigned map is 0; the CUDA kernels do not.
"""
import ast
import json
import math
import sys
from pathlib import Path

import dadaptation
import diffusers.optimization
import lion_pytorch
import prodigyopt
import schedulefree
import torch
import transformers.optimization
from bitsandbytes import functional as bnb

import make_golden
import reference_trainer as reference
from make_golden import SEED, TESTS
from reference_trainer import Draws

# One buffer holds them: a small matrix, one with 8-bit state whose last block is short, a convolution.
SHAPES = [(4, 24), (70, 66), (3, 5, 3, 3)]
STEPS = 20
SAMPLED = 64  # entries that are stored, spread evenly over the buffer

# (optimizer, --optimizer_args, learning rate[, factors of the three rates])
CASES = [
    ("AdamW", [], 1e-2),
    ("AdamW", ["betas=0.8,0.95", "eps=1e-6", "weight_decay=0.2"], 1e-2),
    ("AdamW", ["amsgrad=True", "maximize=True"], 1e-2),
    ("AdamW", [], 1e-2, [1, 16, 0.5]),
    ("Adam", [], 1e-2),
    ("Adam", ["weight_decay=0.1", "amsgrad=True"], 1e-2),
    ("Adam", ["weight_decay=0.1", "decoupled_weight_decay=True"], 1e-2),
    ("SGD", [], 0.5),
    ("SGD", ["momentum=0.9", "dampening=0.1", "weight_decay=0.1"], 0.1),
    ("SGDNesterov", [], 0.1),
    ("SGDNesterov", ["momentum=0.5", "weight_decay=0.1"], 0.1, [1, 16, 0.5]),
    ("Lion", [], 1e-3),
    ("Lion", ["betas=0.95,0.98", "weight_decay=0.5"], 1e-3),
    ("Lion", ["weight_decay=0.01", "decoupled_weight_decay=True"], 1e-2),
    ("RMSprop", [], 1e-2),
    ("RMSprop", ["alpha=0.9", "momentum=0.5", "centered=True", "weight_decay=0.1"], 1e-2),
    ("Adagrad", [], 1e-2),
    ("Adagrad", ["lr_decay=0.1", "initial_accumulator_value=0.01", "weight_decay=0.1"], 1e-2),
    ("NAdam", [], 1e-2),
    ("NAdam", ["momentum_decay=0.01", "weight_decay=0.1", "decoupled_weight_decay=True"], 1e-2),
    ("NAdam", ["betas=0.8,0.95", "weight_decay=0.1"], 1e-2),
    ("RAdam", [], 1e-2),
    ("RAdam", ["betas=0.8,0.9", "weight_decay=0.1"], 1e-2),
    ("RAdam", ["weight_decay=0.1", "decoupled_weight_decay=True"], 1e-2),
    ("Adafactor", [], 1e-2),
    ("Adafactor", ["relative_step=False", "scale_parameter=False", "weight_decay=0.1"], 1e-2),
    ("Adafactor", ["warmup_init=True", "beta1=0.9", "clip_threshold=0.5"], 1e-2),
    ("Adafactor", ["relative_step=False", "decay_rate=-0.5", "eps=1e-20,1e-2"], 0.01, [1, 4, 0.5]),
    ("Prodigy", [], 1.0),
    ("Prodigy", ["d_coef=2.0", "weight_decay=0.01", "use_bias_correction=True", "safeguard_warmup=True"], 1.0),
    ("Prodigy", ["betas=0.0,0.99", "beta3=0.9", "decouple=False", "weight_decay=0.1", "growth_rate=1.5", "d0=1e-4"], 1.0),
    ("Prodigy", ["slice_p=11"], 1.0),
    ("DAdaptAdam", [], 0.1),
    ("DAdaptAdam", ["decouple=True", "weight_decay=0.01", "use_bias_correction=True", "growth_rate=1.5", "d0=1e-4"], 1.0),
    ("DAdaptAdam", ["weight_decay=0.1", "betas=0.8,0.95"], 1.0),
    ("DAdaptLion", [], 1.0),
    ("DAdaptLion", ["betas=0.95,0.98", "weight_decay=0.1", "d0=1e-4"], 1.0),
    ("AdamWScheduleFree", [], 1e-2),
    ("AdamWScheduleFree", ["warmup_steps=5", "weight_decay=0.1", "r=1.0"], 1e-2),
    ("AdamWScheduleFree", ["betas=0.95,0.99", "weight_lr_power=1.0"], 1e-2, [1, 16, 0.5]),
    ("AdamW8bit", [], 1e-2),
    ("AdamW8bit", ["betas=0.8,0.95", "weight_decay=0.2", "min_8bit_size=100"], 1e-2),
    ("AdamW8bit", [], 1e-2, [1, 16, 0.5]),
    ("Lion8bit", [], 1e-3),
    ("Lion8bit", ["betas=0.95,0.98", "weight_decay=0.5"], 1e-3),
    ("SGDNesterov8bit", [], 0.1),
    ("SGDNesterov8bit", ["momentum=0.5", "weight_decay=0.1", "min_8bit_size=1"], 0.1),
]

make_golden.RECIPES["optim.safetensors"] = f"""
Case N of optim.json. N.change: {SAMPLED} entries, spread evenly over the buffer, of the weights after {STEPS} steps
minus those before, and the norm of the whole difference. N.kept: the same of the averaged weights, schedule-free only.
The buffer: shapes {SHAPES}, row-major one after the other, seed {SEED}. Weights: 0.02 times purpose 5, step 0, item 1.
Gradient of step s: 0.05 times the sum of purpose 5, step 0, item 2 and purpose 5, step s, item 3. Learning rate of
step s: the case's, times 1 - s/40, times the shape's factor."""


class EightBit(torch.optim.Optimizer):
    """bitsandbytes' AdamW8bit, Lion8bit and SGD8bit; tensors below min_8bit_size keep fp32 state. Lion's decay is
    decoupled there too (bitsandbytes adds it to the gradient in that one case)."""

    BLOCK = 256

    def __init__(self, groups, lr, kind, betas, eps=1e-8, weight_decay=0.0, min_8bit_size=4096):
        super().__init__(groups, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))
        self.kind, self.min_8bit_size, self.count = kind, min_8bit_size, 0
        self.maps = [bnb.create_dynamic_map(signed=True), bnb.create_dynamic_map(signed=False)]

    def restore(self, state, index, like):
        if index not in state:
            return torch.zeros_like(like).flatten()
        if like.numel() < self.min_8bit_size:
            return state[index]
        codes, absmax = state[index]
        scales = absmax.repeat_interleave(self.BLOCK)[:codes.numel()]
        return self.maps[index][codes.long()] * scales

    def store(self, state, index, values, like):
        if like.numel() < self.min_8bit_size:
            state[index] = values
            return
        absmax = torch.stack([block.abs().max() for block in values.split(self.BLOCK)])
        scaled = values / absmax.repeat_interleave(self.BLOCK)[:values.numel()]
        codes = (scaled.unsqueeze(1) - self.maps[index]).abs().argmin(1)  # the nearest, of equals the lower
        if index == 0:  # "make sure state1 term has still the same sign after quantization"
            codes -= ((self.maps[0][codes] == 0) & (values < 0)).long()
        state[index] = codes.to(torch.uint8), absmax

    @torch.no_grad()
    def step(self):
        self.count += 1
        for group in self.param_groups:
            lr, (beta1, beta2), decay = group["lr"], group["betas"], group["weight_decay"]
            for p in group["params"]:
                w, g, state = p.view(-1), p.grad.flatten().clone(), self.state[p]
                first = self.restore(state, 0, p)
                if self.kind == "adam":
                    correction1, correction2 = 1 - beta1**self.count, math.sqrt(1 - beta2**self.count)
                    second = self.restore(state, 1, p).mul_(beta2).addcmul_(g, g, value=1 - beta2)
                    first.mul_(beta1).add_(g, alpha=1 - beta1)
                    w.addcdiv_(first, second.sqrt().add_(correction2 * group["eps"]), value=-lr * correction2 / correction1)
                    w.mul_(1 - lr * decay)
                    self.store(state, 1, second, p)
                elif self.kind == "lion":
                    w.mul_(1 - lr * decay)
                    w.sub_(first.mul(beta1).add_(g, alpha=1 - beta1).sign_(), alpha=lr)
                    first.mul_(beta2).add_(g, alpha=1 - beta2)
                else:
                    g.add_(w, alpha=decay)
                    first = g.clone() if self.count == 1 else first.mul_(beta1).add_(g)
                    w.sub_(first, alpha=lr)
                self.store(state, 0, first, p)


def parse(words):
    return {key: ast.literal_eval(value) for key, value in (word.split("=") for word in words)}


def make_optimizer(name, words, lr, groups):
    arguments = parse(words)
    if name.endswith("8bit"):
        if name == "SGDNesterov8bit":
            return EightBit(groups, lr, "momentum", (arguments.pop("momentum", 0.9), 0.0), **arguments)
        kind, betas, decay = ("adam", (0.9, 0.999), 1e-2) if name == "AdamW8bit" else ("lion", (0.9, 0.99), 0.0)
        return EightBit(groups, lr, kind, **{"betas": betas, "weight_decay": decay, **arguments})
    if name == "SGDNesterov":
        return torch.optim.SGD(groups, lr=lr, nesterov=True, **{"momentum": 0.9, **arguments})
    if name == "Adafactor":
        if arguments.setdefault("relative_step", True):
            for group in groups:
                group.pop("lr")
            lr = None
        return transformers.optimization.Adafactor(groups, lr=lr, **arguments)
    for module in (torch.optim, lion_pytorch, prodigyopt, dadaptation, schedulefree):
        if hasattr(module, name):
            return getattr(module, name)(groups, lr=lr, **arguments)
    raise KeyError(name)


def split(flat):
    parts, offset = [], 0
    for shape in SHAPES:
        parts.append(flat[offset:offset + math.prod(shape)].reshape(shape))
        offset += math.prod(shape)
    return parts


def normals(**use):
    return Draws(SEED, reference.LATENTS, **use).normals(sum(map(math.prod, SHAPES)))


def summary(parameters, start):
    change = torch.cat([p.detach().flatten() for p in parameters]).double() - start.double()
    places = torch.arange(SAMPLED) * change.numel() // SAMPLED
    return torch.cat([change[places], change.norm().reshape(1)]).float()


def run(name, words, lr, factors=(1, 1, 1)):
    start, bias = normals(item=1) * 0.02, normals(item=2)
    parameters = [torch.nn.Parameter(part.clone()) for part in split(start)]
    groups = [{"params": [p], "lr": lr * factor} for p, factor in zip(parameters, factors)]
    optimizer = make_optimizer(name, words, lr, groups)
    if name == "AdamWScheduleFree":
        optimizer.train()
    for step in range(STEPS):
        for p, g in zip(parameters, split((bias + normals(item=3, step=step)) * 0.05)):
            p.grad = g.clone()
        for group, factor in zip(optimizer.param_groups, factors):
            if group["lr"] is not None:
                group["lr"] = lr * (1 - step / 40) * factor
        optimizer.step()
    found = {"change": summary(parameters, start)}
    if name == "AdamWScheduleFree":
        optimizer.eval()
        found["kept"] = summary(parameters, start)
    return found


def write_optimizers(output):
    tensors, cases = {}, []
    for number, case in enumerate(CASES):
        for key, value in run(*case).items():
            tensors[f"{number}.{key}"] = value
        cases.append(dict(zip(("optimizer", "arguments", "learning_rate", "factors"), case)))
        print(number, *case, "norm", tensors[f"{number}.change"][-1].item())
    make_golden.write_tensors(output / "optim.safetensors", tensors)
    lines = ",\n ".join(json.dumps(case) for case in cases)
    (output / "optim.json").write_text(f'[{lines}]\n')


# As the flags are called; steps are max_train_steps.
SCHEDULES = [
    {"lr_scheduler": "constant", "steps": 5},
    {"lr_scheduler": "constant_with_warmup", "lr_warmup_steps": "6", "steps": 20},
    {"lr_scheduler": "linear", "lr_warmup_steps": "5", "steps": 21},
    {"lr_scheduler": "linear", "lr_warmup_steps": "0.15", "steps": 30},
    {"lr_scheduler": "cosine", "steps": 25},
    {"lr_scheduler": "cosine", "lr_warmup_steps": "10%", "lr_scheduler_args": ["num_cycles=1.5"], "steps": 25},
    {"lr_scheduler": "cosine_with_restarts", "lr_scheduler_num_cycles": 3, "lr_warmup_steps": "4", "steps": 31},
    {"lr_scheduler": "polynomial", "lr_scheduler_power": 2.5, "lr_warmup_steps": "3", "steps": 20},
    {"lr_scheduler": "polynomial", "lr_scheduler_args": ["lr_end=1e-5"], "steps": 20},
    {"lr_scheduler": "inverse_sqrt", "lr_warmup_steps": "4", "steps": 30},
    {"lr_scheduler": "inverse_sqrt", "lr_scheduler_timescale": 7, "lr_warmup_steps": "4", "steps": 30},
    {"lr_scheduler": "inverse_sqrt", "steps": 10},
    {"lr_scheduler": "cosine_with_min_lr", "lr_scheduler_min_lr_ratio": 0.1, "lr_warmup_steps": "3", "steps": 25},
    {"lr_scheduler": "cosine_with_min_lr", "lr_scheduler_args": ["min_lr=2e-5"], "lr_scheduler_num_cycles": 3, "steps": 25},
    {"lr_scheduler": "warmup_stable_decay", "lr_warmup_steps": "4", "lr_decay_steps": "0.3", "steps": 30},
    {"lr_scheduler": "warmup_stable_decay", "lr_warmup_steps": "4", "lr_decay_steps": "8", "lr_scheduler_min_lr_ratio": 0.2,
     "lr_scheduler_args": ["warmup_type='cosine'", "decay_type='1-sqrt'"], "steps": 30},
    {"lr_scheduler": "warmup_stable_decay", "lr_warmup_steps": "6", "lr_decay_steps": "9", "lr_scheduler_num_cycles": 3,
     "lr_scheduler_args": ["warmup_type='1-sqrt'", "decay_type='cosine'"], "steps": 24},
    {"lr_scheduler": "warmup_stable_decay", "lr_decay_steps": "5", "lr_scheduler_args": ["decay_type='linear'"], "steps": 12},
    {"lr_scheduler": "piecewise_constant", "lr_scheduler_args": ["step_rules='1:5,0.1:12,0.01:15,0.005'"], "steps": 18},
]
BASE_RATE = 1e-3


def int_or_float(text):  # sd-scripts' type of the two step flags
    value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    return int(value) if value >= 1 and not text.endswith("%") else value


def scheduler_of(flags, optimizer):
    """sd-scripts' get_scheduler_fix."""
    def steps(name):
        value = int_or_float(flags.get(name, "0"))
        return int(value * flags["steps"]) if isinstance(value, float) else value
    name, arguments = flags["lr_scheduler"], parse(flags.get("lr_scheduler_args", []))
    warmup, decay = steps("lr_warmup_steps"), steps("lr_decay_steps")
    cycles, ratio = flags.get("lr_scheduler_num_cycles", 1), flags.get("lr_scheduler_min_lr_ratio")
    if name == "piecewise_constant":
        return diffusers.optimization.get_piecewise_constant_schedule(optimizer, **arguments)
    make = transformers.optimization.TYPE_TO_SCHEDULER_FUNCTION[transformers.SchedulerType(name)]
    if name == "constant":
        return make(optimizer, **arguments)
    arguments["num_warmup_steps"] = warmup
    if name == "constant_with_warmup":
        return make(optimizer, **arguments)
    if name == "inverse_sqrt":
        return make(optimizer, timescale=flags.get("lr_scheduler_timescale"), **arguments)
    if name == "warmup_stable_decay":
        return make(optimizer, num_stable_steps=flags["steps"] - warmup - decay, num_decay_steps=decay,
                    num_cycles=cycles / 2, min_lr_ratio=0.0 if ratio is None else ratio, **arguments)
    more = {"cosine_with_restarts": {"num_cycles": cycles}, "polynomial": {"power": flags.get("lr_scheduler_power", 1)},
            "cosine_with_min_lr": {"num_cycles": cycles / 2, "min_lr_rate": ratio}}
    return make(optimizer, num_training_steps=flags["steps"], **more.get(name, {}), **arguments)


def write_schedules(output):
    lines = []
    for flags in SCHEDULES:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE_RATE)
        scheduler, rates = scheduler_of(flags, optimizer), []
        for _ in range(flags["steps"]):
            rates.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
        lines.append(json.dumps({**flags, "rates": rates}))
    (output / "lr_schedule.json").write_text("[" + ",\n ".join(lines) + "]\n")


def main(output=TESTS / "data/golden"):
    torch.set_num_threads(1)
    write_optimizers(Path(output))
    write_schedules(Path(output))


if __name__ == "__main__":
    main(*sys.argv[1:2])
