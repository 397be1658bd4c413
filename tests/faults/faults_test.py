"""However a training is broken, it says where, ends soon, and goes on to the bytes of one that was not.

usage: faults_test.py MPIEXEC LECO_FAULTS LECO CLOCK_JUMPS_BACK SLOW_FIRST_RANK
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import leco_runs  # noqa: E402
from leco_runs import TOY, LecoTest, Run, main  # noqa: E402

PLAIN, CLOCK, SLOW = sys.argv[3:6]
STOPPED = 85
STEPS, KEPT = 4, 2  # the last one, and the one whose saving is broken
# What is reached while the files of a step are saved, in this order: the LoRA is the first file, then the state's three, then
# DONE.
SAVING = ["updated", "metrics", "file-made.1", "file-filled.1", "file-synced.1", "file-named.1", "folder-made", "file-filled.3",
          "file-named.4", "file-synced.5", "folder-done", "folder-named", "saved"]


@contextlib.contextmanager
def variables(**given):
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            del os.environ[name]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class FaultsTest(LecoTest):
    known = {}
    FLAGS = {"max_train_steps": STEPS, "save_every_n_steps": KEPT, "save_state": True, "save_state_on_train_end": True,
             "max_denoising_steps": 2, "pairs_per_step": 2}

    def run_with(self, output, fault=None, ranks=None, seconds=None, **flags):
        given = {**({"LECO_FAULT": fault} if fault else {}), **({"LECO_TIMEOUT_SECONDS": str(seconds)} if seconds else {})}
        with variables(**given):
            return Run(self.arguments(output, **{**self.FLAGS, **flags}), ranks)

    def outcome(self, output):
        folder = self.folder / output
        return {"lora": self.files(output), "state": contents(folder / "x-state"),
                "step": contents(folder / f"x-step{KEPT:08}-state"), "metrics": self.metrics(output)}

    def undisturbed(self):
        """The outcome of these flags, made once: it does not depend on the folder."""
        flags = str(self.FLAGS)
        if flags not in self.known:
            run = self.run_with("whole")
            self.assertEqual(run.status, 0, run.err)
            self.known[flags] = self.outcome("whole")
        return self.known[flags]

    def check_goes_on(self, output, expected, ranks=None):
        run = self.run_with(output, ranks=ranks, resume="auto")
        self.assertEqual(run.status, 0, run.err)
        found = self.outcome(output)
        for kind in expected:
            self.assertTrue(found[kind] == expected[kind], f"{kind} differs: {list(found[kind])}\n{run.err}")
        left = [path.name for path in (self.folder / output).iterdir() if ".tmp-" in path.name]
        self.assertEqual(left, [])
        return run

    def test_killed_at_every_point_of_a_save_it_ends_in_the_same_bytes(self):
        expected = self.undisturbed()
        for point in SAVING:
            with self.subTest(point):
                output = point.replace(".", "_")
                run = self.run_with(output, f"0:{KEPT}:{point}:kill")
                self.assertEqual(run.status, -9, run.err)
                self.check_goes_on(output, expected)

    def test_killed_anywhere_in_a_step_on_any_rank_it_ends_in_the_same_bytes(self):
        expected = self.undisturbed()
        # Not in the step after the one that is kept, in which rank 0 may still be writing that one.
        self.assertGreater(STEPS, KEPT + 1)
        for rank, point, kind in ((1, "rollout", "kill"), (0, "message", "kill"), (1, "merge", "exit")):
            with self.subTest(point):
                output = f"{point}_{rank}"
                run = self.run_with(output, f"{rank}:{STEPS}:{point}:{kind}", ranks=2)
                self.assertNotIn(run.status, (0, STOPPED), run.err)
                self.assertLess(run.seconds, 60)
                self.assertIn(f"goes on from step {KEPT}", self.check_goes_on(output, expected, ranks=2).err)

    def test_what_is_not_a_number_stops_all_ranks_with_the_last_state_kept(self):
        expected = self.undisturbed()
        run = self.run_with("out", f"1:{KEPT + 1}:gradient:nan", ranks=2)
        self.assertEqual((run.status, len(run.errors())), (1, 1), run.err)
        self.assertIn(f"stopped in step {KEPT + 1}: on rank 1, the gradient of item", run.errors()[0])
        self.check_goes_on("out", expected)

    def test_a_rank_whose_lora_differs_is_named_before_anything_of_it_is_saved(self):
        self.FLAGS = {**self.FLAGS, "check_every": 1}
        run = self.run_with("out", f"1:{KEPT + 1}:updated:nan", ranks=3)
        self.assertEqual((run.status, len(run.errors())), (1, 1), run.err)
        self.assertIn(f"stopped after step {KEPT + 1}: the LoRA of rank 1 is not that of the other ranks", run.errors()[0])
        self.check_goes_on("out", self.undisturbed())

    def test_a_full_disk_in_a_save_keeps_the_state_before(self):
        self.FLAGS = {**self.FLAGS, "save_every_n_steps": 1}
        expected = self.undisturbed()
        for number in (1, 4):
            with self.subTest(number):
                run = self.run_with(f"out{number}", f"0:{KEPT}:file-filled.{number}:enospc", ranks=2)
                self.assertEqual((run.status, len(run.errors())), (1, 1), run.err)
                self.assertIn("No space left on device", run.errors()[0])
                self.assertIn("goes on from step 1", self.check_goes_on(f"out{number}", expected).err)

    def check_stops(self, output, fault, step, **flags):
        run = self.run_with(output, fault, ranks=2, **flags)
        self.assertEqual((run.status, run.errors()), (STOPPED, []), run.err)
        self.assertEqual(run.err.count("stopped by "), 1, run.err)
        self.assertTrue((self.folder / output / f"x-step{step:08}-state" / "DONE").exists(), run.err)

    def test_a_signal_anywhere_in_a_step_or_a_save_stops_with_a_state_also_twice(self):
        """One that comes while a step's files are written is heeded in the next step."""
        expected = self.undisturbed()
        for fault, step in (("0:2:merge:sigterm", 3), ("0:2:file-filled.1:sigusr1", 3), ("0:2:file-synced.3:sigterm", 3),
                            ("1:2:rollout:sigterm,0:2:file-filled.1:sigusr1,0:2:folder-done:sigterm,1:2:merge:sigusr1", 2)):
            with self.subTest(fault):
                output = fault.translate(str.maketrans(":,.", "___"))
                self.check_stops(output, fault, step)
                self.check_goes_on(output, expected)

    def test_a_signal_in_the_last_save_does_not_undo_what_is_done(self):
        run = self.run_with("out", f"1:{STEPS}:merge:sigterm,0:{STEPS}:file-filled.1:sigterm,0:{STEPS}:folder-done:sigterm", ranks=2)
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual(self.outcome("out"), self.undisturbed())

    def test_a_second_interrupt_in_a_save_ends_at_once_and_leaves_what_can_go_on(self):
        for first, second in (("file-filled.1", "file-synced.1"), ("file-made.2", "file-synced.4")):
            with self.subTest(first):
                run = self.run_with(first, f"0:{KEPT}:{first}:sigint,0:{KEPT}:{second}:sigint")
                self.assertEqual(run.status, -signal.SIGINT, run.err)
                self.check_goes_on(first, self.undisturbed())

    def test_a_signal_while_loading_stops_before_the_first_step_also_when_it_goes_on(self):
        expected = self.undisturbed()
        text, unet = (len(safe_open(next((TOY / part).glob("*.safetensors")), "pt").keys()) for part in ("text_encoder", "unet"))
        # The U-Net's are first only looked at, then those of the text encoder are read, of the U-Net, and of the state.
        in_text, in_unet, in_state = unet + 5, unet + text + 5, unet + text + unet + 5
        for fault, resume in ((f"1:0:weight.{in_text}:sigterm", None),
                              (f"0:0:weight.{in_unet}:sigusr1,1:0:weight.{in_unet}:sigterm", "auto"),
                              (f"0:0:weight.{in_state}:sigint", "auto")):
            with self.subTest(fault):
                self.check_stops("out", fault, step=0, resume=resume)
                self.assertEqual(self.metrics("out"), [])
        self.check_stops("out", f"1:{KEPT}:merge:sigterm", step=KEPT + 1, resume="auto")
        self.check_stops("out", f"1:0:weight.{in_state}:sigterm", step=KEPT + 1, resume="auto")
        self.check_goes_on("out", expected)

    def test_a_signal_before_anything_is_done_ends_the_program_as_any_other(self):
        for kind, number in (("sigterm", signal.SIGTERM), ("sigusr1", signal.SIGUSR1)):
            self.assertEqual(self.run_with("out", f"0:0:start:{kind}").status, -number)
        self.assertFalse((self.folder / "out").exists())

    def drawing(self, **flags):
        """Four previews at the step that is kept and at the last one; those of an undisturbed run, by name."""
        lines = "".join(f"{what} --w 64 --h 64 --s 2\n" for what in ("circle", "square", "big circle", "small circle"))
        self.FLAGS = {**self.FLAGS, "sample_every_n_steps": KEPT, "sample_prompts": self.write("draw.txt", lines), **flags}
        self.undisturbed()
        return contents(self.folder / "whole" / "sample")

    def drawn(self, output):
        return contents(self.folder / output / "sample")

    def test_a_signal_between_the_pictures_stops_with_a_state_and_the_next_start_draws_the_others(self):
        pictures = self.drawing()
        for fault, step, ranks in ((f"0:{KEPT}:picture:sigterm", KEPT, None), (f"1:{KEPT}:picture:sigusr1", KEPT, 2),
                                   (f"0:{STEPS}:picture.2:sigterm", STEPS, None)):
            with self.subTest(fault):
                output = fault.translate(str.maketrans(":.", "__"))
                run = self.run_with(output, fault, ranks=ranks)
                self.assertEqual((run.status, run.errors(), run.err.count("stopped by ")), (STOPPED, [], 1), run.err)
                self.assertEqual(len(self.metrics(output)), step)
                there = {name: picture for name, picture in self.drawn(output).items() if f"-step{step:08}-" in name}
                if ranks is None:
                    self.assertEqual(len(there), 1 if step == KEPT else 2, "one rank leaves off at once")
                self.assertLess(len(there), 4, run.err)
                self.assertEqual(there, {name: pictures[name] for name in there})
                run = self.check_goes_on(output, self.undisturbed(), ranks=3 - (ranks or 1))
                self.assertIn(f"{len(there)} of 4 previews of step {step} are there from an earlier start", run.err)
                self.assertEqual(self.drawn(output), pictures)

    def test_what_is_drawn_is_not_drawn_again_and_stands_once_in_tensorboard(self):
        pictures = self.drawing(logging_dir=self.folder / "logs")
        names = sorted(name for name in pictures if f"-step{KEPT:08}-" in name)
        first, mixed, foreign, cut = names
        other = self.run_with("other", learning_rate=5e-3, logging_dir=None)
        self.assertEqual(other.status, 0, other.err)
        spoilt = {mixed: pictures[first], foreign: self.drawn("other")[foreign], cut: pictures[cut][:-20]}
        for output, spoil, found in (("out", {}, 4), ("spoilt", spoilt, 1)):
            with self.subTest(output):
                logs = self.folder / f"logs_{output}"
                flags = {"logging_dir": logs, "log_config": True}
                self.assertEqual(self.run_with(output, f"0:{KEPT + 1}:step:kill", **flags).status, -9)
                self.assertEqual(sorted(self.drawn(output)), names)
                for name, file in spoil.items():
                    (self.folder / output / "sample" / name).write_bytes(file)
                run = self.run_with(output, resume="auto", **flags)
                self.assertEqual(run.status, 0, run.err)
                self.assertIn(f"{found} of 4 previews of step {KEPT} are there from an earlier start", run.err)
                self.assertEqual(self.drawn(output), pictures)
                events = EventAccumulator(str(next(logs.glob("*/leco_train"))), size_guidance={"images": 0})
                events.Reload()
                for row in range(4):
                    self.assertEqual([image.step for image in events.Images(f"preview/{row:02}")], [KEPT, STEPS])
                for tag in ("loss", "lr", "grad_norm", "seconds/rollout"):
                    self.assertEqual([point.step for point in events.Scalars(tag)], [1, 2, 3, 4], tag)
                lines = (self.folder / output / "x.metrics.jsonl").read_text().splitlines()
                self.assertAlmostEqual(events.Scalars("loss")[KEPT - 1].value, json.loads(lines[KEPT - 1])["loss"], places=5)

    def test_a_signal_in_a_sweeps_evaluation_leaves_all_of_it_to_the_next_start(self):
        slider = {"name": "size", "target_class": "circle", "positive": "big circle", "negative": "small circle", "resolution": 64}
        spec = self.write("sweep.yaml", json.dumps(
            {"name": "toy", "output_dir": str(self.folder / "out"), "sliders": [slider], "ranks_per_run": 2,
             "base": {"pretrained_model_name_or_path": str(TOY), "max_train_steps": 2, "max_denoising_steps": 2, "seed": 1, "threads": 1},
             "evaluate": {"scales": [-1, 0, 1], "samples": 4, "sample_steps": 2, "images_per_prompt": 4, "height": 64, "width": 64}}))
        report = self.folder / "out" / "size" / "evaluation" / "report.json"
        # Of two ranks each has two points and two rows. The second start has nothing to train, so it is in no step.
        for fault in ("1:2:measure:sigterm", "0:0:measure.3:sigusr1", "1:0:picture:sigterm", None):
            with variables(**({"LECO_FAULT": fault} if fault else {})):
                run = Run(["sweep", spec], ranks=2)
            self.assertEqual((run.status, run.errors()), (STOPPED if fault else 0, []), run.err)
            self.assertEqual(report.exists(), fault is None)
        log = (self.folder / "out" / "size" / "size.log").read_text()
        self.assertEqual((log.count("LoRA on "), log.count("it was trained before")), (1, 3), log)

    def test_a_rank_that_hangs_is_named_with_what_it_does(self):
        expected = self.undisturbed()
        for rank, point, words in ((1, "rollout", ("rank 1", "rollout")), (0, "file-filled.2", ("rank 0", "saving"))):
            with self.subTest(point):
                step = KEPT if "file" in point else KEPT + 1
                output = point.replace(".", "_")
                run = self.run_with(output, f"{rank}:{step}:{point}:hang", ranks=2, seconds=20)
                self.assertEqual(run.status, 1, run.err)
                self.assertLess(run.seconds, 60)
                self.assertRegex(run.err, f"warning: rank {rank} on .*: {words[1]} of step {step} has taken .* would be usual; "
                                          "the job ends when it is not done after 15 s")
                if rank != 0:
                    self.assertRegex(run.err, r"warning: rank 0 on .* has waited for .* s in all_reduce \(.*\) over 2 ranks, and a whole step takes ")
                told = [line for line in run.errors() if all(word in line for word in (*words, f"of step {step}"))]
                self.assertTrue(told, run.err)
                self.check_goes_on(output, expected, ranks=2)

    def test_a_file_system_that_stalls_is_told_and_the_run_goes_on(self):
        # Six seconds, several times what the save before takes also where a machine is busy.
        points = ("file-filled.1", "file-synced.1", "file-named.1")
        run = self.run_with("out", ",".join(f"0:{KEPT}:{point}:pause" for point in points), ranks=2, seconds=20)
        self.assertEqual(run.status, 0, run.err)
        work = f"warning: rank 0 on .*: saving of step {KEPT}"
        self.assertRegex(run.err, f"(?s){work} has taken .* would be usual.*{work} is done after ")
        self.assertEqual(self.outcome("out"), self.undisturbed())

    def test_a_clock_that_jumps_back_changes_nothing(self):
        expected = self.undisturbed()
        with variables(LD_PRELOAD=CLOCK):
            run = self.run_with("out", save_every_n_steps=KEPT)
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual(self.outcome("out"), expected)
        record = json.loads((self.folder / "out" / "x.run.json").read_text())
        self.assertLess(record["finished"], record["started"])
        self.assertGreater(record["seconds"], 0)
        self.assertLess(record["seconds"], leco_runs.LIMIT)
        lines = (self.folder / "out" / "x.metrics.jsonl").read_text().splitlines()
        self.assertTrue(all(value >= 0 for line in lines for value in json.loads(line)["seconds"].values()))

    def test_a_result_is_there_before_the_ranks_end_with_a_status_that_ends_the_job(self):
        """Into a file it comes in one piece, not line by line, and mpirun ends rank 0 while that is ending by itself."""
        results = self.folder / "results"
        script = 'exec env LD_PRELOAD="$1" "$2" doctor --json --device=cuda > "$0.$OMPI_COMM_WORLD_RANK"'
        *mpirun, leco = leco_runs.words_of(2, [])
        run = subprocess.run([*mpirun, "bash", "-c", script, results, SLOW, leco], env=leco_runs.environment(),
                             capture_output=True, text=True, timeout=leco_runs.LIMIT)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(json.loads(pathlib.Path(f"{results}.0").read_text())["verdict"], "failed")

    def test_an_error_of_all_ranks_is_told_once_by_the_first_also_where_that_is_slow(self):
        with variables(LD_PRELOAD=SLOW):
            run = self.run_with("out", ranks=3, learning_rate=1e30)
        self.assertEqual((run.status, len(run.errors())), (1, 1), run.err)
        self.assertIn("[rank 0] error: stopped in step 2", run.errors()[0])

    def test_the_program_itself_knows_no_faults(self):
        self.assertNotIn(b"LECO_FAULT", pathlib.Path(PLAIN).read_bytes())
        leco_runs.LECO, faults = PLAIN, leco_runs.LECO
        self.addCleanup(setattr, leco_runs, "LECO", faults)
        self.assertEqual(self.run_with("out", "0:1:step:kill").status, 0)


if __name__ == "__main__":
    main()
