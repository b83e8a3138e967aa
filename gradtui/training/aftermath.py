"""What is done when a training breaks: it is told which step broke it, in which layer, on which examples; the point
before it is written down; and the steps from there on are looked at."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gradtui.probe.sampling_budget import SamplingBudget
from gradtui.training.checkpoints.rewinding import Rewind
from gradtui.training.checkpoints.state import Standing
from gradtui.training.recorder import Recorder
from gradtui.training.replay import Replay, Replayed
from gradtui.training.session import Session
from gradtui.training.watch import Broken, Recovered


class Aftermath:
    """Tells what the recorder's watch has seen.

    An event "broke" has step, reason ("nonfinite" or "blow-up"), measure ("loss" or "grad_norm": which it shows in)
    with `usual`, its median before; loss, before (the loss of the step before) and grad_norm (of all parameters,
    before clipping); layer and part: the layer whose "output" is the first, from the input on, that is not finite,
    or, where all outputs are or nothing is known of them, whose "gradient" is the first, from the output on; of a
    blow-up, whose gradient is the longest. Then what the step was taken on: batch (the numbers of its training
    examples) and seed, from which generated examples and all splits follow. At last rewind, the step of the
    point before it (null where there is none), and replayed, whether all steps from there on have been looked at
    closely; if not, `why`. An event "recovered" has the step after which the loss is as
    low again as it was before.
    """

    def __init__(
        self,
        session: Session,
        recorder: Recorder,
        rewind: Rewind,
        budget: SamplingBudget,
        cancelled: Callable[[], bool],
    ) -> None:
        self._session = session
        self._recorder = recorder
        self._rewind = rewind
        self._budget = budget
        self._replay = Replay(session, recorder, rewind, cancelled)

    def look(self) -> bool:
        """Tell what is new; whether a step broke the training."""
        news = self._recorder.watch.take()
        broken = [one for one in news if isinstance(one, Broken)]
        if broken:
            point = self._rewind.before(broken[0].step)
            saved = point is not None and self._rewind.save(point)
            replayed = self._look_again(point, broken[-1].step)
        for one in news:
            if isinstance(one, Recovered):
                self._recorder.writer.event("recovered", one.step)
            else:
                self._tell(one, point.step if point is not None and saved else None, replayed)
        return bool(broken)

    def _look_again(self, point: Standing | None, last: int) -> Replayed:
        if point is None:
            return Replayed(None, "no point from before it was kept")
        writer = self._recorder.writer
        text = f"looking again at the {last - point.step} steps before it broke"
        writer.event("phase", self._session.step, phase="replaying", text=text)
        usual = self._budget.training / max(1, self._budget.steps)
        replayed = self._replay.run(point, last, usual)
        if replayed.rows is not None:
            for table, rows in replayed.rows.records().items():
                writer.insert(table, rows)
        return replayed

    def _tell(self, broken: Broken, rewind: int | None, replayed: Replayed) -> None:
        session = self._session
        layer, part = self._where(broken, replayed)
        self._recorder.writer.event(
            "broke",
            broken.step,
            reason=broken.reason,
            measure=broken.measure,
            usual=broken.usual,
            loss=broken.loss,
            before=broken.before,
            grad_norm=broken.grad_norm,
            layer=layer,
            part=part,
            batch=session.batches.chosen(session.step - broken.step),
            seed=session.exp.seed,
            rewind=rewind,
            replayed=replayed.rows is not None,
            why=replayed.why,
        )

    def _where(self, broken: Broken, replayed: Replayed) -> tuple[str, str]:
        names = [layer.name for layer in self._session.net.layers]
        if broken.reason == "blow-up":
            return names[int(np.argmax(broken.norms))], "gradient"
        if not math.isfinite(broken.loss) and replayed.rows is not None:
            counts = replayed.rows.row("nonfinite", broken.step)
            if counts is not None and (counts > 0).any():
                return names[int(np.argmax(counts > 0))], "output"
        bad = np.flatnonzero(~np.isfinite(broken.norms))
        return (names[int(bad[-1])], "gradient") if len(bad) else ("", "")
