"""The step of our program in plain PyTorch and diffusers, without waste: what our times are compared with.

usage: reference_step.py --model DIR|sd15 [--size 64] [--threads 1] [--k 20] [--precision no|bf16|fp16] [--checkpointing]
                         [--repeats 3] [--interactive] [--save DIR]
One item a step: k guided DDPM steps in batches of two (LoRA on, no gradient), the frozen predictions of three distinct
prompts in one batch, the trained prediction forward and backward, clipping and AdamW. Nothing is computed twice, and a
graph is kept for the trained prediction only. Each measured step prints one JSON line: seconds by phase, their sum,
VmHWM in bytes, the loss (a check that the numbers are finite). The first line, "ready", says what was loaded. With
--interactive each step waits for a line on standard input, so that a driver can alternate two programs.

--model sd15: the U-Net of Stable Diffusion 1.5 with random weights of a fixed seed, fp32. --save DIR also writes it as
a Diffusers folder with a text encoder of one layer, the toy's tokenizer and VAE, so that our program loads the same;
with --repeats 0 that is all.
"""
import argparse
import json
import re
import shutil
import sys
import time
from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizerFast

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "parity"))
import reference_trainer as reference  # noqa: E402

DTYPES = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
TARGET, POSITIVE, UNCONDITIONAL, NEUTRAL = "circle", "a big circle", "a small circle", ""
SD15_UNET = {
    "sample_size": 64, "in_channels": 4, "out_channels": 4, "layers_per_block": 2,
    "cross_attention_dim": 768, "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
SD15_TEXT = {
    "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 1,
    "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu",
    "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 1,
}


class RandomModel(reference.Model):
    """Stable Diffusion 1.5's U-Net beside a small text encoder, weights as their constructors draw them from seed 0."""

    def __init__(self):
        torch.manual_seed(0)
        self.unet, self.dtype = UNet2DConditionModel(**SD15_UNET).eval().requires_grad_(False), torch.float32
        self.tokenizer = CLIPTokenizerFast.from_pretrained(TESTS / "data/toy-sd/tokenizer")
        self.text_encoder = CLIPTextModel(CLIPTextConfig(**SD15_TEXT)).eval()
        self.embeddings = {}

    def save(self, folder):
        toy = TESTS / "data/toy-sd"
        for name in ("tokenizer", "scheduler", "vae"):
            shutil.copytree(toy / name, folder / name, dirs_exist_ok=True)
        shutil.copy(toy / "model_index.json", folder / "model_index.json")
        self.unet.save_pretrained(folder / "unet", max_shard_size="16GB")
        self.text_encoder.save_pretrained(folder / "text_encoder")


class Stopwatch:
    def __init__(self):
        self.seconds, self.last = {}, time.perf_counter()

    def stop(self, phase):
        now = time.perf_counter()
        self.seconds[phase], self.last = now - self.last, now


class Step:
    def __init__(self, model, size, k, dtype=torch.float32):
        self.model, self.size, self.k, self.dtype = model, size, k, dtype
        self.network = reference.Network(model.unet, {"seed": 1, "network_dim": 4, "network_alpha": 1.0})
        self.parameters = self.network.parameters()
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-4, weight_decay=0.01)
        self.scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                       clip_sample=False)
        self.scheduler.set_timesteps(40)
        with torch.no_grad():
            embed = model.embed
            self.guided = torch.cat([embed(UNCONDITIONAL), embed(TARGET)])
            self.frozen = torch.cat([embed(POSITIVE), embed(UNCONDITIONAL), embed(NEUTRAL)])
            self.trained = embed(TARGET)
        self.guided, self.frozen, self.trained = (text.to(dtype) for text in (self.guided, self.frozen, self.trained))
        model.text_encoder = None

    def __call__(self):
        watch, unet, network = Stopwatch(), self.model.unet, self.network
        x, t = torch.randn(1, 4, self.size // 8, self.size // 8, dtype=self.dtype), 999 - self.k * 1000 // 40
        with torch.no_grad(), network.on(1.0):
            for timestep in self.scheduler.timesteps[:self.k]:
                without, target = unet(x.expand(2, -1, -1, -1), timestep, self.guided, return_dict=False)[0].chunk(2)
                x = self.scheduler.step(without + 3.0 * (target - without), timestep, x, return_dict=False)[0]
        watch.stop("rollout")
        with torch.no_grad():
            positive, unconditional, neutral = unet(x.expand(3, -1, -1, -1), t, self.frozen, return_dict=False)[0].chunk(3)
            y = neutral - (positive - unconditional)
        watch.stop("frozen")
        with network.on(1.0):
            loss = (unet(x, t, self.trained, return_dict=False)[0].float() - y.float()).square().mean()
            loss.backward()  # here, since checkpointed blocks run again with the LoRA on
        watch.stop("train")
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        watch.stop("update")
        return watch.seconds, loss.item()


def peak_memory():
    """VmHWM of this process in bytes."""
    return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])


def say(**fields):
    print(json.dumps(fields), flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a Diffusers folder, or sd15")
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--k", type=int, default=20, help="steps of each rollout, of 40")
    parser.add_argument("--precision", choices=DTYPES, default="no", help="of the U-Net and its inputs; the LoRA is fp32")
    parser.add_argument("--checkpointing", action="store_true", help="diffusers' gradient checkpointing")
    parser.add_argument("--repeats", type=int, default=3, help="steps that are measured")
    parser.add_argument("--warmup", type=int, default=1, help="steps before them")
    parser.add_argument("--interactive", action="store_true",
                        help="read a line from standard input before each measured step")
    parser.add_argument("--save", type=Path, help="write the random sd15 as a Diffusers folder")
    return parser.parse_args()


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    model = RandomModel() if options.model == "sd15" else reference.Model(options.model)
    if options.save:
        model.save(options.save)
    if options.repeats == 0:
        return
    torch.manual_seed(0)
    model.unet.to(DTYPES[options.precision])
    if options.checkpointing:
        model.unet.enable_gradient_checkpointing()
    step = Step(model, options.size, options.k, DTYPES[options.precision])
    for _ in range(options.warmup):
        step()
    say(ready=True, model=options.model, size=options.size, threads=options.threads, k=options.k,
        modules=len(step.network.adapters))
    for repeat in range(options.repeats):
        if options.interactive and not sys.stdin.readline():
            return
        seconds, loss = step()
        say(repeat=repeat, seconds=seconds, total=sum(seconds.values()), peak_bytes=peak_memory(), loss=loss)


if __name__ == "__main__":
    main()
