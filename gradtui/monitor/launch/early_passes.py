"""Measure the gradients of the backward passes before an optimizer's first step, when nothing is watched yet.

The first step shows which model an optimizer trains. By then the script may have clipped the gradients, and the graph
of its loss is gone. So the roots of these passes are kept, too.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterable, Sequence
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from gradtui.monitor.backward_root import BackwardRoot, root_of
from gradtui.monitor.gradients import GradNorms, versions_of
from gradtui.monitor.graph import nodes_behind
from gradtui.probe.norms import gradient_norms

MOST_PASSES = 256
"""The most passes that are measured before one optimizer's first step: a process may never make one."""


class _Running(threading.local):
    """A _Running holds the leaves of the pass that a thread is in, their gradients before it, and its root."""

    def __init__(self) -> None:
        self.depth = 0
        self.leaves: dict[int, Tensor] = {}
        self.before: dict[int, tuple[int, int]] = {}
        """By the id of a leaf: the id and the version of its gradient; nothing where it had none."""
        self.root: BackwardRoot | None = None


class EarlyPasses:
    """An EarlyPasses measures the gradients of all leaves of a pass when it has ended, and keeps no leaf alive."""

    def __init__(self) -> None:
        """Measure all passes until the first step of the process."""
        self.over = False
        """This is true while no pass is to be measured."""
        self._left = MOST_PASSES
        self._running = _Running()
        self._wanted: set[int] | None = None
        self._new: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        """Optimizers that were made since the first step, and whose parameters are not yet known."""
        self._known: dict[int, tuple[np.ndarray | Tensor, int, int, int]] = {}
        """By the id of a parameter: norms, its place among them, the id of its gradient, and the gradient's version."""
        self._roots: dict[int, dict[int, BackwardRoot | None]] = {}
        """By the id of a parameter: the roots of the passes that its gradient is from, by their numbers."""
        self._pass_count = 0

    def begin(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Take the arguments of the pass that begins, and find its leaves."""
        running = self._running
        running.depth += 1
        with contextlib.suppress(Exception):
            self._find_new()
            given = args[0] if args else kwargs.get("tensors")
            roots = given if isinstance(given, list | tuple) else [given]
            for node in nodes_behind([root for root in roots if isinstance(root, Tensor)]):
                leaf = getattr(node, "variable", None)
                if leaf is not None and (self._wanted is None or id(leaf) in self._wanted):
                    running.leaves[id(leaf)] = leaf
                    if leaf.grad is not None:
                        running.before.setdefault(id(leaf), (id(leaf.grad), versions_of([leaf.grad])[0]))
            if running.depth == 1 and running.leaves:
                running.root = root_of(args, kwargs, reads=True)

    def end(self) -> None:
        """Measure the gradients of a pass that has ended; a pass within another one ends with the other."""
        running = self._running
        running.depth -= 1
        if running.depth:
            return
        leaves, running.leaves = running.leaves, {}
        before, running.before = running.before, {}
        root, running.root = running.root, None
        with contextlib.suppress(Exception):
            reached = {number: grad for number, leaf in leaves.items() if (grad := leaf.grad) is not None}
            gradients = list(reached.values())
            norms, versions = gradient_norms(gradients), versions_of(gradients)
            self._pass_count += 1
            for place, (number, gradient) in enumerate(reached.items()):
                added_to = number in self._known and before.get(number) == self._known[number][2:]
                self._roots[number] = (self._roots[number] if added_to else {}) | {self._pass_count: root}
                self._known[number] = norms, place, id(gradient), versions[place]
        self._left -= 1
        if self._left <= 0:
            self._end()

    def _end(self) -> None:
        self._known, self._roots, self._wanted, self.over = {}, {}, set(), True

    def norms_of(self, parameters: Sequence[Tensor | None]) -> GradNorms | None:
        """Return the norms that these parameters had at the end of the newest pass; None if it reached none of them."""
        known = [self._known.get(id(p)) for p in parameters]
        found = [one for one in known if one is not None]
        if not found:
            return None
        single = [norms[place] for norms, place, _, _ in found]
        on_host = not any(isinstance(norm, Tensor) for norm in single)
        norms = np.array(single) if on_host else torch.stack([torch.as_tensor(norm) for norm in single])
        present = np.array([one is not None for one in known])
        return GradNorms(norms, present, ([one[2] for one in found], [one[3] for one in found]))

    def roots_of(self, parameters: Sequence[Tensor | None]) -> list[BackwardRoot | None]:
        """Return the roots of the passes that these parameters have their gradients from; None for an unknown root."""
        roots: dict[int, BackwardRoot | None] = {}
        for parameter in parameters:
            if parameter is not None and parameter.grad is not None:
                roots |= self._roots.get(id(parameter), {})
        return [roots[number] for number in sorted(roots)]

    def wait_for(self, optimizers: Iterable[Optimizer]) -> None:
        """Measure from now on only the parameters of these optimizers and of those that are yet to be made."""
        if self._wanted is None:
            _tell_of_new_optimizers(self)
        self._find_new()
        wanted = {id(p) for one in optimizers for group in one.param_groups for p in group["params"]}
        # Of the others, later passes are not measured.
        self._known = {number: one for number, one in list(self._known.items()) if number in wanted}
        self._roots = {number: one for number, one in list(self._roots.items()) if number in wanted}
        self._wanted, self._left = wanted, MOST_PASSES
        if not wanted:
            self._end()

    def add(self, optimizer: Optimizer) -> None:
        """Measure the passes before the first step of an optimizer that has just been made."""
        self._new.add(optimizer)
        self._left, self.over = MOST_PASSES, False

    def _find_new(self) -> None:
        """Find the parameters of new optimizers; they have none before their class has made them."""
        if self._wanted is not None:
            while self._new:
                groups = getattr(self._new.pop(), "param_groups", ())
                self._wanted |= {id(p) for group in groups for p in group["params"]}


def _tell_of_new_optimizers(early: EarlyPasses) -> None:
    original = Optimizer.__init__

    @wraps(original)
    def made(optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        original(optimizer, *args, **kwargs)
        early.add(optimizer)

    Optimizer.__init__ = made  # type: ignore[assignment,method-assign]
