"""Define the facts about a script beside its tables: which parameters are trained, and whether gradients are cleared.

They are written as an event from time to time, each time as a whole; the newest event counts.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gradtui.runs.events import Event

EVENT = "facts"
"""The kind of the event that holds the facts."""


class ScriptFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A ScriptFacts holds the facts about a script's parameters at one step."""

    step: int = 0
    seen: int = 0
    """The number of steps whose gradients were checked."""
    held: int = 0
    """The number of the models' parameters that require a gradient and that an optimizer holds."""
    unreached: tuple[str, ...] = ()
    """The names of those parameters that have never received a gradient."""
    unreached_layers: tuple[str, ...] = ()
    """The layers of those parameters, in forward order."""
    foreign: int = 0
    """The number of tensors in optimizers that belong to no watched model."""
    unchanged: bool = False
    """Whether no parameter of the models has changed since the watching began."""
    unmoved: tuple[str, ...] = ()
    """The names of the parameters that received a gradient, that no optimizer holds, and that have not changed."""
    unmoved_layers: tuple[str, ...] = ()
    unmoved_models: tuple[str, ...] = ()
    """The names, as they are watched, of models that receive gradients but have no parameter in an optimizer; "" is the
    name of an only model."""
    kept: int = 0
    """The number of steps whose gradients still contained those of the step before."""
    cleared: int = 0
    """The number of steps whose gradients were cleared after the step before."""
    first_kept: int = 0
    """The first step whose gradients were not cleared."""
    clips_between: int = 0
    """The number of steps before which the script clipped gradients after their backward pass."""
    clips_elsewhere: int = 0
    """The number of steps before which it clipped gradients only before their backward pass."""
    emptied: int = 0
    """The number of steps whose gradients were computed and then cleared before the optimizer took the step."""


def newest_facts(events: Iterable[Event]) -> ScriptFacts | None:
    """Return the newest facts among the events of a run; None if it has none that can be read."""
    found = None
    for event in events:
        if event["event"] == EVENT:
            try:
                found = msgspec.convert(dict(event), ScriptFacts)
            except msgspec.ValidationError:
                continue
    return found
