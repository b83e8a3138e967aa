"""Small programs for the bench's terminal, as words of a command line."""

from __future__ import annotations

import os
import sys

RAW = "import os, sys, time, tty; tty.setraw(0); say = lambda text: os.write(1, text.encode()); "


def program(code: str) -> list[str]:
    """A program that reads its keys one by one; `say` writes as it is."""
    return [sys.executable, "-c", RAW + code]


def environment() -> dict[str, str]:
    return dict(os.environ)
