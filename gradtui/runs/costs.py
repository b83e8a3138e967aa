"""Read what a training costs beside its gradients from the events of its run."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gradtui.ordinary_files import in_bytes
from gradtui.runs.events import Event
from gradtui.words import step_time

EVENT = "cost"
"""The kind of the event, whose newest one counts."""


class RunCosts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RunCosts are what a process that is watched needed when it was last asked; None is what is not known."""

    step_seconds: float | None = None
    """The mean time of a step since the costs before."""
    memory: float | None = None
    """The bytes of this process that are in memory."""
    gpu_allocated: float | None = None
    """The bytes that torch's tensors take on the GPU."""
    gpu_reserved: float | None = None
    """The bytes that torch has taken of the GPU, for tensors now and later."""
    gpu_use: float | None = None
    """The share of the time in which the GPU was busy, as its driver tells it."""

    @property
    def known(self) -> bool:
        """Return whether any of them is known: the lab's own trainer tells none."""
        return self != RunCosts()

    def words(self) -> str:
        """Return them in one short line."""
        parts = []
        if self.step_seconds:
            parts.append(f"{step_time(self.step_seconds)}/step")
        if self.memory is not None:
            parts.append(in_bytes(round(self.memory)))
        if self.gpu_allocated is not None and self.gpu_reserved is not None:
            parts.append(f"GPU {in_bytes(round(self.gpu_allocated))} of {in_bytes(round(self.gpu_reserved))}")
        if self.gpu_use is not None:
            parts.append(f"GPU {self.gpu_use:.0%} busy")
        if self.step_seconds:
            # It comes last: a narrow pane has no room for it, and the first line of the screen says it too.
            per_second = 1 / self.step_seconds
            parts.append(f"{per_second:,.3g} steps/s" if per_second < 1000 else f"{per_second:,.0f} steps/s")
        return " · ".join(parts)


def newest_costs(events: Iterable[Event]) -> RunCosts:
    """Return the newest costs among the events of a run; what no event tells is None."""
    newest = next((event for event in reversed(list(events)) if event["event"] == EVENT), None)
    if newest is None:
        return RunCosts()
    try:
        return msgspec.convert(dict(newest), RunCosts)
    except msgspec.ValidationError:
        return RunCosts()
