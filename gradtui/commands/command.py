"""What a command is to the command line, and how every one of them says that its input is bad."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

DONE = 0
TRAINING_FAILED = 1
BAD_INPUT = 2
FOUND = 3
"""A finding named in ``--fail-on``."""


class BadInput(Exception):
    """Something that the person gave cannot be used; ``str()`` is one line that names the field or file."""


class OneLineParser(ArgumentParser):
    """argparse, except that a mistake is one line instead of a usage text and one line."""

    def error(self, message: str) -> NoReturn:
        """Raises BadInput."""
        raise BadInput(f"{message} ({self.prog} --help lists what is allowed)")


@dataclass(frozen=True)
class Command:
    """One word of the command line.

    ``execute`` imports what it needs when it runs, so that ``--help`` costs milliseconds; it returns the exit
    code and raises BadInput.
    """

    name: str
    usage: str
    summary: str
    configure: Callable[[ArgumentParser], None]
    execute: Callable[[Namespace], int]
