"""Measure single steps in detail, as often as the sampling budget allows."""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np
import numpy.typing as npt
import torch

from gradtui import metrics
from gradtui.experiment import net_shape
from gradtui.probe.flat_gradients import GradientHistograms
from gradtui.probe.gradient_sizes import HISTOGRAM_STEPS
from gradtui.probe.layer_stats import FORWARD_SOURCES, WeightUpdate, samplers
from gradtui.probe.sampling_budget import SamplePlan, SamplingBudget, SparseRows, clock_of
from gradtui.probe.signals import SignalProbe
from gradtui.runs.histograms import TABLE, columns_of, to_row
from gradtui.runs.meta import TableMeta
from gradtui.runs.writer import RowSink
from gradtui.training.plane import PlaneRecorder
from gradtui.training.session import Session

TIME_SHARE = 0.03
"""The share of the training's time that all measuring may take."""
USUAL_STEPS = 5
"""The number of steps whose median tells how long a step takes without a sample."""
PLANNED_HISTOGRAMS = 25
"""The number of histograms of a shorter run, spread over the planned steps."""


class StepSampler:
    """A StepSampler decides which steps of a session are sampled, and records their metrics.

    These are all metrics that `gradtui.probe.layer_stats` computes, the gradient by time lag of recurrent nets, and at
    some of the sampled steps histograms of the gradients and, for data in the plane, what the net computes over it.
    """

    def __init__(self, session: Session, writer: RowSink) -> None:
        self.budget = SamplingBudget(TIME_SHARE)
        self.active = False
        """This is true if the current step is sampled."""
        self.clock = clock_of(session.device)
        self._session = session
        self._writer = writer
        self._probe = SignalProbe(session.net.layers, session.net, self.clock)
        self._histograms = HistogramRecorder(session, writer)
        self._plane = PlaneRecorder(session, writer)
        self._slopes = _learned_slopes(session)
        self._gradient_samplers = samplers("gradients")
        self._update_samplers = samplers("weights", "slopes")
        self._plan = SamplePlan(session.exp.run.steps, self.budget)
        self._forced = False
        self._step = 0
        """The number of steps before the current one."""
        self._before: torch.Tensor | None = None
        """The weights before the current step."""
        self._rows: dict[str, npt.ArrayLike] = {}
        """The values measured so far in the current step, by metric."""
        self._seconds = 0.0
        self._usual: deque[float] = deque(maxlen=USUAL_STEPS)
        """The seconds that the newest steps without a sample took, without their measuring."""

    def begin(self, *, sample: bool) -> None:
        """Begin a step, and sample it if that is due or `sample` asks for it."""
        self._forced = sample
        self._step = self._session.step
        self.active = sample or self.budget.due() or self._plan.due(self._step)
        if self.active:
            self._wait()
            self._probe.arm(timed=not self._usual)

    def after_forward(self) -> None:
        """Remove the forward hook, between a sampled step's forward and backward pass."""
        self._probe.after_forward()

    def after_backward(self, scale: float) -> None:
        """Compute the metrics of a sampled step's two passes; `scale` is the factor of the mean loss."""
        signals = self._probe.collect(scale)
        begin = self.clock()
        self._before = self._session.flat.weights.clone()
        self._rows = {**signals.layers, **signals.lags}
        self._seconds = self._probe.seconds + self.clock() - begin

    def before_clip(self) -> None:
        """Measure a sampled step's gradients as they are recorded: with penalties, unscaled and before clipping."""
        begin = self.clock()
        self._histograms.count(self._session.step + 1, forced=self._forced)
        self._plane.measure_if_due(self._session.step + 1, forced=self._forced)
        if self._gradient_samplers:
            self._rows |= {
                one.name: torch.as_tensor(one.compute(self._session.flat.pieces)).cpu().numpy()
                for one in self._gradient_samplers
            }
        self._seconds += self.clock() - begin

    def write(self, step: int, moment: float, *, moved: bool) -> None:
        """Write the rows of a sampled step; rows about the update only where weights were `moved`."""
        assert self._before is not None
        begin = self.clock()
        flat = self._session.flat
        norms = flat.layer_norms(self._before)
        change = flat.layer_norms(self._before.sub_(flat.weights)) if moved else None
        update = WeightUpdate(norms, change, self._slopes)
        self._rows |= {one.name: one.compute(update) for one in self._update_samplers}
        for name, values in self._rows.items():
            if values is not None:
                self._writer.append(name, step, values, moment)
        self._histograms.write(step, moment)
        self._plane.write(step, moment)
        self._before = None
        self._wait()
        self._seconds += self.clock() - begin

    def count(self, seconds: float, every_step: float) -> None:
        """Add the cost of a step: its total seconds, and those that measuring at every step took."""
        sample = None
        if self.active:
            sample = self._seconds
            if self._usual:
                # The cost of hooks and of a GPU's kernels is known only as the difference to the time of other steps.
                sample = max(sample, seconds - every_step - median(self._usual))
        else:
            self._usual.append(seconds - every_step)
        self.budget.add(seconds - every_step - (sample or 0.0), every_step, sample)
        if sample is not None:
            self._plan.taken(self._step)

    def _wait(self) -> None:
        if self._session.device.type == "cuda":
            torch.cuda.synchronize(self._session.device)


class HistogramRecorder:
    """A HistogramRecorder records the histograms of all layers' gradients, at few sampled steps to save disk space."""

    def __init__(self, session: Session, writer: RowSink) -> None:
        self._histograms = GradientHistograms(session.flat)
        self._writer = writer
        self._sparse = SparseRows(session.exp.run.steps, PLANNED_HISTOGRAMS, HISTOGRAM_STEPS)
        self._row: np.ndarray | None = None

    def count(self, step: int, *, forced: bool) -> None:
        """Count the gradients of a step, once they are measured and before they are clipped, if that is due or
        `forced`."""
        if forced or self._sparse.due(step):
            self._row = to_row(self._histograms.count())

    def write(self, step: int, moment: float) -> None:
        """Write the row of a step, if its gradients were counted."""
        if self._row is not None:
            self._writer.append(TABLE, step, self._row, moment)
            self._sparse.written(step)
            self._row = None


def sampled_tables(session: Session) -> dict[str, TableMeta]:
    """Return the tables of sampled metrics, for run.json."""
    layers = tuple(layer.name for layer in session.net.layers)
    sampled = samplers(*FORWARD_SOURCES, "gradient flow", "gradients", "weights")
    if _learned_slopes(session):
        sampled += samplers("slopes")
    tables = {one.name: TableMeta(columns=layers, kind="layers") for one in sampled}
    recurrent = list(session.net.hidden_states)
    if recurrent:
        shapes = net_shape(session.exp, session.dataset.shape).layers
        lags = next(shape.output[0] for shape in shapes if shape.name == recurrent[-1])
        columns = tuple(str(lag) for lag in range(lags))
        by_lag = [metric.name for metric in metrics.registered() if metric.axis == "lag"]
        tables |= {name: TableMeta(columns=columns, kind="lags") for name in by_lag}
    tables[TABLE] = TableMeta(columns=columns_of(layers), kind="histograms")
    return tables


def _learned_slopes(session: Session) -> dict[int, torch.Tensor]:
    """Return the learned slopes, by the index of their layer."""
    found = ((index, layer.activation) for index, layer in enumerate(session.net.layers))
    return {index: module.weight for index, module in found if isinstance(module, torch.nn.PReLU)}
