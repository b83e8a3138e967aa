"""Provide a callback for Lightning: ``Trainer(callbacks=[GradtuiCallback()])``."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import gradtui
from gradtui.monitor.watch import Probe

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ModuleNotFoundError:
    # This is the package's name if it is installed without `lightning`.
    from pytorch_lightning import Callback, LightningModule, Trainer


class GradtuiCallback(Callback):  # type: ignore[misc]
    """A GradtuiCallback records each call of `fit` as a run, with the loss of each step.

    The loss is recorded before Lightning divides it by the number of accumulated batches.
    """

    def __init__(self, **options: Any) -> None:
        """Take the options of `gradtui.watch`."""
        self._options = options
        self.probe = Probe()
        """The probe of the newest `fit`, by which the script can log more; before the first it records nothing."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Watch the model as the strategy has wrapped it, and its optimizers."""
        name = {"name": type(pl_module).__name__, **self._options}
        self.probe = gradtui.watch(trainer.strategy.model or pl_module, trainer.optimizers, **name)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Log the loss of one batch of a step."""
        # Lightning divides the loss only with automatic optimization.
        parts = trainer.accumulate_grad_batches if pl_module.automatic_optimization else 1
        self.probe.log(loss=loss.detach() * parts)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the run."""
        self.probe.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the run of a training that has failed or was interrupted."""
        self.probe.__exit__(type(exception), exception, exception.__traceback__)
