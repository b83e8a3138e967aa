"""Find out what importing a module loads, in a fresh interpreter."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def loaded_by(*modules: str) -> set[str]:
    """Return the top-level names in sys.modules after importing these modules in a fresh process."""
    code = f"import sys, {', '.join(modules)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return set(output.stdout.split())


def modules_of(package: object) -> list[str]:
    """Return the names of the package and of all modules in it."""
    name, path = package.__name__, package.__path__  # type: ignore[attr-defined]
    return [name, *(module.name for module in pkgutil.walk_packages(path, f"{name}."))]
