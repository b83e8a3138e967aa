"""Where in time and depth the person looks: said by any chart, obeyed by all."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message


@dataclass
class Travelled(Message):
    """The person wishes to see the run as it was after that step; None is as it is now."""

    step: int | None
