"""How a script ended, as far as can be told from within."""

from __future__ import annotations

import sys

from gradtui.monitor.guard import reason_of
from gradtui.runs.status import State

Ending = tuple[State, str]


def ending_of(error: BaseException | None) -> Ending:
    """Status and reason: finished without an error, stopped by Ctrl-C, failed by anything else."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "finished", ""
    if isinstance(error, KeyboardInterrupt):
        return "stopped", "interrupted (Ctrl-C)"
    return "failed", reason_of(error)


def ending_of_script() -> Ending:
    """For a script that is over: whether the interpreter was left by an exception that nobody caught."""
    if hasattr(sys, "ps1") or "IPython" in sys.modules:
        # There, the last exception is that of some line long ago.
        return "finished", ""
    return ending_of(getattr(sys, "last_value", None))
