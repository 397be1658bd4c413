"""leco sweep: groups that are free help one that is at its last run, and its files stay the same.

usage: sweep_help_test.py MPIEXEC LECO LECO_FAULTS
"""
import json
import os
import re
import signal
import sys
import unittest.mock

import leco_runs
from leco_runs import Going, Run, main
from sweeps import SweepTest

LECO_FAULTS = sys.argv[3]
CAME = re.compile(r"'slider,max_train_steps=(\d+)' goes on after step (\d+) with ranks that were free: (\d+) now")
LONG, MIDDLE, SHORT = 44, 10, 2  # steps; help pays while some ten are left, since a start takes as long as two of them


class Help(SweepTest):
    expected = {}  # what the runs leave without help

    def of_steps(self, output, *steps, **changes):
        """One run for each of these numbers of steps, each step with four packs unless `changes` say otherwise."""
        lines = self.write("lines.txt", "circle --w 64 --h 64 --s 1\n")
        base = {"pairs_per_step": 4, "max_denoising_steps": 2, "leco_denoise_guidance_scale": 1, "save_every_n_steps": 12,
                "sample_every_n_steps": 12, "sample_prompts": str(lines), **changes.pop("base", {})}
        return self.spec(output, sliders=None, prompts=[str(self.prompts)], grid={"max_train_steps": list(steps)}, base=base,
                         **changes)

    def outcome(self, output, steps):
        """All that a run leaves but its log and what times and ranks stand in: name to contents."""
        name = f"slider,max_train_steps={steps}"
        files = {str(path.relative_to(self.folder / output / name)): path.read_bytes()
                 for path in (self.folder / output / name).rglob("*") if path.is_file()}
        for varies in (f"{name}.log", f"{name}.run.json", "sweep.done.json"):
            self.assertTrue(files.pop(varies))
        files[f"{name}.metrics.jsonl"] = self.metrics(f"{output}/{name}", name)
        return files

    def assert_as_without_help(self, output, *steps):
        if not self.expected:
            self.sweep(self.of_steps("alone", LONG, MIDDLE, SHORT, ranks_per_run=2), 2)
            self.expected.update({steps: self.outcome("alone", steps) for steps in (LONG, MIDDLE, SHORT)})
        for count in steps:
            here, there = self.outcome(output, count), self.expected[count]
            self.assertEqual(sorted(here), sorted(there))
            self.assertEqual([name for name in here if here[name] != there[name]], [])
        self.assertFalse(list((self.folder / output).rglob("*.claim")))

    def came(self, run):
        """The numbers of ranks that the long run went on with, each time that some came."""
        return [int(ranks) for steps, _, ranks in CAME.findall(run.err) if int(steps) == LONG]

    def ranks_at_end(self, output):
        return json.loads((self.folder / output / f"slider,max_train_steps={LONG}" / "sweep.done.json").read_text())["ranks"]

    def start(self, spec, ranks):
        going = Going(self.folder, ["sweep", spec], ranks)
        self.addCleanup(going.stop)
        return going

    def test_free_groups_join_the_last_run_and_its_files_are_those_it_has_alone(self):
        """They are free at different times, one from the start."""
        run = self.sweep(self.of_steps("helped", LONG, MIDDLE, SHORT), 4)
        came = self.came(run)
        self.assertGreaterEqual(len(came), 1, run.err)
        self.assertEqual(self.starts("helped")[f"slider,max_train_steps={LONG}"], 1 + len(came), run.err)
        self.assertEqual(self.ranks_at_end("helped"), came[-1])
        log = self.folder / "helped" / f"slider,max_train_steps={LONG}" / f"slider,max_train_steps={LONG}.log"
        self.assertEqual(len(CAME.findall(log.read_text())), len(came))
        self.assert_as_without_help("helped", LONG, MIDDLE, SHORT)

    def test_a_run_of_one_pack_a_step_is_left_alone(self):
        run = self.sweep(self.of_steps("single", MIDDLE, SHORT, base={"pairs_per_step": 1}), 2)
        self.assertEqual(CAME.findall(run.err), [])
        self.assertEqual(set(self.starts("single").values()), {1})

    def test_a_group_that_evaluates_says_at_once_that_it_needs_no_help(self):
        many = self.write("many.toml", self.prompts.read_text() + "".join(
            f'[[targets]]\ntarget_class = "{side} sides"\npositive = "big {side} sides"\n' for side in range(60)))
        spec = self.spec("free", sliders=None, prompts=[str(self.prompts), str(many)], grid={"max_train_steps": [1, 4]},
                         exclude=[{"prompts": "slider", "max_train_steps": 1}, {"prompts": "many", "max_train_steps": 4}],
                         evaluate={"scales": [0, 1], "samples": 24, "sample_steps": 1})  # minutes for the sixty directions
        out = self.folder / "free"
        trained = out / "many,max_train_steps=1" / "sweep.trained.json"
        finished = out / "slider,max_train_steps=4" / "sweep.done.json"
        going = self.start(spec, 2)
        # What the group that is free does next is to look for what a dead owner left, with a claim file in the sweep's folder.
        going.wait_for(lambda: trained.exists() and finished.exists() and out.stat().st_mtime_ns > finished.stat().st_mtime_ns)
        os.kill(going.ranks()[0], signal.SIGTERM)
        self.assertEqual(going.finish()[0], 85, going.err())
        self.assertEqual(self.done("free"), ["slider,max_train_steps=4"], going.err())

    def test_killed_and_stopped_after_ranks_have_joined_it_goes_on(self):
        spec = self.of_steps("broken", LONG, SHORT)
        going = self.start(spec, 2)
        going.wait_for(lambda: CAME.search(going.err()))
        os.kill(going.ranks()[1], signal.SIGKILL)
        self.assertNotEqual(going.finish()[0], 0)
        self.assertEqual(self.done("broken"), [f"slider,max_train_steps={SHORT}"])

        again = self.start(spec, 3)
        again.wait_for(lambda: CAME.search(again.err()))
        os.kill(again.ranks()[2], signal.SIGUSR1)  # at a rank that helps, or has just said that it would
        self.assertEqual(again.finish()[0], 85, again.err())
        self.sweep(spec)
        self.assert_same_results("broken")
        joined = {int(step) for _, step, _ in CAME.findall(going.err() + again.err()) if int(step) % 12}
        states = (self.folder / "broken" / f"slider,max_train_steps={LONG}").glob("*-step*-state")
        left = {int(re.search(r"-step(\d+)-state", path.name)[1]) for path in states}
        self.assertFalse(joined & left, "states for those who came, also of the start that was killed")

    def assert_same_results(self, output):
        """As without help, but for states that a start has left which was killed or stopped, or in which the run failed."""
        self.assert_as_without_help(output)
        here = {name: value for name, value in self.outcome(output, LONG).items()
                if "-state/" not in name or name in self.expected[LONG]}
        self.assertEqual(sorted(here), sorted(self.expected[LONG]))
        self.assertEqual([name for name in here if here[name] != self.expected[LONG][name]], [])

    def test_a_failure_with_help_does_not_count_and_the_run_goes_on_without(self):
        spec = self.of_steps("failing", LONG, SHORT, ranks_per_run=2, max_retries=0)
        with unittest.mock.patch.dict(os.environ, LECO_FAULT=f"3:{LONG - 3}:gradient:nan"), \
                unittest.mock.patch.object(leco_runs, "LECO", LECO_FAULTS):
            run = Run(["sweep", spec], 5)  # groups of two ranks and of three; either may get the long run
        failed = f"'slider,max_train_steps={LONG}' failed"
        self.assertEqual(self.came(run), [5], run.err)
        self.assertRegex(run.err, rf"{failed} and is tried again: stopped in step {LONG - 3}: on rank")
        is_own = "[rank 2]" in next(line for line in run.err.splitlines() if CAME.search(line))
        self.assertEqual(run.status, 1 if is_own else 0, run.err)
        if is_own:  # it meets the same alone, and has no further try
            self.assertRegex(run.err, f"{failed}: stopped in step")
            self.sweep(spec, 5)
            self.assert_same_results("failing")
        else:
            self.assertEqual(self.ranks_at_end("failing"), 2)
            self.assert_as_without_help("failing", LONG, SHORT)


if __name__ == "__main__":
    main()
