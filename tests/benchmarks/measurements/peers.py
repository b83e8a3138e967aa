"""Measure what recording the gradients of all layers costs a training, with gradtui and with others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median, quantiles
from subprocess import Popen
from typing import NamedTuple

from tests.benchmarks.figures import CannotMeasure, Measured
from tests.benchmarks.home import Home
from tests.benchmarks.peers.kinds import BARE, KINDS, MODELS, installed
from tests.benchmarks.processes import descendants, wait_idle

TURNS = {"mlp": (40, 10), "transformer": (30, 3), "residual": (10, 1)}
"""For each model: the number of rounds, and the steps of a turn."""
STILL = 10.0
"""The longest wait in seconds for a recorder that still writes after its turn."""
BUDGETS = {
    ("mlp", "every-step"): 1.06,
    ("mlp", "budget"): 1.02,
    ("transformer", "every-step"): 1.01,
    ("transformer", "budget"): 1.02,
    ("residual", "every-step"): 1.03,
    ("residual", "budget"): 1.02,
}


class Turn(NamedTuple):
    """The seconds that some steps took."""

    passed: float
    worked: float
    """CPU seconds."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Let the kinds take turns, in a new random order for each round, so that other load slows all of them.

    A ratio compares two turns of one round; the figure is the median of all rounds, with its quartiles. The CPU time
    is that of all threads of the training's process: it leaves out processes that write for it (wandb has one), but
    is the same on a busy machine as on an idle one.
    """
    for model in ["mlp"] if quick else MODELS:
        yield from _compare(home, model, quick)


def _compare(home: Home, model: str, quick: bool) -> Iterator[Measured]:
    kinds = installed()
    rounds, steps = (4, 5) if quick else TURNS[model]
    with ExitStack() as stack:
        trainers = {
            kind: stack.enter_context(
                home.running(
                    "tests.benchmarks.peers.trainer", model, kind, str(home.path / f"{model}-{kind}")
                )
            )
            for kind in kinds
        }
        for kind in kinds:
            # These steps do the imports, fill the caches and set the recorder up.
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
            yield Measured(what, 1000 * median(taken[BARE].passed for taken in turns) / steps, "ms per step")
            continue
        yield _ratio(
            what, [taken[kind].passed / taken[BARE].passed for taken in turns], BUDGETS.get((model, kind))
        )
        yield _ratio(f"{what}, processor", [taken[kind].worked / taken[BARE].worked for taken in turns])
        if sizes[kind]:
            yield Measured(f"{what}, on disk", sizes[kind], "B per step")


def _ratio(what: str, ratios: list[float], budget: float | None = None) -> Measured:
    low, middle, high = quantiles(ratios, n=4, method="inclusive")
    return Measured(what, middle, "×", budget, spread=(low, high))


def _turn(trainer: Popen[bytes], kind: str, steps: int) -> Turn:
    assert trainer.stdin is not None
    try:
        trainer.stdin.write(f"{steps}\n".encode())
        trainer.stdin.flush()
    except OSError:
        pass  # A trainer that has ended is noticed by its missing answer.
    turn = Turn(*_answer(trainer, kind, 2))
    if KINDS[kind].needs:
        # What its threads and processes still write must not fall into the next one's turn.
        wait_idle([trainer.pid, *descendants(trainer.pid)], STILL)
    return turn


def _end(trainer: Popen[bytes], kind: str) -> float:
    """End a trainer and return its bytes per step."""
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
