"""Measure the gradients of the backward passes before an optimizer's first step, when nothing is watched yet.

The first step is the first sign of an optimizer. By then the script may have clipped the gradients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from gradtui.monitor.gradients import GradNorms, versions_of
from gradtui.monitor.graph import nodes_behind
from gradtui.probe.norms import gradient_norms

MOST_PASSES = 256
"""The most passes that are measured in a process, which may never make an optimizer."""


class EarlyPasses:
    """An EarlyPasses measures the gradients of all leaves of a pass when it has ended, and keeps no leaf alive."""

    def __init__(self, on_over: Callable[[], None]) -> None:
        """`on_over` is called when no further pass is to be measured."""
        self._on_over = on_over
        self._left = MOST_PASSES
        self._leaves: dict[int, Tensor] = {}
        self._depth = 0
        self._wanted: set[int] | None = None
        self._places: dict[int, int] = {}
        self._norms: np.ndarray | Tensor = np.zeros(0)
        self._versions: tuple[list[int], list[int]] = ([], [])

    def begin(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Take the arguments of the pass that begins, and find its leaves."""
        self._depth += 1
        with contextlib.suppress(Exception):
            given = args[0] if args else kwargs.get("tensors")
            roots = given if isinstance(given, list | tuple) else [given]
            for node in nodes_behind([root for root in roots if isinstance(root, Tensor)]):
                leaf = getattr(node, "variable", None)
                if leaf is not None and (self._wanted is None or id(leaf) in self._wanted):
                    self._leaves[id(leaf)] = leaf

    def end(self) -> None:
        """Measure the gradients of a pass that has ended; a pass within another one ends with the other."""
        self._depth -= 1
        if self._depth:
            return
        leaves, self._leaves = self._leaves, {}
        with contextlib.suppress(Exception):
            reached = {number: grad for number, leaf in leaves.items() if (grad := leaf.grad) is not None}
            if reached:
                self._places = {number: place for place, number in enumerate(reached)}
                gradients = list(reached.values())
                self._versions = (list(map(id, gradients)), versions_of(gradients))
                self._norms = gradient_norms(gradients)
        self._left -= 1
        if not self._left:
            self._places = {}
            self._on_over()

    def norms_of(self, parameters: Sequence[Tensor | None]) -> GradNorms | None:
        """Return the norms that these parameters had at the end of the newest pass; None if it reached none of them."""
        places = [self._places.get(id(p), -1) for p in parameters]
        found = [place for place in places if place >= 0]
        if not found:
            return None
        ids, versions = self._versions
        norms = self._norms[torch.tensor(found) if isinstance(self._norms, Tensor) else np.array(found)]
        measured = ([ids[place] for place in found], [versions[place] for place in found])
        return GradNorms(norms, np.array(places) >= 0, measured)

    def wait_for(self, optimizers: Iterable[Optimizer]) -> None:
        """Measure from now on only the parameters of these optimizers; end if there are none."""
        self._wanted = {id(p) for one in optimizers for group in one.param_groups for p in group["params"]}
        # Of the others, later passes are not measured.
        self._places = {number: place for number, place in self._places.items() if number in self._wanted}
        if not self._wanted:
            self._on_over()
