"""A run that grows while it is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gradtui.bench.errors import CannotMeasure
from gradtui.bench.home import Home

BEFORE = 300
"""Steps that are there already: the waterfall has rows, and is not full."""


@contextlib.contextmanager
def growing(home: Home, *, layers: int, rate: int, commits: int = 10) -> Iterator[tuple[Path, int]]:
    """The folder of a run that gets `rate` steps a second, written `commits` times in one, and who writes it.

    It ends with the block.
    """
    words = map(str, (home.runs, layers, BEFORE, rate, commits))
    with home.running("gradtui.bench.grower", *words) as child:
        assert child.stdout is not None
        folder = child.stdout.readline().decode().strip()
        if not folder:
            raise CannotMeasure("no run could be written")
        yield Path(folder), child.pid
