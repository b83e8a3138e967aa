"""Train presets with the trainer itself, and read their run folders."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from gradtui.experiment import resolve, set_fields
from gradtui.runs.events import Event
from gradtui.runs.reader import Run, open_run
from gradtui.runs.summary import Floats
from gradtui.training.launch import create_run
from gradtui.training.process import train_folder


class Trained:
    """A run that has ended."""

    def __init__(self, folder: Path) -> None:
        self.run: Run = open_run(folder)
        self.status = self.run.status.state
        self.log = self.run.log_tail(1000)
        """What the trainer printed."""

    @property
    def ending(self) -> Event:
        """Return the evaluation at the end, on the whole of both sets."""
        return [event for event in self.run.events() if event["event"] == "evaluation"][-1]

    @property
    def accuracy(self) -> float:
        """On the training set."""
        return float(self.ending["train_accuracy"])

    @property
    def error(self) -> float:
        """Return the loss on the training set."""
        return float(self.ending["train_loss"])

    @property
    def chance(self) -> float:
        """Return the loss of guessing."""
        assert self.run.meta is not None
        assert self.run.meta.chance_loss is not None
        return self.run.meta.chance_loss

    @property
    def signals(self) -> Floats:
        """RMS gradient of the output of every layer (layers,) at step 1."""
        steps, rms = self.run.layers("output_grad_rms")
        assert steps[0] == 1
        return np.asarray(rms[0], float)

    @property
    def d0(self) -> float:
        """log10 of the gradient at the first hidden layer over the last, at step 1."""
        return float(np.log10(self.signals[0] / self.signals[-2]))

    @property
    def lags(self) -> Floats:
        """log10 of the hidden state's gradient at the longest lag over lag 0, at each step looked at (n,)."""
        lags = self.run.layers("hidden_grad")[1].astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log10(lags[:, -1] / lags[:, 0]))

    @property
    def dead(self) -> float:
        """Fraction of dead units in the worst layer, at the end."""
        return float(np.nanmax(self.run.layers("dead_fraction")[1][-1]))

    @property
    def moved(self) -> float:
        """Median over the steps of the first layer's update, as a share of its weights."""
        return float(np.nanmedian(self.run.layers("update_ratio")[1][:, 0]))

    @property
    def swings(self) -> float:
        """Standard deviation of the loss over its chance level."""
        return float(self.run.scalars("loss")[1].std() / self.chance)

    @property
    def nan_step(self) -> int:
        """Return the first step whose loss is not finite; 0 if all are."""
        steps, losses = self.run.scalars("loss")
        return int(next((step for step, loss in zip(steps, losses, strict=True) if not np.isfinite(loss)), 0))


class Trainings:
    """Trains on demand, and the same thing only once.

    In one process for all, because to import torch takes longer than most recipes do.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._done: dict[object, Trained] = {}
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def __call__(self, preset: str, seed: int, **changes: Any) -> Trained:
        """`changes` by dotted path with __ for the dot."""
        fields = {path.replace("__", "."): value for path, value in changes.items()}
        # On the CPU and in one thread, as RECIPES.md's figures were measured.
        fields |= {"seed": seed, "run.device": "cpu", "run.threads": 1}
        key = preset, *sorted(fields.items())
        if key not in self._done:
            folder = create_run(set_fields(resolve(preset), fields), self._root)
            self._pool.submit(train_folder, folder).result()
            self._done[key] = Trained(folder)
        return self._done[key]

    def mean_accuracy(self, preset: str, seeds: Iterable[int], **changes: Any) -> float:
        """On the training set, over those seeds."""
        return fmean(self(preset, seed, **changes).accuracy for seed in seeds)

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()
