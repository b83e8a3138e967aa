"""Trainers on a Ray cluster: one a seat, as many seats as the cluster has room for."""

from __future__ import annotations

import contextlib
import signal
import time
import uuid
from collections.abc import Collection
from pathlib import Path

from gradtui.experiment import ExperimentError, load
from gradtui.runs.folder import EXPERIMENT_FILE
from gradtui.study.engines import Load
from gradtui.study.engines.cluster.connection import Hold, join, left, ray_library, wanted
from gradtui.study.engines.cluster.placed import Chair, Placed
from gradtui.study.engines.cluster.seat import MARKER_FILE

GRACE = 5.0
"""Seconds within which a new seat is heard of, where there is a place for it."""
LEAVE_SECONDS = 3.0


class RayEngine:
    """Trainers in actors of Ray's. They end with this process: Ray takes away what nobody waits for any more, and a
    cluster is no place to be left alone on. What was cut short goes on from its newest checkpoint next time.

    Where a machine sees the folder of runs, its trainers write into it; where not, into a copy whose news are brought
    back about once a second. Machines need gradtui[ray] of the same version as here.

    Args:
        jobs: trainers at most at once; by default as many as the cluster has room for.
        threads: of each.
        address: of the cluster, as Ray has it; by default one of this machine alone is made. A cluster that this
            process has joined already is taken as it is.

    Raises ImportError where Ray is missing, and OSError where there is no such cluster.
    """

    def __init__(self, jobs: int | None = None, threads: int = 1, address: str = "") -> None:
        self._ray = ray_library()
        self._jobs = jobs
        self._threads = threads
        self._chairs: list[Chair] = []
        self._ours = not self._ray.is_initialized()
        if self._ours:
            join(self._ray, address, threads)

    def has_room(self, need: int, running: Collection[Load]) -> bool:
        """Whether one of the seats is free, or the cluster has a place for another."""
        if not running:
            return True
        if self._jobs and len(running) >= self._jobs:
            return False
        hold = Hold(self._threads, 0, need)
        if any(chair.free and chair.hold.serves(hold) for chair in self._chairs):
            return True
        coming = [chair for chair in self._chairs if not chair.placed]
        if any(time.monotonic() - chair.since > GRACE for chair in coming):
            # It waits for a place itself: the cluster is full, whatever it says.
            return False
        free, idle = left(self._ray), [chair for chair in self._chairs if chair.free]
        cpus = free.cpus + sum(chair.hold.cpus for chair in idle) - sum(chair.hold.cpus for chair in coming)
        memory = (
            free.memory
            + sum(chair.hold.memory for chair in idle)
            - sum(chair.hold.memory for chair in coming)
        )
        return cpus >= self._threads and memory >= need

    def start(self, folder: Path) -> Placed:
        """Have it trained on a free seat, or on a new one. Raises OSError."""
        try:
            hold = wanted(load(folder / EXPERIMENT_FILE), self._ray)
        except ExperimentError as error:
            raise OSError(str(error)) from None
        folder = folder.resolve()
        chair = self._chair(hold)
        chair.taken = Placed(self._ray, chair, folder, token_of(folder.parent))
        return chair.taken

    def close(self) -> None:
        """End what trains there, where it is."""
        leaving = [chair.actor.leave.remote() for chair in self._chairs if chair.placed and not chair.gone]
        if leaving:
            # A seat that is killed cannot tidy up.
            self._ray.wait(leaving, num_returns=len(leaving), timeout=LEAVE_SECONDS)
        self.kill()
        if self._ours:
            self._ray.shutdown()
            self._ours = False

    def kill(self) -> None:
        """End it all."""
        for chair in self._chairs:
            if chair.taken is not None:
                chair.taken.end(-signal.SIGKILL)
            chair.end()
        self._chairs = []

    def _chair(self, hold: Hold) -> Chair:
        free = [chair for chair in self._chairs if chair.free]
        for chair in free:
            if chair.hold.serves(hold):
                return chair
        for chair in free:
            # It holds what the new one needs.
            chair.end()
        self._chairs = [*(chair for chair in self._chairs if not chair.gone), Chair(self._ray, hold)]
        return self._chairs[-1]


def token_of(root: Path) -> str:
    """What stands in the marker of a folder of runs, made where there is none: by it, a machine that looks at the same
    path knows whether it is the same folder. Raises OSError."""
    marker = root / MARKER_FILE
    with contextlib.suppress(FileExistsError), marker.open("x") as file:
        file.write(uuid.uuid4().hex)
    return marker.read_text()
