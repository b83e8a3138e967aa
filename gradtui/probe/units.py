"""Statistics of activations: mean, deviation, units that are dead, outputs that are saturated.

A unit (a column of a dense layer, a channel of an image) is dead in a batch when the derivative of its
activation is below DEAD of its largest value for every example, place and step: of ReLU, when it is 0 or
below everywhere. An output of sigmoid or tanh is saturated when that derivative is below SATURATED of its
largest value (at |x| above 4.4 for sigmoid and 2.2 for tanh). Activations whose derivative never vanishes
(identity, learned and leaky slopes) have NaN for dead, and all but sigmoid and tanh have NaN for saturated: it
does not apply to them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gradtui.probe.norms import wide_row_norms

DEAD = 1e-3
SATURATED = 0.05

SELU_SLOPE = 1.0507009873554805
SELU_SCALE = SELU_SLOPE * 1.6732632423543772


class Units(NamedTuple):
    """Each (layers,), in float64 on the host."""

    mean: np.ndarray
    std: np.ndarray
    dead: np.ndarray
    saturated: np.ndarray


def statistics(function: str, module: nn.Module | None, inputs: list[Tensor], outputs: list[Tensor]) -> Units:
    """Statistics of layers alike: `outputs` of activation `function`, all of one shape (batch, …).

    `inputs` of the activations are looked at only where the derivative does not follow from the output, and
    `module` then computes it; else both may be empty. Waits for the device.
    """
    stack = torch.stack(outputs).float()
    flat = stack.flatten(1)
    count = max(1, flat.shape[1])
    mean = flat.mean(1, keepdim=True)
    # Around the mean, not by the mean square: a starved layer's activations differ in their last digits.
    std = wide_row_norms(flat - mean) / count**0.5
    missing = np.full(len(outputs), np.nan)
    slopes = _slopes(function, module, inputs, stack)
    dead = missing if slopes is None else _dead(slopes)
    saturated = missing if slopes is None or function not in ("sigmoid", "tanh") else _saturated(slopes)
    return Units(mean.squeeze(1).cpu().double().numpy(), std, dead, saturated)


def _slopes(function: str, module: nn.Module | None, inputs: list[Tensor], outputs: Tensor) -> Tensor | None:
    """The derivative of the activation over its largest value, as `outputs`; None where it never vanishes."""
    match function:
        case "relu":
            return outputs.sign()
        case "sigmoid":
            return 4 * torch.addcmul(outputs, outputs, outputs, value=-1)
        case "tanh":
            return torch.addcmul(torch.ones_like(outputs), outputs, outputs, value=-1)
        case "elu":
            return outputs.add(1).clamp_(max=1)
        case "selu":
            return outputs.add(SELU_SCALE).clamp_(max=SELU_SLOPE).div_(SELU_SCALE)
        case "gelu" | "silu" if module is not None and inputs:
            return _differentiated(module, torch.stack(inputs).float())
    return None


def _differentiated(module: nn.Module, inputs: Tensor) -> Tensor:
    with torch.enable_grad():
        x = inputs.detach().requires_grad_()
        # Not module(x): that would call our own hooks.
        (slope,) = torch.autograd.grad(module.forward(x).sum(), x)
    return slope.abs()


def _dead(slopes: Tensor) -> np.ndarray:
    unit = 2 if slopes.dim() == 5 else slopes.dim() - 1
    rest = [dim for dim in range(1, slopes.dim()) if dim != unit]
    largest = slopes.amax(rest) if rest else slopes
    dead: np.ndarray = (largest < DEAD).float().mean(1).cpu().double().numpy()
    return dead


def _saturated(slopes: Tensor) -> np.ndarray:
    flat = slopes.flatten(1)
    # Written as numbers, not as truth values: on the CPU torch adds those up several times as slowly.
    below = torch.lt(flat, SATURATED, out=torch.empty_like(flat))
    shares: np.ndarray = below.mean(1).cpu().double().numpy()
    return shares
