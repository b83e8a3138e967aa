"""Describe the steps at which a run diverged, each in a sentence or two."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gradtui.words import figure

if TYPE_CHECKING:
    from gradtui.runs.events import Event

EXAMPLES_SHOWN = 8
"""The most examples of the batch that are named; the event has all of them."""

_QUANTITIES = {"loss": "the loss", "grad_norm": "the gradient norm"}


class RecordedDivergence(NamedTuple):
    """A RecordedDivergence describes one step at which the loss or the gradient became non-finite or blew up."""

    step: int
    kind: str
    """What happened, in a word: "NaN" if a number was not finite, "jump" if it was only far too large."""
    what: str
    """The number that showed the divergence, and its layer."""
    batch: str
    """The examples in the batch of that step."""


def divergences(events: Iterable[Event]) -> Iterator[RecordedDivergence]:
    """Yield the divergences of a run, except those that a rollback has undone."""
    standing: list[Event] = []
    for event in events:
        if event["event"] == "broke":
            standing.append(event)
        elif event["event"] == "rewound":
            standing = [one for one in standing if one["step"] <= event["step"]]
    for event in standing:
        yield RecordedDivergence(
            event["step"],
            divergence_word(event),
            f"{_what(event)}; {_where(event)}",
            f"on {_examples(event['batch'])} of the training set",
        )


def divergence_word(event: Event) -> str:
    """Return in a word what a divergence was: NaN, or a jump of a finite number, from which a run may recover."""
    return "jump" if event.get("reason") == "blow-up" else "NaN"


def _what(event: Event) -> str:
    value = event[event["measure"]]
    if event["reason"] == "blow-up":
        return f"{_QUANTITIES[event['measure']]} jumped to {figure(value)} (median before: {figure(event['usual'])})"
    before = event["before"]
    what = f"{_QUANTITIES[event['measure']]} became {'NaN' if math.isnan(value) else 'infinite'}"
    known = event["measure"] == "loss" and math.isfinite(before)
    return f"{what} ({figure(before)} at the step before)" if known else what


def _where(event: Event) -> str:
    if event["reason"] == "blow-up":
        return f"the largest gradient is in {event['layer']}"
    return f"first seen in the {event['part']} of {event['layer']}"


def _examples(batch: Sequence[int]) -> str:
    if len(batch) <= EXAMPLES_SHOWN:
        return f"examples {', '.join(map(str, batch))}"
    return f"examples {', '.join(map(str, batch[:EXAMPLES_SHOWN]))} … ({len(batch):,} in all)"
