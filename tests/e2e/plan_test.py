"""leco plan against a second computation: the draws of tests/parity/reference_trainer.py, shared out here.

usage: plan_test.py MPIEXEC LECO
"""
import itertools
import math
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "parity"))
import reference_trainer as reference  # noqa: E402
from calls import ROOT, TOY, call, check, json_of, output_of, refused, run_all  # noqa: E402

folder = Path(tempfile.mkdtemp())
KEYS = ["pairs", "settings", "modules", "shares", "cost", "memory_bytes", "efficiency"]
PAIR_KEYS = {"target", "positive", "unconditional", "neutral", "action", "guidance_scale", "resolution",
             "dynamic_resolution", "dynamic_crops", "batch_size", "multiplier", "weight"}


def prompt_file(text):
    path = folder / f"{abs(hash(text))}.toml"
    path.write_text(text)
    return path


MIXED = prompt_file("""
[[prompts]]
target = "a"
positive = "b"
resolution = 128
batch_size = 2
[[prompts]]
target = "c"
unconditional = "c"
neutral = "n"
resolution = [64, 192]
[[prompts]]
target = "d"
positive = "e"
unconditional = "f"
neutral = "g"
resolution = 512
dynamic_resolution = true
""")


# ---- the second computation ----------------------------------------------------------------------

def forward_cost(height, width):
    area = height * width / 512**2
    return 338.6 * area + 63.0 * area**2


def halves(pair, guidance):
    return 2 if guidance != 1 and pair["target"] != pair["unconditional"] else 1


def passes(pair, k, guidance):
    frozen = {pair["neutral"]}
    if pair["guidance_scale"] != 0 and pair["positive"] != pair["unconditional"]:
        frozen |= {pair["positive"], pair["unconditional"]}
    return (k * halves(pair, guidance) + len(frozen) + 3) * pair["batch_size"]


def step_items(settings, pairs, step):
    for item in range(settings["pairs_per_step"]):
        index = reference.pair_index(settings, len(pairs), step, item)
        pair = pairs[index]
        size = tuple(pair["resolution"])
        if pair["dynamic_resolution"]:
            size = reference.pixel_size(settings, {**pair, "resolution": size[0]}, step, item)
        yield {"item": item, "pair": pair, "size": size, "k": reference.rollout_length(settings, step, item)}


def packs_of(items, most, guidance):
    """Items of equal size, batch and need of guidance, up to `most` of them."""
    packs = []
    for item in items:
        kind = (item["size"], item["pair"]["batch_size"], halves(item["pair"], guidance))
        for pack_kind, pack in packs:
            if pack_kind == kind and len(pack) < most:
                pack.append(item)
                break
        else:
            packs.append((kind, [item]))
    return [pack for _, pack in packs]


def share_out(packs, costs, ranks):
    loads, shares = [0.0] * ranks, [[] for _ in range(ranks)]
    for index in sorted(range(len(packs)), key=lambda i: (-costs[i], i)):
        rank = min(range(ranks), key=lambda r: (loads[r], r))
        loads[rank] += costs[index]
        shares[rank] += [item["item"] for item in packs[index]]
    return [sorted(share) for share in shares], sum(loads) / (ranks * max(loads))


def expected(settings, pairs, ranks, per_pass):
    """First step's shares, mean cost in passes at 512 × 512, mean efficiency."""
    guidance, steps = settings["leco_denoise_guidance_scale"], settings["max_train_steps"]
    total, efficiencies, first = 0.0, [], None
    for step in range(steps):
        packs = packs_of(step_items(settings, pairs, step), per_pass, guidance)
        costs = [sum(passes(i["pair"], i["k"], guidance) * forward_cost(*i["size"]) for i in pack) for pack in packs]
        shares, efficiency = share_out(packs, costs, ranks)
        first = first or shares
        total += sum(costs)
        efficiencies.append(efficiency)
    return first, total / steps / forward_cost(512, 512), sum(efficiencies) / steps


# ---- tests ---------------------------------------------------------------------------------------

def shares_cost_and_efficiency_equal_a_second_computation():
    cases = itertools.product((1, 2, 3), (1, 5, 8), ("shared", "independent", "antithetic"), ("shuffle", "random"))
    for number, (ranks, count, lengths, order) in enumerate(cases):
        per_pass, guidance, seed = 1 + number % 3, (3.0, 1.0)[number % 2], 2**40 + number
        settings = reference.with_defaults({
            "seed": seed, "max_train_steps": 12, "pairs_per_step": count, "pair_order": order,
            "rollout_length": lengths, "max_denoising_steps": 13, "leco_denoise_guidance_scale": guidance,
        }, reference.DEFAULT_SETTINGS)
        plan = json_of("plan", f"--prompts_file={MIXED}", f"--ranks={ranks}", f"--pairs_per_step={count}",
                         f"--rollout_length={lengths}", f"--pair_order={order}", f"--seed={seed}",
                         f"--items_per_pass={per_pass}", "--max_denoising_steps=13", "--max_train_steps=12",
                         f"--leco_denoise_guidance_scale={guidance}")
        shares, cost, efficiency = expected(settings, plan["pairs"], ranks, per_pass)
        case = (ranks, count, lengths, order, per_pass, guidance)
        check(plan["shares"] == shares, f"{case}: shares {plan['shares']}, expected {shares}")
        check(math.isclose(plan["cost"], cost, rel_tol=1e-9), f"{case}: cost {plan['cost']}, expected {cost}")
        check(math.isclose(plan["efficiency"], efficiency, rel_tol=1e-9),
              f"{case}: efficiency {plan['efficiency']}, expected {efficiency}")


def the_pairs_are_the_expanded_ones():
    pairs = json_of("plan", f"--prompts_file={MIXED}")["pairs"]
    check(all(set(pair) == PAIR_KEYS for pair in pairs), f"fields of {pairs[0]}")
    check([pair["positive"] for pair in pairs] == ["b", "c", "e"], f"{pairs}")
    check([pair["resolution"] for pair in pairs] == [[128, 128], [64, 192], [512, 512]], f"{pairs}")
    slider = json_of("plan", "--prompts_file=configs/prompts/toy_size.toml")["pairs"]
    small, big = "small circle", "big circle"
    check([(p["positive"], p["unconditional"], p["action"], p["multiplier"]) for p in slider] ==
          [(small, big, "erase", 1), (big, small, "enhance", 1), (big, small, "erase", -1),
           (small, big, "enhance", -1)], f"{slider}")


def without_a_model_modules_and_memory_are_null():
    plan = json_of("plan", f"--prompts_file={MIXED}")
    check(list(plan) == KEYS, f"keys {list(plan)}")
    check(plan["modules"] is None and plan["memory_bytes"] is None, "not null")
    check(plan["settings"]["prompts_file"] == str(MIXED) and plan["settings"]["pairs_per_step"] == "1",
          f"{plan['settings']}")


def the_modules_are_those_of_diffusers():
    plan = json_of("plan", f"--prompts_file={MIXED}", f"--pretrained_model_name_or_path={TOY}")
    check(plan["modules"] == (ROOT / "tests/data/golden/modules.txt").read_text().split(), "other modules")
    check(len(plan["modules"]) == 192, f"{len(plan['modules'])} modules")
    text = output_of("plan", f"--prompts_file={MIXED}", f"--pretrained_model_name_or_path={TOY}", "--network_args",
                     "conv_dim=2", "train_method=noxattn")
    for part in ("Modules: 213, ranks 2 … 4", "16 attn1.to_q, rank 4", "22 conv1, rank 2"):
        check(part in text, f"no {part!r} in {text}")
    check("attn2" not in text, "cross-attention in noxattn")


def memory_grows_with_size_batch_and_rank():
    def memory(size, batch, *flags):
        prompts = prompt_file(f'[[prompts]]\ntarget = "a"\nresolution = {size}\nbatch_size = {batch}\n')
        return json_of("plan", f"--prompts_file={prompts}", f"--pretrained_model_name_or_path={TOY}",
                         *flags)["memory_bytes"]
    small = memory(512, 1)
    check(2e8 < small < 2e9, f"{small} bytes for the toy")
    check(memory(768, 1) > small and memory(512, 4) > small, "larger passes need no more")
    check(memory(512, 1, "--network_dim=64") > small, "a larger LoRA needs no more")
    check(memory(512, 1, "--network_args", "conv_dim=4") > small, "convolutions need no more")


def the_guides_use_cases_pass():
    for prompts in sorted((ROOT / "configs/prompts").glob("*.toml")):
        check(json_of("plan", f"--prompts_file={prompts}", f"--pretrained_model_name_or_path={TOY}")["pairs"],
              f"{prompts}: no pairs")
    others = {"sd21": TOY.parent / "tiny-sd2v", "sdxl": TOY.parent / "tiny-sdxl"}
    for run in sorted((ROOT / "configs").glob("*.toml")):
        check(json_of("plan", f"--config_file={run}", f"--pretrained_model_name_or_path={others.get(run.stem, TOY)}")["pairs"],
              f"{run}: no pairs")


def the_text_shows_each_part():
    text = output_of("plan", f"--prompts_file={MIXED}", f"--pretrained_model_name_or_path={TOY}", "--ranks=2",
                       "--pairs_per_step=4")
    for part in ("Pairs: 3", 'unconditional  "f"', "64×192", "Settings", "network_dim", "Modules: 192",
                 "16 attn1.to_q", "Memory: about", "Work: 1600 steps of 4 items on 2 ranks", "rollout", "Efficiency",
                 "rank 1, ", "Without --seed", "--seed=0"):
        check(part in text, f"{part!r} is not in {text}")
    text = output_of("plan", f"--prompts_file={MIXED}", "--seed=0")
    check("Without --seed" not in text and "not known without --pretrained" in text, text)


def ranks_without_work_are_warned_of():
    warned = call("plan", f"--prompts_file={MIXED}", "--ranks=4", "--pairs_per_step=3", "--seed=1").err
    check("3 packs of items to share out, fewer than the 4 ranks" in warned, warned)
    check("warning" not in call("plan", "--prompts_file=configs/prompts/slider_hair.toml", "--ranks=4").err,
          "N defaults to the ranks, and nobody waits")


def many_ranks_print_one_plan():
    alone = json_of("plan", f"--prompts_file={MIXED}", "--seed=1", "--ranks=2")
    check(json_of("plan", f"--prompts_file={MIXED}", "--seed=1", ranks=2) == alone, "mpirun -n 2 is not --ranks=2")
    refused("plan", "--prompts_file=none.toml", naming=["none.toml"], ranks=2)


def bad_input_is_refused():
    refused("plan", naming=["--prompts_file"])
    refused("plan", f"--prompts_file={MIXED}", "--rank=2", naming=["--rank", "--ranks"])
    refused("plan", f"--prompts_file={MIXED}", "--ranks=0", naming=["--ranks=0"])
    refused("plan", f"--prompts_file={MIXED}", "--pretrained_model_name_or_path=none", naming=["none"])
    refused("plan", f"--prompts_file={MIXED}", f"--pretrained_model_name_or_path={folder}", naming=[str(folder)])
    refused("plan", f"--prompts_file={MIXED}", f"--pretrained_model_name_or_path={TOY}",
                 f"--network_weights={TOY}/unet/diffusion_pytorch_model.safetensors", naming=["lora_unet_"])


if __name__ == "__main__":
    sys.exit(run_all([
        shares_cost_and_efficiency_equal_a_second_computation, the_pairs_are_the_expanded_ones,
        without_a_model_modules_and_memory_are_null, the_modules_are_those_of_diffusers,
        memory_grows_with_size_batch_and_rank, the_guides_use_cases_pass, the_text_shows_each_part,
        ranks_without_work_are_warned_of, many_ranks_print_one_plan, bad_input_is_refused]))
