"""For Hugging Face's Trainer: ``Trainer(…, callbacks=[GradtuiCallback()])``."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

import gradtui
from gradtui.monitor.watch import Probe


class GradtuiCallback(TrainerCallback):  # type: ignore[misc]
    """Records every `train` into a run of its own, with the losses that the Trainer logs, as often as it does."""

    def __init__(self, **options: Any) -> None:
        """`options`: those of `gradtui.watch`."""
        self._options = options
        self.probe = Probe()
        """Of the last `train`, for numbers of one's own; before the first it records nothing."""

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module,
        optimizer: Optimizer,
        **others: Any,
    ) -> None:
        """Model and optimizer are there, and nothing was trained yet."""
        # Accelerate's wrapper of the optimizer takes no steps itself.
        self.probe = gradtui.watch(model, getattr(optimizer, "optimizer", optimizer), **self._options)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any],
        **others: Any,
    ) -> None:
        """Means since the last time, and results of evaluations."""
        self.probe.log(
            **{name: logs[name] for name in ("loss", "eval_loss", "eval_accuracy") if name in logs}
        )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """The run is over."""
        self.probe.close()
