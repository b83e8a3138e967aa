"""Train the runs of a study on the machines of a Ray cluster: one trainer a worker, as many workers as fit.

`ray_worker` trains there, `remote_run` follows each run from here, and `folder_copy` brings its files back if the
folder of runs is not shared. Ray is imported when an engine is made.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from gradtui.experiment import Experiment, ExperimentError, load
from gradtui.runs.folder import EXPERIMENT_FILE
from gradtui.runs.safe_files import FILE_MODE
from gradtui.study.engines import Load, memory_estimate, ray_needs_consent
from gradtui.study.engines.ray_worker import MARKER_FILE, read_marker
from gradtui.study.engines.remote_run import RemoteRun, Resources, WorkerHandle
from gradtui.training.machine import cores

PLACEMENT_SECONDS = 5.0
"""The time within which a new worker answers if the cluster has room for it."""
LEAVE_SECONDS = 3.0
"""The time that workers have to remove their copies."""
CONNECT_SECONDS = 10.0
OBJECT_STORE_BYTES = 100_000_000
"""The memory for what travels between processes of a cluster of our own; nearly nothing does, because folders are
shared."""
MEMORY_GRAIN = 256_000_000
"""The bytes to whose multiples memory is rounded up, so that one worker can train experiments of about equal size."""


class RayEngine:
    """A RayEngine keeps trainers in actors of Ray, which end with this process.

    A run that was cut short is resumed from its newest checkpoint next time. If a machine sees the folder of runs, its
    trainers write into it; otherwise they write into a copy, whose changes are brought back about once a second. All
    machines need gradtui[ray] in the version that is installed here.

    Args:
        jobs: the most trainers at once; by default as many as the cluster has room for.
        threads: the number of threads of each trainer.
        address: the address of the cluster in Ray's form. A cluster that this process has already joined is used.
        listen: whether a cluster of this machine alone may be started if there is no address. Ray then listens on all
            network interfaces; see `keep_strangers_out` for whom it obeys.

    Raises ImportError if Ray is missing, and OSError if there is no such cluster.
    """

    def __init__(
        self, jobs: int | None = None, threads: int = 1, address: str = "", *, listen: bool = False
    ) -> None:
        if listen and not address:
            keep_strangers_out()
        self._ray = ray_library()
        self._jobs = jobs
        self._threads = threads
        self._workers: list[WorkerHandle] = []
        self._joined = not self._ray.is_initialized()
        if self._joined:
            if not (address or listen):
                raise OSError(ray_needs_consent())
            join(self._ray, address, threads)

    def has_room(self, memory: int, running: Collection[Load]) -> bool:
        """Return whether a worker is free, or the cluster has room for another one."""
        if not running:
            return True
        if self._jobs and len(running) >= self._jobs:
            return False
        wanted = Resources(self._threads, 0, memory)
        if any(worker.free and worker.resources.serves(wanted) for worker in self._workers):
            return True
        coming = [worker for worker in self._workers if not worker.placed]
        if any(time.monotonic() - worker.since > PLACEMENT_SECONDS for worker in coming):
            # A worker still waits for a machine, so the cluster is full although it reports room.
            return False
        left, idle = available(self._ray), [worker for worker in self._workers if worker.free]
        cpus = left.cpus + sum(one.resources.cpus for one in idle) - sum(one.resources.cpus for one in coming)
        free = (
            left.memory
            + sum(one.resources.memory for one in idle)
            - sum(one.resources.memory for one in coming)
        )
        return cpus >= self._threads and free >= memory

    def start(self, folder: Path) -> RemoteRun:
        """Train the run in `folder` with a free worker, or with a new one. Raises OSError."""
        try:
            resources = resources_for(load(folder / EXPERIMENT_FILE), self._ray)
        except ExperimentError as error:
            raise OSError(str(error)) from None
        folder = folder.resolve()
        worker = self._worker(resources)
        worker.run = RemoteRun(self._ray, worker, folder, token_of(folder.parent))
        return worker.run

    def close(self) -> None:
        """End all trainers at their present steps."""
        leaving = [
            worker.actor.leave.remote() for worker in self._workers if worker.placed and not worker.gone
        ]
        if leaving:
            # A worker that is killed cannot remove its copy.
            self._ray.wait(leaving, num_returns=len(leaving), timeout=LEAVE_SECONDS)
        self.kill()
        if self._joined:
            self._ray.shutdown()
            self._joined = False

    def kill(self) -> None:
        """Kill all trainers and workers at once."""
        for worker in self._workers:
            if worker.run is not None:
                worker.run.end(-signal.SIGKILL)
            worker.end()
        self._workers = []

    def _worker(self, resources: Resources) -> WorkerHandle:
        free = [worker for worker in self._workers if worker.free]
        for worker in free:
            if worker.resources.serves(resources):
                return worker
        for worker in free:
            # It holds the resources that the new one needs.
            worker.end()
        there = [worker for worker in self._workers if not worker.gone]
        self._workers = [*there, WorkerHandle(self._ray, resources)]
        return self._workers[-1]


def token_of(root: Path) -> str:
    """Return the content of the marker in a folder of runs; write it if it is missing. Raises OSError.

    By the marker, another machine checks whether the same path is the same folder there.
    """
    marker = root / MARKER_FILE
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "w") as file:
            file.write(uuid.uuid4().hex)
    return read_marker(marker)


# -- the cluster


def keep_strangers_out() -> None:
    """Have a cluster that is started here obey only those who know a token, which only this user's processes have.

    Ray reads this when it is imported. Older versions know no token. The newest make one by themselves, in a file that
    other users of the machine may read.
    """
    if "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


def ray_library() -> Any:
    """Return the module ray. Raises ImportError with a line that says how to install it."""
    try:
        import ray

        # If the working directory has a folder called ray, as Ray's own temporary folder has, `import ray` finds that
        # folder as an empty module, and only this second import fails.
        import ray.exceptions
    except ImportError:
        raise ImportError("--engine ray needs Ray: pip install 'gradtui[ray]'") from None
    return ray


def join(ray: Any, address: str, threads: int) -> None:
    """Join the cluster at an address; without one, start a cluster of this machine that ends with this process.

    Raises OSError, in one line.
    """
    if address:
        check_reachable(address)
    # Usage reports to Ray's makers are switched off, because the user did not ask for them.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {
        "address": address or "local",
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
    }
    if not address:
        options |= {
            "num_cpus": max(cores(), threads),
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
    try:
        with _sigterm_kept():
            ray.init(**options)
    except (OSError, ValueError, RuntimeError) as error:
        line = next(iter(str(error).splitlines()), "") or type(error).__name__
        where = f"--address {address}" if address else "a Ray cluster on this machine"
        raise OSError(f"{where}: {line}") from None
    # Ray prints messages on its machines to stdout, where the report is printed, and has no setting against that.
    ray._private.worker._worker_logs_enabled = False


def check_reachable(address: str) -> None:
    """Raise OSError if nothing listens at the address; Ray itself would try for more than five minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        # It is `auto`, or an address that Ray refuses at once.
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise OSError(
            f"--address {address}: no answer: {getattr(error, 'strerror', None) or error}"
        ) from None


@contextlib.contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Restore the handler of SIGTERM, which Ray replaces by one that exits, because the command handles it itself."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def resources_for(experiment: Experiment, ray: Any) -> Resources:
    """Return what a trainer of the experiment needs: a core a thread, a GPU if it names one, and memory.

    If no machine has as much, return what the largest one has: Ray would wait for a larger machine forever, while a
    trainer reports whether the memory is enough.
    """
    run = experiment.run
    memory = math.ceil(memory_estimate(experiment) / MEMORY_GRAIN) * MEMORY_GRAIN
    wanted = Resources(max(1, run.threads), int(run.device.startswith("cuda")), memory)
    machines = [_resources(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    if not machines or any(_holds(machine, wanted) for machine in machines):
        return wanted
    largest = max(
        machines, key=lambda machine: (min(machine.gpus, wanted.gpus), machine.cpus, machine.memory)
    )
    return Resources(
        min(wanted.cpus, largest.cpus), min(wanted.gpus, largest.gpus), min(memory, largest.memory)
    )


def available(ray: Any) -> Resources:
    """Return the free resources of the whole cluster, as far as this process knows."""
    return _resources(ray.available_resources())


def _resources(amounts: dict[str, float]) -> Resources:
    return Resources(*(int(amounts.get(name, 0)) for name in ("CPU", "GPU", "memory")))


def _holds(machine: Resources, wanted: Resources) -> bool:
    return machine.cpus >= wanted.cpus and machine.gpus >= wanted.gpus and machine.memory >= wanted.memory
