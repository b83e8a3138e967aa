"""Define what a command of the command line is, its exit codes, and the error for input that cannot be used."""

from __future__ import annotations

import re
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
        for pattern, words in _PLAINER:
            message = pattern.sub(words, message)
        raise BadInput(f"{message} ({self.prog} --help lists what is allowed)")


def _choices(found: re.Match[str]) -> str:
    """Return the refusal of a choice in the words of all other refusals."""
    return f"{found[1]} is not allowed; expected one of {found[2].replace(chr(39), '')}"


_PLAINER: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"^argument "), ""),
    (re.compile(r"invalid int value: (.*)$"), r"\1 is not allowed; expected a whole number"),
    (re.compile(r"invalid float value: (.*)$"), r"\1 is not allowed; expected a number"),
    (re.compile(r"invalid choice: (.*) \(choose from (.*)\)$"), _choices),
    (re.compile(r"expected one argument$"), "a value is missing"),
    (re.compile(r"^the following arguments are required: (.*)$"), r"\1: is missing"),
    (re.compile(r"^unrecognized arguments: (.*)$"), r"\1: not known here"),
)
"""What argparse says, and the same in the words of our own messages."""


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
