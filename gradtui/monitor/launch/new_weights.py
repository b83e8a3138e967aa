"""Initialise the layers of a script's model again, without using the script's random number generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.parameter import is_lazy

SEED = 0
"""The seed is fixed, since every process of a distributed training has to draw the same weights."""


def layers_to_initialise(modules: Iterable[nn.Module], parameters: Sequence[Tensor]) -> list[nn.Module]:
    """Return the linear, convolutional, recurrent and attention layers that the parameters belong to, in their order.

    Layers that are not trained, and layers whose weight is computed from other tensors, are left out.
    """
    places = {id(p): place for place, p in reversed(list(enumerate(parameters)))}
    found = []
    for module in modules:
        if not isinstance(module, nn.Linear | _ConvNd | nn.RNNBase | nn.MultiheadAttention):
            continue
        own = [p for _, p in _own_parameters(module) if p.requires_grad and id(p) in places]
        weights = [p for p in own if p.dim() > 1 and not is_lazy(p)]
        if weights:
            found.append((min(places[id(p)] for p in weights), module))
    return [module for _, module in sorted(found, key=lambda entry: entry[0])]


def _own_parameters(layer: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters that PyTorch gives a layer of this kind, by name.

    Others belong to what a script has added, such as an adapter, or to a weight norm, and start as that wants.
    """
    return [(name, p) for name, p in layer.named_parameters(recurse=False) if name in _names_of(layer)]


def _names_of(layer: nn.Module) -> Collection[str]:
    if isinstance(layer, nn.RNNBase):
        return layer._flat_weights_names
    if isinstance(layer, nn.MultiheadAttention):
        return (*(f"{one}_proj_weight" for one in ("in", "q", "k", "v")), "in_proj_bias", "bias_k", "bias_v")
    return ("weight", "bias")


@torch.no_grad()
def reinitialise(layers: Sequence[nn.Module], how: str) -> None:
    """Initialise layers by He's or Xavier's normal weights, orthogonal ones, or PyTorch's default; biases become 0.

    With every rule but the default, the recurrent matrices become orthogonal.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(SEED)
        for layer in layers:
            for name, parameter in _own_parameters(layer):
                if parameter.requires_grad and not is_lazy(parameter):
                    parameter.copy_(_new(layer, name, parameter, how))


def reset_statistics(modules: Iterable[nn.Module], near: Sequence[nn.Module]) -> None:
    """Reset the running statistics of norms near the layers, since they belong to the earlier weights."""
    wanted = {id(layer) for layer in near}
    for module in modules:
        within = list(module.modules())
        if any(id(one) in wanted for one in within):
            for one in within:
                if isinstance(one, _NormBase):
                    one.reset_running_stats()


_DRAWN: dict[str, Callable[[Tensor], Tensor]] = {
    "he": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "xavier": nn.init.xavier_normal_,
    "orthogonal": nn.init.orthogonal_,
}


def _new(layer: nn.Module, name: str, parameter: Tensor, how: str) -> Tensor:
    fresh = torch.empty(parameter.shape, dtype=torch.float32)
    if how == "default":
        return _default(layer, name, fresh)
    if fresh.dim() < 2:
        return fresh.zero_()
    # The gates of a recurrent layer, and the three projections of attention, are separate matrices.
    parts = 1
    if isinstance(layer, nn.RNNBase):
        parts = {"LSTM": 4, "GRU": 3}.get(layer.mode, 1)
        how = "orthogonal" if name.startswith("weight_hh") else how
    elif name == "in_proj_weight":
        parts = 3
    transposed = isinstance(layer, _ConvTransposeNd)
    for part in fresh.chunk(parts):
        # In a transposed convolution the dimension of the inputs comes first.
        matrix = torch.empty(part.transpose(0, 1).shape if transposed else part.shape)
        _DRAWN[how](matrix)
        part.copy_(matrix.transpose(0, 1) if transposed else matrix)
    return fresh


def _default(layer: nn.Module, name: str, fresh: Tensor) -> Tensor:
    """Return PyTorch's default: uniform, by the number of inputs (recurrent: of units), or Xavier's in attention."""
    if isinstance(layer, nn.MultiheadAttention):
        return nn.init.xavier_uniform_(fresh) if fresh.dim() > 1 else fresh.zero_()
    if isinstance(layer, nn.RNNBase):
        bound = 1 / math.sqrt(layer.hidden_size)
    else:
        # Not as an attribute, which a parametrisation would compute anew.
        weight = dict(_own_parameters(layer))["weight"]
        # kaiming_uniform_(a=sqrt(5)) has this bound, and so have the biases.
        inputs = weight[0].numel()
        bound = 1 / math.sqrt(inputs) if inputs else 0.0
    return fresh.uniform_(-bound, bound)
