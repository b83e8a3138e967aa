"""Many trainings with one engine: which are begun next, which are looked at, and which are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradtui.study.engines import Engine
from gradtui.study.training import Training


class Pool:
    """Trainings in the order in which they are to be begun. Only for one thread at a time.

    Args:
        find: called before one is begun that has no run: another viewer may have begun it since, and it is to be taken
            up then.
    """

    def __init__(
        self, engine: Engine, trainings: Sequence[Training], find: Callable[[Training], None]
    ) -> None:
        self._engine = engine
        self._trainings = trainings
        self._find = find

    def poll(self, *, begin: bool = True) -> bool:
        """Look at what runs, judge it, begin what there is room for, and say whether anything changed."""
        changed = False
        for training in self._trainings:
            changed |= training.look()
        changed |= self._judge()
        return (begin and self._begin()) or changed

    def stop(self) -> None:
        """End all that run where they are, and begin no more."""
        for training in self._trainings:
            training.stop()

    def _judge(self) -> bool:
        """All that have ended; of those that train, the one that has waited longest, so that a poll is never long."""
        waiting = [(since, one) for one in self._trainings if (since := one.waits_since) is not None]
        ended = [training for _, training in waiting if not training.live]
        running = [entry for entry in waiting if entry[1].live]
        for training in ended:
            training.judge()
        if running:
            min(running, key=lambda entry: entry[0])[1].judge()
        return bool(waiting)

    def _begin(self) -> bool:
        begun = False
        for training in self._trainings:
            if not training.waits:
                continue
            if not self._engine.has_room(training.need, [one.load for one in self._trainings if one.live]):
                break
            if training.folder is None:
                self._find(training)
            if training.waits:
                training.begin(self._engine.start)
            begun = True
        return begun
