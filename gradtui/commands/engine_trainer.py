"""Train a run by an engine as if its trainer were a process of our own, and read the options that choose the engine."""

from __future__ import annotations

import subprocess
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import BadInput

if TYPE_CHECKING:
    from gradtui.study.engines import Engine, MakeEngine

POLL_SECONDS = 0.02


class EngineTrainer:
    """An EngineTrainer is a run that an engine trains; it is waited for as a trainer is."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Start the training. Raises OSError."""
        self.folder = folder
        self._engine = engine
        self._process = engine.start(folder)

    def poll(self) -> int | None:
        """Return None while it trains, then its exit code."""
        return self._process.poll()

    def wait(self, timeout: float) -> int:
        """Wait for its end and return the exit code. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() >= end:
                raise subprocess.TimeoutExpired("trainer", timeout)
            time.sleep(POLL_SECONDS)
        return code

    def terminate(self) -> None:
        """End it; an engine can only kill."""
        self._engine.kill()

    def kill(self) -> None:
        """Kill it at once."""
        self._engine.kill()


def add_engine(parser: ArgumentParser) -> None:
    """Add --jobs, --engine, --address and --ray-listen: where the trainers run, and how many at once."""
    from gradtui.study.engines import ENGINES

    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="how many trainers may run at once; by default as many as the cores allow",
    )
    parser.add_argument("--engine", choices=tuple(ENGINES), default="local", help="where the trainers run")
    parser.add_argument(
        "--address",
        metavar="ADDR",
        help="the address of the Ray cluster: auto, host:port or ray://host:port",
    )
    parser.add_argument(
        "--ray-listen",
        action="store_true",
        help="start a Ray cluster on this machine alone; its ports are open to everybody who can reach the machine",
    )


def check_engine(args: Namespace) -> None:
    """Check the options that `add_engine` added. Raises BadInput."""
    from gradtui.study.engines import ray_needs_consent

    if args.jobs is not None and args.jobs < 1:
        raise BadInput(f"--jobs: {args.jobs} is not allowed; expected 1 or more")
    if args.address is not None and args.engine != "ray":
        raise BadInput("--address: belongs to a Ray cluster and needs --engine ray")
    if args.ray_listen and args.engine != "ray":
        raise BadInput("--ray-listen: belongs to a Ray cluster and needs --engine ray")
    if args.ray_listen and args.address is not None:
        raise BadInput("--ray-listen starts a cluster and --address joins one; choose one of them")
    if args.engine == "ray" and not args.ray_listen and args.address is None:
        raise BadInput(ray_needs_consent())


def chosen_engine(args: Namespace) -> MakeEngine:
    """Return what makes the engine that the options name. Raises BadInput."""
    from gradtui.study.engines import engine_of

    check_engine(args)
    options: dict[str, str | bool] = {} if args.address is None else {"address": args.address}
    if args.ray_listen:
        options["listen"] = True
    return engine_of(args.engine, **options)
