"""Define the table of optimizers with all facts about each of them.

To add an optimizer, write its row in `ROWS` and a factory of torch's in `gradtui/training/optimizers.py`.

Code outside this package adds a row with `register`, and the factory with `gradtui.training.optimizers.register`.
"""

from __future__ import annotations

from msgspec import Struct


class OptimizerKind(Struct, frozen=True, kw_only=True):
    """An OptimizerKind holds the facts about one rule that updates weights."""

    name: str
    """The name in experiment files."""
    title: str = ""
    """The name in texts; empty where it is the same."""
    state_tensors: int = 0
    """The numbers that the optimizer keeps for each weight, without the one for momentum."""
    takes_momentum: bool = False
    """This is true if the optimizer uses `momentum`, for which it keeps one more number for each weight."""

    def in_words(self) -> str:
        """Return the name for texts."""
        return self.title or self.name

    def states(self, momentum: float) -> int:
        """Return the numbers that it keeps for each weight with this momentum."""
        return self.state_tensors + int(self.takes_momentum and momentum > 0)


ROWS = (
    OptimizerKind(name="sgd", title="SGD", takes_momentum=True),
    OptimizerKind(name="adam", title="Adam", state_tensors=2),
    OptimizerKind(name="adamw", title="AdamW", state_tensors=2),
    OptimizerKind(name="rmsprop", title="RMSprop", state_tensors=1, takes_momentum=True),
)

OPTIMIZERS: dict[str, OptimizerKind] = {row.name: row for row in ROWS}
"""The optimizers by name, in the order in which the screens list them."""


def register(kind: OptimizerKind) -> None:
    """Add an optimizer to the table. Raises ValueError where the name is taken."""
    if kind.name in OPTIMIZERS:
        raise ValueError(f"the optimizer {kind.name!r} is registered already")
    OPTIMIZERS[kind.name] = kind
