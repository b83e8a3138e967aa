"""Which machine it was: a figure without it says nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from gradtui import __version__


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe(*packages: str) -> str:
    """One line: the machine, how busy it is already, and the versions, also of these packages."""
    load = os.getloadavg()[0]
    words = [
        f"gradtui {__version__}",
        f"{platform.system()} {platform.machine()}, {cores()} cores, load {load:.1f}",
        f"Python {platform.python_version()}",
        # By the package's own word: torch takes seconds to import.
        *(f"{name} {_version(name)}" for name in ("textual", "torch", "numpy", *packages)),
    ]
    return " · ".join(words)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
