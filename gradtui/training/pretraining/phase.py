"""Pretraining as a phase of a run: said epoch by epoch, paused and stopped like the training itself."""

from __future__ import annotations

import torch
from torch import Tensor

from gradtui.data.seeds import rng
from gradtui.runs.writer import RunWriter
from gradtui.training.controls import Controls
from gradtui.training.pretraining.autoencoder import Autoencoder
from gradtui.training.pretraining.hidden import HiddenLayer, hidden_layers, through
from gradtui.training.pretraining.rbm import BoltzmannMachine
from gradtui.training.session import Session
from gradtui.training.stopping import Ending, StopRequest, wished_end

BATCH = 32
"""Examples in a step of the pretraining, at most."""

KINDS: dict[str, type[Autoencoder | BoltzmannMachine]] = {
    "autoencoder": Autoencoder,
    "rbm": BoltzmannMachine,
}


class Pretraining:
    """Trains the hidden layers of a session's net one after another, each on the outputs of those below it.

    Always in float32, whatever `run.precision`; penalties and clipping are of the training proper. All that
    is random comes from a generator for each layer, seeded by the experiment's seed and the layer's number:
    the order of the training's batches is what it would be without.
    """

    def __init__(self, session: Session, writer: RunWriter, controls: Controls, stop: StopRequest) -> None:
        self._session = session
        self._writer = writer
        self._controls = controls
        self._stop = stop
        self._spec = session.exp.cures.pretrain

    def run(self) -> Ending | None:
        """Pretrain; returns how the run ended if it was stopped meanwhile, else None.

        Events, all of step 0: a phase at the beginning of each epoch, and at its end "pretrain" with layer
        (from 1), name, epoch (from 1) and reconstruction_error, the mean squared error of a number of the
        layer's inputs over the epoch.
        """
        before, layers = hidden_layers(self._session.net)
        inputs = through(before, self._session.dataset.train_x)
        for number, layer in enumerate(layers, 1):
            ending = self._layer(number, len(layers), layer, inputs)
            if ending is not None:
                return ending
            # From here on a norm does what it does for one example alone: the layer above learns from that.
            layer.train(False)
            inputs = through([layer], inputs)
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
            self._say("phase", phase="pretraining", text=text, layers=layers, epochs=epochs, **where)
            total = torch.zeros((), device=device)
            order = torch.randperm(len(inputs), generator=generator, device=device)
            # All of nearly one size: a last batch of one would break batch norm.
            for chosen in order.tensor_split(-(-len(order) // BATCH)):
                ending = self._hold()
                if ending is not None:
                    return ending
                total += machine.step(inputs.index_select(0, chosen)) * len(chosen)
            self._say("pretrain", name=layer.name, reconstruction_error=float(total) / len(order), **where)
        return None

    def _hold(self) -> Ending | None:
        """Obey what is wished; returns as soon as a step may be taken, or the end that was wished."""
        while True:
            self._controls.look()
            ending = wished_end(self._stop, self._controls)
            if ending is not None or self._controls.may_step():
                return ending

    def _say(self, event: str, **fields: object) -> None:
        self._writer.event(event, 0, **fields)
