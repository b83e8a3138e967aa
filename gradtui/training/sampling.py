"""The closer looks at single steps, as often as their share of the time allows."""

from __future__ import annotations

import numpy as np
import torch

from gradtui.experiment import net_shape
from gradtui.probe.signals import MEASURES, SignalProbe
from gradtui.probe.thinning import Thinning, clock_of
from gradtui.runs.meta import TableMeta
from gradtui.training.histograms import Histograms, histogram_table
from gradtui.training.rows import TakesRows
from gradtui.training.session import Session

SHARE = 0.03
"""Of the training's time, for everything that is recorded …"""
LOOKS = 25
"""… but that many samples, spread over the planned steps, where they take no more than"""
ALLOWANCE = 0.4
"""seconds in all: a run of two seconds would else show four rows of activations, to save what nobody feels."""


class Sampler:
    """Records signals, update ratios and weight norms of the steps that it is asked to look at, and of some
    of them the histograms of the gradients.

    `update_ratio` is the norm of the step's change over the norm of the weights before it, NaN where that is
    0; `weight_norm` is the latter. `slope` is what learned slopes (PReLU) are at then, NaN in other layers.
    """

    def __init__(self, session: Session, writer: TakesRows) -> None:
        self.thinning = Thinning(SHARE)
        self.active = False
        """Whether the step under way is being looked at."""
        self._session = session
        self._writer = writer
        self.clock = clock_of(session.device)
        self._probe = SignalProbe(session.net.layers, session.net, self.clock)
        self._histograms = Histograms(session, writer)
        self._asked = False
        self._before: torch.Tensor | None = None
        self._seconds = 0.0
        self._every = max(1, session.exp.run.steps // LOOKS)
        self._slopes = _slopes(session)

    def begin(self, *, sample: bool) -> None:
        """Begin a step, and sample it if that is due or `sample` asks for it."""
        self._asked = sample
        self.active = sample or self.thinning.due() or self._allowed()
        if self.active:
            self._wait()
            self._probe.arm()

    def _allowed(self) -> bool:
        """Whether this step is one of LOOKS, and they are still cheap."""
        return self._session.step % self._every == 0 and self.thinning.samples < ALLOWANCE

    def after_forward(self) -> None:
        """Between a sampled step's forward and backward."""
        self._probe.after_forward()

    def after_backward(self, scale: float) -> None:
        """Take what a sampled step's backward pass showed; `scale` is what the mean loss was multiplied by."""
        signals = self._probe.collect(scale)
        begin = self.clock()
        self._before = self._session.flat.weights.clone()
        self._signals = signals
        self._seconds = self._probe.seconds + self.clock() - begin

    def before_clip(self) -> None:
        """When a sampled step's gradients are as they are recorded: with penalties, unscaled, unclipped."""
        begin = self.clock()
        self._histograms.look(self._session.step + 1, asked=self._asked)
        self._seconds += self.clock() - begin

    def write(self, step: int, moment: float, *, moved: bool) -> None:
        """Write the rows of a sampled step; `update_ratio` only where it has `moved` the weights."""
        assert self._before is not None
        begin = self.clock()
        flat = self._session.flat
        weights = flat.layer_norms(self._before)
        if moved:
            change = flat.layer_norms(self._before.sub_(flat.weights))
            ratio = np.divide(change, weights, out=np.full_like(change, np.nan), where=weights != 0)
            self._writer.append("update_ratio", step, ratio, moment)
        self._write(step, weights, moment)
        self._wait()
        self._seconds += self.clock() - begin

    def _write(self, step: int, weights: np.ndarray, moment: float) -> None:
        layers = self._signals.layers
        for name in MEASURES:
            self._writer.append(name, step, layers[name], moment)
        self._writer.append("weight_norm", step, weights, moment)
        if self._slopes:
            slopes = np.full(len(weights), np.nan)
            slopes[list(self._slopes)] = torch.stack(
                [w.detach().mean() for w in self._slopes.values()]
            ).tolist()
            self._writer.append("slope", step, slopes, moment)
        if self._signals.hidden_grad is not None:
            self._writer.append("hidden_grad", step, self._signals.hidden_grad, moment)
        self._histograms.write(step, moment)
        self._before = None

    def count(self, seconds: float, every_step: float) -> None:
        """After every step: what it took in all, and what the recording of every step took of that."""
        known = self.thinning.steps > 0
        sample = None
        if self.active:
            # The calls of hooks, and a GPU's kernels, show only in what this step took longer than others.
            usual = self.thinning.training / self.thinning.steps if known else seconds
            sample = max(self._seconds, seconds - every_step - usual)
        self.thinning.add(seconds - every_step - (sample or 0.0), every_step, sample)

    def _wait(self) -> None:
        if self._session.device.type == "cuda":
            torch.cuda.synchronize(self._session.device)


def _slopes(session: Session) -> dict[int, torch.Tensor]:
    """The learned slopes, by the index of their layer."""
    found = ((index, layer.activation) for index, layer in enumerate(session.net.layers))
    return {index: module.weight for index, module in found if isinstance(module, torch.nn.PReLU)}


def sampled_tables(session: Session) -> dict[str, TableMeta]:
    """The tables of what is sampled, as they stand in run.json."""
    layers = tuple(layer.name for layer in session.net.layers)
    tables = {
        name: TableMeta(columns=layers, kind="layers") for name in (*MEASURES, "update_ratio", "weight_norm")
    }
    if _slopes(session):
        tables["slope"] = TableMeta(columns=layers, kind="layers")
    recurrent = list(session.net.hidden_states)
    if recurrent:
        shapes = net_shape(session.exp, session.dataset.shape).layers
        lags = next(shape.output[0] for shape in shapes if shape.name == recurrent[-1])
        tables["hidden_grad"] = TableMeta(columns=tuple(str(lag) for lag in range(lags)), kind="lags")
    return tables | histogram_table(layers)
