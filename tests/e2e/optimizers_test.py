"""Optimizers and schedules through the flags: on several ranks, in the files, in the plan.

usage: optimizers_test.py MPIEXEC LECO
"""
from leco_runs import LecoTest, Run, main
from safetensors import safe_open
from safetensors.torch import load_file


class OptimizersTest(LecoTest):
    def words(self, output, words, **flags):
        return self.arguments(output, pairs_per_step=2, **flags) + words

    def go(self, output, words, ranks=None, **flags):
        return self.ok(*self.words(output, words, **flags), ranks=ranks)

    def check_same_on_two_ranks(self, *words, **flags):
        self.go("one", list(words), save_every_n_steps=2, **flags)
        self.go("two", list(words), ranks=2, save_every_n_steps=2, **flags)
        self.assertEqual(self.metrics("one"), self.metrics("two"))
        one, two = self.files("one"), self.files("two")
        self.assertEqual(list(one), ["x-step00000002.safetensors", "x.safetensors"])
        self.assertTrue(one == two, "the files differ")

    def test_8_bit_states_on_two_ranks(self):
        self.check_same_on_two_ranks("--use_8bit_adam", "--optimizer_args", "min_8bit_size=256", "weight_decay=0.1")

    def test_schedule_free_on_two_ranks(self):
        self.check_same_on_two_ranks("--optimizer_type=AdamWScheduleFree", "--optimizer_args", "warmup_steps=2")

    def test_saving_averages_does_not_change_the_training(self):
        free = ["--optimizer_type=AdamWScheduleFree"]
        self.go("once", free, max_train_steps=4)
        self.go("often", free, max_train_steps=4, save_every_n_steps=1)
        self.assertTrue(self.files("once")["x.safetensors"] == self.files("often")["x.safetensors"])
        # After one step the average is the one point that AdamW without decay would reach, too.
        self.go("adam", ["--optimizer_type=Adam"], max_train_steps=1)
        first = load_file(self.folder / "often" / "x-step00000001.safetensors")
        for name, tensor in load_file(self.folder / "adam" / "x.safetensors").items():
            self.assertLess((first[name] - tensor).norm().item(), 1e-5 * tensor.norm().item() + 1e-9, name)

    def test_the_optimizer_that_is_named_trains_and_stands_in_the_metadata(self):
        for name, rate in (("Lion", 1e-4), ("Adafactor", None), ("Prodigy", 1), ("RAdam", 1e-3)):
            with self.subTest(name):
                self.go(name, [f"--optimizer_type={name}"], learning_rate=rate, max_train_steps=2)
                weights = load_file(self.folder / name / "x.safetensors")
                self.assertGreater(sum(w.norm().item() for key, w in weights.items() if "lora_up" in key), 0)
                with safe_open(self.folder / name / "x.safetensors", "pt") as file:
                    self.assertTrue(file.metadata()["ss_optimizer"].startswith(name + "("))

    def test_rates_of_a_schedule_and_of_adafactor_stand_in_the_metrics(self):
        self.go("cosine", ["--lr_scheduler=cosine", "--lr_warmup_steps=2"], max_train_steps=4)
        rates = [line["lr"] for line in self.metrics("cosine")]
        for found, expected in zip(rates, (0, 5e-4, 1e-3, 5e-4)):
            self.assertAlmostEqual(found, expected, delta=1e-15)
        run = self.go("own", ["--optimizer_type=Adafactor", "--lr_scheduler=cosine"], max_train_steps=2)
        self.assertIn("--learning_rate=0.001 has no effect here: Adafactor with relative_step=True", run.err)
        self.assertIn("--lr_scheduler=cosine has no effect here", run.err)
        # The first tensor, lora_down of SPEC section 2, is uniform in ±1/sqrt(32); the rate is 1e-2 of its scale.
        self.assertAlmostEqual(self.metrics("own")[0]["lr"], 1e-2 / 96**0.5, delta=2e-4)

    def test_the_plan_counts_the_state(self):
        def memory(*words):
            return self.json_of("plan", *self.arguments("out")[1:], "--network_dim=128", *words)["memory_bytes"]
        adamw, eight_bit, none = memory(), memory("--use_8bit_adam"), memory("--optimizer_type=SGD")
        self.assertAlmostEqual((eight_bit - none) / (adamw - none), (1 + 4 / 256) / 4, delta=1e-3)

    def test_what_cannot_be_is_one_line(self):
        for words, part in ((["--optimizer_type=lion_pytorch.Lion"], "expected one of AdamW"),
                            (["--use_8bit_adam", "--optimizer_type=Lion"], "leave one of them out"),
                            (["--optimizer_args", "weight_decay=nan"], "for weight_decay a number of at least 0"),
                            (["--lr_scheduler=polynomial", "--lr_scheduler_min_lr_ratio=2"], "a number from 0 to 1")):
            with self.subTest(" ".join(words)):
                self.check_refused(Run(self.words("out", words)), part)


if __name__ == "__main__":
    main()
