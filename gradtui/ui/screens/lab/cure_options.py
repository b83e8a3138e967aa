"""List the cures of a run that can be tried beside it, from its start or from a step before it diverged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gradtui.experiment import Experiment, ExperimentError, set_fields
from gradtui.experiment.cures import CURES, Cure, cure
from gradtui.runs.errors import RunError
from gradtui.runs.meta import Parent
from gradtui.ui.field_values import show

if TYPE_CHECKING:
    from gradtui.diagnosis import CureOffer
    from gradtui.training.forks import Fork


LONGEST_NAME = 80
"""The most characters of the name of a run with a cure."""


@dataclass(frozen=True)
class CureOption:
    """A CureOption is a cure of a run, ready to be started as a fork of it."""

    cure: Cure
    experiment: Experiment
    parent: Parent
    fork: Fork | None = None
    """The step of the run from which the fork continues; None starts again with the same seed."""

    @property
    def key(self) -> str:
        """Return what distinguishes it from the other options."""
        return f"{self.cure.key or self.cure.name}-{self.parent.step}"

    @property
    def title(self) -> str:
        """Return its name, with the step if it continues from one."""
        return self.cure.name if self.fork is None else f"{self.cure.name}, from step {self.parent.step:,} on"

    def line(self, before: Experiment) -> str:
        """Return why it should help, what it changes in the experiment `before`, and what it costs."""
        changes = ", ".join(f"{path} {show(path, value)}" for path, value in self.cure.set_of(before).items())
        price = f"\n  cost: {self.cure.price}" if self.cure.price else ""
        return f"{self.cure.why}\n  {changes}{price}"


def cure_options(run: Path, experiment: Experiment, advised: Sequence[CureOffer]) -> list[CureOption]:
    """Return every cure that would change something, those that a diagnosis advises first and in its order.

    If the run diverged, advised cures that can be applied in the middle of a run are listed twice: also from a step
    before the divergence.
    """
    wanted = {one.name: one for one in map(_cure_of, advised)}
    fork = _fork_before_divergence(run)
    found = []
    for one in (wanted | {known.name: known for known in CURES}).values():
        if not one.set_of(experiment):
            continue
        made = one.key or one.name
        found.append(CureOption(one, _named(one.apply(experiment), one), Parent(run.name, 0, made)))
        if fork is not None and one.name in wanted and _applies_midway(fork, one):
            found.append(CureOption(one, _named(one.apply(fork.experiment), one), fork.parent(made), fork))
    return found


def _named(cured: Experiment, cure: Cure) -> Experiment:
    """Return the experiment under a name that differs from that of the run without the cure."""
    name = f"{cured.name} with {cure.name}"
    return replace(cured, name=name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")


def _cure_of(offer: CureOffer) -> Cure:
    """Return the cure of an offer: a known one, or one for this experiment, which undoes several things at once."""
    if offer.key:
        return cure(offer.key)
    return Cure("", offer.name, offer.why, offer.price, lambda experiment: set_fields(experiment, offer.set))


def _fork_before_divergence(run: Path) -> Fork | None:
    """Return a fork from before the divergence of a run that diverged."""
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


def _applies_midway(fork: Fork, cure: Cure) -> bool:
    from gradtui.training.forks import check

    try:
        check(fork, cure.apply(fork.experiment))
    except ExperimentError:
        return False
    return True
