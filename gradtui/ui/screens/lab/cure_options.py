"""List the cures of a run that can be tried beside it, from its start or from a step before it diverged.

While the list is shown, and nothing trains, the cures that are advised are tried for a few steps each.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual.content import Content

from gradtui.diagnosis.cures import every_offer
from gradtui.experiment import Experiment, ExperimentError, set_fields
from gradtui.experiment.cures import Cure, has_price
from gradtui.runs.errors import RunError
from gradtui.runs.meta import Parent
from gradtui.ui.field_values import show
from gradtui.ui.screens.dialogs import Choice, ChooseScreen
from gradtui.words import several

if TYPE_CHECKING:
    from gradtui.diagnosis import CureOffer
    from gradtui.study.trials import CureTrial
    from gradtui.training.forks import Fork

TRIAL_SECONDS = 10.0
"""The time for all trials of one list: so long a person may well read it."""

LONGEST_NAME = 80
"""The most characters of the name of a run with a cure."""


@dataclass(frozen=True)
class CureOption:
    """A CureOption is a cure of a run, ready to be started as a fork of it."""

    cure: Cure
    experiment: Experiment
    parent: Parent
    fork: Fork | None = None
    """The step of the run from which the fork continues; None starts again with the same seed."""

    @property
    def key(self) -> str:
        """Return what distinguishes it from the other options."""
        return f"{self.cure.name}-{self.parent.step}"

    @property
    def title(self) -> str:
        """Return its name, with the step if it continues from one."""
        return self.cure.name if self.fork is None else f"{self.cure.name}, from step {self.parent.step:,} on"

    def line(self, before: Experiment) -> str:
        """Return why it should help, what it changes in the experiment `before`, and what it costs."""
        changes = ", ".join(f"{path} {show(path, value)}" for path, value in self.cure.set_of(before).items())
        price = f"\ncost: {self.cure.price}" if has_price(self.cure.price) else ""
        return f"{self.cure.why}\nchange: {changes}{price}"


def cure_options(run: Path, experiment: Experiment, advised: Sequence[CureOffer]) -> list[CureOption]:
    """Return every cure that would change something, those that a diagnosis advises first and in its order.

    If the run diverged, advised cures that can be applied in the middle of a run are listed twice: also from a step
    before the divergence.
    """
    wanted = {one.name: one for one in map(_cure_of, advised)}
    fork = _fork_before_divergence(run)
    found = []
    keys = {one.key for one in wanted.values() if one.key}
    known = [offer for offer in every_offer(experiment) if offer.name not in wanted and offer.key not in keys]
    others = {offer.name: _cure_of(offer) for offer in known}
    for one in (wanted | others).values():
        if not one.set_of(experiment):
            continue
        made = one.key or one.name
        found.append(CureOption(one, _named(one.apply(experiment), one), Parent(run.name, 0, made)))
        if fork is not None and one.name in wanted and _applies_midway(fork, one):
            found.append(CureOption(one, _named(one.apply(fork.experiment), one), fork.parent(made), fork))
    return found


def _named(cured: Experiment, cure: Cure) -> Experiment:
    """Return the experiment under a name that differs from that of the run without the cure."""
    name = f"{cured.name} with {cure.name}"
    return replace(cured, name=name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")


def _cure_of(offer: CureOffer) -> Cure:
    """Return the cure of an offer as it was advised: with its changes, reason and cost for this experiment."""
    return Cure(
        offer.key, offer.name, offer.why, offer.price, lambda experiment: set_fields(experiment, offer.set)
    )


def _fork_before_divergence(run: Path) -> Fork | None:
    """Return a fork from before the divergence of a run that diverged.

    There is none if the only checkpoint is that of step 0: it would do the same as to start again.
    """
    from gradtui.runs.events import EventLog, rollback_step
    from gradtui.training.checkpoints.files import CheckpointError
    from gradtui.training.forks import fork_of

    log = EventLog(run)
    log.poll()
    if rollback_step(log.entries) is None:
        return None
    try:
        fork = fork_of(run)
    except (RunError, CheckpointError, OSError):
        return None
    return fork if fork.step else None


def _applies_midway(fork: Fork, cure: Cure) -> bool:
    from gradtui.training.forks import check

    try:
        check(fork, cure.apply(fork.experiment))
    except ExperimentError:
        return False
    return True


class CureListScreen(ChooseScreen):
    """The CureListScreen lets the person choose a cure, and says which ones were tried and what came of them.

    Args:
        options: the cures, the best first.
        experiment: the experiment without a cure.
        advised: the cures that the findings advise.
        idle: whether nothing trains, so that there is room for trials.
        seconds: the time for all trials, by default TRIAL_SECONDS; with 0 nothing is tried.
    """

    def __init__(
        self,
        options: Sequence[CureOption],
        experiment: Experiment,
        advised: Sequence[CureOffer],
        *,
        idle: bool,
        seconds: float | None = None,
    ) -> None:
        self._options = options
        self._experiment = experiment
        self._advised = advised
        self._names = {offer.name for offer in advised}
        self._seconds = TRIAL_SECONDS if seconds is None else seconds
        self._over = threading.Event()
        self._tried = self._of_start() if idle and self._seconds > 0 else ()
        super().__init__("Train a copy with a cure, side by side", self._choices({}), title_width=0)

    def _of_start(self) -> tuple[CureOffer, ...]:
        """Return the advised cures that are tried: the first few that are listed."""
        from gradtui.study.fixing import MOST_CANDIDATES

        listed = {option.cure.name for option in self._options if option.fork is None}
        offers = {offer.name: offer for offer in self._advised if offer.name in listed and offer.set}
        return tuple(offers.values())[:MOST_CANDIDATES]

    def on_mount(self) -> None:
        """Begin to try the cures that are advised."""
        if self._tried:
            self._say(f"trying {several(len(self._tried), 'cure')}, {self._seconds:.0f} s at most")
            self.run_worker(self._try, thread=True, exclusive=True, group="trials")

    def on_unmount(self) -> None:
        """End the trials: the person has chosen, and the trainers are needed."""
        self._over.set()

    def _try(self) -> None:
        from gradtui.runs.scratch import Scratch
        from gradtui.study.engines.local import LocalEngine
        from gradtui.study.trials import ranked, try_cures

        trials: list[CureTrial] = []
        engine = LocalEngine(None, max(1, self._experiment.run.threads), None)
        try:
            with Scratch() as root:
                trials = try_cures(
                    self._experiment,
                    self._tried,
                    engine,
                    root,
                    seconds=self._seconds,
                    cancelled=self._over.is_set,
                )
        except OSError:
            # No folder or no process for a trial: the list stays as it is.
            pass
        finally:
            engine.close()
        if not self._over.is_set():
            self.app.call_from_thread(partial(self.show_trials, ranked(trials)))

    def show_trials(self, trials: Sequence[CureTrial]) -> None:
        """Show what came of the trials, and list the cures that were tried first, the best of them at the top."""
        if not self.is_attached:
            return
        tried = any(trial.steps for trial in trials)
        self._say("" if tried or not trials else f"no cure could be tried in {self._seconds:.0f} s")
        self.show_again(self._choices({trial.cure.name: trial for trial in trials} if tried else {}))

    def _say(self, words: str) -> None:
        self.query_one("Vertical").border_title = Content(
            f"{self.frame_title}{f' · {words}' if words else ''}"
        )

    def _choices(self, trials: Mapping[str, CureTrial]) -> list[Choice]:
        from gradtui.report.fix_page import trial_text

        names = list(trials)

        def place(option: CureOption) -> int:
            tried = option.fork is None and option.cure.name in trials
            return names.index(option.cure.name) if tried else len(names)

        choices = []
        for option in sorted(self._options, key=place):
            trial = trials.get(option.cure.name) if option.fork is None else None
            line = option.line(self._experiment)
            marked = option.cure.name in self._names
            choices.append(
                Choice(
                    option.key,
                    option.title,
                    line if trial is None else f"{trial_text(trial)}\n{line}",
                    marked,
                )
            )
        return choices
