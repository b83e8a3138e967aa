"""Provide a callback for Hugging Face's Trainer: ``Trainer(…, callbacks=[GradtuiCallback()])``."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

import gradtui
from gradtui.monitor.watch import Probe


class GradtuiCallback(TrainerCallback):  # type: ignore[misc]
    """A GradtuiCallback records each call of `train` as a run, with the losses that the Trainer logs."""

    def __init__(self, **options: Any) -> None:
        """Take the options of `gradtui.watch`."""
        self._options = options
        self.probe = Probe()
        """The probe of the newest `train`, by which the script can log more; before the first it records nothing."""

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module,
        optimizer: Optimizer,
        **others: Any,
    ) -> None:
        """Watch the model and the optimizer, before the first step."""
        # Accelerate wraps the optimizer, and the wrapper takes no steps itself.
        self.probe = gradtui.watch(model, getattr(optimizer, "optimizer", optimizer), **self._options)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any],
        **others: Any,
    ) -> None:
        """Log the losses since the last time, and the results of evaluations."""
        self.probe.log(
            **{name: logs[name] for name in ("loss", "eval_loss", "eval_accuracy") if name in logs}
        )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """End the run."""
        self.probe.close()
