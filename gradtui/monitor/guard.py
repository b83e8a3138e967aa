"""Keep errors of the recording out of the watched script: a guard warns once and stops the recording."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class WatchWarning(UserWarning):
    """A WatchWarning says that a run cannot be recorded, or no longer can. The training continues."""


class Guard:
    """A Guard says whether to record, and ends the recording with one warning when it raises an error."""

    def __init__(self) -> None:
        self.on_failure: Callable[[str], None] | None = None
        """A function that is called once, with the reason, when the recording fails."""
        self._process = os.getpid()
        self._closed = False

    @property
    def open(self) -> bool:
        """Return whether to record: nothing has failed, the run has not ended, and this process was not forked."""
        return not self._closed and os.getpid() == self._process

    def close(self) -> None:
        """Stop the recording."""
        self._closed = True

    def fail(self, reason: str) -> None:
        """Warn once that the recording has stopped, and record nothing from now on."""
        if not self.open:
            return
        self._closed = True
        with contextlib.suppress(Exception):
            if self.on_failure is not None:
                self.on_failure(reason)
        warn(f"gradtui has stopped watching: {reason}")


def warn(text: str, level: int = 2) -> None:
    """Show a WatchWarning; print it to stderr if the script turns warnings into errors.

    `level` is the stack level, as in warnings.warn.
    """
    try:
        warnings.warn(text, WatchWarning, stacklevel=level)
    except Warning:
        print(text, file=sys.stderr)


def reason_of(error: BaseException) -> str:
    """Return the reason for an error in one line; for errors of the operating system, without their number."""
    if type(error).__module__.startswith("gradtui."):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


class HasGuard(Protocol):
    """A HasGuard is an object whose methods may be decorated with `guarded`."""

    @property
    def guard(self) -> Guard:
        """Return the guard that stops the recording after a failure."""


G = TypeVar("G", bound=HasGuard)


def guarded(
    default: Any = None,
) -> Callable[[Callable[Concatenate[G, P], R]], Callable[Concatenate[G, P], R]]:
    """Decorate a method that the script calls, directly or by a hook, so that it never raises.

    If the guard is closed, or the method fails, it returns `default`. KeyboardInterrupt is passed on.
    """

    def decorate(method: Callable[Concatenate[G, P], R]) -> Callable[Concatenate[G, P], R]:
        @wraps(method)
        def safe(self: G, *args: P.args, **kwargs: P.kwargs) -> R:
            if self.guard.open:
                try:
                    return method(self, *args, **kwargs)
                except Exception as error:
                    self.guard.fail(reason_of(error))
            result: R = default
            return result

        return cast(Callable[Concatenate[G, P], R], safe)

    return decorate
