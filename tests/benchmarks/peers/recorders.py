"""Define the ways of recording, each as its own documentation shows it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor, nn

import gradtui
from tests.benchmarks.peers.nets import Training


class Recorder:
    """A recorder that records nothing; the others override what they need."""

    def __init__(self, training: Training, folder: Path) -> None:
        self.training = training
        self.named: list[tuple[str, nn.Parameter]] = list(training.model.named_parameters())

    def resume(self) -> None:
        """Begin a turn."""

    def backward(self, step: int) -> None:
        """Record the gradients, which are there now, before the optimizer takes its step."""

    def stepped(self, step: int, loss: Tensor) -> None:
        """Record what is known after the optimizer's step."""

    def close(self) -> None:
        """Write everything."""


class Gradtui(Recorder):
    """`gradtui.watch`."""

    budget: float | None = None

    def __init__(self, training: Training, folder: Path) -> None:
        super().__init__(training, folder)
        self._probe = gradtui.watch(training.model, training.optimizer, runs=folder, budget=self.budget)

    def resume(self) -> None:
        """Leave the others' turns out of the time of this training."""
        session = self._probe._session
        assert session is not None
        session.recorder.stopwatch.lap()

    def stepped(self, step: int, loss: Tensor) -> None:
        self._probe.log(loss=loss)

    def close(self) -> None:
        self._probe.close()


class Budget(Gradtui):
    """`gradtui.watch` within the share of time that it takes by default."""

    budget = 0.01


class ItemLoop(Recorder):
    """A plain loop that keeps the norm of each parameter in a list."""

    def __init__(self, training: Training, folder: Path) -> None:
        super().__init__(training, folder)
        self._norms: list[list[float]] = []

    def backward(self, step: int) -> None:
        self._norms.append(self.norms())

    def norms(self) -> list[float]:
        """Return the gradient norm of every parameter."""
        return [p.grad.norm().item() for _, p in self.named if p.grad is not None]


class WandbNorms(ItemLoop):
    """wandb without a server, the norms as scalars."""

    watches = False

    def __init__(self, training: Training, folder: Path) -> None:
        super().__init__(training, folder)
        os.environ["WANDB_SILENT"] = "true"
        import wandb

        self._wandb: Any = wandb
        self._run: Any = wandb.init(
            mode="offline", dir=str(folder), project="bench", settings=wandb.Settings(console="off")
        )
        if self.watches:
            wandb.watch(training.model, log="gradients", log_freq=1)
        self._coming: dict[str, float] = {}

    def backward(self, step: int) -> None:
        if not self.watches:
            self._coming = {
                f"grad_norm/{name}": norm for (name, _), norm in zip(self.named, self.norms(), strict=True)
            }

    def stepped(self, step: int, loss: Tensor) -> None:
        self._run.log({"loss": loss.item(), **self._coming})

    def close(self) -> None:
        self._run.finish()


class WandbWatch(WandbNorms):
    """wandb.watch with histograms of all gradients."""

    watches = True


class TensorBoardNorms(ItemLoop):
    """TensorBoard through torch's writer, the norms as scalars."""

    def __init__(self, training: Training, folder: Path) -> None:
        super().__init__(training, folder)
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))

    def backward(self, step: int) -> None:
        for (name, _), norm in zip(self.named, self.norms(), strict=True):
            self._writer.add_scalar(f"grad_norm/{name}", norm, step)

    def stepped(self, step: int, loss: Tensor) -> None:
        self._writer.add_scalar("loss", loss.item(), step)

    def close(self) -> None:
        self._writer.close()


class TensorBoardHistograms(TensorBoardNorms):
    """TensorBoard with histograms of all gradients."""

    def backward(self, step: int) -> None:
        for name, p in self.named:
            self._writer.add_histogram(f"grad/{name}", p.grad, step)


RECORDERS: dict[str, type[Recorder]] = {
    "bare": Recorder,
    "every-step": Gradtui,
    "budget": Budget,
    "item-loop": ItemLoop,
    "wandb-norms": WandbNorms,
    "wandb-watch": WandbWatch,
    "tensorboard-norms": TensorBoardNorms,
    "tensorboard-histograms": TensorBoardHistograms,
}
"""The recorders by the names of `KINDS`."""
