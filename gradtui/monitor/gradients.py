"""The gradients of the parameters that one optimizer moves: their norms, and whether they have changed since."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradtui.probe.norms import gradient_norms

Stamp = tuple[list[int], list[int]]
"""Of each gradient which tensor it is, and how often that was written to."""

SENTINELS = 2
"""Parameters that tell of a backward pass: the first and the last, for not every pass reaches all."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Norms at one moment."""

    norms: NDArray[Any] | Tensor
    """(present,) L2 norms in float64, on the host or on their device."""
    present: NDArray[np.bool_]
    """(parameters,): which had a gradient."""
    stamp: Stamp


class Mark(NamedTuple):
    """The tensor that holds a gradient, and how often it was written to."""

    gradient: weakref.ref[Tensor]
    version: int

    def goes_on(self, before: Mark) -> bool:
        """Whether the gradient is that of the mark before, untouched or added to once."""
        now = self.gradient()
        same = now is not None and before.gradient() is now
        return same and self.version - before.version in (0, 1)


class Gradients:
    """Reads gradients of parameters that belong to the script: it holds none of them."""

    def __init__(self, parameters: Sequence[weakref.ref[nn.Parameter]]) -> None:
        self._parameters = parameters
        self._all = np.ones(len(parameters), bool)
        self._all.setflags(write=False)

    def read(self) -> Reading:
        """The norms now, without waiting for a device."""
        present, gradients, stamp = self._look()
        return Reading(gradient_norms(gradients), present, stamp)

    def unchanged(self, since: Reading) -> bool:
        """Whether the gradients are those that were read; not where that cannot be told."""
        _, gradients, stamp = self._look()
        # What is done in place to a sharded tensor is not counted, neither with it nor with this process's part.
        return stamp == since.stamp and not any(hasattr(gradient, "placements") for gradient in gradients)

    def _look(self) -> tuple[NDArray[np.bool_], list[Tensor], Stamp]:
        found = [None if (p := reference()) is None else p.grad for reference in self._parameters]
        gradients = [gradient for gradient in found if gradient is not None]
        present = self._all
        if len(gradients) < len(found):
            present = np.fromiter((gradient is not None for gradient in found), bool, len(found))
        return present, gradients, (list(map(id, gradients)), _versions(gradients))


def _versions(tensors: Sequence[Tensor]) -> list[int]:
    try:
        return [tensor._version for tensor in tensors]
    except RuntimeError:
        # What was made in inference mode keeps no count.
        return [0] * len(tensors)


class Arrivals:
    """Calls back when a backward pass has brought gradients to some of the parameters.

    A hook on each of a few parameters asks the engine to call back at the end of the pass: before the script
    can clip or unscale. Hooks of parameters are neither copied nor saved with a model.
    """

    def __init__(
        self,
        parameters: Sequence[weakref.ref[nn.Parameter]],
        arrived: Callable[[], None],
        wanted: Callable[[], bool],
    ) -> None:
        """`wanted` says, while a pass is under way, whether to call back."""
        self._wanted = wanted
        self._arrived = arrived
        self._waiting = -1
        self._handles: list[Any] = []
        known = [p for reference in parameters if (p := reference()) is not None]
        # Of a lazy module a parameter is nothing yet, not even something to hang a hook on.
        trained = [p for p in known if p.requires_grad and not is_lazy(p)]
        chosen = {int(place) for place in np.linspace(0, len(trained) - 1, SENTINELS)} if trained else set()
        self._first = weakref.ref(trained[0]) if trained else None
        for place in sorted(chosen):
            hook = trained[place].register_post_accumulate_grad_hook(self._hook)  # type: ignore[no-untyped-call]
            self._handles.append(hook)

    @property
    def listening(self) -> bool:
        """Whether any parameter could be found to tell."""
        return bool(self._handles)

    def _hook(self, parameter: Tensor) -> None:
        try:
            if not self._wanted():
                return
            # Of a pass inside of another (checkpoints that re-enter) each is told of; the last one counts.
            task = torch._C._current_graph_task_id()
            if task != self._waiting:
                self._waiting = task
                _at_the_end(self._behind_others)
        except Exception:
            # Without this, the norms at the optimizer's step are all that is known.
            self.stop()

    def _behind_others(self) -> None:
        # DDP and FSDP bring their gradients in at the end of the pass too; they have queued up by now.
        try:
            _at_the_end(self._arrived)
        except Exception:
            self.stop()

    def mark(self) -> Mark | None:
        """What holds the first parameter's gradient now; None without one."""
        parameter = None if self._first is None else self._first()
        gradient = None if parameter is None else parameter.grad
        return None if gradient is None else Mark(weakref.ref(gradient), *_versions([gradient]))

    def stop(self) -> None:
        """Hear of no more."""
        self._wanted = _never

    def remove(self) -> None:
        """Take the hooks off. Not from within one of them."""
        self.stop()
        for handle in self._handles:
            handle.remove()


def _at_the_end(callback: Callable[[], None]) -> None:
    torch.autograd.Variable._execution_engine.queue_callback(callback)


def _never() -> bool:
    return False
