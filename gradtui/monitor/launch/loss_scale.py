"""Multiply the losses of a script before their backward passes, so that small gradients survive float16."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def scale_losses(scale: float, parameters: Iterable[Tensor]) -> None:
    """Give the script's gradient scaler this scale; without one, scale each loss, and unscale each gradient.

    Call this within the first step of an optimizer that moves the parameters.
    """
    scalers = gradient_scalers()
    if scalers:
        for scaler in scalers:
            _set_after_update(scaler, scale)
        return
    for parameter in parameters:
        if parameter.requires_grad and not _is_unscaled(parameter):
            if parameter.grad is not None and _installed:
                parameter.grad.div_(scale)
            parameter.register_hook(_Unscale(scale))  # type: ignore[no-untyped-call]
    _install(scale)


def gradient_scalers() -> list[torch.amp.GradScaler]:
    """Return the gradient scalers of this process that are in use."""
    found = [one for one in gc.get_objects() if issubclass(type(one), torch.amp.GradScaler)]
    return [scaler for scaler in found if scaler.is_enabled()]


class _Unscale:
    """An _Unscale divides the gradient of a parameter by the scale when it arrives."""

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def __call__(self, gradient: Tensor) -> Tensor:
        return gradient / self._scale


def _is_unscaled(parameter: Tensor) -> bool:
    return any(isinstance(hook, _Unscale) for hook in (parameter._backward_hooks or {}).values())


_installed = False


def _set_after_update(scaler: torch.amp.GradScaler, scale: float) -> None:
    """Set the scale once no loss with the earlier scale is in use."""
    update = scaler.update

    @wraps(update)
    def once(*args: Any, **kwargs: Any) -> None:
        update(*args, **kwargs)
        del scaler.update
        if isinstance(now := getattr(scaler, "_scale", None), Tensor):
            now.fill_(scale)

    scaler.update = once  # type: ignore[method-assign]


def _install(scale: float) -> None:
    global _installed
    if _installed:
        return
    _installed = True
    original = torch.autograd.backward

    @wraps(original)
    def backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
        roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
        # A hook on the root leaves the arguments of the call unchanged for other wrappers.
        handles = [
            root.register_hook(lambda gradient: gradient * scale) for root in roots if root.requires_grad
        ]
        try:
            original(tensors, *args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()

    backward._torchdynamo_disable = True  # type: ignore[attr-defined]
    torch.autograd.backward = backward
