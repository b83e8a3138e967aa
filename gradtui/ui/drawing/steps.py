"""What the inside of a block is told in: operations, and the paths between them."""

from __future__ import annotations

from dataclasses import dataclass

CARRIED, GATED = 0, 1
"""Lanes beside the branch: what goes around it, and within that a highway's gate."""


@dataclass(frozen=True)
class Row:
    """One operation."""

    name: str
    text: str = ""
    note: str = ""
    parameters: int = 0
    curve: str = ""
    weights: bool = False
    """Whether it is a layer of weights; else it stands about one."""
    looped: bool = False
    """Whether it is done anew at every step of a sequence."""


@dataclass(frozen=True)
class Wire:
    """The signal between two things."""

    text: str = ""


@dataclass(frozen=True)
class Chain:
    """Operations one after another, by layers."""

    layers: tuple[tuple[Row, ...], ...]


@dataclass(frozen=True)
class Fork:
    """A second path leaves."""

    lane: int
    text: str
    short: str
    """The same where there is little room."""
    parameters: int = 0


@dataclass(frozen=True)
class Mark:
    """Something is done to the signal on its wire."""

    sign: str
    text: str
    parameters: int = 0


@dataclass(frozen=True)
class Merge:
    """The second path comes back."""

    lane: int
    sign: str
    text: str = ""


Step = Wire | Chain | Fork | Mark | Merge


IDENTITY = Fork(CARRIED, "identity", "identity")
ALPHA = Mark("×", "α, learned, starts at 0", 1)


@dataclass(frozen=True)
class Inside:
    """A block, step by step, and the others of its group."""

    steps: tuple[Step, ...]
    repeat: int
    """How many blocks are exactly like this one; 1 where the others differ."""
    others: str = ""
    """Of the others, where they differ."""

    @property
    def parameters(self) -> int:
        """Of the block, added up from what is drawn."""
        total = 0
        for step in self.steps:
            if isinstance(step, Chain):
                total += sum(row.parameters for layer in step.layers for row in layer)
            elif isinstance(step, Fork | Mark):
                total += step.parameters
        return total
