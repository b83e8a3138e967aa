"""What broke a run, in a line or two for each step that did."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from gradtui.words import figure

if TYPE_CHECKING:
    from gradtui.runs.events import Event

SHOWN = 8
"""Examples of the batch that are named; the event names all of them."""
NAMES = {"loss": "the loss", "grad_norm": "the gradient's norm"}


class Break(NamedTuple):
    """A step that broke a run, in words."""

    step: int
    what: str
    """Of which number one saw it, and in which layer."""
    batch: str
    """The examples that it was taken on."""


def breaks(events: Iterable[Event]) -> Iterator[Break]:
    """The steps that broke the run, without those that it was taken back behind."""
    standing: list[Event] = []
    for event in events:
        if event["event"] == "broke":
            standing.append(event)
        elif event["event"] == "rewound":
            standing = [one for one in standing if one["step"] <= event["step"]]
    for event in standing:
        what = f"{_what(event)}; {_where(event)}"
        yield Break(event["step"], what, f"on {_examples(event['batch'])} of the training set")


def lines(events: Iterable[Event]) -> Iterator[Text]:
    """The same, as a report has it."""
    for step, what, batch in breaks(events):
        yield Text(f"broke     step {step:,}: {what}", "yellow")
        yield Text(f"{'':<10}{batch}", "dim")


def _what(event: Event) -> str:
    value = event[event["measure"]]
    if event["reason"] == "blow-up":
        return f"{NAMES[event['measure']]} rose to {figure(value)}, usually {figure(event['usual'])}"
    before = event["before"]
    after = f" after {figure(before)}" if event["measure"] == "loss" and math.isfinite(before) else ""
    return f"{NAMES[event['measure']]} is {figure(value)}{after}"


def _where(event: Event) -> str:
    if event["reason"] == "blow-up":
        return f"{event['layer']} has the longest gradient"
    way = "input" if event["part"] == "output" else "output"
    return f"first, from the {way} on, in the {event['part']} of {event['layer']}"


def _examples(batch: Sequence[int]) -> str:
    if len(batch) <= SHOWN:
        return f"examples {', '.join(map(str, batch))}"
    return f"examples {', '.join(map(str, batch[:SHOWN]))} … ({len(batch):,})"
