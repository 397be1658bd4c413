"""leco sweep: the same files on any number of ranks, each those of leco train; evaluations; runs that fail.

usage: sweep_test.py MPIEXEC LECO LECO_FAULTS
"""
import csv
import json
import os
import pathlib
import re
import shutil
import time

from leco_runs import SLIDER, TOY, Run, main
from sweeps import SLIDERS, TWELVE, SweepTest

class SameFiles(SweepTest):
    def test_twelve_runs_on_1_2_3_and_4_ranks_are_those_of_leco_train(self):
        self.sweep(self.spec("ranks1"))
        expected = self.loras("ranks1")
        self.assertEqual(list(expected), [f"{name}.safetensors" for name in sorted(TWELVE)])
        for ranks in (2, 3, 4):
            self.sweep(self.spec(f"ranks{ranks}"), ranks)
            self.assertTrue(self.loras(f"ranks{ranks}") == expected, f"{ranks} ranks")
        # One process trained these one after another on one model, with pictures of other sizes in between.
        for name in ("hue,learning_rate=0.01,network_dim=4", "size,learning_rate=0.001,network_dim=2",
                     "wide,learning_rate=0.01,network_dim=2"):
            slider, rate, dim = name.split(",")
            run = self.folder / "ranks1" / name
            alone = Run(self.arguments("alone", prompts_file=run / f"{slider}.yaml", output_name=name, max_train_steps=2,
                                       max_denoising_steps=4, learning_rate=rate.split("=")[1],
                                       network_dim=dim.split("=")[1], save_state=True))
            self.assertEqual(alone.status, 0, alone.err)
            self.assertTrue(self.files("alone")[f"{name}.safetensors"] == expected[f"{name}.safetensors"], name)
            self.assertEqual(self.metrics("alone", name), self.metrics(f"ranks1/{name}", name))
            for part in ("lora.safetensors", "optimizer.safetensors", "state.json"):
                self.assertTrue((self.folder / "alone" / f"{name}-state" / part).read_bytes()
                                == (run / f"{name}-state" / part).read_bytes(), (name, part))

    def test_a_run_after_one_of_larger_pictures_is_that_of_a_fresh_process(self):
        # oneDNN lays weights of 64 channels out in blocks of 64 for the one and of 32 for the other (with AVX-512),
        # which the order of a gradient's sum follows.
        sliders = [{"name": name, "target_class": "circle", "positive": "big circle", "resolution": side}
                   for name, side in (("large", 256), ("small", 64))]
        run = self.sweep(self.spec("both", sliders=sliders, grid=None))
        self.assertRegex(run.err, "(?s)'large' is done.*'small' is done", "the costlier run comes first")
        self.train("alone", prompts_file=self.folder / "both" / "small" / "small.yaml", output_name="small", max_train_steps=2,
                   max_denoising_steps=4, learning_rate=None)
        self.assertTrue(self.files("alone")["small.safetensors"] == self.loras("both")["small.safetensors"])

    def test_groups_of_two_ranks_make_steps_of_two_items(self):
        short = {"sliders": None, "prompts": [str(self.prompts)], "grid": {"seed": [1, 2, 3]}, "ranks_per_run": 2}
        self.sweep(self.spec("ranks1", **short))
        expected = self.loras("ranks1")
        self.assertEqual(len(expected), 3)
        self.sweep(self.spec("ranks3", **short), 3)
        self.assertTrue(self.loras("ranks3") == expected)
        self.train("told", pairs_per_step=2, seed=2, max_train_steps=2, max_denoising_steps=4, learning_rate=2e-6,
                   output_name="slider,seed=2")
        self.assertTrue(self.files("told")["slider,seed=2.safetensors"] == expected["slider,seed=2.safetensors"])
        self.assertEqual(self.metrics("told", "slider,seed=2"), self.metrics("ranks3/slider,seed=2", "slider,seed=2"))


class Evaluation(SweepTest):
    def test_every_run_is_evaluated_as_leco_evaluate_does_it(self):
        measured = {"scales": [-1, 0, 1], "samples": 2, "prompts": ["square"], "sample_steps": 2}
        spec = self.spec("seen", sliders=None, prompts=[str(self.prompts)], grid={"seed": [1, 2, 3]}, evaluate=measured,
                         base={"save_model_as": "ckpt"})
        self.sweep(spec, 2)
        name = "slider,seed=2"
        alone = Run(["evaluate", f"--pretrained_model_name_or_path={TOY}", f"--prompts_file={self.prompts}", "--samples=2",
                     f"--network_weights={self.folder / 'seen' / name / name}.ckpt", "--scales=-1,0,1", "--threads=1",
                     "--preserve", "square", "--sample_steps=2", f"--output={self.folder / 'alone'}"])
        self.assertEqual(alone.status, 0, alone.err)
        report = self.folder / "seen" / name / "evaluation" / "report.json"
        self.assertEqual(report.read_text(), (self.folder / "alone" / "report.json").read_text())
        with (self.folder / "seen" / "results.csv").open() as file:
            rows = {row["name"]: row for row in csv.DictReader(file)}
        self.assertEqual(sorted(rows), ["slider,seed=1", "slider,seed=2", "slider,seed=3"])
        at_one = next(scale for scale in json.loads(report.read_text())["scales"] if scale["scale"] == 1)
        self.assertAlmostEqual(float(rows[name]["response"]), at_one["response"], 12)
        self.assertAlmostEqual(float(rows[name]["final_loss"]), self.metrics(f"seen/{name}", name)[-1]["loss"], 12)


    def test_an_evaluation_that_fails_keeps_the_training_and_alone_is_done_again(self):
        measured = {"scales": [0, 1], "samples": 1, "sample_steps": 1}
        spec = self.spec("kept", sliders=None, prompts=[str(self.prompts)], grid={"seed": [1, 2]}, evaluate=measured,
                         base={"save_state": False})
        in_the_way = self.folder / "kept" / "slider,seed=2" / "evaluation"
        in_the_way.parent.mkdir(parents=True)
        in_the_way.write_text("")
        run = self.sweep(spec, 2, status=1)
        self.assertRegex(run.errors()[-1], "'slider,seed=2' failed: evaluation failed: .*evaluation: the folder cannot be "
                                           "written.*; the trained slider,seed=2.safetensors is kept")
        self.assertEqual(self.starts("kept"), {"slider,seed=1": 1, "slider,seed=2": 1}, "each was trained once")
        listed = json.loads((self.folder / "kept" / "results.json").read_text())["runs"][1]
        self.assertEqual(listed["status"], "failed")
        self.assertIn("slider,seed=2/slider,seed=2.safetensors", listed["files"])
        before = self.everything("kept")

        in_the_way.unlink()
        again = self.sweep(spec, 2)
        self.assertEqual(self.starts("kept")["slider,seed=2"], 1, again.err)
        trained = [path for path in before if "seed=2/slider" in path and not path.endswith(".log")]
        self.assertGreater(len(trained), 2)
        self.assertEqual({path: before[path] for path in trained}, {path: self.everything("kept")[path] for path in trained})
        finished = json.loads((self.folder / "kept" / "results.json").read_text())["runs"][1]
        self.assertEqual((finished["status"], finished["final_loss"], finished["seconds"]),
                         ("done", listed["final_loss"], listed["seconds"]))
        self.assertIn("response", finished["measures"])
        self.assertFalse(list((self.folder / "kept").glob("*/sweep.trained.json")))

    def test_after_a_signal_no_evaluation_is_begun(self):
        spec = self.spec("signal", sliders=None, prompts=[str(self.prompts)], grid={"seed": [9]}, ranks_per_run=2,
                         base={"max_train_steps": 1}, evaluate={"scales": [0, 1], "samples": 1, "sample_steps": 1})
        going = self.start_held(spec, "1:1:rollout:sigterm", ranks=2)  # in the only step
        self.assertEqual(going.finish()[0], 85, going.err())
        self.assertTrue((self.folder / "signal" / "slider,seed=9" / "sweep.trained.json").exists(), going.err())
        self.assertEqual(list((self.folder / "signal").glob("*/evaluation")), [])
        self.sweep(spec, 2)
        self.assertEqual(self.starts("signal"), {"slider,seed=9": 1})
        self.assertEqual(len(list((self.folder / "signal").glob("*/evaluation/report.json"))), 1)

    def test_an_evaluation_that_is_asked_for_later_is_made_without_training(self):
        few = {"sliders": None, "prompts": [str(self.prompts)], "grid": {"seed": [1, 2]}}
        self.sweep(self.spec("later", **few))
        before = self.loras("later")
        broken = self.folder / "later" / "slider,seed=2" / "slider,seed=2.safetensors"
        broken.write_bytes(before[broken.name][:-1])
        self.sweep(self.spec("later", evaluate={"scales": [0, 1], "samples": 1, "sample_steps": 1}, **few), 2)
        self.assertTrue(self.loras("later") == before)
        self.assertEqual(self.starts("later"), {"slider,seed=1": 1, "slider,seed=2": 2}, "what is damaged is trained again")
        self.assertEqual(len(list((self.folder / "later").glob("*/evaluation/report.json"))), 2)


class Failures(SweepTest):
    def test_a_bad_prompt_file_among_eleven_good_ones(self):
        for i in range(11):
            self.write(f"good{i:02}.toml", SLIDER)
        self.write("good99.toml", SLIDER.replace("positive", "positve"))
        run = self.sweep(self.spec("mixed", sliders=None, prompts=[str(self.folder / "good*.toml")], grid=None,
                                   base={"max_train_steps": 1}), 2, status=1)
        self.assertEqual(self.done("mixed"), [f"good{i:02}" for i in range(11)])
        failed = json.loads((self.folder / "mixed" / "good99" / "sweep.failed.json").read_text())
        self.assertEqual(failed["attempts"], 2)
        self.assertIn("positve", failed["error"])
        self.assertTrue(any("good99" in line and "positve" in line for line in run.errors()), run.err)
        self.write("good99.toml", SLIDER)
        again = self.sweep(self.spec("mixed", sliders=None, prompts=[str(self.folder / "good*.toml")], grid=None,
                                     base={"max_train_steps": 1}), 2)
        self.assertIn("'good99' failed before and is tried again", again.err)
        self.assertEqual(len(self.done("mixed")), 12)
        self.assertFalse((self.folder / "mixed" / "good99" / "sweep.failed.json").exists())

    def test_a_prompt_file_that_is_changed_meanwhile_is_not_taken_for_the_one_that_was_planned(self):
        spec = self.spec("changed", sliders=None, prompts=[str(self.prompts)], grid={"seed": [1, 2]}, max_retries=0)
        going = self.start_held(spec, "0:2:step:wait")
        going.wait_at_gate(0)  # in the first run
        self.write("slider.toml", SLIDER.replace("big", "huge"))
        going.let_all_go()
        self.assertEqual(going.finish()[0], 1, going.err())
        self.assertEqual(self.done("changed"), ["slider,seed=1"])
        self.assertRegex(going.err(), "'slider,seed=2' failed: .*slider.toml' was changed since the sweep was started")

    def test_a_rank_that_fails_alone_does_not_hold_up_its_group_or_the_others(self):
        spec = self.spec("alone", sliders=None, prompts=[str(self.prompts)], grid={"seed": [1, 2, 3, 4, 5]},
                         ranks_per_run=2, max_retries=1)
        for seed in (2, 4):  # the group's first rank cannot write there, and only it tries to
            (self.folder / "alone" / f"slider,seed={seed}" / f"slider,seed={seed}.metrics.jsonl").mkdir(parents=True)
        run = self.sweep(spec, 4, status=1)
        self.assertEqual(self.done("alone"), ["slider,seed=1", "slider,seed=3", "slider,seed=5"], run.err)
        self.sweep(self.spec("whole", sliders=None, prompts=[str(self.prompts)], grid={"seed": [1, 3, 5]}, ranks_per_run=2))
        self.assertTrue(self.loras("alone") == self.loras("whole"))


    def test_a_run_whose_folder_cannot_be_written_is_listed_and_the_others_go_on(self):
        out = self.folder / "closed"
        for seed in (1, 2, 3, 4):
            (out / f"slider,seed={seed}").mkdir(parents=True)
        user = self.unprivileged(out, *(out / f"slider,seed={seed}" for seed in (1, 2, 3)))  # 4 is root's
        (out / "slider,seed=4").chmod(0o555)
        spec = self.spec("closed", sliders=None, prompts=[str(self.prompts)], grid={"seed": [1, 2, 3, 4]}, max_retries=0)
        going = self.start_held(spec, "0:2:step:wait", "1:2:step:wait", ranks=2, preexec=user)
        going.wait_at_gate(0, 1)  # one of them in the first run
        (out / "slider,seed=1").chmod(0o555)  # its failure cannot be recorded there
        going.let_all_go()
        status, seconds = going.finish()
        self.assertEqual(status, 1, going.err())
        self.assertLess(seconds, 60, "nobody waits for a claim that could not be taken away")
        self.assertEqual(self.done("closed"), ["slider,seed=2", "slider,seed=3"], going.err())
        for seed in (1, 4):
            self.assertEqual(len(re.findall(f"error: 'slider,seed={seed}' failed: cannot write .*Permission denied",
                                            going.err())), 1, going.err())
        runs = json.loads((out / "results.json").read_text())["runs"]
        self.assertEqual([run["status"] for run in runs], ["failed", "done", "done", "failed"])
        for seed in (1, 4):
            (out / f"slider,seed={seed}").chmod(0o755)
        self.sweep(spec, 2)
        self.assertEqual(len(self.done("closed")), 4)


class OneLoad(SweepTest):
    def test_memory_returns_to_its_level_after_each_run(self):
        spec = self.spec("memory", sliders=None, prompts=[str(self.prompts)], grid={"seed": list(range(24))},
                         base={"max_train_steps": 1})
        going = self.start_held(spec, "0:1:step.7:wait", "0:1:step.24:wait")  # in the first step of these runs

        def resident_after(runs):
            going.wait_at_gate(0)
            self.assertEqual(len(self.done("memory")), runs)
            lines = pathlib.Path(f"/proc/{going.job.pid}/status").read_text().splitlines()
            going.let_go(0)
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
        early, late = resident_after(6), resident_after(23)
        self.assertEqual(going.finish()[0], 0, going.err())
        self.assertLess(late - early, 8, f"MB after 6 and after 23 runs: {early:.1f}, {late:.1f}")
        print(f"resident after 6 runs {early:.1f} MB, after 23 {late:.1f} MB")

    def test_the_model_is_read_once(self):
        """Weights, tokenizer, prompts and tables of contents: when the first run is done nothing of it is opened again."""
        model = shutil.copytree(TOY, self.folder / "model")
        lines = self.write("lines.txt", "circle --w 64 --h 64 --s 1\n")
        spec = self.spec("once", sliders=SLIDERS[1:], grid={"seed": [1, 2]}, max_retries=0,
                         base={"pretrained_model_name_or_path": str(model), "max_train_steps": 1, "sample_every_n_steps": 1,
                               "sample_prompts": str(lines)},
                         evaluate={"scales": [0, 1], "samples": 1, "sample_steps": 1})
        later = [self.claim("once", f"{name},seed={seed}") for name, seed in (("wide", 2), ("hue", 1), ("hue", 2))]
        going = self.start(spec)
        going.wait_for(lambda: self.done("once"))
        shutil.rmtree(model)
        for claim in later:
            claim.unlink()
        self.assertEqual(going.finish()[0], 0, going.err())
        self.assertEqual(len(self.done("once")), 4)
        self.assertEqual(len(list((self.folder / "once").glob("*/evaluation/report.json"))), 4)


class WithoutTraining(SweepTest):
    def test_a_dry_run_shows_the_table_and_writes_nothing(self):
        run = self.sweep(self.spec("dry"), 2, words=["--dry_run"])
        self.assertFalse((self.folder / "dry").exists())
        lines = run.out.splitlines()
        self.assertEqual(sorted(line.split()[0] for line in lines[1:13]), sorted(TWELVE))
        self.assertEqual({line.split()[2] for line in lines[1:13]}, {"0", "1"})
        self.assertGreater(min(float(line.split()[1]) for line in lines[1:13]), 0)
        self.assertIn("12 runs by 2 groups of 2 ranks", run.out)

    def test_time_is_told_by_the_first_steps_before_a_run_is_finished(self):
        """Two runs of 16 steps, one of them after the eighth; each step took two seconds."""
        spec = self.spec("timed", sliders=None, prompts=[str(self.prompts)], grid={"network_dim": [2, 4]}, base={"max_train_steps": 16})
        self.assertIn("Time: not known before", self.sweep(spec, words=["--dry_run"]).out)
        begun = self.folder / "timed" / "slider,network_dim=2"
        begun.mkdir(parents=True)
        line = {"loss": 1, "lr": 1, "grad_norm": 1, "items": [],
                "seconds": {"rollout": 1, "frozen": 0.25, "train": 0.5, "merge": 0, "update": 0.25}}
        steps = [json.dumps({"step": step, **line}, separators=(",", ":")) + "\n" for step in range(1, 9)]
        claim = begun / "sweep.claim"
        claim.write_text("process 1\nstart 1\nspace other-boot/pid:[1]\nhost far\nsince 2026-01-01T00:00:00Z\n")
        os.utime(claim, (time.time() + 1000,) * 2)  # so that it counts as alive also where this test is slow
        metrics = begun / "slider,network_dim=2.metrics.jsonl"
        metrics.write_text("".join(steps[:4]))
        self.assertEqual(self.sweep(spec, words=["--status"]).out.splitlines()[-1], "0 of 2 done, 1 running, 0 failed, 1 left",
                         "four steps tell too little")
        metrics.write_text("".join(steps))
        self.assertEqual(self.sweep(spec, words=["--status"]).out.splitlines(),
                         ["running slider,network_dim=2: step 8 of 16", "left    slider,network_dim=4",
                          "0 of 2 done, 1 running, 0 failed, 1 left, about 48s to go"])
        for ranks, all_runs, left in ((1, "1m04s", "48s"), (2, "32s", "32s")):
            told = self.sweep(spec, words=["--dry_run", f"--ranks={ranks}"]).out
            self.assertIn(f"Time: about {all_runs} for all runs, {left} for what is left, at the speed of what is done\n", told)
            self.assertIn(f"2 runs by {ranks} group", told)

    def test_an_included_run_that_leaves_a_swept_flag_to_the_program_says_so_in_its_name(self):
        spec = self.spec("named", sliders=SLIDERS[:1], grid={"pairs_per_step": [2], "network_dim": [2]},
                         include=[{"network_alpha": 2}])
        names = [line.split()[0] for line in self.sweep(spec, words=["--dry_run"]).out.splitlines()[1:3]]
        self.assertEqual(sorted(names), ["size,pairs_per_step=2,network_dim=2",
                                         "size,pairs_per_step=default,network_dim=4,network_alpha=2"])

    def test_runs_of_one_model_follow_each_other(self):
        models = [str(path) for path in (self.folder / "b", self.folder / "a")]
        grid = {"network_dim": [1, 2, 3], "pretrained_model_name_or_path": models}
        run = self.sweep(self.spec("models", sliders=SLIDERS[1:2], grid=grid), words=["--dry_run"])
        order = [(line.split()[-2], line.split()[-1][-1]) for line in run.out.splitlines()[1:7]]
        self.assertEqual(order, [(f"network_dim={dim}", model) for model in "ab" for dim in (1, 2, 3)])

    def test_the_command_line_is_checked(self):
        for words, what in (([], "leco sweep takes the sweep's file"), (["a.yaml", "b.yaml"], "the second is 'b.yaml'"),
                            (["a.yaml", "--status", "--report"], "give one of them"), (["a.toml"], ".yaml or .yml"),
                            (["a.yaml", "--ranks=2"], "--ranks is for --dry_run"),
                            (["a.yaml", "--dryrun"], "did you mean --dry_run?"), (["none.yaml"], "none.yaml")):
            run = Run(["sweep", *words])
            self.assertEqual(run.status, 2, run.err)
            self.assertIn(what, run.errors()[0])

    def test_a_file_where_a_runs_folder_is_to_be_is_told_before_anything_starts(self):
        (self.folder / "bad").mkdir()
        in_the_way = self.write("bad/slider,seed=2", "")
        run = self.sweep(self.spec("bad", sliders=None, prompts=[str(self.prompts)], grid={"seed": [1, 2]}), 2, status=2)
        self.assertIn("is no folder, and a run is to have that name", run.errors()[0])
        self.assertEqual(list((self.folder / "bad").iterdir()), [in_the_way])

    def test_status_and_report_tell_what_is_there(self):
        few = {"sliders": None, "prompts": [str(self.prompts)]}
        self.sweep(self.spec("some", grid={"seed": [1]}, **few))
        spec = self.spec("some", grid={"seed": [1, 2]}, **few)
        run = self.sweep(spec, words=["--status"])
        self.assertEqual(run.out.splitlines()[:2], ["done    slider,seed=1", "left    slider,seed=2"])
        self.assertRegex(run.out.splitlines()[2], "^1 of 2 done, 0 running, 0 failed, 1 left, about .* to go$")
        paths = self.sweep(spec, words=["--report"]).out.splitlines()
        self.assertEqual([path.rsplit("/", 1)[1] for path in paths], ["results.csv", "results.json", "report.html"])
        runs = json.loads((self.folder / "some" / "results.json").read_text())["runs"]
        self.assertEqual([(run["name"], run["status"]) for run in runs], [("slider,seed=1", "done"), ("slider,seed=2", "left")])
        self.assertTrue((self.folder / "some" / runs[0]["files"][0]).exists())

    def test_mistakes_are_told_with_their_line_before_anything_is_written(self):
        def refused(what, **changes):
            run = self.sweep(self.spec("bad", **changes), status=2)
            self.assertEqual(len(run.errors()), 1, run.err)
            self.assertRegex(run.errors()[0], what)
            self.assertFalse((self.folder / "bad").exists())
        refused(r"bad.yaml, line \d+: 'learning_rate = -1': expected", grid={"learning_rate": [0.1, -1]})
        refused(r"bad.yaml, line \d+: unknown key 'learning_rat'; did you mean 'learning_rate'", grid={"learning_rat": [1]})
        refused(r"bad.yaml, line \d+: 'network_dim' is the number 4.5; expected an integer", base={"network_dim": 4.5})
        refused(r"bad.yaml, line \d+: 'output_name' is set by the sweep itself", base={"output_name": "x"})
        refused(r"bad.yaml: run 'size.*': --max_denoising_steps=1000", base={"rollout_sampler": "dpm++2m",
                                                                           "max_denoising_steps": 1000})
        refused(r"bad.yaml, line \d+: prompts: there is no file 'none.toml'", sliders=None, prompts=["none.toml"])
        refused(r"bad.yaml, line \d+: unknown key 'sampels' in 'evaluate'; did you mean 'samples'", evaluate={"sampels": 2})
        refused("no such model: '/none'", base={"pretrained_model_name_or_path": "/none"})
        refused("cannot read '/none.safetensors'", base={"network_weights": "/none.safetensors"})
        refused("no such file: '/none.txt'", base={"sample_prompts": "/none.txt", "sample_at_first": True})
        refused("--clip_model='/none' is no folder", evaluate={"clip_model": "/none"})
        for words in ("--status", "--report"):
            run = self.sweep(self.spec("bad"), status=2, words=[words])
            self.assertRegex(run.errors()[0], "bad' is no folder, so there is nothing to .*: nothing of this sweep was begun")
        refused(r"bad.yaml, line \d+.*positve", sliders=[{"name": "x", "target_class": "", "positve": "y"}])


if __name__ == "__main__":
    main()
