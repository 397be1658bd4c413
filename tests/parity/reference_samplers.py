"""diffusers 0.35.2's schedulers as leco names and sets them (SPEC section 9), with noise that the caller gives."""
import math
from unittest import mock

import numpy as np
import torch
from diffusers import (DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler,
                       EulerDiscreteScheduler)

import reference_losses

SAMPLERS = {
    "ddim": (DDIMScheduler, {"set_alpha_to_one": False, "clip_sample": False}),
    "ddpm": (DDPMScheduler, {"clip_sample": False, "variance_type": "fixed_small"}),
    "euler": (EulerDiscreteScheduler, {"final_sigmas_type": "zero", "use_karras_sigmas": False}),
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "dpm++2m": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 2,
                                              "lower_order_final": True, "final_sigmas_type": "zero"}),
}
NOISY = {"ddpm": "ddpm", "euler_a": "euler_ancestral_discrete"}  # sampler -> module that draws


class Sampler:
    def __init__(self, name, steps, prediction_type, offset):
        kind, own = SAMPLERS[name]
        self.name, self.scheduler = name, kind(
            num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
            timestep_spacing="leading", steps_offset=offset, prediction_type=prediction_type, **own)
        self.scheduler.set_timesteps(steps)
        self.timesteps = self.scheduler.timesteps

    def start(self, noise):
        return noise * self.scheduler.init_noise_sigma

    def step(self, index, x, predict, z):
        """x of the next step; predict is given what the U-Net sees and the timestep, z is the step's noise."""
        t = self.timesteps[index]
        prediction = predict(self.scheduler.scale_model_input(x, t), t)
        if self.name not in NOISY:
            return self.scheduler.step(prediction, t, x).prev_sample
        with mock.patch(f"diffusers.schedulers.scheduling_{NOISY[self.name]}.randn_tensor", lambda *_, **__: z):
            return self.scheduler.step(prediction, t, x).prev_sample

    def handed_on(self, x, index):
        """What a rollout of `index` steps hands on: Euler's x over the square root of sigma^2 + 1."""
        sigmas = self.scheduler.sigmas if self.name.startswith("euler") else None
        return x if sigmas is None else x / (sigmas[index] ** 2 + 1) ** 0.5


# ---- DDPM, the default of rollouts, in double ----------------------------------------------------

def make_scheduler(K, prediction_type="epsilon", zero_terminal_snr=False):
    """diffusers' DDPMScheduler on K timesteps, its cumulative products in double (section 1) instead of float32."""
    scheduler = DDPMScheduler(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012,
                              beta_schedule="scaled_linear", variance_type="fixed_small", clip_sample=False,
                              timestep_spacing="leading", steps_offset=0, prediction_type=prediction_type)
    scheduler.betas = reference_losses.noise_betas(zero_terminal_snr)
    scheduler.alphas, scheduler.alphas_cumprod = 1.0 - scheduler.betas, reference_losses.cumulative_alphas(zero_terminal_snr)
    scheduler.one = torch.tensor(1.0, dtype=torch.float64)
    scheduler.set_timesteps(K)
    return scheduler


def scheduler_step(scheduler, index, x, prediction, z):
    """One step of diffusers' own code; z takes the place of the noise that it would draw."""
    with mock.patch("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, **__: z):
        return scheduler.step(prediction, scheduler.timesteps[index], x).prev_sample


def explicit_step(K, index, x, prediction, z, prediction_type="epsilon"):
    """The same step written out in double: Ho et al. 2020, equation 7, with the smaller of its two variances."""
    stride = 1000 // K
    t, previous = (K - 1 - index) * stride, (K - 2 - index) * stride
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    alpha_bar = np.cumprod(1.0 - betas)
    a, a_previous = alpha_bar[t], alpha_bar[previous] if index < K - 1 else 1.0
    x, prediction, z = x.double(), prediction.double(), z.double()
    if prediction_type == "epsilon":
        x0 = (x - math.sqrt(1 - a) * prediction) / math.sqrt(a)
    else:
        x0 = math.sqrt(a) * x - math.sqrt(1 - a) * prediction
    alpha = a / a_previous
    mean = (math.sqrt(a_previous) * (1 - alpha) * x0 + math.sqrt(alpha) * (1 - a_previous) * x) / (1 - a)
    deviation = math.sqrt((1 - a_previous) / (1 - a) * (1 - alpha)) if t > 0 else 0.0
    return (mean + deviation * z).float()
