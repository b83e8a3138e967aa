"""Find the rank of this process in a training, and the parts of the model's parameters that it holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch import distributed as dist


def rank_and_size() -> tuple[int, int]:
    """Return the rank of this process, and the number of processes of its training.

    They come from torch's process group or, before there is one, from what torchrun has set.
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    try:
        return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    except (KeyError, ValueError):
        return 0, 1


def is_sharded(models: Iterable[nn.Module]) -> bool:
    """Return whether processes hold different parts of parameters.

    Raises TypeError on the older FullyShardedDataParallel, whose parameters do not say which part they are.
    """
    models = list(models)
    if any(type(m).__name__ == "FullyShardedDataParallel" for model in models for m in model.modules()):
        raise TypeError("FullyShardedDataParallel is not supported; fully_shard (FSDP2) is")
    return any(_shard_count(parameter) > 1 for model in models for parameter in model.parameters())


def counted_elsewhere(parameters: Sequence[Tensor | None], rank: int) -> NDArray[np.bool_]:
    """Return (parameters,): whether another process holds the same numbers and counts them."""
    return np.fromiter((_is_copy(parameter, rank) for parameter in parameters), bool, len(parameters))


def _shard_count(parameter: Tensor) -> int:
    sizes = [parameter.device_mesh.size(dim) for dim, p in enumerate(_placements(parameter)) if p.is_shard()]  # type: ignore[attr-defined]
    return int(np.prod(sizes, dtype=np.int64))


def _is_copy(parameter: Tensor | None, rank: int) -> bool:
    placements = [] if parameter is None else _placements(parameter)
    if not placements:
        return rank != 0
    assert parameter is not None
    # Along a mesh dimension that does not shard, the first process counts.
    here = parameter.device_mesh.get_coordinate()  # type: ignore[attr-defined]
    return here is None or any(at and not p.is_shard() for at, p in zip(here, placements, strict=True))


def _placements(parameter: Tensor) -> Sequence[Any]:
    """Return the placements of a DTensor; none for any other tensor."""
    return getattr(parameter, "placements", ())
