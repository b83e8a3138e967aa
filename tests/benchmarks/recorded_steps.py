"""Compare the trainer's recorded steps with its unrecorded ones and with a plain torch loop.

``python -m tests.benchmarks.recorded_steps NET ROUNDS STEPS`` prints one net's cost as JSON; NET is dense or residual.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch

from gradtui import data, nets
from gradtui.data import loss_and_accuracy
from gradtui.experiment import Experiment, from_dict
from gradtui.training.controls import Controls, StopRequest
from gradtui.training.loop import Loop
from gradtui.training.recorder import Recorder, tables_of
from gradtui.training.session import Session, build
from gradtui.training.step import Stepper

BUDGET = 1.03
"""Largest ratio of a recorded step to a bare one."""

DENSE_50 = from_dict(
    {
        "name": "50 layers of 128, batch 64",
        "data": {"batch_size": 64},
        "net": [{"width": 128, "repeat": 49, "activation": "relu", "init": "he"}],
        "optimizer": {"lr": 0.001, "momentum": 0.9},
        "run": {"device": "cpu", "steps": 1_000_000_000},
    }
)
RESIDUAL_1000 = from_dict(
    {
        "name": "1,000 residual layers of 64, batch 32",
        "data": {"batch_size": 32},
        "net": [
            {"width": 64, "activation": "relu", "init": "he"},
            {
                "width": 64, "repeat": 499, "layers": 2, "order": "pre", "shortcut": "identity",
                "branch_gain": "depth", "activation": "relu", "init": "he",
            },
        ],
        "optimizer": {"lr": 0.001, "momentum": 0.9},
        "run": {"device": "cpu", "steps": 1_000_000_000},
    }
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """The median seconds of a step of each kind."""

    name: str
    bare: float
    """A plain torch loop: parameters and optimizer as torch has them by default, nothing recorded."""
    own: float
    """The trainer's own step, nothing recorded."""
    recorded: float
    """The trainer's own step: every layer recorded at every step, and some steps sampled."""
    bytes: float
    """Bytes on disk for each recorded step, with the coarser levels and the sampled tables."""

    @property
    def ratio(self) -> float:
        """Return the time of a recorded step over that of a bare one."""
        return self.recorded / self.bare


def cost_of(exp: Experiment, *, rounds: int = 20, steps: int = 10) -> Cost:
    """Measure in alternation, `rounds` times `steps` steps of each kind, so that a busy machine slows all of them."""
    with tempfile.TemporaryDirectory(prefix="gradtui-") as name:
        session = build(exp)
        recorder = Recorder(Path(name), session, tables_of(session))
        controls = Controls(Path(name), session, recorder.writer)
        loop = Loop(session, recorder, controls, StopRequest())
        kinds = [_bare(exp), _own(build(exp)), loop.step]
        times: list[list[float]] = [[], [], []]
        for turn in range(rounds + 1):
            for kind, taken in zip(kinds, times, strict=True):
                for _ in range(steps):
                    begin = time.perf_counter()
                    kind()
                    if turn:  # the first warms up
                        taken.append(time.perf_counter() - begin)
        recorder.close()
        size = sum(file.stat().st_size for file in Path(name).iterdir())
    bare, own, recorded = (median(taken) for taken in times)
    return Cost(exp.name, bare, own, recorded, size / session.step)


def _bare(exp: Experiment) -> Callable[[], None]:
    dataset = data.load(exp.data, exp.seed)
    net = nets.build(exp, dataset.shape, generator_seed=exp.seed)
    optimizer = torch.optim.SGD(net.parameters(), exp.optimizer.lr, momentum=exp.optimizer.momentum)
    batches = data.batches(dataset, exp.data.batch_size, exp.seed)
    measure = loss_and_accuracy(dataset.shape.task)

    def step() -> None:
        x, y = next(batches)
        optimizer.zero_grad()
        loss, _ = measure(net(x), y)
        torch.autograd.backward(loss)
        optimizer.step()

    return step


def _own(session: Session) -> Callable[[], None]:
    stepper = Stepper(session)
    unknown = torch.zeros(0).numpy()

    def step() -> None:
        loss, accuracy = stepper.forward()
        stepper.move(stepper.backward(loss), accuracy, unknown, 0.0)

    return step


def _main(net: str, rounds: int, steps: int) -> None:
    cost = cost_of({"dense": DENSE_50, "residual": RESIDUAL_1000}[net], rounds=rounds, steps=steps)
    print(json.dumps({**asdict(cost), "ratio": cost.ratio}))


if __name__ == "__main__":
    _main(sys.argv[1], *map(int, sys.argv[2:]))
