"""Measure update ratios at some of the steps: how far the weights move, relative to their size."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradtui.monitor.distributed.reducers import RankPart, RankReducer
from gradtui.monitor.run_writer import ScriptRunWriter
from gradtui.monitor.step_record import ParameterLayout
from gradtui.monitor.watched import WatchedOptimizer
from gradtui.probe.gradient_sizes import evenly_spaced
from gradtui.probe.host_copy import HostCopyQueue
from gradtui.probe.layer_stats import WeightUpdate, samplers
from gradtui.probe.norms import dense, gradient_norms

COPIED_NUMBERS = 1 << 24
"""The most numbers that are copied to measure how far the weights move (64 MiB in float32).

In a larger model each parameter gets an even share of them; of a larger parameter, evenly spaced numbers are copied.
"""
LEAST_COPIED_NUMBERS = 4096
"""The smallest share of a parameter."""

Norms = NDArray[Any] | Tensor


class _Copies(NamedTuple):
    """A _Copies holds copies of the weights that one optimizer is about to move."""

    places: NDArray[Any]
    """The index of each weight among the optimizer's parameters."""
    copies: list[Tensor]
    norms: Norms


class _OptimizerUpdate(NamedTuple):
    """An _OptimizerUpdate holds the norms of what one optimizer moved in a step, (parameters,) each."""

    positions: NDArray[Any]
    """The position of every parameter of the optimizer, which may be set after the first step."""
    places: NDArray[Any]
    weights: Norms
    """The norms of the whole parameters before the step."""
    sampled: Norms
    """The norms of the numbers that were copied."""
    change: Norms
    """The norms of the changes of these numbers."""


class LayerUpdates(NamedTuple):
    """LayerUpdates holds the norms of each layer's weights before a step, and of their changes, (layers,) each."""

    weights: NDArray[Any]
    change: NDArray[Any]

    @property
    def norms(self) -> NDArray[Any]:
        """Return the norms of weights and then of changes, in one array."""
        return np.concatenate(self)

    def with_norms(self, norms: NDArray[Any]) -> LayerUpdates:
        """Return updates with other norms, in the order of `norms`."""
        return LayerUpdates(*np.split(norms, 2))


class UpdateRatioSampler:
    """An UpdateRatioSampler measures single steps of all optimizers that take one in a round.

    `update_ratio` is the norm of a step's change over the norm of the weights before it, NaN where that is 0;
    `weight_norm` is the latter.
    """

    def __init__(
        self, writer: ScriptRunWriter, device: torch.device, reducer: RankReducer | None, parameters: int
    ) -> None:
        """`parameters` is the number of all parameters of the models."""
        self._writer = writer
        self._reducer = reducer
        self._layout = ParameterLayout(())
        self._share = max(LEAST_COPIED_NUMBERS, COPIED_NUMBERS // max(1, parameters))
        self._host_copies: HostCopyQueue[tuple[int, float, list[_OptimizerUpdate]]] = HostCopyQueue(device)
        self._copies: dict[int, _Copies] = {}
        self._updates: list[_OptimizerUpdate] = []

    @property
    def waiting(self) -> bool:
        """Return whether any numbers are on their way to the host."""
        return self._host_copies.waiting

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics that are sampled."""
        return tuple(one.name for one in samplers("weights"))

    def configure(self, layout: ParameterLayout) -> None:
        """Set which parameters belong to which layer."""
        self._layout = layout

    @torch.no_grad()
    def before_step(self, watched: WatchedOptimizer) -> None:
        """Copy weights that an optimizer is about to move."""
        found = watched.tensors()
        moving = [p is not None and p.grad is not None for p in found]
        weights = [dense(p) for p, moves in zip(found, moving, strict=True) if p is not None and moves]
        copies = [self._sample(weight).clone() for weight in weights]
        self._copies[watched.number] = _Copies(np.flatnonzero(moving), copies, gradient_norms(weights))

    @torch.no_grad()
    def after_step(self, watched: WatchedOptimizer) -> None:
        """Measure how far the copied weights have moved."""
        taken = self._copies.pop(watched.number, None)
        if taken is None or not taken.copies:
            return
        sampled = gradient_norms(taken.copies)
        found = watched.tensors()
        for place, copy in zip(taken.places.tolist(), taken.copies, strict=True):
            if (parameter := found[place] if place < len(found) else None) is not None:
                copy.sub_(self._sample(dense(parameter)))
        change = gradient_norms(taken.copies)
        self._updates.append(_OptimizerUpdate(watched.positions, taken.places, taken.norms, sampled, change))

    def send(self, step: int, moment: float) -> None:
        """Send the norms of a round that is complete to the host."""
        updates, self._updates, self._copies = self._updates, [], {}
        if not updates:
            return
        parts = [torch.as_tensor(norms) for update in updates for norms in update[2:]]
        device = next((part.device for part in parts if part.device.type != "cpu"), torch.device("cpu"))
        joined = torch.cat([part.double().to(device, non_blocking=True) for part in parts])
        values = joined.numpy() if device.type == "cpu" else joined
        self._host_copies.send((step, moment, updates), values, [])

    def catch_up(self, *, wait: bool = False) -> None:
        """Write what has arrived on the host; with `wait`, wait for all that was sent."""
        for (step, moment, updates), (values, _) in self._host_copies.receive(wait=wait):
            by_layer = self._by_layer(updates, values)
            if self._reducer is None:
                self._write(step, moment, by_layer)
            else:
                self._reducer.add("samples", RankPart(step, moment, by_layer))
        if self._reducer is not None:
            for step, moment, by_layer in self._reducer.take_reduced("samples"):
                self._write(step, moment, by_layer)

    def _write(self, step: int, moment: float, updates: LayerUpdates) -> None:
        update = WeightUpdate(updates.weights, updates.change)
        for one in samplers("weights"):
            self._writer.append(one.name, step, one.compute(update), moment)

    def _by_layer(self, updates: list[_OptimizerUpdate], values: NDArray[Any]) -> LayerUpdates:
        count = self._layout.parameters
        weights, change, present = np.zeros(count), np.zeros(count), np.zeros(count, bool)
        at = 0
        for update in updates:
            positions = update.positions[update.places]
            size = len(positions)
            whole, sampled, moved = values[at : at + 3 * size].reshape(3, size)
            at += 3 * size
            relative = np.divide(moved, sampled, out=np.zeros(size), where=sampled != 0)
            # If all numbers were copied this is the measured change, which also holds for a parameter of zeros.
            moved = np.where(sampled != 0, relative * whole, moved)
            weights[positions] = self._layout.counted(whole, positions)
            change[positions] = self._layout.counted(moved, positions)
            present[positions] = True
        return LayerUpdates(self._layout.fold(weights, present), self._layout.fold(change, present))

    def _sample(self, weight: Tensor) -> Tensor:
        return evenly_spaced(weight, self._share)
