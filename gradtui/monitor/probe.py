"""What `gradtui.watch` returns: the script's handle on its run."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gradtui.monitor.ending import Ending, ending_of, ending_of_script
from gradtui.monitor.guard import Guard, guarded
from gradtui.monitor.subject import Subject
from gradtui.monitor.wishes import Wishes


class Probe:
    """Records a training as it happens. Nothing that goes wrong in it reaches the script, and once it is
    closed, or has failed, every call does nothing.

    It ends with the script, with the `with` block that it stands in, by `close()`, or when the model is gone.
    """

    def __init__(self, subject: Subject | None = None) -> None:
        """Without a subject it is one that records nothing."""
        self.guard = Guard() if subject is None else subject.guard
        self._subject = subject
        self._ending = threading.Lock()
        if subject is None:
            self.guard.close()
            return
        self.guard.on_failure = self._failed
        atexit.register(self._leave)
        for watched in (*subject.models(), *subject.optimizers()):
            weakref.finalize(watched, self._dropped).atexit = False

    @property
    def run(self) -> Path | None:
        """The folder of the run; None where it could not be made."""
        return None if self._subject is None else self._subject.folder

    @property
    def overhead(self) -> float:
        """What recording has cost so far, over the time that the training itself took."""
        return 0.0 if self._subject is None else self._subject.recorder.overhead

    @guarded()
    def step(self) -> None:
        """Record a step of a training that was watched without its optimizer: after backward, and before the
        gradients are cleared. Does nothing where the optimizer is known."""
        if self._subject is not None:
            self._subject.step()

    @guarded()
    def log(self, /, **values: Any) -> None:
        """Record numbers of the step: floats, or tensors of one number, which are not waited for.

        `loss` and `accuracy` are what they say; other names become curves of their own. Call it always before
        `optimizer.step()` or always after it. What is logged several times before a step is averaged.
        """
        subject = self._subject
        if subject is not None:
            with subject.recorder.stopwatch.on("rows"):
                subject.recorder.logged.log(values, subject.recorder.step, time.time())

    @guarded(otherwise=Wishes())
    def control(self) -> Wishes:
        """What has been wished in the app since this was last asked. Honour it or not."""
        return Wishes() if self._subject is None else self._subject.wishes()

    def close(self) -> None:
        """End the run. Later calls do nothing."""
        self._end(("finished", ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(ending_of(error))

    def _leave(self) -> None:
        self._end(ending_of_script())

    def _end(self, ending: Ending) -> None:
        if self._subject is not None and self._finish(ending):
            self._subject.release()

    @guarded(otherwise=False)
    def _finish(self, ending: Ending) -> bool:
        """End the run, once; whoever comes second waits until that is done."""
        with self._ending:
            if self._subject is None or not self.guard.open:
                return False
            try:
                self._subject.end(ending)
            finally:
                self.guard.close()
        atexit.unregister(self._leave)
        return True

    def _failed(self, reason: str) -> None:
        """What cannot be recorded any more has stopped, though the training goes on."""
        if self._subject is not None:
            self._subject.give_up(reason)

    def _dropped(self) -> None:
        """A model or an optimizer is gone. This may be said by the garbage collector, in any thread, and while locks
        are held."""
        if self._subject is not None and self.guard.open and self._subject.over:
            threading.Thread(target=self._finish_dropped, daemon=True).start()

    def _finish_dropped(self) -> None:
        # Its hooks are gone with them, or never called again; one may be under way right now.
        self._finish(("finished", ""))
