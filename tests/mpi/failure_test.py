"""A job that loses a rank, in every way we know, ends within seconds with a message and a status; it never hangs.

usage: failure_test.py MPIEXEC FAILING_PROGRAM
"""
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

MPIEXEC, PROGRAM = sys.argv[1:3]
LIMIT = 60  # seconds, within which every job must end; the program's own deadline is ten minutes
LAUNCHER_VARIABLES = ("OMPI_", "PMIX_", "PMI_", "SLURM_")


def environment(**extra):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(LAUNCHER_VARIABLES)}
    return {**clean, "OMP_NUM_THREADS": "1", "OMPI_MCA_mpi_yield_when_idle": "1", **extra}


def process_of(rank):
    """Of the one job that runs."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            is_it = (folder / "exe").resolve() == pathlib.Path(PROGRAM).resolve()
            if is_it and f"OMPI_COMM_WORLD_RANK={rank}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                return int(folder.name)
        except OSError:  # it has ended
            pass
    raise AssertionError(f"there is no rank {rank}")


class Job:
    """One run: status, seconds and all that it printed. Its rank 1 is killed once it has printed kill_after."""

    def __init__(self, way, ranks=2, kill_after=None, **variables):
        mpirun = [MPIEXEC, "--allow-run-as-root", "--oversubscribe", "-n", str(ranks)] if ranks else []
        start = time.monotonic()
        job = subprocess.Popen([*mpirun, PROGRAM, way], env=environment(**variables), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
        too_late = threading.Timer(2 * LIMIT, job.kill)
        too_late.start()
        self.text = ""
        for line in job.stdout:
            self.text += line
            if kill_after and kill_after in line:
                os.kill(process_of(1), signal.SIGKILL)
                kill_after = None
        self.status = job.wait()
        too_late.cancel()
        job.stdout.close()
        self.seconds = time.monotonic() - start
        print(f"{way}, {ranks or 'no'} ranks under mpirun: status {self.status} after {self.seconds:.1f} s", flush=True)


class FailureTest(unittest.TestCase):
    def check(self, job, status, *texts):
        self.assertEqual(job.status, status, job.text)
        self.assertLess(job.seconds, LIMIT, job.text)
        for text in texts:
            self.assertIn(text, job.text)

    def test_a_job_without_failure_ends_well(self):
        self.check(Job("nothing"), 0, "all is well")

    def test_an_exception_on_one_rank_ends_the_job_with_its_reason(self):
        for ranks in (2, 3):
            self.check(Job("throw", ranks), 1, f"rank 1 of {ranks} ends the job: the loss is not finite at step 3")

    def test_the_users_mistake_keeps_its_status(self):
        self.check(Job("usage"), 2, "rank 1 of 2 ends the job: --seed is 'abc'")

    def test_an_exception_that_leaves_the_world_does_not_wait_in_finalize(self):
        self.check(Job("escape"), 1, "rank 1 of 2 ends the job: an exception left the scope of the MPI world")

    def test_abort_gives_its_status_and_reason(self):
        self.check(Job("abort"), 7, "rank 1 of 2 ends the job: called by hand")

    def test_a_killed_rank_ends_the_job_and_the_operation_is_named(self):
        job = Job("kill", kill_after="a signal came after")
        self.check(job, 137, "rank 1", "signal 9")
        self.assertRegex(job.text, r"rank 0: a signal came after [\d.]+ s of waiting in all_reduce .*, in merge of step 3")

    def test_a_crash_ends_the_job(self):
        self.check(Job("segfault"), 139, "signal 11")

    def test_a_rank_that_exits_ends_the_job(self):
        self.check(Job("exit"), 5)

    def test_a_rank_that_hangs_is_found_by_the_watchdog(self):
        for way in ("hang", "deaf"):
            self.check(Job(way, LECO_TIMEOUT_SECONDS="5"), 1, "rank 0 of 2 ends the job: all_reduce (sum of 1000 Long) "
                       "over 2 ranks, in merge of step 3 has not returned for 5 s")

    def test_where_mpis_own_abort_hangs_the_rank_leaves_by_itself(self):
        self.check(Job("stuck"), 128 + signal.SIGALRM, "rank 1 of 2 ends the job: the loss is not finite", "signal 14")

    def test_a_slow_rank_within_the_limit_is_waited_for(self):
        job = Job("slow", LECO_TIMEOUT_SECONDS="20")
        self.check(job, 0, "all is well", " s in all_reduce (sum of 1000 Long) over 2 ranks, in merge of step 3, and a whole step takes 0.01 s",
                   "all_reduce (sum of 1000 Long) over 2 ranks is done after ")
        self.assertRegex(job.text, r"warning: rank 0 on \S+ has waited for [1-6]\.\d s in all_reduce")

    def test_a_world_of_one_fails_with_the_same_status(self):
        self.check(Job("throw", ranks=None), 1, "error: the loss is not finite at step 3")
        self.check(Job("abort", ranks=1), 7, "called by hand")

    def test_srun_without_a_plugin_is_refused_with_the_flag_that_helps(self):
        self.check(Job("nothing", ranks=None, SLURM_STEP_NUM_TASKS="4"), 2, "srun --mpi=pmix")

    def test_a_launcher_of_another_mpi_is_refused(self):
        self.check(Job("nothing", ranks=None, PMI_RANK="0", PMI_SIZE="3"), 2, "started 3 processes", "sees only itself")

    def test_a_wrong_timeout_is_the_users_mistake(self):
        for value in ("", "0", "-3", "10s", "1e3"):
            self.check(Job("nothing", ranks=None, LECO_TIMEOUT_SECONDS=value), 2, "LECO_TIMEOUT_SECONDS is '" + value)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
