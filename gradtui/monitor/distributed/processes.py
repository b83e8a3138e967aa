"""Which of the processes of a training this is, and what of the model it holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch import distributed as dist


@dataclass(frozen=True)
class Place:
    """This process among those that train together. Process 0 writes the run."""

    rank: int = 0
    size: int = 1

    @classmethod
    def of_this_process(cls) -> Place:
        """By torch's process group; before there is one, by what torchrun has set."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        try:
            return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
        except (KeyError, ValueError):
            return cls()


def is_sharded(models: Iterable[nn.Module]) -> bool:
    """Whether processes hold different parts of parameters.

    Raises TypeError on the older FullyShardedDataParallel, whose parameters do not say which part they are.
    """
    models = list(models)
    if any(type(m).__name__ == "FullyShardedDataParallel" for model in models for m in model.modules()):
        raise TypeError("FullyShardedDataParallel is not supported; fully_shard (FSDP2) is")
    return any(_shards(parameter) > 1 for model in models for parameter in model.parameters())


def counted_elsewhere(parameters: Sequence[Tensor | None], rank: int) -> NDArray[np.bool_]:
    """(parameters,): of which another process holds the same numbers, and counts them."""
    return np.fromiter((_is_copy(parameter, rank) for parameter in parameters), bool, len(parameters))


def _shards(parameter: Tensor) -> int:
    """In how many parts a parameter lies."""
    sizes = [parameter.device_mesh.size(dim) for dim, p in enumerate(_placements(parameter)) if p.is_shard()]  # type: ignore[attr-defined]
    return int(np.prod(sizes, dtype=np.int64))


def _is_copy(parameter: Tensor | None, rank: int) -> bool:
    placements = [] if parameter is None else _placements(parameter)
    if not placements:
        return rank != 0
    assert parameter is not None
    # Of processes along a dimension that does not shard, the first counts.
    here = parameter.device_mesh.get_coordinate()  # type: ignore[attr-defined]
    return here is None or any(at and not p.is_shard() for at, p in zip(here, placements, strict=True))


def _placements(parameter: Tensor) -> Sequence[Any]:
    """Of a DTensor; of any other none."""
    return getattr(parameter, "placements", ())
