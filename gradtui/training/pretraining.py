"""Pretrain a net layer by layer: each hidden layer learns from the outputs of the layers below it.

This is a phase of a run before the training of the whole net. It has an event at each epoch, and can be paused and
stopped like the training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gradtui.data.arrays import rng
from gradtui.nets import Net
from gradtui.runs.writer import RunWriter
from gradtui.training.controls import Controls, Ending, StopRequest
from gradtui.training.session import Session

PRETRAINING_BATCH = 32
"""The most examples in a step of the pretraining."""
FORWARD_CHUNK = 4096
"""The examples that pass through a layer at a time, where the whole training set does."""

AUTOENCODER_RATE = 0.01

RBM_RATE = 0.1
RBM_MOMENTUM = 0.5
RBM_DECAY = 2e-4
"""The decay of the weights, but not of the biases. All three as in Hinton (2012), "A practical guide to training
RBMs"."""


@dataclass(frozen=True)
class HiddenLayer:
    """A HiddenLayer is a weight layer with its norm and activation: everything up to the next layer's weights."""

    name: str
    weights: nn.Linear
    after: list[nn.Module]
    parameters: list[nn.Parameter]
    """The parameters of the weights and of what follows them."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return the outputs (batch, width) for inputs (batch, features)."""
        x = self.weights(x)
        for module in self.after:
            x = module(x)
        return x

    def train(self, mode: bool) -> None:
        """Set whether batch norm normalises by the present batch and learns from it, or uses its running statistics."""
        for module in self.after:
            module.train(mode)


def hidden_layers(net: Net) -> tuple[list[nn.Module], list[HiddenLayer]]:
    """Return the modules before the first layer of a net of dense layers without shortcuts, and its hidden layers."""
    of_weights = {id(layer.module): layer for layer in net.layers}
    before: list[nn.Module] = []
    layers: list[HiddenLayer] = []
    for module in net.path:
        layer = of_weights.get(id(module))
        if layer is not None:
            assert isinstance(module, nn.Linear)
            layers.append(HiddenLayer(layer.name, module, [], layer.parameters))
        elif layers:
            layers[-1].after.append(module)
        else:
            before.append(module)
    return before, layers[:-1]


def run_through(modules: list[nn.Module] | list[HiddenLayer], examples: Tensor) -> Tensor:
    """Return the outputs of modules for all examples (examples, …), computed in parts and without a graph."""
    with torch.no_grad():
        parts = []
        for part in torch.split(examples, FORWARD_CHUNK):
            for module in modules:
                part = module(part)
            parts.append(part)
        return torch.cat(parts)


class Autoencoder:
    """An Autoencoder trains a hidden layer to reconstruct its inputs (Bengio, Lamblin, Popovici, Larochelle 2006).

    It reconstructs the inputs x from the layer's outputs h = layer(x), by Adam on the squared error.

    The weights are tied: the reconstruction is Wᵀh + c, where c is an additional parameter that is dropped afterwards.
    Where the inputs lie in [0, 1] it goes through a sigmoid. Without it, the upper layers of a sigmoid net, whose
    inputs differ little at first, learn only the mean of their inputs, and the net stays at chance.
    """

    def __init__(self, layer: HiddenLayer, inputs: Tensor, lr: float, generator: torch.Generator) -> None:
        """`inputs` (examples, features); `lr` 0 is AUTOENCODER_RATE. Nothing is drawn from `generator`."""
        self._layer = layer
        self._shift = nn.Parameter(inputs.new_zeros(inputs.shape[1]))
        self._squash = bool(inputs.min() >= 0) and bool(inputs.max() <= 1)
        self._optimizer = torch.optim.Adam([*layer.parameters, self._shift], lr or AUTOENCODER_RATE)

    def step(self, x: Tensor) -> Tensor:
        """Take a step on a batch (batch, features). Returns the mean squared error () before it, detached."""
        restored = functional.linear(self._layer(x), self._layer.weights.weight.t(), self._shift)
        if self._squash:
            restored = restored.sigmoid()
        error = functional.mse_loss(restored, x)
        # The gradients are views of the session's buffer, so they must not be set to None.
        self._optimizer.zero_grad(set_to_none=False)
        torch.autograd.backward(error)
        self._optimizer.step()
        return error.detach()


class BoltzmannMachine:
    """A BoltzmannMachine trains a hidden layer by contrastive divergence (Hinton 2002).

    It learns the statistics of its inputs by one step of Gibbs sampling (CD-1).

    Inputs and outputs are probabilities of binary units. The hidden states of the data are sampled; they give both the
    reconstruction and the statistics of the data. The reconstruction and its hidden states stay probabilities, because
    sampling them would hide small differences between inputs in noise. The biases of the inputs are dropped afterwards;
    the weights and the biases of the hidden units belong to the layer.
    """

    def __init__(self, layer: HiddenLayer, inputs: Tensor, lr: float, generator: torch.Generator) -> None:
        """`inputs` (examples, features) in [0, 1]; `lr` 0 is RBM_RATE; hidden states come from `generator`."""
        self._lr = lr or RBM_RATE
        self._generator = generator
        self._weight = layer.weights.weight.detach()
        self._hidden = layer.weights.bias.detach()
        self._visible = inputs.new_zeros(inputs.shape[1])
        self._moving = (self._weight, self._hidden, self._visible)
        self._velocity = [torch.zeros_like(p) for p in self._moving]

    def step(self, x: Tensor) -> Tensor:
        """Take a step on a batch (batch, features). Returns the reconstruction's mean squared error ()."""
        states = torch.bernoulli(self._up(x), generator=self._generator)
        restored = functional.linear(states, self._weight.t(), self._visible).sigmoid()
        driven = self._up(restored)
        gain = (states.t() @ x - driven.t() @ restored).div_(len(x)).sub_(self._weight, alpha=RBM_DECAY)
        gains = (gain, (states - driven).mean(0), (x - restored).mean(0))
        for moving, velocity, change in zip(self._moving, self._velocity, gains, strict=True):
            moving.add_(velocity.mul_(RBM_MOMENTUM).add_(change, alpha=self._lr))
        return functional.mse_loss(restored, x)

    def _up(self, visible: Tensor) -> Tensor:
        return functional.linear(visible, self._weight, self._hidden).sigmoid()


KINDS: dict[str, type[Autoencoder | BoltzmannMachine]] = {
    "autoencoder": Autoencoder,
    "rbm": BoltzmannMachine,
}


class Pretraining:
    """A Pretraining trains the hidden layers of a session's net one after another, each on the outputs of those below.

    It always computes in float32, whatever `run.precision`, and without penalties and clipping. Each layer has a
    random generator that is seeded by the experiment's seed and the layer's number, so the order of the training's
    batches is the same as without pretraining.
    """

    def __init__(self, session: Session, writer: RunWriter, controls: Controls, stop: StopRequest) -> None:
        self._session = session
        self._writer = writer
        self._controls = controls
        self._stop = stop
        self._spec = session.exp.cures.pretrain

    def run(self) -> Ending | None:
        """Pretrain all layers. Returns how the run ended if it was stopped meanwhile, else None.

        Events, all of step 0: a phase at the beginning of each epoch, and at its end "pretrain" with layer
        (from 1), name, epoch (from 1) and reconstruction_error, the mean squared error of a number of the
        layer's inputs over the epoch.
        """
        before, layers = hidden_layers(self._session.net)
        inputs = run_through(before, self._session.dataset.train_x)
        for number, layer in enumerate(layers, 1):
            ending = self._layer(number, len(layers), layer, inputs)
            if ending is not None:
                return ending
            # From now on a norm uses its running statistics, so that an output depends on one example only.
            layer.train(False)
            inputs = run_through([layer], inputs)
        self._session.net.train()
        return None

    def _layer(self, number: int, layers: int, layer: HiddenLayer, inputs: Tensor) -> Ending | None:
        device = self._session.device
        seed = int(rng(self._session.exp.seed, "pretraining", number).integers(2**63))
        layer.train(True)
        generator = torch.Generator(device).manual_seed(seed)
        machine = KINDS[self._spec.kind](layer, inputs, self._spec.lr, generator)
        epochs = self._spec.epochs
        for epoch in range(1, epochs + 1):
            where = {"layer": number, "epoch": epoch}
            text = f"pretraining layer {number} of {layers}, epoch {epoch} of {epochs}"
            self._event("phase", phase="pretraining", text=text, layers=layers, epochs=epochs, **where)
            total = torch.zeros((), device=device)
            order = torch.randperm(len(inputs), generator=generator, device=device)
            # All batches have nearly the same size, because a last batch of one would break batch norm.
            for chosen in order.tensor_split(-(-len(order) // PRETRAINING_BATCH)):
                ending = self._wait_for_step()
                if ending is not None:
                    return ending
                total += machine.step(inputs.index_select(0, chosen)) * len(chosen)
            self._event("pretrain", name=layer.name, reconstruction_error=float(total) / len(order), **where)
        return None

    def _wait_for_step(self) -> Ending | None:
        """Obey commands until a step may be taken. Returns how the run ends if a command or signal ends it."""
        while True:
            self._controls.poll()
            ending = self._controls.end(self._stop)
            if ending is not None or self._controls.may_step():
                return ending

    def _event(self, event: str, **fields: object) -> None:
        self._writer.event(event, 0, **fields)
