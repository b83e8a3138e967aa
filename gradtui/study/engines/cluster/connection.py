"""Joining a Ray cluster, or making one of this machine alone, and what it has to offer."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gradtui.experiment import Experiment
from gradtui.study.need import need_of
from gradtui.training.machine import cores

OBJECT_STORE = 100_000_000
"""Bytes for what travels between processes of a cluster of our own; nearly nothing does, for folders are shared."""
GRAIN = 256_000_000
"""Bytes: seats of nearly the same size are the same seat, which takes one run after another."""


KNOCK_SECONDS = 10.0


@dataclass(frozen=True)
class Hold:
    """What a seat holds of the cluster for as long as it is there."""

    cpus: int
    gpus: int
    memory: int
    """Bytes."""

    def serves(self, other: Hold) -> bool:
        """Whether who wants the other can have this."""
        return (self.cpus, self.gpus) == (other.cpus, other.gpus) and self.memory >= other.memory


def ray_library() -> Any:
    """The module. Raises ImportError with a line that says how to install it."""
    try:
        import ray

        # In a folder that holds one called ray, as Ray's own temporary one does, an empty module of that name is found.
        import ray.exceptions
    except ImportError:
        raise ImportError("--engine ray needs Ray: pip install 'gradtui[ray]'") from None
    return ray


def join(ray: Any, address: str, threads: int) -> None:
    """Be part of the cluster there; without an address of one that is made of this machine, and goes with us.

    Raises OSError, one line.
    """
    if address:
        _knock(address)
    # Nobody asked for reports to Ray's makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    about: dict[str, Any] = {
        "address": address or "local",
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
    }
    if not address:
        about |= {
            "num_cpus": max(cores(), threads),
            "object_store_memory": OBJECT_STORE,
            "include_dashboard": False,
        }
    try:
        with _signals_as_they_are():
            ray.init(**about)
    except (OSError, ValueError, RuntimeError) as error:
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        where = f"--address {address}" if address else "a Ray cluster on this machine"
        raise OSError(f"{where}: {said}") from None
    # It prints what befalls its machines to our stdout, where a report is to stand, and knows no setting against it.
    ray._private.worker._worker_logs_enabled = False


def _knock(address: str) -> None:
    """Where nobody listens, Ray itself would go on trying for more than five minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        # auto, or something that Ray refuses at once.
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise OSError(
            f"--address {address}: nobody answers there: {getattr(error, 'strerror', None) or error}"
        ) from None


@contextlib.contextmanager
def _signals_as_they_are() -> Iterator[None]:
    """Ray takes SIGTERM for itself and exits; but whoever waits for a study has plans of his own for it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def wanted(experiment: Experiment, ray: Any) -> Hold:
    """What its trainer is to hold: a core for each thread, a GPU of its own where it names one, and memory.

    Where no machine has as much, what the largest one has: whether it does with that, the trainer sees and says, and
    Ray would wait for a larger machine for ever.
    """
    run = experiment.run
    memory = math.ceil(need_of(experiment) / GRAIN) * GRAIN
    hold = Hold(max(1, run.threads), int(run.device.startswith("cuda")), memory)
    machines = [_offer(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    if not machines or any(_holds(machine, hold) for machine in machines):
        return hold
    largest = max(machines, key=lambda machine: (min(machine.gpus, hold.gpus), machine.cpus, machine.memory))
    return Hold(min(hold.cpus, largest.cpus), min(hold.gpus, largest.gpus), min(memory, largest.memory))


def left(ray: Any) -> Hold:
    """What nobody holds of the whole cluster, as far as it has got about."""
    return _offer(ray.available_resources())


def _offer(resources: dict[str, float]) -> Hold:
    return Hold(*(int(resources.get(name, 0)) for name in ("CPU", "GPU", "memory")))


def _holds(machine: Hold, hold: Hold) -> bool:
    return machine.cpus >= hold.cpus and machine.gpus >= hold.gpus and machine.memory >= hold.memory
