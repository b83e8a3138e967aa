"""Define a small model and a Trainer of transformers that reads examples in their order."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainingArguments

from gradtui.integrations.huggingface import GradtuiCallback
from tests.integrations.material import BATCH, LR, examples, net


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.net(x)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class InOrder(Trainer):
    def _get_train_sampler(self, *arguments: object) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


def trainer(
    folder: Path, model: nn.Module, callback: GradtuiCallback | None = None, **options: object
) -> Trainer:
    x, y = examples()
    arguments = TrainingArguments(
        output_dir=str(folder / "out"), per_device_train_batch_size=BATCH, num_train_epochs=1,
        learning_rate=LR, lr_scheduler_type="constant", optim="sgd", use_cpu=True, logging_steps=1,
        report_to=[], save_strategy="no", disable_tqdm=True, **options,
    )  # fmt: skip
    data = [{"x": one, "labels": label} for one, label in zip(x, y, strict=True)]
    return InOrder(model=model, args=arguments, train_dataset=data, callbacks=[callback] if callback else [])
