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
    adaptive: bool = False
    """This is true if a step depends only on how gradients compare with earlier ones, not on their size."""
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
    OptimizerKind(name="adam", title="Adam", adaptive=True, state_tensors=2),
    OptimizerKind(name="adamw", title="AdamW", adaptive=True, state_tensors=2),
    OptimizerKind(name="rmsprop", title="RMSprop", adaptive=True, state_tensors=1, takes_momentum=True),
)

USUAL_RATES = {"lion": 1e-4, "adam": 1e-3, "rmsprop": 1e-3, "adagrad": 1e-2}
"""The usual rates of adaptive optimizers, by a part of the name of the class that a script uses."""
USUAL_SGD_RATE = 0.05


def usual_rate_of(class_name: str) -> float | None:
    """Return the usual learning rate of a script's optimizer if it is known to be adaptive, else None."""
    return next((rate for word, rate in USUAL_RATES.items() if word in class_name.lower()), None)


OPTIMIZERS: dict[str, OptimizerKind] = {row.name: row for row in ROWS}
"""The optimizers by name, in the order in which the screens list them."""


def register(kind: OptimizerKind) -> None:
    """Add an optimizer to the table. Raises ValueError where the name is taken."""
    if kind.name in OPTIMIZERS:
        raise ValueError(f"the optimizer {kind.name!r} is registered already")
    OPTIMIZERS[kind.name] = kind
