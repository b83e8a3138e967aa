"""A run that was given to a seat on the cluster, followed from here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradtui.runs.control import ControlReader
from gradtui.runs.folder import CONTROL_FILE, LOG_FILE, size_of
from gradtui.study.engines import LOST
from gradtui.study.engines.cluster.connection import Hold
from gradtui.study.engines.cluster.mirror import Sender, receive
from gradtui.study.engines.cluster.seat import Look, Seat

FAILED = 1


class Chair:
    """A seat as it is known here: an actor of Ray's, and what it holds of the cluster. It may yet have to be placed."""

    def __init__(self, ray: Any, hold: Hold) -> None:
        actor = ray.remote(Seat).options(num_cpus=hold.cpus, num_gpus=hold.gpus, memory=hold.memory)
        self.actor = actor.remote(str(Path.cwd()))
        self.hold = hold
        self.since = time.monotonic()
        self.placed = False
        """Whether it was heard of."""
        self.gone = False
        self.taken: Placed | None = None
        self._ray = ray

    @property
    def free(self) -> bool:
        """Whether it can take a run."""
        return self.placed and not self.gone and (self.taken is None or self.taken.over)

    def end(self) -> None:
        """Have it gone, and its trainer."""
        self.gone = True
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self.actor)


class Placed:
    """A run and its seat. One question to the seat at a time is under way, and `poll` never waits for the answer.

    Args:
        token: what stands in the marker of the folder of runs.
    """

    def __init__(self, ray: Any, chair: Chair, folder: Path, token: str) -> None:
        self._ray = ray
        self._chair = chair
        self._folder = folder
        self._code: int | None = None
        self._wished = 0
        self._control = ControlReader(folder, skip_old=True)
        self._ask(chair.actor.sees.remote(str(folder), token), self._begin)

    @property
    def over(self) -> bool:
        """Whether its end was heard of."""
        return self._code is not None

    def poll(self) -> int | None:
        """None while it is at its run or waits for a place, then the trainer's exit code, or LOST."""
        while self._code is None:
            try:
                if not self._ray.wait([self._question], timeout=0)[0]:
                    self._withdraw()
                    break
                self._chair.placed = True
                self._then(self._ray.get(self._question))
            except self._ray.exceptions.RayActorError as error:
                if error.actor_init_failed:
                    self._fail(error)
                else:
                    # The machine, or only the seat's process. One that merely fell silent is not waited for.
                    self.end(LOST)
            except (self._ray.exceptions.RayError, OSError) as error:
                self._fail(error)
        return self._code

    def end(self, code: int) -> None:
        """Have it over, and its seat gone."""
        if self._code is None:
            self._code = code
        self._chair.end()

    # -- questions and answers

    def _ask(self, question: Any, then: Callable[[Any], None]) -> None:
        self._question, self._then = question, then

    def _begin(self, shares: bool) -> None:
        files = None
        self._shares = shares
        if not shares:
            # Before the copy: a wish that comes between is passed on twice, and heard once.
            self._wished = size_of(self._folder / CONTROL_FILE)
            sender = Sender(self._folder)
            files = sender.news()
            while sender.more:
                files += sender.news()
        self._ask(self._chair.actor.train.remote(str(self._folder), files), self._look)

    def _look(self, _: object) -> None:
        self._ask(self._chair.actor.look.remote(b"" if self._shares else self._wishes()), self._seen)

    def _seen(self, look: Look) -> None:
        receive(self._folder, look.news)
        if look.code is None:
            self._look(None)
        self._code = look.code

    def _wishes(self) -> bytes:
        try:
            with (self._folder / CONTROL_FILE).open("rb") as file:
                file.seek(self._wished)
                found = file.read()
        except FileNotFoundError:
            return b""
        whole = found[: found.rfind(b"\n") + 1]
        self._wished += len(whole)
        return whole

    def _withdraw(self) -> None:
        """Who is told to stop before there is a place for him has nothing to end: he does not come."""
        if not self._chair.placed and any(command.name == "stop" for command in self._control.poll()):
            self.end(LOST)

    def _fail(self, error: Exception) -> None:
        """No machine's fault: it would go the same way again. Said where a trainer says why."""
        said = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        with contextlib.suppress(OSError), (self._folder / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(f"on the cluster: {said[-1].strip()}\n")
        self.end(FAILED)
