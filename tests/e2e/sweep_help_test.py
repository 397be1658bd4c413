"""leco sweep: groups that are free help one that is at its last run, and its files stay the same.

usage: sweep_help_test.py MPIEXEC LECO LECO_FAULTS
"""
import json
import os
import re
import signal
import time

from leco_runs import SLIDER, main
from sweeps import SweepTest

CAME = re.compile(r"'slider,max_train_steps=(\d+)' goes on after step (\d+) with ranks that were free: (\d+) now")
LONG, MIDDLE, SHORT = 44, 10, 2  # steps
FIRST, SECOND = 2, 14  # steps at which the long run is held: until others are free; and when they have come


def held_at(step, ranks):
    return [f"{rank}:{step}:step:wait" for rank in range(ranks)]


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

    def came(self, going):
        """The numbers of ranks that the long run went on with, each time that some came."""
        return [int(ranks) for steps, _, ranks in CAME.findall(going.err()) if int(steps) == LONG]

    def ranks_at_end(self, output):
        return json.loads((self.folder / output / f"slider,max_train_steps={LONG}" / "sweep.done.json").read_text())["ranks"]

    def holder(self, going, output):
        """The rank that has the long run, once it waits; else None."""
        claim = self.folder / output / f"slider,max_train_steps={LONG}" / "sweep.claim"
        owner = re.match(r"process (\d+)\n", claim.read_text()) if claim.exists() else None
        return next((rank for rank, process in going.waiting().items() if owner and process == int(owner[1])), None)

    def wait_for_holder(self, going, output):
        """-> (the rank, how long it took)"""
        start = time.monotonic()
        going.wait_for(lambda: self.holder(going, output) is not None)
        return self.holder(going, output), time.monotonic() - start

    def let_others_be_done(self, going, output, *steps, held):
        """The ranks that are not held go on, until these runs are done."""
        runs = {f"slider,max_train_steps={count}" for count in steps}

        def are_done():
            going.let_go(*(set(going.waiting()) - set(held)))
            return runs <= set(self.done(output))
        going.wait_for(are_done)

    def make_help_pay(self, took):
        """While the long run is held: its steps look slow then, beside a start that `took` so many seconds at most."""
        time.sleep(max(2, 2 * took))

    def test_free_groups_join_the_last_run_and_its_files_are_those_it_has_alone(self):
        """They are free at different times, one from the start; the long run is held at its beginning until then."""
        going = self.start_held(self.of_steps("helped", LONG, MIDDLE, SHORT), *held_at(FIRST, 4), ranks=4)
        leader, took = self.wait_for_holder(going, "helped")
        self.let_others_be_done(going, "helped", MIDDLE, SHORT, held=(leader,))
        self.make_help_pay(took)
        going.let_all_go()
        self.assertEqual(going.finish()[0], 0, going.err())
        came = self.came(going)
        self.assertGreaterEqual(len(came), 1, going.err())
        self.assertEqual(self.starts("helped")[f"slider,max_train_steps={LONG}"], 1 + len(came), going.err())
        self.assertEqual(self.ranks_at_end("helped"), came[-1])
        log = self.folder / "helped" / f"slider,max_train_steps={LONG}" / f"slider,max_train_steps={LONG}.log"
        self.assertEqual(len(CAME.findall(log.read_text())), len(came))
        self.assert_as_without_help("helped", LONG, MIDDLE, SHORT)

    def test_a_run_of_one_pack_a_step_is_left_alone(self):
        run = self.sweep(self.of_steps("single", MIDDLE, SHORT, base={"pairs_per_step": 1}), 2)
        self.assertEqual(CAME.findall(run.err), [])
        self.assertEqual(set(self.starts("single").values()), {1})

    def test_a_group_that_evaluates_says_at_once_that_it_needs_no_help(self):
        many = self.write("many.toml", SLIDER + "".join(
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
        going = self.start_held(spec, *held_at(FIRST, 2), *held_at(SECOND, 2), ranks=2)
        leader, took = self.wait_for_holder(going, "broken")
        self.let_others_be_done(going, "broken", SHORT, held=(leader,))
        self.make_help_pay(took)
        going.let_go(leader)
        going.wait_at_gate(0, 1)  # both at the long run
        os.kill(going.waiting()[1], signal.SIGKILL)
        self.assertNotEqual(going.finish()[0], 0)
        self.assertEqual(self.done("broken"), [f"slider,max_train_steps={SHORT}"])

        again = self.start_held(spec, *held_at(SECOND, 3), *held_at(SECOND + 12, 3), ranks=3)  # from the state of step 12
        leader, took = self.wait_for_holder(again, "broken")
        self.make_help_pay(took)
        again.let_go(leader)
        again.wait_for(lambda: len(again.waiting()) > 1)
        helper = max(set(again.waiting()) - {leader})
        os.kill(again.waiting()[helper], signal.SIGUSR1)
        again.wait_for_signal(helper)
        again.let_all_go()
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
        groups = (0, 1), (2, 3, 4)
        going = self.start_held(spec, f"3:{LONG - 3}:gradient:nan", *held_at(FIRST, 5), ranks=5)
        leader, took = self.wait_for_holder(going, "failing")
        self.let_others_be_done(going, "failing", SHORT, held=next(group for group in groups if leader in group))
        self.make_help_pay(took)
        going.let_all_go()
        status, err = going.finish()[0], going.err()
        failed = f"'slider,max_train_steps={LONG}' failed"
        self.assertEqual(self.came(going), [5], err)
        self.assertRegex(err, rf"{failed} and is tried again: stopped in step {LONG - 3}: on rank")
        is_own = leader == 2
        self.assertEqual(status, 1 if is_own else 0, err)
        if is_own:  # it meets the same alone, and has no further try
            self.assertRegex(err, f"{failed}: stopped in step")
            self.sweep(spec, 5)
            self.assert_same_results("failing")
        else:
            self.assertEqual(self.ranks_at_end("failing"), 2)
            self.assert_as_without_help("failing", LONG, SHORT)


if __name__ == "__main__":
    main()
