"""Find the scalar on which a script calls `backward()`: this root of the backward pass is the loss of its step."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol

import torch
from torch import Tensor

from gradtui.monitor.call_order import running_node
from gradtui.monitor.gradients import running_pass
from gradtui.monitor.loss_kind import KnownLoss, known_loss
from gradtui.monitor.stopwatch import Stopwatch
from gradtui.monitor.untraced import left_alone, untraced


@dataclass(frozen=True, eq=False)
class BackwardRoot:
    """A BackwardRoot is the scalar from which one backward pass began."""

    value: float | Tensor
    """The number; on a device, a copy of it that was made without waiting."""
    known: KnownLoss


class RootListener(Protocol):
    """A RootListener may ask for the roots of backward passes."""

    stopwatch: Stopwatch
    """It counts the time that this takes."""

    def wants_root(self) -> bool:
        """Return whether the root of the pass that begins now is needed."""

    def wants_kind(self) -> bool:
        """Return whether the graph behind the root is to be read too."""


class GraphReader(Protocol):
    """A GraphReader may read the graphs of backward passes before they are freed."""

    @property
    def wanted(self) -> bool:
        """Return whether to read the pass that begins now."""

    def read(self, roots: Sequence[Tensor], within: Any = None) -> None:
        """Read the graph behind the roots; `within` is the node of another pass that has begun this one."""


NOTHING_KNOWN = KnownLoss()
"""What is known of a loss whose graph is not read."""

_known_before: Callable[[Sequence[Tensor | None]], Sequence[BackwardRoot | None]] | None = None
_listeners: list[RootListener] = []
_readers: list[GraphReader] = []
_beginners: list[Callable[[], None]] = []
_running: dict[int, BackwardRoot | None] = {}
"""The root of the pass that each thread has begun; None if it is not a scalar or was not asked for. The dict is not
thread-local, since on CUDA the hooks of parameters run in the engine's own threads."""
_lock = threading.Lock()
_wrapper: Any = None
_original: Any = None


def remember_roots(roots_of: Callable[[Sequence[Tensor | None]], Sequence[BackwardRoot | None]]) -> None:
    """Set the function that knows the roots of passes that came before the watching."""
    global _known_before
    _known_before = roots_of


def roots_before(parameters: Sequence[Tensor | None]) -> Sequence[BackwardRoot | None]:
    """Return the roots of the passes before the watching that these parameters have their gradients from."""
    return () if _known_before is None else _known_before(parameters)


def running_root() -> BackwardRoot | None:
    """Return the root of the backward pass that is running; None where it is unknown, or where several passes are.

    Call this from a hook of a parameter.
    """
    with contextlib.suppress(RuntimeError, ValueError):
        (root,) = _running.values()
        return root
    return None


def other_thread_runs() -> bool:
    """Return whether another thread is in a backward pass, whose hooks may be running and must not be replaced."""
    thread = threading.get_ident()
    return any(one != thread for one in list(_running))


def listen(
    reader: GraphReader, before_pass: Callable[[], None], listener: RootListener | None = None
) -> None:
    """Register a reader of graphs, a function to call before each pass, and a listener for roots.

    The first registration puts a wrapper around `torch.autograd.backward`.
    """
    global _wrapper, _original
    with _lock:
        _readers.append(reader)
        _beginners.append(before_pass)
        if listener is not None:
            _listeners.append(listener)
        if torch.autograd.backward is not _wrapper:
            _original = torch.autograd.backward
            _wrapper = _wrapped(_original)
            torch.autograd.backward = _wrapper


def unlisten(reader: GraphReader, before_pass: Callable[[], None], listener: RootListener) -> None:
    """Unregister what `listen` was given; the last one removes the wrapper, unless another one is around it."""
    global _wrapper, _original
    with _lock:
        if reader in _readers:
            _readers.remove(reader)
        if before_pass in _beginners:
            _beginners.remove(before_pass)
        if listener in _listeners:
            _listeners.remove(listener)
        if not _readers and _wrapper is not None and torch.autograd.backward is _wrapper:
            torch.autograd.backward = _original
            _wrapper = _original = None


def _wrapped(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def backward(*args: Any, **kwargs: Any) -> None:
        if not _readers:
            return original(*args, **kwargs)
        thread = threading.get_ident()
        # A pass within another one (re-entrant checkpoints) belongs to the outer root.
        inner = thread in _running or running_pass() != -1
        root = _begin_pass(args, kwargs, inner=inner)
        if inner:
            return original(*args, **kwargs)
        _running[thread] = root
        try:
            return original(*args, **kwargs)
        finally:
            _running.pop(thread, None)

    return left_alone(backward)


@untraced
def _begin_pass(args: Sequence[Any], kwargs: dict[str, Any], *, inner: bool) -> BackwardRoot | None:
    # What is done once for all of them counts for the first.
    costs = next((listener.stopwatch.hooks for listener in _listeners), None)
    began = 0.0 if costs is None else costs.begin()
    for begin in tuple(_beginners):
        begin()
    for reader in _readers:
        if reader.wanted:
            given = args[0] if args else kwargs.get("tensors")
            roots = given if isinstance(given, list | tuple) else [given]
            tensors = [tensor for tensor in roots if isinstance(tensor, Tensor)]
            reader.read(tensors, running_node() if inner else None)
    root = None
    if not inner and any(listener.wants_root() for listener in _listeners):
        root = root_of(args, kwargs, reads=any(listener.wants_kind() for listener in _listeners))
    if costs is not None:
        costs.end(began)
    return root


def root_of(args: Sequence[Any], kwargs: dict[str, Any], *, reads: bool) -> BackwardRoot | None:
    """Return the root of the pass with these arguments; None where it is not a scalar that is taken as it is.

    reads: whether the graph behind it is read too.
    """
    # Nothing that fails here may reach the script.
    try:
        tensor = _only(args[0] if args else kwargs.get("tensors"))
        gradient = _only(args[1] if len(args) > 1 else kwargs.get("grad_tensors"))
        if not isinstance(tensor, Tensor) or tensor.numel() != 1 or tensor.is_complex():
            return None
        if gradient is not None and not _is_one(gradient):
            return None
        value = _number(tensor)
        return None if value is None else BackwardRoot(value, _known(tensor) if reads else NOTHING_KNOWN)
    except Exception:
        return None


def _known(root: Tensor) -> KnownLoss:
    # A graph of an unusual form must not cost the number of the loss.
    with contextlib.suppress(Exception):
        return known_loss(root)
    return NOTHING_KNOWN


def _only(given: Any) -> Any:
    return given[0] if isinstance(given, list | tuple) and len(given) == 1 else given


def _is_one(gradient: Any) -> bool:
    # Reading a number from a device would make the script wait.
    on_host = isinstance(gradient, Tensor) and gradient.device.type == "cpu" and gradient.numel() == 1
    return on_host and gradient.item() == 1


def _number(tensor: Tensor) -> float | Tensor | None:
    if tensor.is_cpu:
        return float(tensor.item())
    if tensor.is_cuda and torch.cuda.is_current_stream_capturing():
        return None
    return tensor.detach().reshape(()).clone()
