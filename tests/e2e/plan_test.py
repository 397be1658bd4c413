"""leco plan against a second computation: the draws of tests/parity/reference_trainer.py, shared out here.

usage: plan_test.py MPIEXEC LECO
"""
import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "parity"))
import reference_trainer as reference  # noqa: E402
from leco_runs import ROOT, TOY, LecoTest, Run, main  # noqa: E402

KEYS = ["pairs", "settings", "modules", "shares", "cost", "memory_bytes", "efficiency"]
PAIR_KEYS = {"target", "positive", "unconditional", "neutral", "action", "guidance_scale", "resolution",
             "dynamic_resolution", "dynamic_crops", "batch_size", "multiplier", "weight"}
MIXED = """
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
"""


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


class PlanTest(LecoTest):
    def setUp(self):
        super().setUp()
        self.mixed = self.write("mixed.toml", MIXED)

    def plan(self, *flags, prompts=None, ranks=None):
        return self.json_of("plan", f"--prompts_file={prompts or self.mixed}", *flags, ranks=ranks)

    def text(self, *flags):
        return self.ok("plan", f"--prompts_file={self.mixed}", *flags).out

    def refused(self, flags, *texts, ranks=None):
        self.check_refused(Run(["plan", *flags], ranks), *texts)

    def test_shares_cost_and_efficiency_equal_a_second_computation(self):
        # Every two settings meet in all their values: a third and a fourth of three values follow the first two.
        for (i, ranks), (j, count), order in itertools.product(enumerate((1, 2, 3)), enumerate((1, 5, 8)), ("shuffle", "random")):
            lengths, per_pass = ("shared", "independent", "antithetic")[(i + j) % 3], 1 + (i + 2 * j) % 3
            guidance, seed = (3.0, 1.0)[(i + j + (order == "random")) % 2], 2**40 + 10 * i + j
            settings = reference.with_defaults({
                "seed": seed, "max_train_steps": 12, "pairs_per_step": count, "pair_order": order,
                "rollout_length": lengths, "max_denoising_steps": 13, "leco_denoise_guidance_scale": guidance,
            }, reference.DEFAULT_SETTINGS)
            with self.subTest(ranks=ranks, count=count, lengths=lengths, order=order, per_pass=per_pass, guidance=guidance):
                plan = self.plan(f"--ranks={ranks}", f"--pairs_per_step={count}", f"--rollout_length={lengths}",
                                 f"--pair_order={order}", f"--seed={seed}", f"--items_per_pass={per_pass}",
                                 "--max_denoising_steps=13", "--max_train_steps=12",
                                 f"--leco_denoise_guidance_scale={guidance}")
                shares, cost, efficiency = expected(settings, plan["pairs"], ranks, per_pass)
                self.assertEqual(plan["shares"], shares)
                self.assertAlmostEqual(plan["cost"] / cost, 1, delta=1e-9)
                self.assertAlmostEqual(plan["efficiency"] / efficiency, 1, delta=1e-9)

    def test_the_pairs_are_the_expanded_ones(self):
        pairs = self.plan()["pairs"]
        for pair in pairs:
            self.assertEqual(set(pair), PAIR_KEYS)
        self.assertEqual([pair["positive"] for pair in pairs], ["b", "c", "e"])
        self.assertEqual([pair["resolution"] for pair in pairs], [[128, 128], [64, 192], [512, 512]])
        slider = self.plan(prompts=ROOT / "configs/prompts/toy_size.toml")["pairs"]
        small, big = "small circle", "big circle"
        self.assertEqual([(p["positive"], p["unconditional"], p["action"], p["multiplier"]) for p in slider],
                         [(small, big, "erase", 1), (big, small, "enhance", 1), (big, small, "erase", -1),
                          (small, big, "enhance", -1)])

    def test_without_a_model_modules_and_memory_are_null(self):
        plan = self.plan()
        self.assertEqual(list(plan), KEYS)
        self.assertEqual((plan["modules"], plan["memory_bytes"]), (None, None))
        self.assertEqual((plan["settings"]["prompts_file"], plan["settings"]["pairs_per_step"]), (str(self.mixed), "1"))

    def test_the_modules_are_those_of_diffusers(self):
        plan = self.plan(f"--pretrained_model_name_or_path={TOY}")
        self.assertEqual(plan["modules"], (ROOT / "tests/data/golden/modules.txt").read_text().split())
        self.assertEqual(len(plan["modules"]), 192)
        text = self.text(f"--pretrained_model_name_or_path={TOY}", "--network_args", "conv_dim=2", "train_method=noxattn")
        for part in ("Modules: 213, ranks 2 … 4", "16 attn1.to_q, rank 4", "22 conv1, rank 2"):
            self.assertIn(part, text)
        self.assertNotIn("attn2", text, "cross-attention in noxattn")

    def test_memory_grows_with_size_batch_and_rank(self):
        def memory(size, batch, *flags):
            prompts = self.write("one.toml", f'[[prompts]]\ntarget = "a"\nresolution = {size}\nbatch_size = {batch}\n')
            return self.plan(f"--pretrained_model_name_or_path={TOY}", *flags, prompts=prompts)["memory_bytes"]
        small = memory(512, 1)
        self.assertTrue(2e8 < small < 2e9, f"{small} bytes for the toy")
        for larger in (memory(768, 1), memory(512, 4), memory(512, 1, "--network_dim=64"),
                       memory(512, 1, "--network_args", "conv_dim=4")):
            self.assertGreater(larger, small)

    def test_every_configuration_can_be_planned_with_a_model(self):
        for prompts in sorted((ROOT / "configs/prompts").glob("*.toml")):
            with self.subTest(prompts.name):
                self.assertTrue(self.plan(f"--pretrained_model_name_or_path={TOY}", prompts=prompts)["pairs"])
        others = {"sd21": TOY.parent / "tiny-sd2v", "sdxl": TOY.parent / "tiny-sdxl"}
        for run in sorted((ROOT / "configs").glob("*.toml")):
            with self.subTest(run.name):
                model = f"--pretrained_model_name_or_path={others.get(run.stem, TOY)}"
                self.assertTrue(self.json_of("plan", f"--config_file={run}", model, folder=ROOT)["pairs"])

    def test_the_text_shows_each_part(self):
        text = self.text(f"--pretrained_model_name_or_path={TOY}", "--ranks=2", "--pairs_per_step=4")
        for part in ("Pairs: 3", 'unconditional  "f"', "64×192", "Settings", "network_dim", "Modules: 192",
                     "16 attn1.to_q", "Memory: about", "Work: 1600 steps of 4 items on 2 ranks", "rollout", "Efficiency",
                     "rank 1, ", "Without --seed", "--seed=0"):
            self.assertIn(part, text)
        text = self.text("--seed=0")
        self.assertNotIn("Without --seed", text)
        self.assertIn("not known without --pretrained", text)

    def test_ranks_without_work_are_warned_of(self):
        few = self.ok("plan", f"--prompts_file={self.mixed}", "--ranks=4", "--pairs_per_step=3", "--seed=1")
        self.assertIn("3 packs of items to share out, fewer than the 4 ranks", few.err)
        enough = self.ok("plan", f"--prompts_file={ROOT}/configs/prompts/slider_hair.toml", "--ranks=4")
        self.assertNotIn("warning", enough.err, "N defaults to the ranks, and nobody waits")

    def test_many_ranks_print_one_plan(self):
        self.assertEqual(self.plan("--seed=1", ranks=2), self.plan("--seed=1", "--ranks=2"))
        self.refused(["--prompts_file=none.toml"], "none.toml", ranks=2)

    def test_what_cannot_be_planned_is_refused(self):
        mixed = f"--prompts_file={self.mixed}"
        self.refused([], "--prompts_file")
        self.refused([mixed, "--rank=2"], "--rank", "--ranks")
        self.refused([mixed, "--ranks=0"], "--ranks=0")
        self.refused([mixed, "--pretrained_model_name_or_path=none"], "none")
        self.refused([mixed, f"--pretrained_model_name_or_path={self.folder}"], str(self.folder))
        self.refused([mixed, f"--pretrained_model_name_or_path={TOY}",
                      f"--network_weights={TOY}/unet/diffusion_pytorch_model.safetensors"], "lora_unet_")


if __name__ == "__main__":
    main()
