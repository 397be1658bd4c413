"""A job whose ranks wait for the tester at named points, so that what a test does to it comes neither too early nor too late.

The program is leco_faults: tests/faults/fault_points.cpp says what the points are, and what `wait` does there.
"""
import os
import pathlib
import sys
import tempfile
import unittest.mock

import leco_runs
from leco_runs import Going

LECO_FAULTS = sys.argv[3]


class Held(Going):
    """faults: rank:step:point:kind each; where `kind` is wait, the rank waits until it is let go. how: as Going's."""

    def __init__(self, folder, arguments, faults, **how):
        self.gate = pathlib.Path(tempfile.mkdtemp(prefix="gate_", dir=folder))
        self.gate.chmod(0o777)
        with unittest.mock.patch.dict(os.environ, LECO_FAULT=",".join(faults), LECO_GATE=str(self.gate)), \
                unittest.mock.patch.object(leco_runs, "LECO", LECO_FAULTS):
            super().__init__(folder, arguments, **how)

    def waiting(self):
        """Rank to process id."""
        found = {}
        for path in self.gate.glob("[0-9]*"):
            if path.name.isdigit():
                found[int(path.name)] = int(path.read_text())
        return found

    def wait_at_gate(self, *ranks):
        self.wait_for(lambda: set(ranks) <= set(self.waiting()))

    def wait_for_signal(self, rank):
        """Until the rank, which waits, has noted a signal that asks it to stop."""
        self.wait_for((self.gate / f"{rank}.signal").exists)

    def let_go(self, *ranks):
        for rank in ranks:
            (self.gate / str(rank)).unlink()

    def let_all_go(self):
        """Also those that have not come yet."""
        (self.gate / "open").touch()

    def stop(self):
        self.let_all_go()
        super().stop()
