"""Define what a command of the command line is, its exit codes, and the error for input that cannot be used."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

DONE = 0
TRAINING_FAILED = 1
BAD_INPUT = 2
FOUND = 3
"""A finding named in ``--fail-on`` was found."""


class BadInput(Exception):
    """A BadInput error says in one line which field or file cannot be used."""


class OneLineParser(ArgumentParser):
    """A OneLineParser reports a mistake in one line, where argparse prints a usage text too."""

    def error(self, message: str) -> NoReturn:
        """Raise BadInput."""
        raise BadInput(f"{message} ({self.prog} --help lists what is allowed)")


@dataclass(frozen=True)
class Subcommand:
    """A Subcommand is what one word of the command line does.

    ``execute`` imports what it needs when it runs, so that ``--help`` costs milliseconds; it returns the exit
    code and raises BadInput.
    """

    name: str
    usage: str
    summary: str
    configure: Callable[[ArgumentParser], None]
    execute: Callable[[Namespace], int]
