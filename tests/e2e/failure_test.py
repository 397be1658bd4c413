"""However a training ends, it ends within seconds, says why in a line, and leaves whole files only.

usage: failure_test.py MPIEXEC LECO
"""
import os
import resource
import shutil
import signal
import subprocess
import time

from leco_runs import Going, LecoTest, Run, main
from safetensors import safe_open

FOREVER = 10**6  # steps
STOPPED = 85
SECONDS = 60  # within which every job must end; the program's own deadline is ten minutes


class FailureTest(LecoTest):
    def start(self, ranks=None, preexec=None, **flags):
        """A training that saves all the time; returns when the first file is there."""
        for old in (self.folder / "out").glob("*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        flags = {"max_train_steps": FOREVER, "save_every_n_steps": 1, "max_denoising_steps": 2, "pairs_per_step": 2, **flags}
        job = Going(self.folder, self.arguments("out", **flags), ranks, preexec)
        self.addCleanup(job.stop)
        job.wait_for(lambda: list((self.folder / "out").glob("*-step*.safetensors")))
        return job

    def check_files_are_whole(self, folder="out"):
        """Of what ended as it wanted to: nothing half written has been left."""
        self.assertEqual(self.half_written(folder), [])
        return self.check_loras_are_whole(folder)

    def half_written(self, folder="out"):
        return sorted(path.name for path in (self.folder / folder).iterdir() if ".tmp-" in path.name)

    def check_loras_are_whole(self, folder="out"):
        loras = sorted(path.name for path in (self.folder / folder).glob("*.safetensors"))
        for name in loras:
            with safe_open(self.folder / folder / name, "pt") as file:
                self.assertTrue(all(file.get_tensor(key).isfinite().all() for key in file.keys()), name)
        return loras

    def check_next_start_clears_up(self):
        """Whoever is ended at once, in a save perhaps, clears up nothing. What it left has names of its own."""
        self.check_loras_are_whole()
        print(f"  left half written: {self.half_written()}", flush=True)
        (self.folder / "out" / ".x-step00000001-state.tmp-1").mkdir(exist_ok=True)  # so that there is some each time
        self.train("out", max_train_steps=1)
        self.assertEqual(self.check_files_are_whole().count("x.safetensors"), 1)

    def check_end(self, job, statuses, *texts):
        status, seconds = job.finish()
        print(f"  status {status} after {seconds:.1f} s", flush=True)
        self.assertIn(status, statuses, job.err())
        self.assertLess(seconds, SECONDS, job.err())
        for text in texts:
            self.assertIn(text, job.err())

    def test_a_killed_rank_ends_the_job(self):
        for rank in (1, 0):
            job = self.start(ranks=3)
            job.signal(signal.SIGKILL, rank)
            self.check_end(job, (128 + signal.SIGKILL,), f"rank {rank}", "signal 9")
            self.check_next_start_clears_up()  # mpirun kills rank 0, too, perhaps in a save

    def test_a_rank_that_is_asked_names_the_operation_in_which_it_waits_for_a_lost_one(self):
        """mpirun asks by a SIGTERM, a moment before it kills. Here the lost rank stands still, and the moment is long."""
        for _ in range(10):
            job = self.start(ranks=3)
            job.signal(signal.SIGSTOP, 1)
            self.ask_until_told(job, 2)
            job.signal(signal.SIGKILL, 1)
            if job.finish()[0] != STOPPED:
                break
            # Somebody let all ranks go on (a SIGCONT at mpirun), and what was asked for came about.
        self.check_end(job, (128 + signal.SIGKILL,), "rank 1", "signal 9")
        self.assertRegex(job.err(), r"rank 2: a signal came after [\d.]+ s of waiting in \w+ .*over 3 ranks")
        self.check_next_start_clears_up()

    def ask_until_told(self, job, rank):
        """Not once only: the rank may have been at work. Or until the job has ended."""
        asked = 0

        def is_told():
            nonlocal asked
            if time.monotonic() > asked + 1:
                job.signal(signal.SIGTERM, rank)
                asked = time.monotonic()
            return job.job.poll() is not None or f"rank {rank}: a signal came after" in job.err()

        job.wait_for(is_told)

    def test_a_signal_to_mpirun_leaves_whole_files(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            job = self.start(ranks=2)
            job.signal(number)
            self.check_end(job, (1, 128 + number, -number))
            self.check_next_start_clears_up()  # mpirun gives the ranks a moment to end in order, which may be too short

    def test_a_number_that_is_not_finite_stops_all_ranks_and_is_told_once(self):
        where = (r'stopped in step 2: on rank 1, the loss of item \d \(k \d+, t \d+, target "circle", '
                 r'positive "(big|small) circle", unconditional "(big|small) circle", neutral ""\) is not a finite number')
        for ranks, line in ((2, where), (None, where.replace("rank 1", "rank 0"))):
            run = Run(self.arguments("out", learning_rate=1e30, save_every_n_steps=1, pairs_per_step=4), ranks)
            self.assertEqual(run.status, 1, run.err)
            self.assertLess(run.seconds, SECONDS)
            self.assertEqual(len(run.errors()), 1, run.err)
            self.assertRegex(run.errors()[0], line)
            self.assertEqual(run.out, "")
            self.assertEqual(self.check_files_are_whole(), ["x-step00000001.safetensors"])
            self.assertEqual(len(self.metrics("out")), 1)

    def test_weights_that_are_not_finite_are_not_saved(self):
        for flags, text in (({"learning_rate": 1e39}, "beyond Float"),
                            ({"learning_rate": 1e9, "save_precision": "fp16"}, "or --save_precision=float")):
            run = Run(self.arguments("out", max_train_steps=1, **flags))
            self.assertEqual((run.status, len(run.errors())), (1, 1), run.err)
            self.assertIn(text, run.errors()[0])
            self.assertEqual(self.check_files_are_whole(), [])

    def test_a_file_beyond_the_limit_is_an_error_and_leaves_nothing_half_written(self):
        limit = 100_000  # bytes; a LoRA file of rank 4 is larger
        run = Run(self.arguments("out"), preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertEqual((run.status, len(run.errors())), (1, 1), run.err)
        self.assertIn("x.safetensors': File too large", run.errors()[0])
        self.assertEqual(self.check_files_are_whole(), [])

    def small_disk(self, size):
        """Mounted at out; the function that gives it another size."""
        (self.folder / "out").mkdir()
        def mount(options):
            return ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder / "out"]
        if os.geteuid() != 0 or subprocess.run(mount(f"size={size}"), capture_output=True).returncode != 0:
            self.skipTest("a small file system can be mounted by root only")
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.folder / "out"], check=True)  # a rank may be about to end
        return lambda other: subprocess.run(mount(f"remount,size={other}"), check=True)

    def test_a_full_disk_keeps_the_earlier_file(self):
        self.small_disk("800k")
        for ranks, step in ((2, 2), (None, 1)):  # the second run cannot replace the first one's file
            run = Run(self.arguments("out", save_every_n_steps=1), ranks)
            self.assertEqual((run.status, len(run.errors())), (1, 1), run.err)
            self.assertLess(run.seconds, SECONDS)
            self.assertIn(f"x-step0000000{step}.safetensors': No space left on device", run.errors()[0])
            self.assertEqual(self.check_files_are_whole(), ["x-step00000001.safetensors"])

    def test_a_disk_that_is_full_in_the_midst_of_a_state_keeps_the_state_before(self):
        flags = {"save_every_n_steps": 1, "save_state": True, "max_train_steps": 2, "pairs_per_step": 2}
        self.train("whole", **flags)
        resize = self.small_disk("3500k")  # a LoRA of 0.5 MB and its state of 1.7 MB, and then the next LoRA
        run = Run(self.arguments("out", **flags), ranks=2)
        self.assertEqual((run.status, len(run.errors())), (1, 1), run.err)
        self.assertRegex(run.errors()[0], r"cannot write '.*\.x-state.*/optimizer\.safetensors': No space left on device")
        self.check_files_are_whole()
        self.assertEqual([path.parent.name for path in (self.folder / "out").glob("*/DONE")], ["x-step00000001-state"])
        resize("20m")
        self.assertIn("goes on from step 1", self.train("out", **flags, resume="auto").err)
        self.assertTrue(self.files("out") == self.files("whole"))

    def test_a_folder_that_goes_away_ends_the_job(self):
        for ranks in (2, None):
            job = self.start(ranks)
            (self.folder / "out").rename(self.folder / "moved")
            self.check_end(job, (2,), f"cannot write '{self.folder}/out/x-step", "No such file or directory")
            self.check_loras_are_whole("moved")
            self.assertLessEqual(len(self.half_written("moved")), 1)  # the one of that moment, which is out of reach
            shutil.rmtree(self.folder / "moved")

    def test_a_folder_that_becomes_read_only_ends_the_job(self):
        out = self.folder / "out"
        out.mkdir()
        user = self.unprivileged(out)
        job = self.start(preexec=user)
        out.chmod(0o555)
        self.addCleanup(out.chmod, 0o755)
        self.check_end(job, (2,), "cannot write", "Permission denied")
        self.assertLessEqual(len(self.half_written()), 1)  # the one of that moment, which it may not remove any more
        out.chmod(0o755)
        self.check_next_start_clears_up()


if __name__ == "__main__":
    main()
