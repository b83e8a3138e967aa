"""Measure, at some of the steps, the numbers of the layers' gradients, and what the optimizer remembers of them.

The values are put together by layer on their device and copied to the host without waiting, histograms of the gradients
too. Where processes hold parts of the parameters, nothing is measured: a largest number and a cosine of parts do not
add up to those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradtui.absent import ABSENT
from gradtui.monitor.guard import reason_of, warn
from gradtui.monitor.layers import ParameterRef, WatchedLayer
from gradtui.monitor.run_writer import ScriptRunWriter
from gradtui.monitor.watched import WatchedOptimizer
from gradtui.probe.gradient_sizes import (
    HISTOGRAM_PLACES,
    HISTOGRAM_STEPS,
    OptimizerMoments,
    count_sizes,
    evenly_spaced,
    moments_of,
)
from gradtui.probe.host_copy import HostCopyQueue
from gradtui.probe.layer_stats import MetricSampler, samplers
from gradtui.probe.norms import dense
from gradtui.probe.sampling_budget import SparseRows
from gradtui.runs import histograms
from gradtui.runs.meta import TableMeta

MOST_NUMBERS = 1 << 12
"""The most numbers of one parameter of which the optimizer's memory is measured: of more, evenly spaced ones."""
FIRST_ROUNDS, EVERY = 2, 4
"""The first FIRST_ROUNDS sampled steps are measured, then one in EVERY, so that update ratios, which findings need and
which take a third of the time, are sampled often enough."""
COUNTED_NUMBERS, FEWEST_COUNTED = 1 << 18, 1 << 10
"""The most numbers of a whole model of which histograms are made, and the smallest share of a parameter in them. Of a
parameter with more numbers evenly spaced ones are counted."""
FIRST, SECOND = ("exp_avg", "momentum_buffer"), ("exp_avg_sq",)
"""The names of the first and of the second moment in the states of optimizers."""


class LayerSampler:
    """A LayerSampler measures the metrics of the sources "gradients" and "optimizer" of a script's sampled steps."""

    def __init__(self, writer: ScriptRunWriter, device: torch.device, *, sharded: bool) -> None:
        """Measure nothing where other processes hold parts of the parameters."""
        self._writer = writer
        self._copies: HostCopyQueue[tuple[int, float, list[str], list[np.ndarray]]] = HostCopyQueue(device)
        self._layers: list[tuple[ParameterRef, ...]] = []
        self._moment_samplers: list[MetricSampler] = []
        self._over = sharded
        self._gradients: dict[int, tuple[np.ndarray, dict[str, Any], Any]] = {}
        """By optimizer, the layers that were measured, their values and the factor of a gradient scaler."""
        self._moments: list[OptimizerMoments] = []
        self._rounds = 0
        self._sizes: dict[int, tuple[np.ndarray, Tensor]] = {}
        """By optimizer, the layers whose numbers were counted, and how many there are of each size."""
        self._size_copies: HostCopyQueue[tuple[int, float, np.ndarray]] = HostCopyQueue(device)
        self._sparse = SparseRows(HISTOGRAM_STEPS, 1)
        self._counted_each = COUNTED_NUMBERS
        self._counting = False

    def configure(
        self, layers: Sequence[WatchedLayer], optimizers: Sequence[WatchedOptimizer]
    ) -> dict[str, TableMeta]:
        """Set the layers, and return the tables that will be recorded. Call it after the first step."""
        if self._over:
            return {}
        self._layers = [layer.parameters for layer in layers]
        parameters = sum(map(len, self._layers))
        self._counted_each = max(FEWEST_COUNTED, COUNTED_NUMBERS // max(1, parameters))
        kinds = {
            kind
            for watched in optimizers
            if (optimizer := watched.get()) is not None
            for state in optimizer.state.values()
            for kind, names in (("first", FIRST), ("second", SECOND))
            if _moment(state, names) is not None
        }
        self._moment_samplers = [
            one
            for one in samplers("optimizer")
            if ("second" if one.name == "second_moment" else "first") in kinds
        ]
        names = tuple(layer.name for layer in layers)
        sampled = (*samplers("gradients"), *self._moment_samplers)
        return {
            **{one.name: TableMeta(columns=names) for one in sampled},
            histograms.TABLE: TableMeta(columns=histograms.columns_of(names), kind="histograms"),
        }

    def after_backward(self, watched: WatchedOptimizer, scale: Tensor | None, step: int) -> None:
        """Measure the gradients that an optimizer is to be given; of several passes before a step the last counts.

        `scale` is the factor by which a gradient scaler has multiplied the loss; it is left on its device. `step` is
        the number of the step.
        """
        self._try(lambda: self._measure_gradients(watched, scale, step))

    def has_gradients(self, watched: WatchedOptimizer) -> bool:
        """Return whether the gradients of the optimizer's present step have been measured."""
        return watched.number in self._gradients

    def after_step(self, watched: WatchedOptimizer) -> None:
        """Measure what an optimizer remembers after its step."""
        if self._moment_samplers:
            self._try(lambda: self._measure_moments(watched))

    def _try(self, measure: Callable[[], None]) -> None:
        # Unusual kinds of tensors may lack an operation; the norms are recorded all the same.
        if self._over or not self._layers or (self._rounds >= FIRST_ROUNDS and self._rounds % EVERY):
            return
        try:
            with torch.no_grad():
                measure()
        except Exception as error:
            self._over = True
            warn(f"gradtui records no samples of gradients and optimizers: {reason_of(error)}", level=5)

    def _measure_gradients(self, watched: WatchedOptimizer, scale: Tensor | None, step: int) -> None:
        if not self._gradients:
            self._counting = self._sparse.due(step)
        moved = set(map(id, watched.tensors()))
        found, layers = [], []
        for at, references in enumerate(self._layers):
            parameters = [p for reference in references if (p := reference()) is not None]
            gradients = [dense(p.grad) for p in parameters if p.grad is not None]
            if gradients and any(id(p) in moved for p in parameters):
                layers.append(at)
                found.append(gradients)
        if found:
            values = {one.name: one.compute(found) for one in samplers("gradients")}
            self._gradients[watched.number] = np.array(layers), values, scale
            if self._counting:
                counts = count_sizes(found, self._counted_each, scale)
                self._sizes[watched.number] = np.array(layers), counts

    def _measure_moments(self, watched: WatchedOptimizer) -> None:
        optimizer = watched.get()
        moved = set(map(id, watched.tensors()))
        if optimizer is None:
            return
        found: list[list[tuple[Tensor, Tensor | None, Tensor]]] = []
        for references in self._layers:
            layer = []
            for reference in references:
                parameter = reference()
                if parameter is None or id(parameter) not in moved or parameter.grad is None:
                    continue
                state = optimizer.state.get(parameter)
                first = _moment(state, FIRST)
                if first is not None and first.shape == parameter.shape:
                    second = _moment(state, SECOND)
                    # A moment has all the numbers of its parameter, of which a sparse gradient holds some.
                    gradient = parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
                    layer.append(
                        (_sample(first), None if second is None else _sample(second), _sample(gradient))
                    )
            found.append(layer)
        if any(found):
            self._moments.append(moments_of(found))

    def send(self, step: int, timestamp: float) -> None:
        """Send the values of a round that is complete to the host."""
        gradients, moments = list(self._gradients.values()), self._moments
        self._rounds += bool(self._layers)
        self._gradients, self._moments = {}, []
        self._send_sizes(step, timestamp)
        names: list[str] = []
        places: list[np.ndarray] = []
        parts: list[Tensor] = []
        for layers, values, scale in gradients:
            for one in samplers("gradients"):
                value = torch.as_tensor(values[one.name]).double()
                if scale is not None and one.scales_with_loss:
                    value = value / scale.to(value.device, non_blocking=True)
                names.append(one.name)
                places.append(layers)
                parts.append(value)
        if moments:
            whole = OptimizerMoments(*(sum(parts[1:], parts[0]) for parts in zip(*moments, strict=True)))
            for one in self._moment_samplers:
                names.append(one.name)
                places.append(np.arange(len(self._layers)))
                parts.append(one.compute(whole))
        if not parts:
            return
        device = next((part.device for part in parts if part.device.type != "cpu"), torch.device("cpu"))
        joined = torch.cat([part.double().to(device, non_blocking=True) for part in parts])
        self._copies.send((step, timestamp, names, places), joined.numpy() if joined.is_cpu else joined, [])

    def _send_sizes(self, step: int, timestamp: float) -> None:
        sizes, self._sizes = list(self._sizes.values()), {}
        if sizes:
            device = next((counts.device for _, counts in sizes if not counts.is_cpu), torch.device("cpu"))
            counts = torch.cat([counts.to(device, non_blocking=True) for _, counts in sizes])
            layers = np.concatenate([layers for layers, _ in sizes])
            self._size_copies.send((step, timestamp, layers), counts.numpy() if counts.is_cpu else counts, [])
            self._sparse.written(step)

    @property
    def waiting(self) -> bool:
        """Return whether any numbers are on their way to the host."""
        return self._copies.waiting or self._size_copies.waiting

    def catch_up(self, *, wait: bool = False) -> None:
        """Write what has arrived on the host; with `wait`, wait for all that was sent."""
        for (step, timestamp, layers), (counted, _) in self._size_copies.receive(wait=wait):
            counts = np.zeros((len(self._layers), HISTOGRAM_PLACES))
            counts[layers] = counted.reshape(-1, HISTOGRAM_PLACES)
            self._writer.append(histograms.TABLE, step, histograms.to_row(counts), timestamp)
        for (step, timestamp, names, places), (values, _) in self._copies.receive(wait=wait):
            rows: dict[str, np.ndarray] = {}
            at = 0
            for name, layers in zip(names, places, strict=True):
                row = rows.setdefault(name, np.full(len(self._layers), ABSENT))
                row[layers] = values[at : at + len(layers)]
                at += len(layers)
            for name, row in rows.items():
                self._writer.append(name, step, row, timestamp)


def _moment(state: Any, names: Sequence[str]) -> Tensor | None:
    known = state if isinstance(state, dict) else {}
    found = next((value for name in names if isinstance(value := known.get(name), Tensor)), None)
    # Quantised states hold whole numbers that mean something only with their scales.
    return found if found is not None and (found.is_floating_point() or found.is_complex()) else None


def _sample(numbers: Tensor) -> Tensor:
    return evenly_spaced(dense(numbers), MOST_NUMBERS)
