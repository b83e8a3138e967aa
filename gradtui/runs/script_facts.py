"""ScriptFacts hold what a recording knows beside its tables: what is trained, and whether gradients are cleared.

They are written as an event now and then, each time whole; the newest one counts.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gradtui.runs.events import Event

EVENT = "facts"
"""The kind of the event."""


class ScriptFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A ScriptFacts is what is known of a script's parameters at one step."""

    step: int = 0
    seen: int = 0
    """The number of steps whose gradients were looked at."""
    held: int = 0
    """The number of the models' parameters that take a gradient and that an optimizer holds."""
    unreached: tuple[str, ...] = ()
    """Those of them that have never been given a gradient, by name."""
    unreached_layers: tuple[str, ...] = ()
    """Their layers; in forward order, as all layers here."""
    foreign: int = 0
    """The number of tensors that an optimizer holds and that belong to no watched model."""
    unmoved: tuple[str, ...] = ()
    """The parameters that were given a gradient, that no optimizer holds, and that have not changed, by name."""
    unmoved_layers: tuple[str, ...] = ()
    unmoved_models: tuple[str, ...] = ()
    """The models, by the names under which they are watched, of which no optimizer holds a parameter, though gradients
    reach them; "" is the only one."""
    kept: int = 0
    """The number of steps that were made with the gradients of the step before still in them."""
    cleared: int = 0
    """The number of steps that were made with gradients that had been cleared since the step before."""
    first_kept: int = 0
    """The first step of those that were not cleared."""
    emptied: int = 0
    """The number of steps whose gradients had arrived, and were gone again when the optimizer took the step."""


def newest_facts(events: Iterable[Event]) -> ScriptFacts | None:
    """Return the newest facts among the events of a run; None where it has none that can be read."""
    found = None
    for event in events:
        if event["event"] == EVENT:
            try:
                found = msgspec.convert(dict(event), ScriptFacts)
            except msgspec.ValidationError:
                continue
    return found
