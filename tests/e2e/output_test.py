"""What a user sees: help, version, settings, progress on a terminal and in a file; file names alone on stdout.

usage: output_test.py MPIEXEC LECO
"""
import json
import os
import pty
import re
import subprocess

from leco_runs import LECO, LecoTest, environment, main


class OutputTest(LecoTest):
    def test_help_and_version_go_to_stdout_once(self):
        for words, text in ((["--help"], "leco: trains LoRA files"), (["-h"], "leco: trains LoRA files"), (["--version"], "libtorch"),
                            (["train", "--help"], "--network_dim N (default: 4)"), (["train", "-h"], "Usage: ")):
            alone, ranks = self.ok(*words), self.ok(*words, ranks=2)
            self.assertEqual((alone.out.count(text), alone.err), (1, ""), words)
            self.assertEqual((len(ranks.out.splitlines()), ranks.err), (len(alone.out.splitlines()), ""), words)

    def test_stdout_holds_the_files_in_order_and_nothing_else(self):
        for ranks in (None, 2):
            run = self.train(f"out{ranks}", ranks, save_every_n_steps=2, max_train_steps=5, pairs_per_step=1)
            names = ["x-step00000002.safetensors", "x-step00000004.safetensors", "x.safetensors"]
            self.assertEqual(run.out.splitlines(), [str(self.folder / f"out{ranks}" / name) for name in names])

    def test_step_files_older_than_the_last_n_steps_are_removed_and_no_others(self):
        folder = self.folder / "out"
        folder.mkdir()
        strangers = ["x-step00000001.safetensors", "y-step00000002.safetensors", "x-step00000002.ckpt"]
        for name in strangers:
            (folder / name).write_bytes(b"mine")
        run = self.train("out", save_every_n_steps=2, save_last_n_steps=3, max_train_steps=9, pairs_per_step=1)
        names = ["x-step00000006.safetensors", "x-step00000008.safetensors", "x.safetensors"]
        self.assertEqual(run.out.splitlines(), [str(folder / name) for name in names])
        self.assertEqual(sorted(path.name for path in folder.iterdir() if path.suffix not in (".json", ".jsonl")),
                         sorted(names + strangers))
        self.assertEqual(json.loads((folder / "x.run.json").read_text())["files"], [str(folder / name) for name in names])

    def test_every_setting_is_shown_with_the_value_that_counts(self):
        run = self.train("out", seed=None, threads=None, max_train_steps=1, network_weights=None)
        table = dict(re.findall(r"^  (\w+) +(.+)$", run.err, re.MULTILINE))
        self.assertRegex(table["seed"], r"^\d+$")
        self.assertEqual((table["threads"], table["pairs_per_step"], table["device"]), ("1", "1", "cpu"))
        self.assertEqual(table["network_weights"], "–")
        self.assertNotIn("\n\n", run.err)
        self.assertFalse([line for line in run.err.splitlines() if line != line.rstrip()])

    def test_a_file_gets_plain_lines(self):
        run = self.train("out", max_train_steps=4)
        self.assertNotIn("\r", run.err)
        self.assertNotIn("\x1b", run.err)
        steps = re.findall(r"info: step (\d)/4 \((\d+)%\)  [\d.]+ (?:steps/s|s/step)  loss [\d.]+  norm [\d.]+  left \d+s",
                           run.err)
        self.assertEqual((steps[0], steps[-1]), (("1", "25"), ("4", "100")))

    def on_terminal(self, arguments):
        """Status and what the terminal got."""
        ours, theirs = pty.openpty()
        job = subprocess.Popen([LECO, *map(str, arguments)], env=environment(), stdin=theirs, stdout=subprocess.DEVNULL,
                               stderr=theirs)
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:  # Linux says so when the other side is closed
            pass
        os.close(ours)
        return job.wait(), seen.decode().replace("\r\n", "\n")

    def test_a_terminal_gets_one_line_that_is_redrawn(self):
        status, seen = self.on_terminal(self.arguments("out", max_train_steps=4, save_every_n_steps=2))
        self.assertEqual(status, 0)
        self.assertGreaterEqual(seen.count("\rstep "), 2)
        self.assertNotIn("info: step", seen)
        for line in seen.splitlines():
            if " saved " in line:
                self.assertRegex(line, r"^\d\d:\d\d:\d\d info: saved ")
        self.assertTrue(seen.endswith("\n"))

    def test_an_error_does_not_run_into_the_redrawn_line(self):
        status, seen = self.on_terminal(self.arguments("out", learning_rate=1e30))
        self.assertEqual(status, 1)
        self.assertRegex(seen.splitlines()[-1], r"^\d\d:\d\d:\d\d error: stopped in step 2")


if __name__ == "__main__":
    main()
