"""Starts leco as a user does, on the toy model, and reads what it prints and leaves. Used by the tests beside it."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

MPIEXEC, LECO = sys.argv[1:3]
ROOT = pathlib.Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "data" / "toy-sd"
LAUNCHER_VARIABLES = ("OMPI_", "PMIX_", "PMI_", "SLURM_")
LECO_LINE = re.compile(r"^\d\d:\d\d:\d\d (\[rank +\d+\] )?(info|warning|error): ", re.MULTILINE)
LIMIT = 240  # seconds; a job that hangs fails its test
NOBODY = 65534
RANK = b"OMPI_COMM_WORLD_RANK="
SESSIONS = tempfile.TemporaryDirectory(prefix="leco_mpi_", ignore_cleanup_errors=True)
os.chmod(SESSIONS.name, 0o711)  # for those whom unprivileged() starts

SLIDER = """
guidance_scale = 2
resolution = 64
[[targets]]
target_class = "circle"
positive = "big circle"
negative = "small circle"
"""


def environment():
    """Of one start. Each mpirun has a folder of its own: of two that share one, one removes it as the other starts."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER_VARIABLES)}
    session = tempfile.mkdtemp(dir=SESSIONS.name)
    os.chmod(session, 0o777)
    return {**clean, "OMP_NUM_THREADS": "1", "OMPI_MCA_mpi_yield_when_idle": "1", "CUDA_VISIBLE_DEVICES": "",
            "OMPI_MCA_orte_tmpdir_base": session}


def words_of(ranks, arguments):
    """The command line; without mpirun where ranks is None."""
    mpirun = [MPIEXEC, "--allow-run-as-root", "--oversubscribe", "-n", str(ranks)] if ranks else []
    return [*mpirun, LECO, *map(str, arguments)]


def become_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class Run:
    """A finished process: status (negative: ended by that signal), out, err, seconds."""

    def __init__(self, arguments, ranks=None, preexec=None, folder=None):
        start = time.monotonic()
        done = subprocess.run(words_of(ranks, arguments), env=environment(), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=LIMIT, preexec_fn=preexec, cwd=folder)
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.seconds = time.monotonic() - start

    def errors(self):
        """The program's own lines of that kind; mpirun's are not among them."""
        return [line for line in self.err.splitlines() if LECO_LINE.match(line) and " error: " in line]


class Going:
    """A process that is still at work, its output in files."""

    def __init__(self, folder, arguments, ranks=None, preexec=None):
        self.err_path = pathlib.Path(folder) / "stderr"
        with self.err_path.open("w") as err:
            self.job = subprocess.Popen(words_of(ranks, arguments), env=environment(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=err, preexec_fn=preexec)

    def wait_for(self, found):
        """Until found() is true; fails when the job ends or takes too long before."""
        end = time.monotonic() + LIMIT
        while True:
            ended = self.job.poll() is not None or time.monotonic() > end  # first: what came with the end is there, too
            if found():
                return
            if ended:
                raise AssertionError(f"status {self.job.poll()} before its time\n{self.err()}")
            time.sleep(0.02)

    def ranks(self):
        """Process ids of the ranks that live, in order. The ids' own order is another one where their numbers start anew."""
        by_rank = {}
        for children in pathlib.Path("/proc").glob(f"{self.job.pid}/task/*/children"):
            for child in map(int, self.read_if_there(children).split()):
                variables = self.read_if_there(f"/proc/{child}/environ").split(b"\0")
                by_rank.update({int(variable[len(RANK):]): child for variable in variables if variable.startswith(RANK)})
        return [by_rank[rank] for rank in sorted(by_rank)]

    @staticmethod
    def read_if_there(path):
        """A process's file; nothing once the process has ended."""
        try:
            return pathlib.Path(path).read_bytes()
        except OSError:
            return b""

    def signal(self, number, rank=None):
        """To the process, or to a rank of mpirun's. Nobody gets it where that has ended already."""
        if rank is None:
            return self.job.send_signal(number)
        ranks = self.ranks()
        if rank < len(ranks):
            os.kill(ranks[rank], number)

    def finish(self):
        """Status and the seconds until the job was gone."""
        start = time.monotonic()
        status = self.job.wait(LIMIT)
        return status, time.monotonic() - start

    def err(self):
        return self.err_path.read_text()

    def stop(self):
        if self.job.poll() is None:
            self.job.send_signal(signal.SIGTERM)
            self.job.wait(LIMIT)


class LecoTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="leco_e2e_")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.prompts = self.write("slider.toml", SLIDER)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def unprivileged(self, *folders):
        """What makes a process one that may write these folders only, for preexec: root may write everywhere."""
        self.folder.chmod(0o755)
        if os.geteuid() != 0:
            return None
        if subprocess.run(words_of(None, ["--version"]), preexec_fn=become_nobody, capture_output=True).returncode != 0:
            self.skipTest("another user cannot run the program where it lies")
        for folder in folders:
            os.chown(folder, NOBODY, NOBODY)
        return become_nobody

    def arguments(self, output, **flags):
        """Of a short training into folder / output. An underscore flag of None is left out, True is a switch."""
        given = {"pretrained_model_name_or_path": TOY, "prompts_file": self.prompts, "output_dir": self.folder / output,
                 "output_name": "x", "max_train_steps": 3, "max_denoising_steps": 5, "learning_rate": 1e-3,
                 "network_alpha": 4, "seed": 1, "threads": 1, **flags}
        return ["train", *(f"--{name}" if value is True else f"--{name}={value}"
                           for name, value in given.items() if value is not None)]

    def ok(self, *arguments, ranks=None, folder=None):
        """A run that must succeed."""
        run = Run(arguments, ranks, folder=folder)
        self.assertEqual(run.status, 0, f"{arguments}\n{run.err}")
        return run

    def train(self, output, ranks=None, **flags):
        return self.ok(*self.arguments(output, **flags), ranks=ranks)

    @classmethod
    def train_once(cls, **flags):
        """For setUpClass: the LoRA file of a training that all tests of the class look at."""
        maker = cls()
        LecoTest.setUp(maker)
        cls.addClassCleanup(maker.doCleanups)
        maker.train("lora", **flags)
        return maker.folder / "lora" / "x.safetensors"

    def json_of(self, *arguments, **how):
        """Standard output as JSON: nothing else may stand there, and no NaN."""
        return json.loads(self.ok(*arguments, "--json", **how).out, parse_constant=self.fail)

    def check_refused(self, run, *texts):
        """Status 2, nothing on standard output, and one line of error that holds the texts."""
        self.assertEqual((run.status, run.out), (2, ""), run.err)
        self.assertEqual(len(run.errors()), 1, run.err)
        for text in texts:
            self.assertIn(text, run.errors()[0])

    def files(self, output):
        """Name to bytes of the LoRA files in folder / output."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / output).glob("*.safetensors"))}

    def metrics(self, output, name="x"):
        """The lines without what may differ."""
        lines = (self.folder / output / f"{name}.metrics.jsonl").read_text().splitlines()
        return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def main():
    unittest.main(argv=sys.argv[:1], verbosity=2)
