"""End runs with their process: at Python's exit, at the end of a multiprocessing worker, and at `os._exit`.

A process that calls `os._exit` runs no exit handlers, nor does a forked worker of multiprocessing. So `os._exit` is
wrapped while runs are open; how long the wrapper may take is limited, as such a process may hang in another thread.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from gradtui.monitor.guard import reason_of
from gradtui.runs.status import State

EXIT_SECONDS = 1.0
"""The longest time for which `os._exit` is delayed."""

End = Callable[[State, str], None]

_ends: dict[End, Any] = {}
"""What ends the open runs, each with what cancels it in a worker of multiprocessing."""
_process = os.getpid()
_exit_at_once = os._exit


def end_with_process(end: End) -> None:
    """Call `end` once with status and reason when this process ends."""
    global _process
    if _process != os.getpid():
        # A forked process inherits the runs of its parent, but must not end them.
        _process = os.getpid()
        _ends.clear()
    # Handlers run in the reverse order: a run has to end before the handler of its writer, which closes it.
    atexit.unregister(_end_with_script)
    atexit.register(_end_with_script)
    _ends[end] = _finalizer_in_worker(lambda: end(*ending_of(sys.exc_info()[1])))
    if os._exit is not _exit:
        _wrap_exit()


def forget(end: End) -> None:
    """Do not call `end` any more, since its run has ended."""
    finalizer = _ends.pop(end, None)
    if finalizer is not None:
        finalizer.cancel()
    if not _ends:
        atexit.unregister(_end_with_script)
        if os._exit is _exit:
            os._exit = _exit_at_once


def _finalizer_in_worker(call: Callable[[], None]) -> Any:
    """Arrange for a call at the end of this process if it is a worker of multiprocessing; return its finalizer."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is None or processes.parent_process() is None:
        return None
    from multiprocessing.util import Finalize

    return Finalize(None, call, exitpriority=0)


def ending_of(error: BaseException | None) -> tuple[State, str]:
    """Return status and reason: finished without an error, stopped by Ctrl-C, failed by any other error."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "finished", ""
    if isinstance(error, KeyboardInterrupt):
        return "stopped", "interrupted (Ctrl-C)"
    return "failed", reason_of(error)


def _end_with_script() -> None:
    # In an interactive session the last exception belongs to some earlier line.
    interactive = hasattr(sys, "ps1") or "IPython" in sys.modules
    _end_all(*ending_of(None if interactive else getattr(sys, "last_value", None)))


def _end_all(status: State, reason: str) -> None:
    for end in list(_ends):
        end(status, reason)


def _wrap_exit() -> None:
    global _exit_at_once
    _exit_at_once = os._exit
    os._exit = _exit


def _exit(status: int) -> NoReturn:
    """Take the place of `os._exit`: end the runs of this process before."""
    if os.getpid() == _process:
        ending: tuple[State, str] = ("finished", "")
        if status != 0:
            ending = "failed", f"the process ended itself with exit code {status}"
        with contextlib.suppress(Exception):
            thread = threading.Thread(target=_end_all, args=ending, daemon=True)
            thread.start()
            thread.join(EXIT_SECONDS)
    _exit_at_once(status)
