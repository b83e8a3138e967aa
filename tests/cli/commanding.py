"""Running `gradtui` as a person does: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

GRADTUI = [sys.executable, "-m", "gradtui"]


def environment(home: Path) -> dict[str, str]:
    """Ours, with a GRADTUI_HOME, a width, and nothing that asks for colours."""
    clean = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
    return {**clean, "GRADTUI_HOME": str(home), "COLUMNS": "100"}


def gradtui(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, without a terminal."""
    return subprocess.run(
        [*GRADTUI, *words],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def start(home: Path, *words: str) -> subprocess.Popen[str]:
    """The same, without waiting."""
    return subprocess.Popen(
        [*GRADTUI, *words],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def strictly(text: str) -> Any:
    """The one JSON value that `text` is; NaN and Infinity, which JSON does not know, are refused."""

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)
