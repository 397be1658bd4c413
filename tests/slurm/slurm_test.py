"""Training under a real Slurm of three nodes on this machine: the batch scripts of slurm/, signals, preemption, a lost node.

usage: slurm_test.py MPIEXEC LECO LECO_FAULTS [SlurmTest.test_… …]
"""
import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from cluster import GPUS, Cluster, missing, wait_until  # noqa: E402
from leco_runs import LECO, ROOT, TOY, LecoTest, Run, environment  # noqa: E402

LECO_FAULTS = sys.argv[3]
SKIPPED = 77  # for ctest
STOPPED = 85
NODES = 3
LONG = {"max_train_steps": 30, "pairs_per_step": 4, "save_every_n_steps": 10, "save_state": True}

SWEEP = """
name: circles
output_dir: {folder}/sweep
base: {{pretrained_model_name_or_path: {model}, max_train_steps: 20, max_denoising_steps: 5, network_alpha: 4, seed: 1, threads: 1}}
prompts: ["{prompts}"]
grid: {{learning_rate: [0.001, 0.002, 0.003, 0.004]}}
"""


class SlurmTest(LecoTest):
    undisturbed = {}  # flags to the LoRA files and metrics

    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.mkdtemp(prefix="leco_slurm_")
        cls.addClassCleanup(shutil.rmtree, cls.base, ignore_errors=True)
        cls.cluster = cls.enterClassContext(Cluster(pathlib.Path(cls.base) / "cluster", NODES))

    def setUp(self):
        super().setUp()
        self.addCleanup(self.cluster.call, "scancel", "--user=root")

    def submit(self, script, words, nodes=2, options=(), **variables):
        """A job that trains into folder / job as "x", one rank a node; its log is folder / log."""
        flags = [f"--nodes={nodes}", "--ntasks-per-node=1", f"--gpus-per-node={GPUS}", "--cpus-per-task=1",
                 f"--output={self.folder}/log", "--job-name=x"]
        given = {**environment(), "LECO_PROGRAM": LECO, "OUTPUT_DIR": str(self.folder / "job"),
                 "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", **variables}
        given.pop("OMPI_MCA_orte_tmpdir_base", None)  # each node has its own folder, TmpFS, and a job that is requeued starts again
        return self.cluster.submit(*flags, *options, ROOT / "slurm" / script, *words, cwd=ROOT, environment=given)

    def words(self, **flags):
        """Of a training by a batch script, which says output_dir and output_name itself."""
        return self.arguments("", **{"output_dir": None, "output_name": None, **flags})[1:]

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def held_at(self, step, gate="gate"):
        """Variables for submit(): the first rank waits before that step until open_gate(). tests/faults/fault_points.cpp"""
        (self.folder / gate).mkdir()
        return {"LECO_PROGRAM": LECO_FAULTS, "LECO_FAULT": f"0:{step}:step:wait", "LECO_GATE": str(self.folder / gate)}

    def wait_at_gate(self, gate="gate"):
        wait_until((self.folder / gate / "0").exists, 90, f"at {gate}\n{self.log()}")

    def open_gate(self, gate="gate", signalled=True):
        """For good. signalled: when a signal that asks it to stop has come to the first rank."""
        if signalled:
            wait_until((self.folder / gate / "0.signal").exists, 90, f"a signal at {gate}\n{self.log()}")
        (self.folder / gate / "open").touch()

    def check_ended(self, job, state, status, restarts=0):
        found = self.cluster.finished(job)
        self.assertEqual((found["JobState"], found["ExitCode"], found["Restarts"]), (state, f"{status}:0", str(restarts)),
                         self.log())

    def check_same_as_undisturbed(self, **flags):
        """Files and lines of the job are those of a training by mpirun that nothing interrupted."""
        key = str(flags)
        if key not in self.undisturbed:
            self.train("alone", ranks=2, **flags)
            self.undisturbed[key] = self.files("alone"), self.metrics("alone")
        self.assertTrue(self.files("job") == self.undisturbed[key][0])
        self.assertEqual(self.metrics("job"), self.undisturbed[key][1])

    def preempt(self, signalled=True):
        """Another job takes all nodes for some seconds. signalled: the ranks are told before."""
        other = self.cluster.submit("--partition=high", f"--nodes={NODES}", "--exclusive", "--output=/dev/null", "--wrap=sleep 3")
        if signalled:
            self.open_gate()
        self.assertEqual(self.cluster.finished(other)["JobState"], "COMPLETED")

    def lose_a_node(self, job):
        """Of the job, and not that of its script."""
        batch = self.cluster.job(job)["BatchHost"]
        lost = next(node for node in self.cluster.nodes if node != batch and self.cluster.has_ranks(node))
        self.addCleanup(self.cluster.start_node, lost)
        self.cluster.kill_node(lost)
        self.open_gate(signalled=False)

    def test_srun_over_three_nodes_gives_the_bytes_of_mpirun(self):
        job = self.submit("train.sbatch", self.words(pairs_per_step=4), nodes=3)
        self.check_ended(job, "COMPLETED", 0)
        record = json.loads((self.folder / "job" / "x.run.json").read_text())
        self.assertEqual(record["ranks"], 3)
        self.check_same_as_undisturbed(pairs_per_step=4)
        self.assertFalse(list((self.folder / "job").glob(".*")), "the status file is removed")

    def test_the_doctor_sees_the_nodes_and_every_rank_sees_all_gpus_of_its_node(self):
        show = self.folder / "show"
        show.write_text(f'#!/bin/sh\necho "$CUDA_VISIBLE_DEVICES" >{self.folder}/gpus$SLURM_PROCID\n')
        show.chmod(0o755)
        job = self.submit("train.sbatch", [], options=["--ntasks-per-node=2"], LECO_PROGRAM=str(show))
        self.check_ended(job, "COMPLETED", 0)
        seen = [path.read_text().strip() for path in self.folder.glob("gpus*")]
        self.assertEqual(seen, [",".join(map(str, range(GPUS)))] * 4)
        report = json.loads(self.cluster.call("srun", "--mpi=pmix", "-K1", "-N3", "--ntasks-per-node=1", LECO, "doctor",
                                              f"--output_dir={self.folder}", "--device=cpu", "--json"))
        self.assertEqual((report["ranks"], report["nodes"]), (3, 3))
        self.assertEqual({check["name"]: check["verdict"] for check in report["checks"]}["shared folder"], "ok")

    def test_a_mistake_ends_the_job_with_its_status_and_is_not_repeated(self):
        job = self.submit("train.sbatch", self.words(learning_rat=1))
        self.check_ended(job, "FAILED", 2)
        self.assertEqual(self.log().count("unknown flag --learning_rat"), 1, self.log())

    def test_a_failed_launch_that_srun_calls_a_success_is_a_failure(self):
        (self.folder / "srun").write_text("#!/bin/sh\nexit 0\n")
        (self.folder / "srun").chmod(0o755)
        job = self.submit("train.sbatch", self.words(), PATH=f"{self.folder}:{os.environ['PATH']}")
        self.check_ended(job, "FAILED", 1)
        self.assertIn("no rank was started to its end", self.log())

    def test_a_stop_signal_queues_the_job_again_and_the_result_is_the_same(self):
        job = self.submit("train.sbatch", self.words(**LONG), **self.held_at(6))
        self.wait_at_gate()
        self.cluster.call("scancel", "--signal=USR1", job)
        self.open_gate()
        self.check_ended(job, "COMPLETED", 0, restarts=1)
        self.assertIn("stopped, queued again", self.log())
        self.check_same_as_undisturbed(**LONG)

    def test_requeues_have_a_limit(self):
        job = self.submit("train.sbatch", self.words(**LONG), LECO_MOST_REQUEUES="0", **self.held_at(3))
        self.wait_at_gate()
        self.cluster.call("scancel", "--signal=TERM", job)
        self.open_gate()
        self.check_ended(job, "FAILED", STOPPED)
        self.assertIn("after 0 requeues; submit it again", self.log())

    def test_a_preempted_job_goes_on_when_the_other_has_left(self):
        job = self.submit("train.sbatch", self.words(**LONG), **self.held_at(6))
        self.wait_at_gate()
        self.preempt()
        self.check_ended(job, "COMPLETED", 0, restarts=1)
        self.assertRegex(self.log(), r"(?s)stopped by SIGTERM after step \d+.*queued again.*goes on from step \d+")
        self.check_same_as_undisturbed(**LONG)

    def test_a_job_that_lost_a_node_goes_on_with_another(self):
        job = self.submit("train.sbatch", self.words(**LONG), **self.held_at(13))
        self.wait_at_gate()  # one state is there
        self.lose_a_node(job)
        self.check_ended(job, "COMPLETED", 0, restarts=1)
        self.assertRegex(self.log(), r"(?si)node failure.*goes on from step 10")
        self.check_same_as_undisturbed(**LONG)

    def test_ranks_that_notice_a_lost_node_before_slurm_does_do_not_end_the_job(self):
        """MPI's own time to notice is up to its network. Here srun ends with 1 as soon as the node is gone."""
        real = shutil.which("srun")
        (self.folder / "srun").write_text(
            f"""#!/bin/sh
case "$SLURM_RESTART_COUNT $*" in
  " "*rank.sh*) {real} "$@" & while [ ! -e {self.folder}/lost ]; do sleep 0.1; done; kill -9 $!; exit 1 ;;
esac
exec {real} "$@"
""")
        (self.folder / "srun").chmod(0o755)
        job = self.submit("train.sbatch", self.words(**LONG), PATH=f"{self.folder}:{os.environ['PATH']}", **self.held_at(13))
        self.wait_at_gate()
        self.lose_a_node(job)
        (self.folder / "lost").touch()
        self.check_ended(job, "COMPLETED", 0, restarts=1)
        self.assertRegex(self.log(), r"(?s)ended with status 1, and a node does not answer.*goes on from step 10")
        self.check_same_as_undisturbed(**LONG)

    def test_mpirun_within_a_job_stops_and_goes_on_as_well(self):
        job = self.submit("train_mpirun.sbatch", self.words(**LONG), **self.held_at(6))
        self.wait_at_gate()
        self.cluster.call("scancel", "--batch", "--signal=USR1", job)
        self.open_gate()
        self.check_ended(job, "COMPLETED", 0, restarts=1)
        self.assertIn("stopped by SIGUSR1", self.log())
        self.check_same_as_undisturbed(**LONG)

    def test_mpirun_within_a_preempted_job_goes_on_from_the_last_state(self):
        job = self.submit("train_mpirun.sbatch", self.words(**LONG), **self.held_at(13))
        self.wait_at_gate()
        self.preempt(signalled=False)
        self.open_gate(signalled=False)
        self.check_ended(job, "COMPLETED", 0, restarts=1)
        self.assertRegex(self.log(), r"(?s)lost communication with a remote daemon.*goes on from step \d+")
        self.check_same_as_undisturbed(**LONG)

    def test_an_array_of_jobs_shares_a_sweep_and_a_stopped_task_goes_on(self):
        spec = self.write("ages.yaml", SWEEP.format(folder=self.folder, model=TOY, prompts=self.prompts))
        gates = [f"gate{task}" for task in range(3)]
        held = [self.held_at(2, gate) for gate in gates]
        program = self.folder / "program"
        program.write_text(f'#!/bin/sh\nexport LECO_GATE={self.folder}/gate$SLURM_ARRAY_TASK_ID\nexec {LECO_FAULTS} "$@"\n')
        program.chmod(0o755)
        array = self.submit("sweep_array.sbatch", [spec], nodes=1, options=["--array=0-2", f"--output={self.folder}/log_%a"],
                            **{**held[0], "LECO_PROGRAM": str(program)})
        for gate in gates:  # each has a run
            self.wait_at_gate(gate)
        self.cluster.call("scancel", "--signal=USR1", f"{array}_0")
        for gate in gates:
            self.open_gate(gate, signalled=gate == "gate0")
        tasks = self.cluster.finished_tasks(array)
        logs = {path.name: path.read_text() for path in self.folder.glob("log_*")}
        self.assertEqual([(task["JobState"], task["Restarts"]) for task in tasks], [("COMPLETED", "1"), *[("COMPLETED", "0")] * 2], logs)
        status = Run(["sweep", spec, "--status"]).out
        self.assertEqual(status.count("done  "), 4, status)
        self.assertEqual(len(list(self.folder.glob("sweep/*/*0.00?.safetensors"))), 4)

    def test_an_array_whose_ranks_mpirun_starts_stops_and_goes_on_as_well(self):
        """A task that holds a run is halted in its first start until Slurm's signal has reached it."""
        program = self.folder / "program"
        program.write_text(f"""#!/bin/sh
if [ -z "$SLURM_RESTART_COUNT" ]; then
  (
    trap '' USR1  # mpirun sends it to all that the rank has started
    until grep -rqs "^process $$"'$' {self.folder}/sweep; do kill -0 $$ || exit; sleep 0.1; done
    kill -STOP $$
    scancel --batch --signal=USR1 "$SLURM_JOB_ID"
    until grep -q "^ShdPnd:.*[2367abef]..$" /proc/$$/status; do sleep 0.1; done
    kill -CONT $$
  ) 2>/dev/null &
fi
exec {LECO} "$@"
""")
        program.chmod(0o755)
        spec = self.write("ages.yaml", SWEEP.format(folder=self.folder, model=TOY, prompts=self.prompts))
        array = self.submit("sweep_array_mpirun.sbatch", [spec], nodes=1, options=["--array=0-1", f"--output={self.folder}/log_%a"],
                            LECO_PROGRAM=str(program))
        tasks = self.cluster.finished_tasks(array)
        logs = {path.name: path.read_text() for path in self.folder.glob("log_*")}
        self.assertEqual({task["JobState"] for task in tasks}, {"COMPLETED"}, logs)
        self.assertIn("1", {task["Restarts"] for task in tasks}, logs)
        status = Run(["sweep", spec, "--status"]).out
        self.assertEqual(status.count("done  "), 4, status)


if __name__ == "__main__":
    if reason := missing():
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
