"""What a training says about itself: the early sign, and event files that the real TensorBoard reads.

usage: logs_test.py MPIEXEC LECO
"""
import concurrent.futures
import json
import re
import shutil

from leco_runs import LecoTest, Run, main
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


class LogsTest(LecoTest):
    def whole_metrics(self, output):
        lines = (self.folder / output / "x.metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def test_the_early_sign_changes_no_bit_and_is_the_same_on_any_number_of_ranks(self):
        self.train("off", pairs_per_step=4, early_sign_every=0)
        expected = self.files("off")
        self.train("alone", pairs_per_step=4, early_sign_every=1)
        self.assertTrue(self.files("alone") == expected)
        for ranks in (2, 3):
            self.train(f"ranks{ranks}", ranks=ranks, pairs_per_step=4, early_sign_every=1)
            self.assertTrue(self.files(f"ranks{ranks}") == expected)
            self.assertEqual(self.metrics(f"ranks{ranks}"), self.metrics("alone"))
        self.assertFalse(any("early_sign" in line for line in self.metrics("off")))
        for on, off in zip(self.metrics("alone"), self.metrics("off")):
            on.pop("early_sign")
            self.assertEqual(on, off)

    def test_the_early_sign_starts_at_nothing_and_goes_towards_the_goal(self):
        run = self.train("x", pairs_per_step=4, early_sign_every=4, max_train_steps=12)
        signs = [line.get("early_sign") for line in self.metrics("x")]
        self.assertEqual([sign is not None for sign in signs], [step % 4 == 0 for step in range(1, 13)])
        self.assertEqual(len(re.findall(r"info: early sign at step \d+: predictions changed by", run.err)), 3)
        self.assertGreater(signs[11]["progress"], 0.01)
        self.assertGreater(signs[11]["cosine"], 0.2)
        self.assertNotIn("warning", run.err)
        self.train("first", early_sign_every=1, max_train_steps=1)
        self.assertEqual(self.metrics("first")[0]["early_sign"], {"change": 0, "cosine": 0, "progress": 0})

    def test_a_run_without_effect_is_told_once(self):
        run = self.train("x", learning_rate=1e-7, early_sign_every=2, max_train_steps=6)
        self.assertEqual(run.err.count("Raise --learning_rate (now 1e-07)"), 1, run.err)

    def test_a_notice_is_told_once_however_many_ranks_know_it(self):
        run = self.train("x", ranks=2, max_train_steps=1, xformers=True, resume="auto")
        for words in ("--xformers", "there is no complete state"):
            self.assertEqual(run.err.count(words), 1, run.err)

    def test_tensorboard_reads_the_curves(self):
        logs = self.folder / "logs"
        run = self.train("x", ranks=2, pairs_per_step=2, early_sign_every=2, logging_dir=logs, log_prefix="toy-",
                         log_config=True, max_train_steps=4)
        runs = list(logs.glob("toy-*/leco_train"))
        self.assertEqual(len(runs), 1)
        self.assertRegex(runs[0].parent.name, r"^toy-\d{14}$")
        self.assertIn(str(runs[0]), run.err)
        events = EventAccumulator(str(runs[0]))
        events.Reload()
        metrics = self.whole_metrics("x")
        for tag, value in (("loss", lambda line: line["loss"]), ("lr", lambda line: line["lr"]),
                           ("grad_norm", lambda line: line["grad_norm"]),
                           *((f"seconds/{phase}", lambda line, phase=phase: line["seconds"][phase])
                             for phase in ("rollout", "frozen", "train", "merge", "update"))):
            points = events.Scalars(tag)
            self.assertEqual([point.step for point in points], [1, 2, 3, 4])
            for point, line in zip(points, metrics):
                self.assertAlmostEqual(point.value, value(line), delta=1e-6 * abs(value(line)))
        self.assertEqual([point.step for point in events.Scalars("early_sign/progress")], [2, 4])
        text = events.Tensors("settings/text_summary")[0].tensor_proto.string_val[0].decode()
        self.assertIn("| max_train_steps | 4 |", text)

    def test_curves_of_a_run_that_goes_on_have_no_gap_and_nothing_double(self):
        logs = self.folder / "logs"
        flags = {"max_train_steps": 4, "save_every_n_steps": 2, "save_state": True, "logging_dir": logs, "log_config": True}
        self.train("x", **flags)
        shutil.rmtree(self.folder / "x" / "x-state")  # as if it had been killed after its fourth step
        self.train("x", **flags, resume="auto", output_name="y")  # another run, at first step by step beside it
        self.train("x", **flags, resume="auto")
        folders = sorted(logs.glob("*/leco_train"))
        self.assertEqual([len(list(folder.glob("events*"))) for folder in folders], [2, 1])
        events = EventAccumulator(str(folders[0]))
        events.Reload()
        for tag, key in (("loss", "loss"), ("seconds/rollout", None)):
            points = events.Scalars(tag)
            self.assertEqual([point.step for point in points], [1, 2, 3, 4])
            for point, line in zip(points, self.whole_metrics("x")):
                value = line[key] if key else line["seconds"]["rollout"]
                self.assertAlmostEqual(point.value, value, delta=1e-6 * abs(value))
        self.assertEqual(len(events.Tensors("settings/text_summary")), 1)

    def test_runs_that_start_in_one_second_have_a_folder_each(self):
        logs = self.folder / "logs"
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for run in [pool.submit(self.train, f"x{i}", logging_dir=logs, max_train_steps=1) for i in range(2)]:
                run.result()
        self.assertEqual([len(list(folder.glob("events*"))) for folder in logs.glob("*/leco_train")], [1, 1])

    def test_names_and_what_is_refused(self):
        self.train("x", logging_dir=self.folder / "logs", log_with="tensorboard", log_tracker_name="mine", max_train_steps=1)
        self.assertEqual(len(list((self.folder / "logs").glob("*/mine/events.out.tfevents.*"))), 1)
        for flags, words in (({"log_with": "wandb", "logging_dir": "l"}, "no network service is spoken to"),
                             ({"log_with": "tensorboard"}, "--logging_dir is missing"),
                             ({"logging_dir": "/proc/no"}, "--logging_dir: cannot write")):
            run = Run(self.arguments("y", **flags))
            self.assertEqual((run.status, len(run.errors())), (2, 1), run.err)
            self.assertIn(words, run.errors()[0])


if __name__ == "__main__":
    main()
