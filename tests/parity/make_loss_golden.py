"""Writes tests/data/golden/loss_options.json: what the loss options are compared with.

usage: make_loss_golden.py [DATA [OUTPUT]]      (tests/data, tests/data/golden)
From tests/data/toy-sd and tiny-sd2v, with torch 2.11.0, diffusers 0.35.2 and transformers 4.57.1 on one CPU thread;
fp16 weights are raised to fp32. The recipe is in RECIPE and in the file itself.
"""
import sys
from pathlib import Path

import torch

import make_family_golden
import reference_losses
import reference_trainer as reference
from make_golden import PAIRS, SEED, SETTINGS, TESTS, as_json, flat, settings_with, total_norms
from reference_trainer import Draws

TIMESTEPS = [0, 1, 83, 249, 416, 499, 666, 750, 916, 998]
DIFFERENCES = [0.0, 1e-4, -3e-3, 0.05, -0.1, 0.3, 1.0, -2.5, 30.0]
FACTORS = [
    {"debiased_estimation_loss": True},
    {"debiased_estimation_loss": True, "prediction_type": "v_prediction"},
    {"scale_v_pred_loss_like_noise_pred": True, "prediction_type": "v_prediction"},
    {"scale_v_pred_loss_like_noise_pred": True, "debiased_estimation_loss": True, "min_snr_gamma": 5.0,
     "prediction_type": "v_prediction"},
    {"debiased_estimation_loss": True, "zero_terminal_snr": True},
    {"min_snr_gamma": 5.0, "prediction_type": "v_prediction", "zero_terminal_snr": True},
]
THRESHOLDS = [
    {"huber_schedule": "constant", "huber_c": 0.2, "huber_scale": 1.5},
    {"huber_schedule": "exponential", "huber_c": 0.1, "huber_scale": 1.0},
    {"huber_schedule": "exponential", "huber_c": 0.02, "huber_scale": 3.0},
    {"huber_schedule": "snr", "huber_c": 0.1},
    {"huber_schedule": "snr", "huber_c": 0.3, "zero_terminal_snr": True},
]
LOSSES = [{"loss_type": "l2"}, {"loss_type": "l1"}, {"loss_type": "huber"}, {"loss_type": "huber", "huber_c": 0.7},
          {"loss_type": "smooth_l1", "huber_schedule": "exponential"},
          {"loss_type": "smooth_l1", "huber_schedule": "constant", "huber_c": 0.01}]
VARIANTS = {
    "toy-sd": {
        "l1": {"loss_type": "l1"},
        "huber": {"loss_type": "huber", "huber_c": 0.05},
        "smooth_l1, exponential": {"loss_type": "smooth_l1", "huber_schedule": "exponential", "huber_c": 0.02,
                                   "huber_scale": 0.5},
        "debiased estimation": {"debiased_estimation_loss": True},
        "noise offset of random strength": {"noise_offset": 0.3, "noise_offset_random_strength": True},
        "zero terminal SNR": {"zero_terminal_snr": True, "min_snr_gamma": 5.0},
    },
    "tiny-sd2v": {
        "scaled like noise, debiased": {"scale_v_pred_loss_like_noise_pred": True, "debiased_estimation_loss": True},
        "zero terminal SNR from its first timestep": {"zero_terminal_snr": True, "max_denoising_steps": 1000,
                                                      "rollout_length": "shared"},
    },
}
RECIPE = f"""
factors: what a sample's loss at each of the timesteps is multiplied by; thresholds: c of the Huber losses there; losses:
of each of the differences at timestep 416, and their derivatives; alpha_bar: of diffusers' rescale_zero_terminal_snr; all
in double, settings that are not named at their defaults. advances: x after step `index` of K by diffusers' DDPMScheduler
with a zero terminal SNR, x purpose 5, prediction purpose 6, z purpose 7 of seed {SEED}, shape (1, 4, 2, 2). variants: of
make_golden.py's (toy-sd) and make_family_golden.py's (tiny-sd2v) first run in steps.json, two steps."""


def losses():
    rows = []
    for changes in LOSSES:
        difference = torch.tensor(DIFFERENCES, dtype=torch.float64, requires_grad=True)
        loss = reference_losses.of_difference(settings_with(**changes), difference, 416)
        (gradient,) = torch.autograd.grad(loss.sum(), difference)
        rows.append({"settings": changes, "loss": loss.tolist(), "gradient": gradient.tolist()})
    return rows


def advances():
    x, prediction, z = (Draws(SEED, purpose).normals(1, 4, 2, 2)
                        for purpose in (reference.LATENTS, reference.NOISE_OFFSET, reference.SAMPLER_NOISE))
    rows = []
    for kind, K, index in (("v_prediction", 1000, 0), ("v_prediction", 1000, 1), ("v_prediction", 40, 0),
                           ("epsilon", 1000, 1), ("epsilon", 40, 0), ("epsilon", 40, 39)):
        scheduler = reference.make_scheduler(K, kind, zero_terminal_snr=True)
        after = reference.scheduler_step(scheduler, index, x, prediction, z)
        rows.append({"prediction_type": kind, "K": K, "index": index, "after": after.flatten().tolist()})
    return rows


def variants(model, base, pairs, changes):
    weights = len(flat(reference.train(model, {**base, "max_train_steps": 0}, pairs)[1]))
    draws = Draws(SEED, 11)
    index = sorted({draws.integer(position, weights) for position in range(24)})
    runs = []
    for name, settings in changes.items():
        settings = {"max_train_steps": 2, **settings}
        if settings.get("max_denoising_steps") == 1000:
            settings["seed"] = seed_of_short_rollouts(base["seed"], settings)
        records, lora = reference.train(model, {**base, **settings}, pairs)
        runs.append({"name": name, "settings": settings, "records": records, **total_norms(lora), "index": index,
                     "value": flat(lora)[index].tolist()})
        print(name, [(record["loss"], record["grad_norm"]) for record in records])
    return runs


def seed_of_short_rollouts(seed, settings):
    """The next seed whose rollouts of 1000 timesteps end after few: the first timesteps are what is of interest."""
    changed = settings_with(**settings)
    while max(reference.rollout_length({**changed, "seed": seed}, step, 0) for step in range(2)) > 40:
        seed += 1
    return seed


def main(data=TESTS / "data", output=TESTS / "data/golden"):
    torch.set_num_threads(1)
    data = Path(data)
    sd2v = {**make_family_golden.SETTINGS, "prediction_type": "v_prediction"}
    Path(output, "loss_options.json").write_text(as_json({
        "recipe": " ".join(RECIPE.split()), "timesteps": TIMESTEPS, "differences": DIFFERENCES,
        "alpha_bar": reference_losses.cumulative_alphas(True)[TIMESTEPS + [999]].tolist(),
        "factors": [{"settings": changes, "values": [reference_losses.factor(settings_with(**changes), t)
                                                     for t in TIMESTEPS]} for changes in FACTORS],
        "thresholds": [{"settings": changes, "values": [reference_losses.threshold(settings_with(**changes), t)
                                                        for t in TIMESTEPS]} for changes in THRESHOLDS],
        "losses": losses(), "advances": advances(),
        "toy-sd": variants(reference.Model(data / "toy-sd"), SETTINGS, PAIRS, VARIANTS["toy-sd"]),
        "tiny-sd2v": variants(reference.Model(data / "tiny-sd2v"), sd2v, make_family_golden.PAIRS,
                              VARIANTS["tiny-sd2v"])}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
