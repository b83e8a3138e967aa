"""Define the net of an experiment as a torch module: a path of modules, and its layers in forward order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from torch import Tensor, nn

from gradtui.experiment.layers import LayerKind
from gradtui.nets.blocks import Block
from gradtui.nets.recurrent import Recurrent


@dataclass(frozen=True)
class Layer:
    """A Layer is one layer of weights of a net, with its modules; names and counts are those of `net_shape`."""

    name: str
    kind: LayerKind
    parameters: list[nn.Parameter]
    """Weights and biases, then the parameters of the layer's norm, learned slope and rezero's scalar."""
    module: nn.Module
    """The weight module; its output is the pre-activation, or in a recurrent layer the hidden states (batch, steps,
    width)."""
    activation: nn.Module | None
    """The module whose output is the layer's activation: with order "post" it follows the weights (and the addition of
    an identity shortcut), with "pre" it feeds them. A recurrent layer is its own activation. None where there is
    none."""
    function: str
    """The name of the activation; "tanh" of lstm and gru, "identity" where there is none."""
    path: list[nn.Module] = field(default_factory=list)
    """The layer's modules on the path of the signal, in the order in which they end: views, norms, attention, weights
    and activation, and for the last layer of a block with a shortcut the block itself."""

    @property
    def count(self) -> int:
        """Return the number of parameters."""
        return sum(p.numel() for p in self.parameters)


class Net(nn.Module):
    """A Net is the net of an experiment; `build` makes it.

    Its input is what `data.load` returns: images (batch, channels, height, width), points (batch, features), sequences
    (batch, steps, features) or tokens (batch, steps). Its output is (batch, outputs), or (batch, steps, outputs) for
    tokens.
    """

    def __init__(self, parts: list[tuple[str, nn.Module]], layers: list[Layer]) -> None:
        super().__init__()
        self.layers = layers
        """Layers of weights in forward order, as `net_shape` names them."""
        self.path: list[nn.Module] = []
        """The modules that the input goes through. Plain blocks are unpacked, which saves a call for each."""
        self.frozen: list[nn.Module] = []
        """The modules that stay in evaluation mode: the batch norms of frozen layers."""
        for name, part in parts:
            self.add_module(name, part)
            self.path.extend(part.path if type(part) is Block else [part])

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        for step in self.path:
            x = step(x)
        return x

    def freeze(self, layers: int) -> None:
        """Freeze the batch norms of the first layers: they no longer normalise by the batch nor learn from it."""
        fixed = {id(parameter) for layer in self.layers[:layers] for parameter in layer.parameters}
        norms = [module for module in self.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        self.frozen = [norm for norm in norms if id(norm.weight) in fixed]
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation as torch does, except for frozen modules."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def record_hidden(self, on: bool) -> None:
        """Set whether recurrent layers keep the hidden states of their last pass. Off also drops those kept."""
        for layer in self._recurrent().values():
            layer.recording = on
            if not on:
                layer.states = []

    @property
    def hidden_states(self) -> dict[str, list[Tensor]]:
        """Return the hidden states (batch, width) of the last recorded pass, one per step, by recurrent layer.

        They are parts of the graph: after ``state.retain_grad()`` and backward, ``state.grad`` is the total derivative
        of the loss, through all later steps and layers. The lists are empty where no pass was recorded.
        """
        return {name: layer.states for name, layer in self._recurrent().items()}

    def _recurrent(self) -> dict[str, Recurrent]:
        return {layer.name: layer.module for layer in self.layers if isinstance(layer.module, Recurrent)}
