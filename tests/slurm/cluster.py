"""A Slurm of several nodes on this one machine: a real slurmctld and a real slurmd a node, with ports and folders of their own.

With root and Debian's slurmctld, slurmd and slurm-client; no munge, no systemd, no cgroups. By hand:

    python3 tests/slurm/cluster.py FOLDER 3     starts three nodes, says what to export, and stops them at Ctrl-C

What the configuration has to say so that this works, each found by a failure (Slurm 22.05, Open MPI 4.1):
- config_overrides, since nodes claim more cores than the machine has.
- TmpFS with a folder of each node, since PMIx makes folders in it that are named for the job.
- cred_expire, since a requeued job waits until the credentials of its last start have expired.
- Null devices that stand for GPUs: Slurm hands them out as it does real ones, by CUDA_VISIBLE_DEVICES.
- In the jobs' environment: UCX over the loopback. The nodes have one host name, so names of Open MPI's own shared-memory
  files would collide; and its own TCP transport, in 4.1.4, now and then calls a null pointer while ranks connect.
"""
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "scontrol")
MPI_OVER_UCX = {"OMPI_MCA_pml": "ucx", "OMPI_MCA_btl": "self", "UCX_TLS": "tcp,self", "UCX_NET_DEVICES": "lo",
                "OMPI_MCA_opal_common_ucx_tls": "any", "OMPI_MCA_opal_common_ucx_devices": "any",
                "UCX_LOG_FILE": "/dev/stderr", "OMPI_MCA_mpi_yield_when_idle": "1"}
CORES = 4  # of a node, as it claims
GPUS = 2
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
LOST_AFTER = 9  # seconds without an answer until a node counts as lost

CONFIGURATION = """\
ClusterName=one_machine
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
SlurmctldPort={port}
SlurmctldPidFile={base}/slurmctld.pid
SlurmctldLogFile={base}/slurmctld.log
StateSaveLocation={base}/state
SlurmdPidFile={base}/%n/slurmd.pid
SlurmdLogFile={base}/%n/slurmd.log
SlurmdSpoolDir={base}/%n/spool
TmpFS={base}/%n/tmp
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_min_interval=100000,bf_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
SlurmdTimeout={lost_after}
SlurmctldTimeout=30
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first_port}-{last_port}] CPUs={cores} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES State=UP PriorityTier=1 GraceTime=20
PartitionName=high Nodes=ALL State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing():
    """Why no cluster can run here; empty where it can."""
    if os.geteuid() != 0:
        return "only root can start slurmd"
    if not os.path.isdir("/sys/fs/cgroup") or not os.listdir("/sys/fs/cgroup"):
        return "nothing is mounted on /sys/fs/cgroup, without which slurmd does not start"
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    return f"{', '.join(absent)} not installed (apt-get install slurmctld slurmd slurm-client)" if absent else ""


def free_ports(count):
    """The first of `count` neighbouring ports that nobody listens on."""
    for first in range(17001, 30000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, one in enumerate(sockets):
                one.bind(("127.0.0.1", first + offset))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no free ports")


def wait_until(found, seconds, what):
    end = time.monotonic() + seconds
    while not (result := found()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.2)
    return result


class Cluster:
    """with Cluster(folder, nodes=3) as cluster: …"""

    def __init__(self, base, nodes):
        self.base, self.nodes = pathlib.Path(base), [f"n{i}" for i in range(1, nodes + 1)]
        self.configuration = self.base / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.configuration), **MPI_OVER_UCX}
        self.daemons = []

    def __enter__(self):
        port = free_ports(len(self.nodes) + 1)
        (self.base / "state").mkdir(parents=True)
        for node in self.nodes:
            (self.base / node / "spool").mkdir(parents=True)
            (self.base / node / "tmp").mkdir()
        for gpu in range(GPUS):
            os.mknod(self.base / f"gpu{gpu}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (self.base / "gres.conf").write_text(f"Name=gpu File={self.base}/gpu[0-{GPUS - 1}]\n")
        (self.base / "cgroup.conf").write_text("CgroupAutomount=no\n")
        (self.base / "plugstack.conf").write_text("")
        self.configuration.write_text(CONFIGURATION.format(
            host=socket.gethostname().split(".")[0], base=self.base, port=port, nodes=len(self.nodes), first_port=port + 1,
            last_port=port + len(self.nodes), cores=CORES, gpus=GPUS,
            lost_after=LOST_AFTER))
        try:
            self.daemons.append(self.start("slurmctld", "-D", "-f", self.configuration))
            for node in self.nodes:
                self.start_node(node)
            wait_until(lambda: self.idle_nodes() == len(self.nodes), 90, f"nodes up (logs in {self.base})")
        except TimeoutError as late:
            last_words = [path.read_text().splitlines()[-2:] for path in self.base.glob("*/slurmd.log")]
            self.__exit__()
            raise TimeoutError(f"{late}: {last_words}") from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.call("scancel", "--user=root", check=False)
        for daemon in self.daemons:
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def start(self, *words):
        return subprocess.Popen([*map(str, words)], env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start_node(self, node):
        self.daemons.append(self.start("slurmd", "-D", "-f", self.configuration, "-N", node))

    def kill_node(self, node):
        """As if its power had failed: the daemon and all that it started, at once."""
        daemon = next(one for one in self.daemons if one.args[-1] == node)
        for process in (daemon.pid, *started_on(node)):
            os.kill(process, signal.SIGKILL)
        daemon.wait()
        self.daemons.remove(daemon)

    @staticmethod
    def has_ranks(node):
        return bool(started_on(node))

    def call(self, *words, check=True, environment=None, **options):
        """A Slurm command's standard output."""
        done = subprocess.run([*map(str, words)], env={**(environment or os.environ), **self.environment}, capture_output=True,
                              text=True, timeout=120, **options)
        if check and done.returncode != 0:
            raise RuntimeError(f"{words}: status {done.returncode}: {done.stderr}")
        return done.stdout

    def idle_nodes(self):
        return int(self.call("sinfo", "-h", "-p", "low", "-t", "idle", "-o", "%D", check=False) or 0)

    def submit(self, *words, **options):
        """The number of the job."""
        return self.call("sbatch", "--parsable", *words, **options).strip()

    def tasks(self, number):
        """What scontrol says of each of an array's jobs, the lowest task first: field to text."""
        lines = self.call("scontrol", "-o", "show", "job", number).splitlines()
        found = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
        return sorted(found, key=lambda job: job.get("ArrayTaskId", ""))

    def job(self, number):
        return self.tasks(number)[0]

    def wait_for_state(self, number, states, seconds=120):
        return wait_until(lambda: (found := self.job(number))["JobState"] in states and found, seconds,
                          f"job {number} in {states}, it is {self.job(number)['JobState']}")

    def finished(self, number, seconds=180):
        return self.wait_for_state(number, ENDED, seconds)

    def finished_tasks(self, number, seconds=240):
        def ended():
            tasks = self.tasks(number)
            return all(task["JobState"] in ENDED for task in tasks) and tasks
        return wait_until(ended, seconds, f"array {number}")


def started_on(node):
    """Processes that Slurm started on the node, and the step daemons above them."""
    found = set()
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if f"SLURMD_NODENAME={node}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                found.add(int(folder.name))
                if pathlib.Path(f"/proc/{parent}/cmdline").read_bytes().startswith(b"slurmstepd"):
                    found.add(parent)
        except OSError:  # it has ended meanwhile
            continue
    return found


def main():
    base, nodes = sys.argv[1], int(sys.argv[2])
    with Cluster(base, nodes) as cluster:
        print("\n".join(f"export {name}={value}" for name, value in cluster.environment.items()), flush=True)
        signal.pause()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
