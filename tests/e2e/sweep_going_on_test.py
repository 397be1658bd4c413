"""leco sweep: going on with what an earlier start has left, and sharing a folder with another.

usage: sweep_going_on_test.py MPIEXEC LECO LECO_FAULTS
"""
import contextlib
import json
import os
import signal
import time

from leco_runs import main
from sweeps import TWELVE, SweepTest


class GoingOn(SweepTest):
    def statuses(self, output):
        """Of the runs, in the order of the table."""
        return [run["status"] for run in json.loads((self.folder / output / "results.json").read_text())["runs"]]

    def test_killed_in_the_middle_the_same_command_goes_on(self):
        six = {"grid": {"learning_rate": [0.001, 0.01]}}
        self.sweep(self.spec("whole", **six))
        spec = self.spec("killed", **six)
        last = self.claim("killed", "wide,learning_rate=0.01")  # so that it cannot be done with all before it is killed
        going = self.start(spec, 2)
        going.wait_for(lambda: len(self.done("killed")) >= 2)
        for process in going.ranks():
            with contextlib.suppress(ProcessLookupError):  # mpirun kills the others when it sees that one is gone
                os.kill(process, signal.SIGKILL)
        going.finish()
        last.unlink()
        before = {name: (self.folder / "killed" / name / "sweep.done.json").stat().st_mtime_ns
                  for name in self.done("killed")}
        self.assertLess(len(before), 6)
        self.sweep(spec, 2)
        self.assertTrue(self.loras("killed") == self.loras("whole"))
        for name, written in before.items():
            self.assertEqual((self.folder / "killed" / name / "sweep.done.json").stat().st_mtime_ns, written, name)
        left = {path.parent.name for path in (self.folder / "killed").rglob("*.claim")}
        self.assertLessEqual(left, set(before))  # killed behind the marker: nobody looks at that claim again

    def test_a_signal_stops_all_groups_with_85_and_the_state_is_gone_on_from(self):
        base = {"max_train_steps": 16}
        grid = {"seed": [1, 2]}
        self.sweep(self.spec("whole", base=base, grid=grid, sliders=None, prompts=[str(self.prompts)]))
        spec = self.spec("stopped", base=base, grid=grid, sliders=None, prompts=[str(self.prompts)])
        going = self.start_held(spec, "0:4:step:wait", "1:4:step:wait", ranks=2)
        begun = self.folder / "stopped"
        going.wait_at_gate(0, 1)
        shown = self.sweep(spec, words=["--status"]).out.splitlines()  # from another shell
        for line, seed in zip(shown, (1, 2)):
            self.assertEqual(line, f"running slider,seed={seed}: step 3 of 16")
        self.assertEqual(shown[2], "0 of 2 done, 2 running, 0 failed, 0 left")
        os.kill(going.waiting()[1], signal.SIGTERM)  # one rank alone gets it
        going.wait_for_signal(1)
        going.let_go(1)
        going.wait_for(lambda: list(begun.glob("*/*-state")))  # it has told the other before
        going.let_go(0)
        self.assertEqual(going.finish()[0], 85, going.err())
        self.assertEqual(len(list(begun.glob("*/*-state"))), 2, going.err())
        runs = {"grid": grid, "sliders": None, "prompts": [str(self.prompts)]}
        changed = self.sweep(self.spec("stopped", base={**base, "network_alpha": 2}, max_retries=0, **runs), status=1)
        self.assertRegex(changed.errors()[-1], "'slider,seed=2' failed: .*-state' cannot be resumed with other settings than it "
                         "was made with: network_alpha: 4, now 2; take them back, or remove the folder "
                         "'.*/stopped/slider,seed=2' to have the run done anew$")
        self.sweep(self.spec("stopped", base=base, **runs))
        self.assertTrue(self.loras("stopped") == self.loras("whole"))

    def test_two_jobs_at_once_do_each_run_once(self):
        spec = self.spec("shared")
        job = self.start(spec, 2)
        second = self.sweep(spec, 2)
        self.assertEqual(job.finish()[0], 0, job.err())
        self.assertEqual(self.done("shared"), sorted(TWELVE), second.err)
        self.assertEqual(set(self.starts("shared").values()), {1}, self.starts("shared"))

    def test_a_dead_hosts_claim_is_taken_over(self):
        spec = self.spec("taken", grid={"seed": [1, 2]}, sliders=None, prompts=[str(self.prompts)])
        claim = self.folder / "taken" / "slider,seed=2" / "sweep.claim"
        claim.parent.mkdir(parents=True)
        claim.write_text("process 1\nstart 1\nspace other-boot/pid:[1]\nhost gone\nsince 2026-01-01T00:00:00Z\n")
        old = time.time() - 100
        os.utime(claim, (old, old))
        self.sweep(spec)
        self.assertEqual(self.done("taken"), ["slider,seed=1", "slider,seed=2"])

    def test_an_extended_spec_keeps_what_is_done_and_damage_is_mended(self):
        few = {"sliders": None, "prompts": [str(self.prompts)]}
        self.sweep(self.spec("more", grid={"seed": [1, 2]}, **few))
        expected = self.loras("more")
        before = self.everything("more")
        broken = self.folder / "more" / "slider,seed=2" / "slider,seed=2.safetensors"
        data = bytearray(broken.read_bytes())
        data[-1] ^= 1
        broken.write_bytes(data)
        run = self.sweep(self.spec("more", grid={"seed": [1, 2, 3]}, **few))
        self.assertIn("'slider,seed=2' was finished, but slider,seed=2.safetensors was changed; it is done again", run.err)
        self.assertEqual(len(self.loras("more")), 3)
        for name, bytes_of in expected.items():
            self.assertTrue(self.loras("more")[name] == bytes_of, name)
        for path, seen in self.everything("more").items():
            if "slider,seed=1/" in path:
                self.assertEqual(before[path], seen, path)

    def test_finished_runs_with_other_settings_are_listed_and_left_alone(self):
        few = {"sliders": None, "prompts": [str(self.prompts)], "grid": {"seed": [1, 2]}}
        self.sweep(self.spec("other", **few))
        before = self.loras("other")
        spec = self.spec("other", base={"max_train_steps": 3}, **few)
        run = self.sweep(spec)
        self.assertIn("2 runs, 'slider,seed=1' the first of them, are finished with other settings and are left as they are "
                      "(--status lists them): max_train_steps is 2 there and 3 here", run.err)
        self.assertTrue(self.loras("other") == before)
        shown = self.sweep(spec, words=["--status"]).out.splitlines()
        self.assertEqual(shown[0], "other   slider,seed=1: finished with other settings: max_train_steps is 2 there and 3 here")
        self.assertEqual(shown[2], "0 of 2 done, 0 running, 0 failed, 0 left, 2 finished with other settings")
        self.assertEqual(self.statuses("other"), ["other", "other"])

    def test_two_starts_that_ask_for_different_settings_do_not_mix(self):
        few = {"sliders": None, "prompts": [str(self.prompts)], "grid": {"seed": [1, 2]}}
        going = self.start_held(self.spec("mixed", base={"max_train_steps": 4}, **few), "0:2:step:wait")
        going.wait_at_gate(0)
        other = self.spec("mixed", base={"max_train_steps": 3}, **few)
        refused = self.sweep(other, status=2).errors()
        self.assertEqual(len(refused), 1, refused)
        self.assertRegex(refused[0], r"mixed': process \d+ on .* trains 'slider,seed=1' there in a sweep that asks for other "
                                     "settings: for 'slider,seed=1' max_train_steps is 4 there and 3 here; ")
        record = self.folder / "mixed" / "sweep.json"  # as by a start at the same moment
        record.write_text(record.read_text().replace('"max_train_steps": "4"', '"max_train_steps": "3"'))
        going.let_go(0)
        self.assertEqual(going.finish()[0], 2, going.err())
        self.assertIn("another start of a sweep has asked for other settings since: for 'slider,seed=1' max_train_steps is 3 "
                      "there and 4 here", going.err())
        self.assertEqual(self.done("mixed"), ["slider,seed=1"])
        self.sweep(other)
        self.assertEqual(self.statuses("mixed"), ["other", "done"])


if __name__ == "__main__":
    main()
