"""Compute the figures of a training with plain numpy from its tables, without code of the diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradtui.runs.reader import Run

REGRESSION = "adding"
"""The only task of the set without classes."""


@dataclass(frozen=True)
class Figures:
    """A Figures has the figures of one finished run."""

    loss: float
    """On the whole training set at the end, over that of guessing; infinite where it is not finite."""
    answers: float
    """On the training set: 0 is guessing, 1 always right; NaN for a regression."""
    first_loss: float
    """That of the first batch, over that of guessing."""
    worst_loss: float
    """The highest of a batch after the first quarter, over that of guessing."""
    highest_loss: float
    """The highest of any batch."""
    broke: int
    """The first step whose loss or gradient is not finite; 0 if there is none."""
    drop: float
    """log10 of the gradient at the first hidden layer over the last, at the first step …"""
    last_drop: float
    """… and at the end."""
    lag: float
    """log10 of the gradient at the longest time lag over lag 0, at the first step; 0 for nets without lags."""
    spread: float
    """Decades between the largest and the smallest gradient of hidden layers at the first step."""
    dead: float
    """The share of the ReLU-like units that are dead at the end; 0 where none can die …"""
    dead_layer: float
    """… and that of the worst layer."""
    saturated: float
    """The share of outputs at the flat ends in the worst sigmoid or tanh layer at the end; 0 where there is none."""
    silent: float
    """The share of the steps in which the gradient of the first hidden layer is exactly 0."""
    cut_off: int
    """The number of layers whose gradient is exactly 0 in every step."""
    clipped: float
    """The median of the gradient's norm after clipping over before."""
    update: float
    """The update over the weights of a layer, median over steps and layers."""

    @property
    def learned(self) -> bool:
        """Return whether it is clearly better than guessing on the training data."""
        return self.loss <= 0.7 or (self.answers >= 0.4 and self.loss < 1.5)

    @property
    def stuck(self) -> bool:
        """Return whether it is no better than guessing, or hardly so."""
        return self.loss >= 0.9 and not self.answers >= 0.25


def figures_of(run: Run) -> Figures:
    """Return the figures of a run that has ended."""
    assert run.meta is not None
    chance = float(run.meta.chance_loss or np.nan)
    exp = run.experiment
    assert exp is not None
    losses = run.scalars("loss")[1].astype(float) / chance
    norms = run.layers("grad_norm")[1].astype(float)
    signals = _along_the_path(run)
    evaluated = [event for event in run.events() if event["event"] == "evaluation"][-1:]
    end = [(float(event["train_loss"]), float(event["train_accuracy"])) for event in evaluated]
    loss, accuracy = end[0] if end else (np.inf, np.nan)
    guess = np.nan if exp.data.source == REGRESSION else float(np.exp(-chance))
    with np.errstate(all="ignore"):
        moved = np.array([_middle(column) for column in _table(run, "update_ratio").T])
        bad = ~(np.isfinite(losses) & np.isfinite(norms).all(axis=1))
        clipped = run.scalars("grad_norm_clipped")[1] / run.scalars("grad_norm")[1]
        first = signals[np.isfinite(signals).all(axis=1) & (signals > 0).all(axis=1)][:1]
        return Figures(
            loss=loss / chance if np.isfinite(loss) else np.inf,
            answers=(accuracy - guess) / (1 - guess),
            first_loss=float(losses[0]),
            worst_loss=_highest(losses[len(losses) // 4 :]),
            highest_loss=_highest(losses),
            broke=int(np.flatnonzero(bad)[0]) + 1 if bad.any() else 0,
            drop=_drop(signals[0]),
            last_drop=float(np.median([_drop(row) for row in signals[-3:]])),
            lag=_lag(run),
            spread=float(np.ptp(np.log10(first))) if first.size else np.inf,
            dead=_share(_table(run, "dead_fraction"), np.nanmean),
            dead_layer=_share(_table(run, "dead_fraction"), np.nanmax),
            saturated=_share(_table(run, "saturated_fraction"), np.nanmax),
            silent=float((norms[:, _path(run)[0]] == 0).mean()),
            cut_off=int((norms == 0).all(axis=0).sum()),
            clipped=_middle(clipped),
            update=_middle(moved),
        )


def _table(run: Run, name: str) -> np.ndarray:
    return run.layers(name)[1].astype(float)


def _path(run: Run) -> list[int]:
    """Hidden layers that can be compared: the last of each block, by their names."""
    names = list(run.layer_names)[:-1]
    last = names[-1].partition(".")[2]
    return [index for index, name in enumerate(names) if name.partition(".")[2] == last]


def _along_the_path(run: Run) -> np.ndarray:
    return _table(run, "output_grad_rms")[:, _path(run)]


def _drop(row: np.ndarray) -> float:
    return float(np.log10(row[0] / row[-1]))


def _lag(run: Run) -> float:
    table = run.table_or_empty("hidden_grad")
    if not table.columns:
        return 0.0
    row = table.read(0, 1)["values"][0].astype(float)
    return float(np.log10(row[-1] / row[0]))


def _middle(values: np.ndarray) -> float:
    """Return the median without NaN; NaN where there is nothing else."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else np.nan


def _share(table: np.ndarray, worst: Callable[[np.ndarray], np.floating]) -> float:
    row = table[-1]
    return float(worst(row)) if np.isfinite(row).any() else 0.0


def _highest(losses: np.ndarray) -> float:
    known = np.where(np.isfinite(losses), losses, np.inf)
    return float(known.max()) if len(known) else np.inf
