"""The net of an experiment is a torch module: a path of modules, with its layers in forward order."""

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
    """Weights and biases, then those of a norm, a learned slope and rezero's scalar that belong to the layer."""
    module: nn.Module
    """The weight module; its output is the pre-activation. Of a recurrent layer the hidden states (batch, steps,
    width)."""
    activation: nn.Module | None
    """The module whose output is the layer's activation: with order "post" it follows the weights (and the addition of
    an identity shortcut), with "pre" it feeds them. A recurrent layer is its own. None: there is none."""
    function: str
    """The name of the activation; "tanh" of lstm and gru, "identity" where there is none."""
    path: list[nn.Module] = field(default_factory=list)
    """All modules of the layer in the order in which they end: views, norms, attention, weights and activation, and for
    the last layer of a block with a shortcut the block itself. What is left out lies beside the path of the signal."""

    @property
    def count(self) -> int:
        """The number of parameters."""
        return sum(p.numel() for p in self.parameters)


class Net(nn.Module):
    """A Net is the net of an experiment; `build` makes it.

    It takes what `data.load` gives: images (batch, channels, height, width), points (batch, features),
    sequences (batch, steps, features) or tokens (batch, steps). It gives (batch, outputs), or (batch, steps,
    outputs) for tokens.
    """

    def __init__(self, parts: list[tuple[str, nn.Module]], layers: list[Layer]) -> None:
        super().__init__()
        self.layers = layers
        """Layers of weights in forward order, as `net_shape` names them."""
        self.path: list[nn.Module] = []
        """The modules that the input goes through. Plain blocks are unpacked: a call less for each."""
        self.frozen: list[nn.Module] = []
        """The modules that stay in evaluation mode: batch norms of layers that training leaves as they are."""
        for name, part in parts:
            self.add_module(name, part)
            self.path.extend(part.path if type(part) is Block else [part])

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        for step in self.path:
            x = step(x)
        return x

    def freeze(self, layers: int) -> None:
        """Let batch norms of the first layers neither normalise by the batch nor learn from it from now on."""
        fixed = {id(parameter) for layer in self.layers[:layers] for parameter in layer.parameters}
        norms = [module for module in self.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        self.frozen = [norm for norm in norms if id(norm.weight) in fixed]
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation as torch does, but for what is frozen."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def record_hidden(self, on: bool) -> None:
        """Say whether recurrent layers keep the hidden states of their last pass. Off also lets go of those kept."""
        for layer in self._recurrent().values():
            layer.recording = on
            if not on:
                layer.states = []

    @property
    def hidden_states(self) -> dict[str, list[Tensor]]:
        """The hidden states (batch, width) of the last recorded pass, one a step, by the name of the recurrent layer.

        They are parts of the graph: after ``state.retain_grad()`` and backward, ``state.grad`` is the total
        derivative of the loss, through all later steps and layers. Empty lists where none was recorded.
        """
        return {name: layer.states for name, layer in self._recurrent().items()}

    def _recurrent(self) -> dict[str, Recurrent]:
        return {layer.name: layer.module for layer in self.layers if isinstance(layer.module, Recurrent)}
