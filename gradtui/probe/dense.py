"""Gradients as somebody's script has them, made ready to be measured: whatever their kind, dense and real."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import numpy as np
import torch
from torch import Tensor, nn

from gradtui.probe.norms import host_norms, tensor_norms, wide_norms

_PLAIN = {Tensor, nn.Parameter}
_kind = attrgetter("dtype", "layout", "is_cpu")
_USUAL = {(torch.float32, torch.strided, True)}
_WIDE = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def dense(gradient: Tensor) -> Tensor:
    """The numbers of a gradient as a dense real tensor of a type that norms are taken of. Call it
    without gradients being recorded.

    Sparse: the values, duplicates added up (on CUDA this waits for the device). Complex: real and imaginary
    parts. Sharded (DTensor): this process's shard.
    """
    if type(gradient) in _PLAIN and gradient.layout is torch.strided and gradient.dtype in _WIDE:
        return gradient
    to_local = getattr(gradient, "to_local", None)
    if to_local is not None:
        gradient = to_local()
    if gradient.is_sparse:
        gradient = gradient.coalesce().values()
    elif gradient.layout != torch.strided:
        gradient = gradient.values()
    if gradient.is_complex():
        gradient = torch.view_as_real(gradient.resolve_conj())
    return gradient if gradient.dtype in _WIDE else gradient.float()


def gradient_norms(gradients: Sequence[Tensor]) -> np.ndarray | Tensor:
    """L2 norm (gradients,) of each, in float64, without waiting for a device: on the host where all are on the
    CPU, else on the device of the first."""
    if not gradients:
        return np.zeros(0)
    with torch.no_grad():
        # Both questions are put in C: a hundred answers in Python cost as much as the norms themselves.
        if _PLAIN.issuperset(map(type, gradients)) and set(map(_kind, gradients)) == _USUAL:
            return host_norms(list(gradients))
        return _norms(gradients)


def _norms(gradients: Sequence[Tensor]) -> np.ndarray | Tensor:
    ready = [dense(gradient) for gradient in gradients]
    devices = {tensor.device for tensor in ready}
    if devices == {torch.device("cpu")}:
        return wide_norms(ready)
    if len(devices) == 1:
        return tensor_norms(ready)
    first = next(tensor.device for tensor in ready if tensor.device.type != "cpu")
    norms = torch.zeros(len(ready), dtype=torch.float64, device=first)
    for device in devices:
        places = [place for place, tensor in enumerate(ready) if tensor.device == device]
        part = tensor_norms([ready[place] for place in places])
        index = torch.tensor(places).to(first, non_blocking=True)
        norms[index] = part.to(first, non_blocking=True)
    return norms
