"""Measure the gradients of the parameters that one optimizer moves: their norms, and whether they changed later."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter, call
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradtui.monitor.untraced import untraced
from gradtui.probe.norms import gradient_norms

HOOKED_PARAMETERS = 2
"""The number of parameters with a hook that reports a backward pass: both first and last, since a pass may not reach
all parameters."""

ONLY_TENSORS = {Tensor}
_gradient_of = attrgetter("grad")


@dataclass(frozen=True, eq=False)
class GradNorms:
    """GradNorms holds the norms of the gradients of some parameters at one moment."""

    norms: NDArray[Any] | Tensor
    """(present,) L2 norms in float64, on the host or on the device of the gradients."""
    present: NDArray[np.bool_]
    """(parameters,): which parameters had a gradient."""
    versions: tuple[list[int], list[int]]
    """For each gradient, the id of its tensor and the number of writes to it."""


class GradVersion(NamedTuple):
    """A GradVersion says which tensor holds a gradient, and how often it was written to."""

    gradient: weakref.ref[Tensor]
    version: int

    def continues(self, before: GradVersion) -> bool:
        """Return whether this is the gradient of an earlier version, unchanged or added to once."""
        now = self.gradient()
        same = now is not None and before.gradient() is now
        return same and self.version - before.version in (0, 1)


class Gradients:
    """Gradients reads the gradients of the script's parameters without keeping the parameters alive."""

    def __init__(self, parameters: Sequence[weakref.ref[nn.Parameter]]) -> None:
        self._parameters = parameters
        self._wide: set[int] = set()
        self._all_present = np.ones(len(parameters), bool)
        self._all_present.setflags(write=False)

    def read(self) -> GradNorms:
        """Return the norms of the gradients, without waiting for a device."""
        present, gradients, versions = self._find()
        return GradNorms(gradient_norms(gradients, self._wide), present, versions)

    def unchanged(self, since: GradNorms) -> bool:
        """Return whether the gradients are still those that were read; False where that is not known."""
        _, gradients, versions = self._find()
        if versions != since.versions:
            return False
        # An in-place change of a sharded tensor is not counted, neither in the tensor nor in this process's shard.
        return ONLY_TENSORS.issuperset(map(type, gradients)) or not any(
            hasattr(gradient, "placements") for gradient in gradients
        )

    def _find(self) -> tuple[NDArray[np.bool_], list[Tensor], tuple[list[int], list[int]]]:
        try:
            # This is done twice a step, so without a line of Python for each parameter.
            found = list(map(_gradient_of, map(call, self._parameters)))
        except AttributeError:
            # The script has dropped a parameter.
            found = [None if (p := reference()) is None else p.grad for reference in self._parameters]
        gradients = [gradient for gradient in found if gradient is not None]
        present = self._all_present
        if len(gradients) < len(found):
            present = np.fromiter((gradient is not None for gradient in found), bool, len(found))
        return present, gradients, (list(map(id, gradients)), _versions(gradients))


def _versions(tensors: Sequence[Tensor]) -> list[int]:
    try:
        return [tensor._version for tensor in tensors]
    except RuntimeError:
        # Tensors made in inference mode have no version.
        return [0] * len(tensors)


class BackwardHook:
    """A BackwardHook calls back at the end of each backward pass, before the script can clip or unscale gradients.

    It hooks a few parameters; the first that gets a gradient asks the autograd engine to call back at the end of
    the pass. Hooks on parameters are neither copied nor saved with a model.
    """

    def __init__(
        self,
        parameters: Sequence[weakref.ref[nn.Parameter]],
        on_end: Callable[[], None],
        wanted: Callable[[], bool],
    ) -> None:
        """Call `on_end` at the end of each pass for which `wanted`, called during the pass, returned True."""
        self._wanted = wanted
        self._on_end = on_end
        self._pass_id = -1
        self._handles: list[Any] = []
        known = [p for reference in parameters if (p := reference()) is not None]
        # A parameter of a lazy module takes no hook before its first forward pass.
        trained = [p for p in known if p.requires_grad and not is_lazy(p)]
        places = np.linspace(0, len(trained) - 1, HOOKED_PARAMETERS)
        self._first = weakref.ref(trained[0]) if trained else None
        for place in sorted({int(place) for place in places} if trained else ()):
            hook = trained[place].register_post_accumulate_grad_hook(self._accumulated)  # type: ignore[no-untyped-call]
            self._handles.append(hook)

    @property
    def attached(self) -> bool:
        """Return whether there was any parameter to hook."""
        return bool(self._handles)

    @untraced
    def _accumulated(self, parameter: Tensor) -> None:
        try:
            # With re-entrant checkpointing, passes run within passes: each calls back, and the last one counts.
            pass_id = running_pass()
            if pass_id != self._pass_id and self._wanted():
                self._pass_id = pass_id
                _call_at_end_of_pass(self._call_behind_others)
        except Exception:
            # Without this hook, the norms are only known at the optimizer's step.
            self.stop()

    @untraced
    def _call_behind_others(self) -> None:
        # DDP and FSDP also reduce their gradients at the end of the pass; their callbacks are already queued.
        try:
            _call_at_end_of_pass(self._on_end)
        except Exception:
            self.stop()

    def version(self) -> GradVersion | None:
        """Return the version of the first parameter's gradient; None where it has none."""
        parameter = None if self._first is None else self._first()
        gradient = None if parameter is None else parameter.grad
        return None if gradient is None else GradVersion(weakref.ref(gradient), *_versions([gradient]))

    @property
    def newest(self) -> bool:
        """Return whether no other watch has hooked the first parameter since."""
        parameter = None if self._first is None else self._first()
        hooks = getattr(parameter, "_post_accumulate_grad_hooks", None) or {}
        owners = [getattr(hook, "__self__", None) for hook in hooks.values()]
        ours = [owner for owner in owners if isinstance(owner, BackwardHook)]
        return bool(ours) and ours[-1] is self

    def weight_version(self) -> int:
        """Return how often the first parameter was written to; -1 where that is not known."""
        parameter = None if self._first is None else self._first()
        return -1 if parameter is None or parameter.is_inference() else parameter._version

    def stop(self) -> None:
        """Stop calling back."""
        self._wanted = _never

    def remove(self) -> None:
        """Remove the hooks. Never call this from one of them."""
        self.stop()
        for handle in self._handles:
            handle.remove()


def running_pass() -> int:
    """Return the number of the backward pass that this thread is in; -1 if it is in none."""
    return int(torch._C._current_graph_task_id())


def _call_at_end_of_pass(callback: Callable[[], None]) -> None:
    torch.autograd.Variable._execution_engine.queue_callback(callback)


def _never() -> bool:
    return False
