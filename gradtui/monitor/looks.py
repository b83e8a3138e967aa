"""Closer looks at some of the steps: how far the weights moved, and how large they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradtui.monitor.activations import Activations
from gradtui.monitor.journal import Journal
from gradtui.monitor.parts import Part, Parts
from gradtui.monitor.rounds import Layout
from gradtui.monitor.stepping import Stepping
from gradtui.probe.host_copy import HostCopyQueue
from gradtui.probe.layer_stats import WeightUpdate, forward_metrics, samplers
from gradtui.probe.norms import dense, gradient_norms
from gradtui.probe.sampling_budget import SamplingBudget

NUMBERS = 1 << 24
"""Weights that are copied to see how far they move (64 MiB of float32). Of larger models each parameter gets an
even share, and of one that is larger than its share so many numbers, evenly spaced, stand for all."""
FEWEST = 4096
"""… but no fewer than so many of each."""

Norms = NDArray[Any] | Tensor


class _Move(NamedTuple):
    """One optimizer's step."""

    positions: NDArray[Any]
    weights: Norms
    """Norms of the parameters before it."""
    sampled: Norms
    """Of the numbers that stand for them, before it …"""
    change: Norms
    """… and of how far these moved."""


class _Moves(NamedTuple):
    """A round's, on the host."""

    weights: NDArray[Any]
    """(layers,) norms of the weights before it …"""
    change: NDArray[Any]
    """… and of how far they moved."""

    @property
    def norms(self) -> NDArray[Any]:
        """Both, one after the other."""
        return np.concatenate(self)

    def with_norms(self, norms: NDArray[Any]) -> _Moves:
        """Others in their place."""
        return _Moves(*np.split(norms, 2))


class Looks:
    """Measures single steps, of all optimizers that take one in a round.

    `update_ratio` is the norm of a step's change over the norm of the weights before it, NaN where that is 0;
    `weight_norm` is the latter.
    """

    def __init__(
        self,
        journal: Journal,
        device: torch.device,
        thinning: SamplingBudget,
        parts: Parts,
        activations: Activations | None = None,
    ) -> None:
        """`activations` are looked at too, where they are wanted; that waits for the device."""
        self._parts = parts
        self._activations = activations
        self.armed = False
        """Whether activations are being looked at."""
        self.thinning = thinning
        self.due = True
        self._journal = journal
        self._layout = Layout(())
        self._most = NUMBERS
        self._transfer: HostCopyQueue[tuple[int, float, list[_Move]]] = HostCopyQueue(device)
        self._copies: dict[int, tuple[NDArray[Any], list[Tensor], Norms]] = {}
        self._moves: list[_Move] = []

    @property
    def waiting(self) -> bool:
        """Whether anything is on its way."""
        return self._transfer.waiting

    @property
    def measures(self) -> tuple[str, ...]:
        """What is recorded."""
        weights = tuple(one.name for one in samplers("weights"))
        return weights if self._activations is None else (*weights, *forward_metrics())

    def plan(self, step: int) -> None:
        """Decide whether to look at that step, which is the next."""
        self.due = self._parts.due("looks", step, self.thinning)
        if self.due and self._activations is not None:
            self.armed = True
            self._activations.arm()

    def configure(self, layout: Layout) -> None:
        """Say which layers there are."""
        self._layout = layout
        self._most = max(FEWEST, NUMBERS // max(1, layout.parameters))

    def before(self, watched: Stepping) -> None:
        """Before an optimizer moves the weights: copy some of them."""
        with torch.no_grad():
            self._copy(watched)

    def _copy(self, watched: Stepping) -> None:
        found = [reference() for reference in watched.parameters]
        moving = [p is not None and p.grad is not None for p in found]
        weights = [dense(p) for p, moves in zip(found, moving, strict=True) if p is not None and moves]
        copies = [self._sample(weight).clone() for weight in weights]
        self._copies[watched.number] = (watched.positions[moving], copies, gradient_norms(weights))

    def after(self, watched: Stepping) -> None:
        """After it: how far they moved."""
        taken = self._copies.pop(watched.number, None)
        if taken is None or not len(taken[1]):
            return
        with torch.no_grad():
            self._compare(watched, *taken)

    def _compare(
        self, watched: Stepping, positions: NDArray[Any], copies: list[Tensor], weights: Norms
    ) -> None:
        kept = dict(zip(positions.tolist(), copies, strict=True))
        sampled = gradient_norms(copies)
        for position, reference in zip(watched.positions.tolist(), watched.parameters, strict=True):
            parameter = reference()
            if parameter is not None and position in kept:
                kept[position].sub_(self._sample(dense(parameter)))
        self._moves.append(_Move(positions, weights, sampled, gradient_norms(copies)))

    def send(self, step: int, moment: float, scale: float) -> None:
        """The round is complete. `scale`: what a scaler has multiplied the loss by."""
        if self.armed and self._activations is not None:
            self.armed = False
            for name, values in self._activations.collect(scale).items():
                self._journal.row(name, step, values, moment)
        moves, self._moves, self._copies = self._moves, [], {}
        if not moves:
            return
        parts = [torch.as_tensor(norms) for move in moves for norms in move[1:]]
        device = next((part.device for part in parts if part.device.type != "cpu"), torch.device("cpu"))
        joined = torch.cat([part.double().to(device, non_blocking=True) for part in parts])
        self._transfer.send((step, moment, moves), joined.numpy() if device.type == "cpu" else joined, [])

    def catch_up(self, *, wait: bool = False) -> None:
        """Write what has arrived."""
        for (step, moment, moves), (values, _) in self._transfer.receive(wait=wait):
            self._parts.add("looks", Part(step, moment, self._unpack(moves, values)))
        for step, moment, (weights, change) in self._parts.whole("looks"):
            update = WeightUpdate(weights, change)
            for one in samplers("weights"):
                self._journal.row(one.name, step, one.compute(update), moment)

    def _unpack(self, moves: list[_Move], values: NDArray[Any]) -> _Moves:
        count = self._layout.parameters
        weights, change, present = np.zeros(count), np.zeros(count), np.zeros(count, bool)
        at = 0
        for move in moves:
            size = len(move.positions)
            whole, sampled, moved = values[at : at + 3 * size].reshape(3, size)
            at += 3 * size
            share = np.divide(moved, sampled, out=np.zeros(size), where=sampled != 0)
            # Where no number was left out this is what was measured; a parameter of zeros has moved all the same.
            moved = np.where(sampled != 0, share * whole, moved)
            weights[move.positions] = self._layout.counted(whole, move.positions)
            change[move.positions] = self._layout.counted(moved, move.positions)
            present[move.positions] = True
        return _Moves(self._layout.fold(weights, present), self._layout.fold(change, present))

    def _sample(self, weight: Tensor) -> Tensor:
        count = weight.numel()
        stride = -(-count // self._most)
        if stride <= 1:
            return weight
        return weight.reshape(-1)[::stride]
