"""One training gives the same bytes on any number of ranks.

usage: ranks_test.py MPIEXEC LECO
"""
import json
import re
import shutil

from leco_runs import LECO, ROOT, SLIDER, TOY, LecoTest, Run, main

# Sizes, batches, rollout halves and multipliers of every kind. The middle block of the toy is 2 × 2 at 128 pixels.
MIXED = """
[[prompts]]
target = "big circle"
neutral = "circle"
guidance_scale = 2.0
resolution = 128
dynamic_resolution = true

[[prompts]]
target = "square"
positive = "small square"
unconditional = "big square"
action = "enhance"
resolution = 64
batch_size = 2
multiplier = -1.0
weight = 0.5

[[prompts]]
target = ""
positive = "circle"
resolution = [64, 128]
"""


class RanksTest(LecoTest):
    def check_same(self, ranks, **flags):
        """Trains once alone and once for each number of ranks; compares all files and lines."""
        self.train("alone", **flags)
        expected = self.files("alone")
        for n in ranks:
            run = self.train(f"ranks{n}", ranks=n, **flags)
            if n > 1:
                share = re.search(r"efficiency ([\d.]+) %: the ranks' mean time .* by the plan ([\d.]+) %", run.err)
                self.assertTrue(share and 0 < float(share[1]) <= 100 and 0 < float(share[2]) <= 100, run.err)
            files = self.files(f"ranks{n}")
            self.assertEqual(list(files), list(expected))
            for name in expected:
                self.assertTrue(files[name] == expected[name], f"{name} differs on {n} ranks")
            self.assertEqual(self.metrics(f"ranks{n}"), self.metrics("alone"))
            self.assertTrue(self.states(f"ranks{n}") == self.states("alone"), f"a state differs on {n} ranks")
            record = json.loads((self.folder / f"ranks{n}" / "x.run.json").read_text())
            self.assertEqual((record["ranks"], len(record["hosts"])), (n, n))
        return expected

    def states(self, output):
        """Path to bytes of all files of all states."""
        folder = self.folder / output
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*-state/*"))}

    def test_lora_optimizer_state_and_metrics_on_1_to_5_and_8_ranks(self):
        self.prompts = self.write("mixed.toml", MIXED)
        self.check_same((1, 2, 3, 4, 5, 8), pairs_per_step=9, rollout_length="independent", max_train_steps=2,
                        save_every_n_steps=1, save_state=True, save_state_on_train_end=True, check_every=1)
        names = set(self.states("alone"))
        self.assertEqual({name.split("/")[0] for name in names}, {"x-state", "x-step00000001-state"})
        self.assertIn("x-state/optimizer.safetensors", names)

    def test_a_slider_of_64_pixels(self):
        files = self.check_same((1, 2, 3), pairs_per_step=4, save_every_n_steps=2)
        self.assertEqual(list(files), ["x-step00000002.safetensors", "x.safetensors"])

    def test_sizes_batches_dropout_and_packs_of_two(self):
        self.prompts = self.write("mixed.toml", MIXED)
        self.check_same((2, 3, 5), pairs_per_step=4, items_per_pass=2, rollout_length="independent", network_dropout=0.2,
                        save_every_n_steps=2, pair_order="random")

    def test_128_pixels_with_noise_offset_and_antithetic_lengths(self):
        self.prompts = self.write("mixed.toml", MIXED)
        self.check_same((2, 3), pairs_per_step=4, rollout_length="antithetic", noise_offset=0.1, max_train_steps=2,
                        save_precision="bf16")

    def test_what_all_ranks_warn_of_is_printed_once(self):
        run = self.train("out", ranks=3, max_train_steps=1, pairs_per_step=2, lowram=True)
        warnings = [line for line in run.err.splitlines() if " warning: " in line]
        self.assertEqual(len(warnings), 2, run.err)  # of the flag, and of the rank without an item
        self.assertTrue(all("[rank 0]" in line for line in warnings), warnings)

    def test_float16_with_overflows(self):
        heavy = SLIDER.replace("resolution = 64", "resolution = 64\nweight = 3e5")  # the first scaled gradients overflow
        self.prompts = self.write("heavy.toml", heavy)
        self.check_same((2, 3), pairs_per_step=3, mixed_precision="fp16", max_denoising_steps=3, max_train_steps=16,
                        max_grad_norm=0, check_every=1)
        norms = [line["grad_norm"] for line in self.metrics("alone")]
        self.assertIsNone(norms[0])
        self.assertIsNotNone(norms[-1])

    def test_bfloat16_with_checkpointing(self):
        self.check_same((2, 3), pairs_per_step=4, mixed_precision="bf16", full_bf16=True, gradient_checkpointing=True,
                        network_dropout=0.1)

    def test_more_ranks_than_items(self):
        self.check_same((3,), pairs_per_step=1, max_train_steps=2)

    def test_sdxl_whose_two_text_encoders_one_rank_reads(self):
        self.check_same((2,), pretrained_model_name_or_path=ROOT / "tests" / "data" / "tiny-sdxl", pairs_per_step=2,
                        max_train_steps=1)

    def with_another(self, words, *program):
        """Ranks 0 and 1 with the words of a training, and rank 2 with another program or others."""
        return Run([*self.arguments("out"), ":", "-n", "1", *program, LECO, *words], ranks=2)

    def test_a_rank_with_other_words_is_named_before_anything_is_done(self):
        mine = self.arguments("out")
        for words, found in ((self.arguments("out", seed=2), "'--seed=2' in place of '--seed=1'"),
                             ([*mine, "--resume=auto"], "'--resume=auto' in place of nothing"),
                             (mine[:-1], "nothing in place of '--threads=1'"),
                             (["plan", *mine[1:]], "'plan' in place of 'train'")):
            run = self.with_another(words)
            self.check_refused(run, "rank 2 on ", f"has other words than rank 0 on its command line, {found}")
            self.assertFalse((self.folder / "out").exists())

    def test_ranks_on_two_kinds_of_cpu_are_refused_or_recorded(self):
        other = ["env", "ATEN_CPU_CAPABILITY=default"]
        self.check_refused(self.with_another(self.arguments("out"), *other),
                           "rank 0 has 'cpu with ", "and rank 2 'cpu with DEFAULT': the result would depend on")
        self.assertFalse((self.folder / "out").exists())
        words = self.arguments("out", deterministic="false", max_train_steps=1, pairs_per_step=3)
        run = Run([*words, ":", "-n", "1", *other, LECO, *words], ranks=2)
        self.assertEqual(run.status, 0, run.err)
        self.assertIn("and rank 2 'cpu with DEFAULT': the same run may give other bytes", run.err)
        device = self.json_of("inspect", self.folder / "out" / "x.safetensors")["metadata"]["leco_device"]
        self.assertRegex(device, r"^cpu with \w+ \+ cpu with DEFAULT$|^cpu with DEFAULT \+ cpu with \w+$")

    def test_what_is_wrong_with_an_encoder_is_told_once_and_ends_all_ranks(self):
        model = self.folder / "toy"
        shutil.copytree(TOY, model)
        weights, = (model / "text_encoder").glob("*.safetensors")
        weights.write_bytes(weights.read_bytes()[:1000])
        run = Run(self.arguments("broken", pretrained_model_name_or_path=model), ranks=2)
        self.assertEqual(run.status, 2, run.err)
        self.assertEqual(run.err.count("is incomplete"), 1, run.err)

    def test_the_default_number_of_items_is_accumulation_times_ranks(self):
        self.train("four_ranks", ranks=4, max_train_steps=2)
        self.train("accumulated", gradient_accumulation_steps=4, max_train_steps=2)
        self.train("two_by_two", ranks=2, gradient_accumulation_steps=2, max_train_steps=2)
        self.train("told", pairs_per_step=4, max_train_steps=2)
        expected = self.files("told")
        for output in ("four_ranks", "accumulated", "two_by_two"):
            self.assertTrue(self.files(output) == expected, f"{output} differs")
            self.assertEqual(self.metrics(output), self.metrics("told"))
        self.assertEqual(len(self.metrics("told")[0]["items"]), 4)

    def test_a_seed_repeats_and_another_differs(self):
        for output, seed in (("first", 7), ("again", 7), ("other", 8)):
            self.train(output, seed=seed, max_train_steps=2)
        self.assertTrue(self.files("first") == self.files("again"))
        self.assertFalse(self.files("first") == self.files("other"))

    def test_a_drawn_seed_is_shown_and_gives_the_same_file_again(self):
        run = self.train("drawn", ranks=2, seed=None, max_train_steps=1, pairs_per_step=2)
        seed = json.loads((self.folder / "drawn" / "x.run.json").read_text())["settings"]["seed"]
        self.assertRegex(run.err, rf"\n  seed +{seed}\n")
        self.train("again", seed=seed, max_train_steps=1, pairs_per_step=2)
        self.assertTrue(self.files("drawn") == self.files("again"))


if __name__ == "__main__":
    main()
