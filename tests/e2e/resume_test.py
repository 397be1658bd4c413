"""A run that was stopped, however it was, goes on to the very bytes of one that was not.

usage: resume_test.py MPIEXEC LECO
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import time
import unittest.mock

from leco_runs import Going, LecoTest, Run, main

STOPPED = 85
STEPS = 6
FOREVER = 10**6


def contents(folder):
    """Relative path → bytes of a folder's files."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file()}


class ResumeTest(LecoTest):
    SOME = 30  # steps: as a rule enough for a signal to come before the last one
    FLAGS = {"max_train_steps": STEPS, "save_state_on_train_end": True, "max_denoising_steps": 3, "pairs_per_step": 2}

    def run_steps(self, output, ranks=None, **flags):
        return self.train(output, ranks, **{**self.FLAGS, **flags})

    def outcome(self, output):
        """All that must be equal: the LoRA, the state, and the metrics but for their seconds."""
        folder = self.folder / output
        return (folder / "x.safetensors").read_bytes(), contents(folder / "x-state"), self.metrics(output)

    def undisturbed(self, name, **flags):
        self.run_steps(name, **flags)
        return self.outcome(name)

    def check_equal(self, output, expected):
        lora, state, metrics = self.outcome(output)
        self.assertEqual(metrics, expected[2])
        self.assertEqual(sorted(state), sorted(expected[1]))
        for name, bytes in state.items():
            self.assertEqual(bytes, expected[1][name], name)
        self.assertEqual(lora, expected[0])

    def half(self, output, steps=3, ranks=None, **flags):
        """A run whose first steps are done and kept, as one that was given fewer."""
        self.run_steps(output, ranks, max_train_steps=steps, **flags)

    def refuse(self, text, **flags):
        self.check_refused(Run(self.arguments("out", **{**self.FLAGS, "resume": "auto", **flags})), text)

    def start(self, output, ranks=None, **flags):
        flags = {**self.FLAGS, "max_train_steps": FOREVER, **flags}
        job = Going(self.folder, self.arguments(output, **flags), ranks)
        self.addCleanup(job.stop)
        job.wait_for(lambda: len(self.lines(output)) >= 2)
        return job

    def start_and_stop(self, output, number, ranks=None, rank=None, **flags):
        """Sends the signal into a run of SOME steps. One that is done before it comes is started again. Returns the job."""
        for _ in range(10):
            job = self.start(output, ranks, **{"max_train_steps": self.SOME, **flags})
            job.signal(number, rank)
            status, seconds = job.finish()
            self.assertLess(seconds, 60, job.err())
            if status != 0:
                self.assertEqual(status, STOPPED, job.err())
                self.assertIn(f"stopped by {number.name}", job.err())
                return job
            self.assertEqual(len(self.lines(output)), self.SOME)
            print(f"  {output} was done before the signal", flush=True)
            shutil.rmtree(self.folder / output)
        self.fail("the signal always came too late")

    def lines(self, output):
        path = self.folder / output / "x.metrics.jsonl"
        return path.read_text().splitlines() if path.exists() else []

    def test_steps_then_resume_then_steps_are_all_steps_also_on_other_ranks(self):
        expected = self.undisturbed("whole")
        for first, then in ((None, None), (2, None), (None, 3)):
            output = f"half_{first}_{then}"
            self.half(output, ranks=first)
            run = self.run_steps(output, ranks=then, resume="auto")
            self.assertIn("goes on from step 3", run.err)
            self.check_equal(output, expected)

    def optimizers(self):
        """All that the program knows; Paged… are other names of some."""
        refusal = Run(self.arguments("none", optimizer_type="none"))
        names = re.search(r"expected one of (.+)", refusal.err)[1].split(", ")
        return [name for name in names if not name.startswith("Paged")]

    def check_optimizer(self, name):
        """Goes on from the middle of a whole run, in its folder, alone and on two ranks."""
        flags = {**self.FLAGS, "optimizer_type": name, "save_state": True, "save_every_n_steps": 3, "pairs_per_step": 1,
                 "max_denoising_steps": 2, "early_sign_every": 0}
        words = ["--network_args", "train_method=xattn-strict"]
        words += ["--optimizer_args", "min_8bit_size=64"] if name.endswith("8bit") else []
        expected = None
        for ranks, resume in ((None, None), (None, "auto"), (2, "auto")):
            run = Run(self.arguments(name, **flags, resume=resume) + words, ranks)
            self.assertEqual(run.status, 0, run.err)
            if resume:
                self.assertIn("goes on from step 3", run.err)
                self.check_equal(name, expected)
            expected = expected or self.outcome(name)
            shutil.rmtree(self.folder / name / "x-state")
            (self.folder / name / "x.safetensors").unlink()

    def test_every_optimizer_goes_on_also_on_other_ranks(self):
        names = self.optimizers()
        self.assertGreaterEqual(len(names), 17)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            outcomes = {name: pool.submit(self.check_optimizer, name) for name in names}
        for name, outcome in outcomes.items():
            with self.subTest(name):
                outcome.result()

    def test_what_somebody_edited_is_passed_over_or_refused_by_name(self):
        flags = {"save_state": True, "save_every_n_steps": 1, "pairs_per_step": 1}
        self.run_steps("whole", max_train_steps=3, **flags)
        state = self.folder / "whole" / "x-step00000002-state"
        done, record = ((state / name).read_text() for name in ("DONE", "state.json"))

        def resume(text, name="DONE"):
            output = self.folder / "out"
            shutil.rmtree(output, ignore_errors=True)
            shutil.copytree(self.folder / "whole", output)
            shutil.rmtree(output / "x-state")
            (output / state.name / name).write_text(text)
            (output / ("x-step" + "9" * 30 + "-state")).mkdir()  # more than any step
            return self.run_steps("out", max_train_steps=3, resume="auto", save_last_n_steps_state=1, **flags).err

        self.assertIn("DONE is no manifest", resume(done.replace('"bytes": ', '"bytes": "of" , "x": ')))
        for text in (record.replace('"step": 2', '"step": 1.5'), record.replace('"step": 2', '"step": -2')):
            err = resume(text, "state.json")
            self.assertRegex(err, r"state.json' is no record of a state: 'step' is (1\.5|-2); expected a whole number from 0")
            self.assertIn("goes on from step 1", err)
        (self.folder / "whole" / "x.metrics.jsonl").write_text('{"step": "one"}\n')
        self.assertIn("x.metrics.jsonl' has 0 of the 2 steps that are done", resume(done))

    def test_float16_goes_on_with_its_loss_scale(self):
        heavy = self.prompts.read_text().replace("resolution = 64", "resolution = 64\nweight = 3e5")  # early gradients overflow
        flags = {"prompts_file": self.write("heavy.toml", heavy), "mixed_precision": "fp16", "lr_scheduler": "linear"}
        flags = {**flags, "max_train_steps": self.SOME}
        expected = self.undisturbed("whole", **flags)
        job = self.start_and_stop("out", signal.SIGUSR1, **flags)
        self.assertIn("the loss scale is now", job.err())
        self.run_steps("out", resume="auto", **flags)
        self.check_equal("out", expected)

    def test_what_the_first_start_fixed_holds_without_being_said_again(self):
        self.run_steps("whole", ranks=2, pairs_per_step=None)
        expected = self.outcome("whole")
        self.half("half", ranks=2, pairs_per_step=None)
        self.run_steps("half", ranks=1, resume="auto", pairs_per_step=None, seed=None)
        self.check_equal("half", expected)

    def test_a_signal_at_any_rank_ends_with_a_state_and_status_85(self):
        expected = self.undisturbed("whole", max_train_steps=self.SOME)
        for number, ranks, to in ((signal.SIGTERM, None, None), (signal.SIGINT, None, None), (signal.SIGUSR1, None, None),
                                  (signal.SIGTERM, 2, 1), (signal.SIGUSR1, 3, None)):  # the last one to mpirun
            with self.subTest(signal=number, ranks=ranks, to=to):
                output = f"out_{number}_{ranks}"
                self.start_and_stop(output, number, ranks, to)
                steps = len(self.lines(output))
                self.assertLess(steps, self.SOME)
                state = self.folder / output / f"x-step{steps:08}-state"
                self.assertTrue((state / "DONE").exists(), list((self.folder / output).iterdir()))
                self.run_steps(output, resume="auto", max_train_steps=self.SOME)
                self.check_equal(output, expected)

    def test_several_signals_and_a_continue_are_one_stop(self):
        job = self.start("out")
        for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGCONT, signal.SIGUSR1, signal.SIGTERM):
            job.signal(number)
        self.assertEqual(job.finish()[0], STOPPED, job.err())

    def test_kill_minus_nine_at_any_time_and_auto_end_in_the_same_bytes(self):
        expected = self.undisturbed("whole", save_every_n_steps=1)
        for delay in (0.0, 0.05, 0.15, 0.3):
            output = f"out_{delay}"
            job = Going(self.folder, self.arguments(output, **{**self.FLAGS, "save_state": True, "save_every_n_steps": 1}))
            self.addCleanup(job.stop)
            try:
                job.wait_for(lambda: len(self.lines(output)) >= 1)
                time.sleep(delay)
            except AssertionError:
                pass  # it was faster
            job.job.send_signal(signal.SIGKILL)
            job.finish()
            self.run_steps(output, resume="auto", save_state=True, save_every_n_steps=1)
            self.check_equal(output, expected)
            left = [path.name for path in (self.folder / output).iterdir() if ".tmp-" in path.name or "owner" in path.name]
            self.assertEqual(left, [])

    def test_a_damaged_state_is_passed_over(self):
        self.half("out", steps=4, save_state=True, save_every_n_steps=2)
        (self.folder / "out" / "x-state").rename(self.folder / "out" / "x-step00000004-state")
        weights = self.folder / "out" / "x-step00000004-state" / "lora.safetensors"
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
        run = self.run_steps("out", resume="auto")
        self.assertIn("x-step00000004-state' is damaged and passed over: lora.safetensors has another checksum", run.err)
        self.assertIn("goes on from step 2", run.err)
        self.check_equal("out", self.undisturbed("whole"))
        self.refuse("the state is not complete: lora.safetensors has another checksum",
                    resume=self.folder / "out" / "x-step00000004-state")

    def test_without_a_state_auto_starts_anew_and_says_so(self):
        run = self.run_steps("out", resume="auto")
        self.assertIn("no complete state of 'x'", run.err)
        self.check_equal("out", self.undisturbed("whole"))

    def test_a_start_without_resume_warns_and_sets_earlier_states_aside(self):
        self.half("out", save_state=True, save_every_n_steps=2)
        folder = self.folder / "out"
        earlier = {name: contents(folder / name) for name in ("x-state", "x-step00000002-state")}
        run = self.run_steps("out", seed=2)
        self.assertIn("x-state' is of an earlier run, and this one starts at step 0: --resume=auto would go on", run.err)
        for name, files in earlier.items():
            self.assertEqual(contents(folder / f"{name}.earlier"), files)
        self.assertNotEqual(contents(folder / "x-state"), earlier["x-state"])
        self.assertFalse((folder / "x-step00000002-state").exists())
        (folder / "x-state.earlier").rename(folder / "again-state")
        self.run_steps("out", resume=folder / "again-state")
        self.assertEqual(self.outcome("out")[:2], self.undisturbed("whole")[:2])  # the metrics are the later start's
        self.run_steps("out", seed=3)  # one generation is kept
        self.assertEqual(sorted(path.name for path in folder.glob("x-*earlier")), ["x-state.earlier"])

    def test_at_the_last_step_the_missing_file_is_written(self):
        self.run_steps("out")
        expected = self.outcome("out")
        (self.folder / "out" / "x.safetensors").unlink()
        run = self.run_steps("out", resume="auto")
        self.assertEqual(run.out.split(), [str(self.folder / "out" / "x.safetensors")])
        self.check_equal("out", expected)

    def test_other_settings_are_refused_and_listed(self):
        self.half("out")
        before = contents(self.folder / "out")
        self.refuse("network_alpha: 4, now 2; learning_rate: 0.001, now 0.002", network_alpha=2, learning_rate=2e-3)
        self.refuse("seed: 1, now 2", seed=2)
        self.refuse("pairs_per_step: 2, now 4", pairs_per_step=4)
        self.refuse("the prompts", prompts_file=self.write("other.toml", self.prompts.read_text().replace("big", "small")))
        self.refuse("is of step 3, beyond --max_train_steps=2", max_train_steps=2)
        self.refuse("there is no such folder", resume=self.folder / "nowhere")
        self.assertEqual(contents(self.folder / "out"), before)

    def test_another_cpu_is_told_and_goes_on(self):
        self.half("out")
        same = self.run_steps("out", resume="auto", max_train_steps=4)
        self.assertNotIn("was made elsewhere", same.err)
        with unittest.mock.patch.dict(os.environ, ATEN_CPU_CAPABILITY="default"):
            run = self.run_steps("out", ranks=2, resume="auto")
        told = re.findall(r"warning: '.*x-state' was made elsewhere \(the CPU's instructions: \w+, now DEFAULT\): the result may", run.err)
        self.assertEqual(len(told), 1, run.err)
        self.forget_instructions(self.folder / "out" / "x-state")
        older = self.run_steps("out", resume="auto", max_train_steps=STEPS + 1)
        self.assertIn(f"goes on from step {STEPS}", older.err)
        self.assertNotIn("was made elsewhere", older.err)

    def forget_instructions(self, state):
        """As in a state that was saved before they were noted there."""
        record, done = (json.loads((state / name).read_text()) for name in ("state.json", "DONE"))
        del record["instructions"]
        text = json.dumps(record).encode()
        done["files"]["state.json"] = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        (state / "state.json").write_bytes(text)
        (state / "DONE").write_text(json.dumps(done))

    def test_more_steps_need_a_schedule_that_does_not_depend_on_them(self):
        self.half("out", lr_scheduler="cosine")
        self.refuse("max_train_steps: 3, now 6 (the steps that are done would have had other learning rates)", lr_scheduler="cosine")

    def test_what_does_not_change_the_result_may_change(self):
        self.half("out")
        self.run_steps("out", resume="auto", save_precision="fp16", save_every_n_steps=2, training_comment="again")
        self.assertEqual(self.metrics("out"), self.undisturbed("whole")[2])

    def test_two_starts_on_one_output_are_refused_and_a_dead_one_is_taken_over(self):
        job = self.start("out")
        self.refuse(f"process {job.job.pid} on ", resume=None)
        self.run_steps("out", output_name="y")  # another name, another output
        job.job.send_signal(signal.SIGKILL)
        job.finish()
        self.run_steps("out")
        self.assertEqual([path.name for path in (self.folder / "out").iterdir() if "owner" in path.name], [])

    def test_a_resuming_start_waits_for_the_claim_of_a_dead_machine(self):
        claim = self.folder / "out" / ".x.owner"
        claim.parent.mkdir()
        claim.write_text("process 1\nstart 1\nspace elsewhere\nhost node7\nsince 2026-01-01T00:00:00Z\n")
        waits = Going(self.folder, self.arguments("out", **self.FLAGS, resume="auto"), ranks=2)
        self.addCleanup(waits.stop)
        waits.wait_for(lambda: "waits up to" in waits.err())
        waits.signal(signal.SIGTERM, 0)
        self.assertEqual(waits.finish()[0], STOPPED, waits.err())
        self.assertEqual(waits.err().count("stopped by SIGTERM while it waited"), 1, waits.err())
        self.assertEqual([path.name for path in claim.parent.iterdir()], [claim.name])
        os.utime(claim)
        self.refuse("process 1 on node7", resume=None)
        os.utime(claim)
        waits = Going(self.folder, self.arguments("out", **self.FLAGS, resume="auto"))
        self.addCleanup(waits.stop)
        waits.wait_for(lambda: "waits up to" in waits.err())
        long_ago = time.time() - 100  # it is stale after 60
        os.utime(claim, (long_ago, long_ago))
        self.assertEqual(waits.finish()[0], 0, waits.err())
        self.assertFalse(claim.exists())

    def test_old_states_are_removed_when_a_newer_one_is_there(self):
        self.run_steps("out", save_state=True, save_every_n_steps=1, save_last_n_steps_state=2)
        self.assertEqual(sorted(path.name for path in (self.folder / "out").glob("*-state")),
                         ["x-state", *(f"x-step0000000{step}-state" for step in (4, 5))])


if __name__ == "__main__":
    main()
