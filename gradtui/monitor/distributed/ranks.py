"""Find the rank of this process in a training, and the parts of the model's parameters that it holds."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch import distributed as dist


class CannotMeasure(TypeError):
    """A CannotMeasure error says why the gradients of a distributed training are not where they can be measured."""


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

    Raises CannotMeasure on the older FullyShardedDataParallel, whose parameters do not say which part they are.
    """
    models = list(models)
    if any(type(m).__name__ == "FullyShardedDataParallel" for model in models for m in model.modules()):
        raise CannotMeasure("FullyShardedDataParallel is not supported, but fully_shard (FSDP2) is")
    return any(_shard_count(parameter) > 1 for model in models for parameter in model.parameters())


def check_keeps_gradients(models: Iterable[nn.Module]) -> None:
    """Raise CannotMeasure where DeepSpeed has taken the gradients out of the parameters.

    Such parameters carry their place in its buffers (ZeRO 1 and 2) or the number of their part (ZeRO 3).
    """
    if any(hasattr(p, "_hp_mapping") or hasattr(p, "ds_id") for model in models for p in model.parameters()):
        raise CannotMeasure(
            "DeepSpeed's ZeRO keeps the gradients in parts of its own, so no layer's norm can be shown; "
            "engine.get_global_grad_norm() is the norm of all of them"
        )


class Stage(NamedTuple):
    """A Stage is one of the parts of a model that processes compute one behind another (pipeline parallelism)."""

    number: int
    """The number of the stage, from 0."""
    stages: int
    first_group: bool
    """Whether its pipeline is the one of rank 0; others hold copies."""


def pipeline_stage(models: Iterable[nn.Module]) -> Stage | None:
    """Return the first stage of this process whose parameters these models have; None without a pipeline."""
    module = sys.modules.get("torch.distributed.pipelining.stage")
    base = getattr(module, "_PipelineStageBase", None)
    if base is None:
        return None
    held = {id(p) for model in models for p in model.parameters()}
    found = [
        Stage(
            one.stage_index, one.num_stages, one.group is None or 0 in dist.get_process_group_ranks(one.group)
        )
        for one in gc.get_objects()
        if issubclass(type(one), base) and any(id(p) in held for p in one.submod.parameters())
    ]
    return min(found, default=None)


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
