"""What it costs a training to have the gradients of all its layers recorded, by gradtui and by others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median, quantiles
from subprocess import Popen
from typing import NamedTuple

from gradtui.bench.errors import CannotMeasure
from gradtui.bench.home import Home
from gradtui.bench.measured import Measured
from gradtui.bench.peers.kinds import BARE, KINDS, MODELS, installed
from gradtui.bench.processes import descendants, wait_idle

TURNS = {"mlp": (40, 10), "transformer": (30, 3), "residual": (10, 1)}
"""Of each model how often it is each kind's turn, and for how many steps."""
STILL = 10.0
"""Seconds that may be waited for whoever still writes after its turn."""
BUDGETS = {
    ("mlp", "every-step"): 1.06,
    ("mlp", "budget"): 1.01,
    ("transformer", "every-step"): 1.01,
    ("transformer", "budget"): 1.01,
    ("residual", "budget"): 1.01,
}


class Turn(NamedTuple):
    """Seconds of some steps."""

    passed: float
    worked: float
    """Of the processor."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """By turns, in an order that is drawn for each round: what keeps the machine busy does so for all. A ratio is
    that of two turns of one round; the figure is the median of all rounds, and between the quartiles lies half of them.

    The processor's time is that of all threads of the training's process: less than what one waits for where
    writing is left to others (wandb has a process for that), but the same on a busy machine as on an idle one.
    """
    for model in ["mlp"] if quick else MODELS:
        yield from _compare(home, model, quick)


def _compare(home: Home, model: str, quick: bool) -> Iterator[Measured]:
    kinds = installed()
    rounds, steps = (4, 5) if quick else TURNS[model]
    with ExitStack() as stack:
        trainers = {
            kind: stack.enter_context(
                home.running("gradtui.bench.peers.trainer", model, kind, str(home.path / f"{model}-{kind}"))
            )
            for kind in kinds
        }
        for kind in kinds:
            # Imports, caches, and what is set up at the first steps.
            _turn(trainers[kind], kind, 3)
        turns: list[dict[str, Turn]] = []
        draw = random.Random(0)
        for _ in range(rounds):
            order = draw.sample(kinds, len(kinds))
            turns.append({kind: _turn(trainers[kind], kind, steps) for kind in order})
        sizes = {kind: _end(trainers[kind], kind) for kind in kinds}
    for kind in kinds:
        what = f"{MODELS[model]}: {KINDS[kind].text}"
        if kind == BARE:
            yield Measured(what, 1000 * median(taken[BARE].passed for taken in turns) / steps, "ms a step")
            continue
        yield _ratio(
            what, [taken[kind].passed / taken[BARE].passed for taken in turns], BUDGETS.get((model, kind))
        )
        yield _ratio(f"{what}, processor", [taken[kind].worked / taken[BARE].worked for taken in turns])
        if sizes[kind]:
            yield Measured(f"{what}, on disk", sizes[kind], "B a step")


def _ratio(what: str, ratios: list[float], budget: float | None = None) -> Measured:
    low, middle, high = quantiles(ratios, n=4, method="inclusive")
    return Measured(what, middle, "×", budget, spread=(low, high))


def _turn(trainer: Popen[bytes], kind: str, steps: int) -> Turn:
    assert trainer.stdin is not None
    try:
        trainer.stdin.write(f"{steps}\n".encode())
        trainer.stdin.flush()
    except OSError:
        pass  # What it says, or does not say, is looked at next.
    turn = Turn(*_answer(trainer, kind, 2))
    if KINDS[kind].needs:
        # What it has left to threads and processes of its own must not fall into the next one's turn.
        wait_idle([trainer.pid, *descendants(trainer.pid)], STILL)
    return turn


def _end(trainer: Popen[bytes], kind: str) -> float:
    """Bytes a step."""
    assert trainer.stdin is not None
    trainer.stdin.close()
    (size,) = _answer(trainer, kind, 1)
    return size


def _answer(trainer: Popen[bytes], kind: str, count: int) -> list[float]:
    assert trainer.stdout is not None
    numbers = [float(word) for word in trainer.stdout.readline().split()]
    if len(numbers) != count:
        raise CannotMeasure(f"{KINDS[kind].text}: it has ended")
    return numbers
