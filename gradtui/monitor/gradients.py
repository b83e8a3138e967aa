"""Measure the gradients of the parameters that one optimizer moves: their norms, and whether they changed later."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.parameter import is_lazy

from gradtui.monitor.untraced import untraced
from gradtui.probe.norms import gradient_norms

if TYPE_CHECKING:
    from gradtui.monitor.layers import ParameterRef
    from gradtui.monitor.watched import WatchedOptimizer

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
    """A GradVersion says which gradient a parameter has, and how often it was written to."""

    identity: StorageWeakRef | weakref.ref[Tensor]
    version: int

    @classmethod
    def of(cls, gradient: Tensor) -> GradVersion | None:
        """Return the version of a gradient; None where it is not known."""
        (version,) = versions_of([gradient])
        if gradient.layout is torch.strided and type(gradient) is Tensor and not gradient._is_view():
            # A weak reference to the tensor would keep PyTorch from swapping it (torch.utils.swap_tensors).
            return cls(StorageWeakRef(gradient.untyped_storage()), version)  # type: ignore[no-untyped-call]
        if torch.__future__.get_swap_module_params_on_conversion():
            return None
        return cls(weakref.ref(gradient), version)

    def continues(self, before: GradVersion) -> bool:
        """Return whether this is the gradient of an earlier version, unchanged or added to once."""
        return self.identity == before.identity and self.version - before.version in (0, 1)


class Gradients:
    """Gradients reads the gradients of an optimizer's parameters without keeping the parameters alive."""

    def __init__(self, watched: WatchedOptimizer) -> None:
        self._watched = watched
        self._wide: set[int] = set()
        self._all_present = np.ones(len(watched.references), bool)
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
        tensors = self._watched.tensors()
        try:
            # This is done twice a step, so without a line of Python for each parameter.
            found = list(map(_gradient_of, tensors))
        except AttributeError:
            # The script has dropped a parameter.
            found = [None if p is None else p.grad for p in tensors]
        gradients = [gradient for gradient in found if gradient is not None]
        present = self._all_present
        if len(gradients) < len(found):
            present = np.fromiter((gradient is not None for gradient in found), bool, len(found))
        return present, gradients, (list(map(id, gradients)), versions_of(gradients))


def versions_of(tensors: Sequence[Tensor]) -> list[int]:
    """Return how often each tensor was written to; 0 where that is not known."""
    try:
        return [tensor._version for tensor in tensors]
    except RuntimeError:
        # Tensors made in inference mode have no version.
        return [0] * len(tensors)


_measured_before: Callable[[Sequence[Tensor | None]], GradNorms | None] | None = None


def remember_norms(norms_of: Callable[[Sequence[Tensor | None]], GradNorms | None]) -> None:
    """Set the function that knows the norms of passes that came before the watching."""
    global _measured_before
    _measured_before = norms_of


def norms_before(parameters: Sequence[Tensor | None]) -> GradNorms | None:
    """Return the norms at the end of the pass that came before the watching; None where they are not known."""
    return None if _measured_before is None else _measured_before(parameters)


class HooksLost(RuntimeError):
    """A HooksLost error says that hooks were lost together with some of the script."""


def _is_ours(hook: Any) -> bool:
    return isinstance(getattr(hook, "__self__", None), BackwardHook)


class BackwardHook:
    """A BackwardHook calls back at the end of each backward pass, before the script can clip or unscale gradients.

    It hooks a few parameters; the first that gets a gradient asks the autograd engine to call back at the end of
    the pass. Hooks on parameters are neither copied nor saved with a model.
    """

    def __init__(
        self,
        parameters: Sequence[ParameterRef],
        on_end: Callable[[], None],
        wanted: Callable[[], bool],
    ) -> None:
        """Call `on_end` at the end of each pass for which `wanted`, called during the pass, returned True."""
        self._wanted = wanted
        self._on_end = on_end
        self._pass_id = self._refused_pass = -1
        self._candidates = parameters
        self._moved = False
        self._hook(parameters)

    def _hook(self, parameters: Sequence[ParameterRef]) -> None:
        self._handles: list[Any] = []
        known = [(reference, p) for reference in parameters if (p := reference()) is not None]
        # A parameter of a lazy module takes no hook before its first forward pass.
        trained = [ref for ref, p in known if p.requires_grad and not is_lazy(p)]
        places = np.linspace(0, len(trained) - 1, HOOKED_PARAMETERS)
        self._trained = trained
        self._witness: ParameterRef | None = None
        self._hooked = [
            trained[place] for place in sorted({int(place) for place in places} if trained else ())
        ]
        self._with_foreign_hooks: dict[int, int] = {}
        for parameter in self._parameters():
            if getattr(parameter, "_post_accumulate_grad_hooks", None):
                self._with_foreign_hooks[id(parameter)] = parameter._cdata
            hook = parameter.register_post_accumulate_grad_hook(self._accumulated)  # type: ignore[no-untyped-call]
            self._handles.append(hook)
        self._hooks_set = self._present_hooks()

    def move_to(self, present: NDArray[np.bool_]) -> None:
        """Hook parameters that have a gradient, though no hook has reported a pass, as those on unused ones do not.

        Do nothing the second time: gradients that are written by hand come from no pass.
        """
        if self._moved or not present.any() or running_pass() != -1:
            return
        self._moved = True
        for handle in self._handles:
            handle.remove()
        self._hook([one for one, has in zip(self._candidates, present, strict=True) if has])

    def _parameters(self) -> list[Tensor]:
        return [p for reference in self._hooked if (p := reference()) is not None]

    def _present_hooks(self) -> list[tuple[int, int]]:
        """Return for each hooked parameter its tensor, which a swap changes, and how many hooks it has."""
        return [
            (p._cdata, len(getattr(p, "_post_accumulate_grad_hooks", None) or ())) for p in self._parameters()
        ]

    @property
    def attached(self) -> bool:
        """Return whether there was any parameter to hook."""
        return bool(self._handles)

    def renew(self) -> None:
        """Set the hooks again, since a tensor loses them when it is swapped (`torch.utils.swap_tensors`).

        Raises HooksLost if that would also set hooks of the script again.
        """
        # To set them takes longer than all else before a pass.
        if self._present_hooks() == self._hooks_set:
            return
        for parameter in self._parameters():
            hooks = getattr(parameter, "_post_accumulate_grad_hooks", None) or {}
            if len(hooks) > 1 and not all(map(_is_ours, hooks.values())):
                before = self._with_foreign_hooks.get(id(parameter))
                self._with_foreign_hooks[id(parameter)] = parameter._cdata
                if before == parameter._cdata:
                    continue
                if before is not None:
                    raise HooksLost(
                        "the model was converted by swapping its tensors, which lost the script's hooks"
                    )
            if hooks:
                parameter._post_accumulate_grad_hooks = hooks
        self._hooks_set = self._present_hooks()

    @untraced
    def _accumulated(self, parameter: Tensor) -> None:
        try:
            # With re-entrant checkpointing, passes run within passes: each calls back, and the last one counts.
            pass_id = running_pass()
            if pass_id == self._pass_id or pass_id == self._refused_pass:
                return
            if self._wanted():
                self._pass_id = pass_id
                _call_at_end_of_pass(self._call_behind_others)
            else:
                self._refused_pass = pass_id
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

    def forget_pass(self) -> None:
        """Ask again whether a pass that continues after a step within it is wanted."""
        self._refused_pass = -1

    def version(self) -> GradVersion | None:
        """Return the version of one parameter's gradient; None where no parameter has one.

        It is the same parameter each time, as long as it has a gradient: the first one may be unused, or never chosen.
        """
        parameter = None if self._witness is None else self._witness()
        if parameter is None or parameter.grad is None:
            known = ((reference, one) for reference in self._trained if (one := reference()) is not None)
            self._witness, parameter = next(
                ((reference, one) for reference, one in known if one.grad is not None), (None, None)
            )
        gradient = None if parameter is None else parameter.grad
        return None if gradient is None else GradVersion.of(gradient)

    def _first(self) -> Tensor | None:
        return self._hooked[0]() if self._hooked else None

    @property
    def newest(self) -> bool:
        """Return whether no other watch has hooked the first parameter since."""
        parameter = self._first()
        hooks = getattr(parameter, "_post_accumulate_grad_hooks", None) or {}
        owners = [getattr(hook, "__self__", None) for hook in hooks.values()]
        ours = [owner for owner in owners if isinstance(owner, BackwardHook)]
        return bool(ours) and ours[-1] is self

    def weight_version(self) -> int:
        """Return how often the first parameter was written to; -1 where that is not known."""
        parameter = self._first()
        return -1 if parameter is None or parameter.is_inference() else parameter._version

    def stop(self) -> None:
        """Stop calling back."""
        self._wanted = _never

    def remove(self, *, tidy: bool = True) -> None:
        """Remove the hooks. Never call this from one of them.

        tidy: also remove the empty dictionaries that PyTorch leaves behind, which no running pass may still use.
        """
        self.stop()
        for handle in self._handles:
            handle.remove()
        for parameter in self._parameters() if tidy else ():
            if getattr(parameter, "_post_accumulate_grad_hooks", None) == {}:
                parameter._post_accumulate_grad_hooks = None  # type: ignore[assignment]


def running_pass() -> int:
    """Return the number of the backward pass that this thread is in; -1 if it is in none."""
    return int(torch._C._current_graph_task_id())


def _call_at_end_of_pass(callback: Callable[[], None]) -> None:
    torch.autograd.Variable._execution_engine.queue_callback(callback)


def _never() -> bool:
    return False
