"""leco doctor: a line a check, the status, and what is wrong with folders and models.

usage: doctor_test.py MPIEXEC LECO
"""
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import unittest

from leco_runs import TOY, LecoTest, Run, main

NAMES = ["MPI", "cores", "GPU", "GPU link", "versions", "merge"]


class DoctorTest(LecoTest):
    def doctor(self, *flags, ranks=None, status=0):
        run = Run(["doctor", *flags], ranks)
        self.assertEqual(run.status, status, run.out + run.err)
        return run

    def check(self, name, *flags, ranks=None, status=0):
        """One check of the report."""
        report = json.loads(self.doctor("--json", *flags, ranks=ranks, status=status).out)
        return next(check for check in report["checks"] if check["name"] == name)

    def mount(self, options):
        """A file system in memory; only root can."""
        folder = self.folder / "mounted"
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"cannot mount: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        return folder

    def test_a_line_a_check_on_one_rank_and_on_two(self):
        for ranks in (None, 2):
            run = self.doctor("--device=cpu", f"--output_dir={self.folder}", f"--pretrained_model_name_or_path={TOY}", ranks=ranks)
            lines = run.out.splitlines()
            self.assertEqual([line[9:24].strip() for line in lines[:-1]], [*NAMES, "output folder", "model"])
            for line in lines[:-1]:
                self.assertIn(line[:9].strip(), ("ok", "warning"), line)
            self.assertRegex(lines[-1], r"^\d ok, \d warnings?, 0 failed$")
            self.assertRegex(run.out, r"SD 1\.x, a Diffusers folder, complete")
            self.assertEqual(run.errors(), [])
        self.assertRegex(lines[0], r"^ok +MPI +\w.*thread level multiple; 2 ranks on 1 node$")
        loaded = importlib.metadata.version("torch").split("+")[0]
        self.assertRegex(lines[4], rf"^ok +versions +leco .* \(build [0-9a-f]{{8}}\), libtorch {re.escape(loaded)}, MPI ")
        self.assertRegex(run.out, r"MPI over 2 ranks: sums are exact; 16 MB in [\d.]+ ms")

    def test_json_says_the_same(self):
        report = json.loads(self.doctor("--device=cpu", "--json", ranks=2).out)
        self.assertEqual((report["ranks"], report["nodes"]), (2, 1))
        self.assertEqual([check["name"] for check in report["checks"]], NAMES)
        self.assertIn(report["verdict"], ("ok", "warning"))
        for check in report["checks"]:
            self.assertEqual(check["advice"] == "", check["verdict"] == "ok", check)
            self.assertEqual(check["ranks"], 2)
            self.assertTrue(check["host"] and check["found"])

    def test_a_missing_gpu_is_a_failure_where_it_was_asked_for(self):
        found = self.check("GPU", "--device=cuda", ranks=2, status=1)
        self.assertEqual((found["verdict"], found["ranks"]), ("failed", 2))

    def test_a_folder_that_can_be_made_is_not_made(self):
        found = self.check("output folder", f"--output_dir={self.folder}/a/b")
        self.assertIn(found["verdict"], ("ok", "warning"))
        self.assertEqual([path.name for path in self.folder.iterdir()], ["slider.toml"])

    def test_a_file_in_place_of_the_folder_fails(self):
        found = self.check("output folder", f"--output_dir={self.prompts}", ranks=2, status=1)
        self.assertEqual(found["verdict"], "failed")
        self.assertIn("Not a directory", found["found"])

    def test_a_read_only_folder_fails(self):
        found = self.check("output folder", f"--output_dir={self.mount('ro,size=100m')}", status=1)
        self.assertIn("Read-only file system", found["found"])
        self.assertEqual(found["verdict"], "failed")

    def test_a_full_folder_fails_and_one_in_memory_is_a_warning(self):
        folder = self.mount("size=80m")
        found = self.check("output folder", f"--output_dir={folder}")
        self.assertEqual(found["verdict"], "warning")
        self.assertIn("lies in memory", found["found"])
        (folder / "filler").write_bytes(bytes(20 << 20))
        found = self.check("output folder", f"--output_dir={folder}", status=1)
        self.assertEqual(found["verdict"], "failed")
        self.assertIn(" MiB free, too little", found["found"])
        self.assertEqual([path.name for path in folder.iterdir()], ["filler"])

    def test_what_is_no_whole_model_fails(self):
        broken = self.folder / "broken"
        shutil.copytree(TOY, broken)
        weights = next((broken / "unet").glob("*.safetensors"))
        with weights.open("r+b") as file:
            file.truncate(weights.stat().st_size - 1)
        for path, words in ((self.folder, "unet/config.json"), (self.folder / "nowhere", "no such model"), (broken, weights.name)):
            found = self.check("model", f"--pretrained_model_name_or_path={path}", status=1)
            self.assertEqual(found["verdict"], "failed", found)
            self.assertIn(words, found["found"])
            self.assertIn("leco inspect", found["advice"])

    @unittest.skipIf(os.cpu_count() < 2, "one core")
    def test_a_rank_that_may_use_one_core_of_several_is_told(self):
        core = min(os.sched_getaffinity(0))
        run = Run(["doctor", "--device=cpu"], preexec=lambda: os.sched_setaffinity(0, {core}))
        self.assertRegex(run.out, r"warning +cores +each rank may use 1 of the node's \d+; its share is \d+; .*--cpus-per-task")

    def test_a_flag_that_is_none_is_the_users_mistake(self):
        run = self.doctor("--outputdir=x", status=2)
        self.assertIn("--output_dir", run.err)
        self.assertEqual(run.out, "")


if __name__ == "__main__":
    main()
