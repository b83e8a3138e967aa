"""How a batch is split over processes."""

from __future__ import annotations

from torch import Tensor

from gradtui.data.task import IGNORED


def part_of(x: Tensor, y: Tensor, rank: int, size: int) -> tuple[Tensor, Tensor, float | Tensor]:
    """The examples of process `rank` of `size`, and their share in the mean over the whole batch.

    Parts differ by one example at most. A mean over sequences is one over the steps that count, so there the share is
    of these; each part must have some.
    """
    my_x, my_y = x.tensor_split(size)[rank], y.tensor_split(size)[rank]
    if y.dim() == 2 and not y.is_floating_point():
        return my_x, my_y, (my_y != IGNORED).sum() / (y != IGNORED).sum()
    return my_x, my_y, len(my_y) / len(y)
