"""Nothing of ours reaches the script: one warning, then silence."""

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
    """A run could not be recorded, or no longer can. The training goes on as if nobody had watched it."""


class Guard:
    """Says whether to record at all, and ends that with one warning when something of ours goes wrong."""

    def __init__(self) -> None:
        self.on_failure: Callable[[str], None] | None = None
        """Is told the reason, once."""
        self._process = os.getpid()
        self._silent = False

    @property
    def open(self) -> bool:
        """Whether to record: nothing has failed, it has not been closed, and this is no forked child."""
        return not self._silent and os.getpid() == self._process

    def close(self) -> None:
        """Be silent from now on."""
        self._silent = True

    def fail(self, reason: str) -> None:
        """Say once why there is no recording, and be silent from now on."""
        if not self.open:
            return
        self._silent = True
        with contextlib.suppress(Exception):
            if self.on_failure is not None:
                self.on_failure(reason)
        warn(f"gradtui has stopped watching: {reason}")


def warn(text: str, level: int = 2) -> None:
    """Warn, also where the script makes errors of warnings: then on stderr. `level`: as of warnings.warn."""
    try:
        warnings.warn(text, WatchWarning, stacklevel=level)
    except Warning:
        print(text, file=sys.stderr)


def reason_of(error: BaseException) -> str:
    """One line; of the operating system's errors without the number."""
    if type(error).__module__.startswith("gradtui."):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


class Guarded(Protocol):
    """Whoever has a guard."""

    @property
    def guard(self) -> Guard: ...


G = TypeVar("G", bound=Guarded)


def guarded(
    otherwise: Any = None,
) -> Callable[[Callable[Concatenate[G, P], R]], Callable[Concatenate[G, P], R]]:
    """Makes a method safe to be called by the script: where the guard is closed, or when anything goes wrong,
    it returns `otherwise`. Ctrl-C is not held up."""

    def made(method: Callable[Concatenate[G, P], R]) -> Callable[Concatenate[G, P], R]:
        @wraps(method)
        def safe(self: G, *args: P.args, **kwargs: P.kwargs) -> R:
            if self.guard.open:
                try:
                    return method(self, *args, **kwargs)
                except Exception as error:
                    self.guard.fail(reason_of(error))
            result: R = otherwise
            return result

        return cast(Callable[Concatenate[G, P], R], safe)

    return made
