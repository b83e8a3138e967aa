"""The cures of a run as they can be tried beside it: from its start, or from before it broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.experiment import Experiment, ExperimentError
from gradtui.experiment.edits import CURES, Cure
from gradtui.runs.errors import RunError
from gradtui.runs.meta import Parent
from gradtui.ui.edit.values import show

if TYPE_CHECKING:
    from gradtui.training.forks import Fork


@dataclass(frozen=True)
class Treatment:
    """A cure of a run, ready to be started."""

    cure: Cure
    experiment: Experiment
    parent: Parent
    fork: Fork | None = None
    """Where in the run it goes on; None is from its own start, with the same seed."""

    @property
    def key(self) -> str:
        """Tells treatments apart."""
        return f"{self.cure.key}-{self.parent.step}"

    @property
    def title(self) -> str:
        """What it is called."""
        return self.cure.name if self.fork is None else f"{self.cure.name}, from step {self.parent.step:,} on"

    def line(self, before: Experiment) -> str:
        """Why, what it changes, and what it costs."""
        changes = ", ".join(f"{path} {show(path, value)}" for path, value in self.cure.set_of(before).items())
        price = f"\n  price: {self.cure.price}" if self.cure.price else ""
        return f"{self.cure.why}\n  {changes}{price}"


def treatments(run: Path, experiment: Experiment, advised: Sequence[str]) -> list[Treatment]:
    """Every cure that would change something, those that a diagnosis advises (by key) first.

    Of a run that broke, those that can be taken in mid-run are there twice: also from before it broke.
    """
    offered = {cure.key: cure for cure in CURES if cure.set_of(experiment)}
    keys = list(dict.fromkeys([*(key for key in advised if key in offered), *offered]))
    fork = _way_back(run)
    found = []
    for key in keys:
        cured = offered[key].apply(experiment)
        found.append(Treatment(offered[key], cured, Parent(run.name, 0, key)))
        if fork is not None and key in advised and _can_go_on(fork, offered[key]):
            found.append(Treatment(offered[key], offered[key].apply(fork.experiment), fork.parent(key), fork))
    return found


def _way_back(run: Path) -> Fork | None:
    """The place before it broke, of a run that did."""
    from gradtui.runs.events import EventLog, rollback_step
    from gradtui.training.checkpoints.files import CheckpointError
    from gradtui.training.forks import fork_of

    log = EventLog(run)
    log.poll()
    if rollback_step(log.entries) is None:
        return None
    try:
        return fork_of(run)
    except (RunError, CheckpointError, OSError):
        return None


def _can_go_on(fork: Fork, cure: Cure) -> bool:
    from gradtui.training.forks import check

    try:
        check(fork, cure.apply(fork.experiment))
    except ExperimentError:
        return False
    return True
