"""Ctrl-C and its like: they end the bench, and never the cleaning up."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_holds = 0
_waiting = 0


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """The first signal that means "stop" ends the block; whatever comes after it waits until all is cleaned up.

    A signal that was ignored when we came stays ignored.
    """
    before = {number: signal.getsignal(number) for number in NUMBERS}
    mine = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in mine:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, before[number])


@contextlib.contextmanager
def held() -> Iterator[None]:
    """A signal takes effect only at the end of the block: a process that was just started must be known first."""
    global _holds
    _holds += 1
    try:
        yield
    finally:
        _holds -= 1
        if _waiting and not _holds:
            _raise(_waiting)


def _end(number: int, frame: FrameType | None) -> None:
    global _waiting
    for each in NUMBERS:
        signal.signal(each, signal.SIG_IGN)
    _waiting = number
    if not _holds:
        _raise(number)


def _raise(number: int) -> None:
    global _waiting
    _waiting = 0
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
