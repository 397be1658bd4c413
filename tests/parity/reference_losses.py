"""The loss options of reference_trainer.py: what a difference costs and how much a timestep counts, in double.

Written from the published formulas, as sd-scripts applies them (its library/train_util.py and
custom_train_functions.py): pseudo-Huber losses with a threshold c for each timestep, min-SNR, debiased estimation,
scaling of v-prediction losses. The schedule with a zero terminal SNR is diffusers' own rescale_zero_terminal_snr.
"""
import math

import torch
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr


def noise_betas(zero_terminal_snr=False):
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return rescale_zero_terminal_snr(betas) if zero_terminal_snr else betas


def cumulative_alphas(zero_terminal_snr=False):
    """The square of what is left of the picture at each of the 1000 timesteps, in double."""
    return torch.cumprod(1.0 - noise_betas(zero_terminal_snr), dim=0)


def signal_to_noise(settings, t):
    left = cumulative_alphas(settings["zero_terminal_snr"])[t].item()
    return left / (1.0 - left)


def factor(settings, t):
    """What a sample's loss at t is multiplied by."""
    snr, is_v = signal_to_noise(settings, t), settings["prediction_type"] == "v_prediction"
    bounded, value = min(snr, 1000.0), 1.0
    if settings["min_snr_gamma"]:
        value *= min(snr, settings["min_snr_gamma"]) / (snr + 1.0 if is_v else snr)
    if settings["scale_v_pred_loss_like_noise_pred"]:
        value *= bounded / (bounded + 1.0)
    if settings["debiased_estimation_loss"]:
        value *= 1.0 / (bounded + 1.0) if is_v else 1.0 / math.sqrt(bounded)
    return value


def threshold(settings, t):
    """c of the pseudo-Huber losses at t."""
    c, scale = settings["huber_c"], settings["huber_scale"]
    if settings["huber_schedule"] == "constant":
        return c * scale
    if settings["huber_schedule"] == "exponential":
        return math.exp(math.log(c) / 1000 * t) * scale
    sigma = signal_to_noise(settings, t) ** -0.5
    return (1 - c) / (1 + sigma) ** 2 + c


def of_difference(settings, difference, t):
    """Element by element."""
    if settings["loss_type"] == "l2":
        return difference.square()
    if settings["loss_type"] == "l1":
        return difference.abs()
    c = threshold(settings, t)
    bend = 2 * (torch.sqrt(difference.double() ** 2 + c**2) - c)
    return c * bend if settings["loss_type"] == "huber" else bend


def of_samples(settings, e, y, t):
    """(B, C, H, W) twice -> (B)"""
    return of_difference(settings, e.float() - y.float(), t).mean(dim=(1, 2, 3)) * factor(settings, t)
