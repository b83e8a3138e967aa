"""What this process does for the run of its training."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from torch import nn

from gradtui.monitor.distributed.helper import Helper
from gradtui.monitor.distributed.leader import Leader
from gradtui.monitor.distributed.post import Post
from gradtui.monitor.distributed.processes import Place, is_sharded
from gradtui.monitor.parts import Parts, Undivided

_numbers = itertools.count()
"""Of the sharded models that are watched: every process counts alike."""


def parts_of(models: Iterable[nn.Module]) -> Parts | None:
    """How this process's norms become those of the whole model; None where another process does all there is to do.

    Raises TypeError and ValueError where sharded parameters cannot be measured.
    """
    models = list(models)
    place = Place.of_this_process()
    if place.size == 1 or not is_sharded(models):
        return Undivided() if place.rank == 0 else None
    # Here, for a torch that was built without it has none of it.
    from torch.distributed.distributed_c10d import _get_default_store

    post = Post(_get_default_store(), next(_numbers), place.rank, place.size)
    return Helper(post, place.rank, place.size) if place.rank else Leader(post, place.size)
