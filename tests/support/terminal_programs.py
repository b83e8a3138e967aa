"""Provide small programs for the tests of terminals, as words of a command line."""

from __future__ import annotations

import os
import sys

RAW = "import os, sys, time, tty; tty.setraw(0); say = lambda text: os.write(1, text.encode()); "


def program(code: str) -> list[str]:
    """Return a program that reads its keys one by one; `say` writes a text unchanged."""
    return [sys.executable, "-c", RAW + code]


def environment() -> dict[str, str]:
    return dict(os.environ)
