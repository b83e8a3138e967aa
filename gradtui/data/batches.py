"""Draw batches of training examples, seeded, endless and resumable."""

from __future__ import annotations

import torch
from torch import Tensor

from gradtui.data.arrays import rng
from gradtui.data.dataset import Dataset


class Batches:
    """Batches is an endless iterator of (x, y) over the shuffled training set.

    The permutation of an epoch depends only on the seed and the epoch's number, so the state is two numbers, and no
    generator's state is stored. Every batch is full: examples that do not fill a last batch are left out of that epoch,
    because a batch of one would break batch norm and make the curves jump. A batch size above the number of examples
    gives the whole data set.
    """

    def __init__(self, dataset: Dataset, batch_size: int, seed: int) -> None:
        self.x, self.y = dataset.train_x, dataset.train_y
        self.count = len(self.x)
        self.size = min(batch_size, self.count)
        self.per_epoch = self.count // self.size
        self.seed = seed
        self.epoch = 0
        self.taken = 0
        """The number of batches taken in this epoch."""
        self._order = self._permutation(0)

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        if self.taken == self.per_epoch:
            self.epoch += 1
            self.taken = 0
            self._order = self._permutation(self.epoch)
        start = self.taken * self.size
        self.taken += 1
        chosen = self._order[start : start + self.size]
        return self.x.index_select(0, chosen), self.y.index_select(0, chosen)

    def state(self) -> dict[str, int]:
        """Return the position of the iteration."""
        return {"epoch": self.epoch, "taken": self.taken}

    def restore(self, state: dict[str, int]) -> None:
        """Continue at a position that ``state`` returned; the next batch is the one that followed there."""
        self.epoch, self.taken = state["epoch"], state["taken"]
        self._order = self._permutation(self.epoch)

    def chosen(self, ago: int = 0) -> list[int]:
        """Return which training examples are in the batch that was taken last, or `ago` batches before it."""
        epoch, place = divmod(self.epoch * self.per_epoch + self.taken - 1 - ago, self.per_epoch)
        order = self._order if epoch == self.epoch else self._permutation(epoch)
        examples: list[int] = order[place * self.size : (place + 1) * self.size].tolist()
        return examples

    def _permutation(self, epoch: int) -> Tensor:
        order = torch.from_numpy(rng(self.seed, "shuffle", epoch).permutation(self.count))
        return order.to(self.x.device)


def batches(dataset: Dataset, batch_size: int, seed: int) -> Batches:
    """Return endless, seeded, resumable batches of the training set, on the device of the data set."""
    return Batches(dataset, batch_size, seed)
