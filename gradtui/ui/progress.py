"""What the first line says of a run: its name, what it is doing now or how it ended, and how far it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gradtui.experiment import Experiment
from gradtui.ui.panes.status import Progress

if TYPE_CHECKING:
    from gradtui.runs.follower import Snapshot
    from gradtui.ui.watching import Watching


def progress_of(watching: Watching | None, draft: Experiment) -> Progress:
    """The first line for a run, or for an experiment that has not been started."""
    if watching is None:
        return Progress(draft.name, draft.data.source, "idle", "press space to train")
    snapshot = watching.snapshot
    title = watching.title
    detail: str = (
        watching.experiment.data.source if watching.experiment else "script" if watching.script else ""
    )
    if cure_of(watching):
        detail += f" · with {cure_of(watching)}"
    if snapshot is None:
        return Progress(title, detail, watching.state, watching.problem or "starting")
    if watching.stillborn:
        return Progress(title, detail, "failed", _words("failed", "", "the trainer could not start"))
    status = snapshot.status
    if watching.gone:
        return Progress(title, detail, "stopped", "deleted · r, then u brings it back")
    if watching.preflight and status.state == "finished":
        return Progress(title, detail, "idle", "at initialisation, nothing trained · press space to train")
    return Progress(
        title=title,
        detail=detail,
        state=status.state,
        words=_words(status.state, _phase_text(snapshot), status.reason),
        at=watching.at,
        step=snapshot.step,
        steps=snapshot.steps,
        rate=snapshot.rate or 0.0,
        seconds_left=snapshot.seconds_left,
    )


_PHASES = {"importing": "importing torch", "building": "building the net"}

BRIEF = 0.5
"""Seconds that an evaluation must last to be worth a word: shorter ones would only flicker."""


def _phase_text(snapshot: Snapshot) -> str:
    """What the trainer is at, in its own words where they say more than the phase's name."""
    phase = snapshot.status.phase
    said = next((event for event in reversed(snapshot.events) if event.get("event") == "phase"), {})
    if phase == "evaluating":
        return phase if time.time() - float(said.get("time", 0.0)) > BRIEF else "training"
    if phase == "pretraining":
        return str(said.get("text") or phase)
    return _PHASES.get(phase, phase)


def _words(state: str, phase: str, reason: str) -> str:
    if state in ("starting", "running"):
        return phase or state
    if state == "died":
        return f"trainer {reason or 'died'} · L log"
    if state == "failed":
        return f"failed: {reason} · L log" if reason else "failed · L log"
    if state == "diverged":
        return f"diverged: {reason}" if reason else state
    return state


def cure_of(watching: Watching) -> str:
    """What a run has that the one which it is held against has not, in words; "" where it is no twin."""
    from gradtui.experiment.edits import cure

    parent = watching.parent
    if parent is None:
        return ""
    where = f", from step {parent.step:,} on" if parent.step else ""
    try:
        return cure(parent.cure).name + where
    except KeyError:
        return f"changes{where}"
