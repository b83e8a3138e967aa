"""For Lightning: ``Trainer(callbacks=[GradtuiCallback()])``."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import gradtui
from gradtui.monitor.watch import Probe

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ModuleNotFoundError:
    # Its name where it is installed by itself.
    from pytorch_lightning import Callback, LightningModule, Trainer


class GradtuiCallback(Callback):  # type: ignore[misc]
    """Records every `fit` into a run of its own, with the loss of each step, before it is divided by the number of
    batches that are accumulated."""

    def __init__(self, **options: Any) -> None:
        """`options`: those of `gradtui.watch`."""
        self._options = options
        self.probe = Probe()
        """Of the last `fit`, for numbers of one's own; before the first it records nothing."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The strategy has wrapped the model and made the optimizers."""
        name = {"name": type(pl_module).__name__, **self._options}
        self.probe = gradtui.watch(trainer.strategy.model or pl_module, trainer.optimizers, **name)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """One of the batches of a step."""
        # Only with automatic optimization is it Lightning that divides.
        parts = trainer.accumulate_grad_batches if pl_module.automatic_optimization else 1
        self.probe.log(loss=loss.detach() * parts)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The run is over."""
        self.probe.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """It failed, or was interrupted."""
        self.probe.__exit__(type(exception), exception, exception.__traceback__)
