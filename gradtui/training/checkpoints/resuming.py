"""Taking a run up again, where its newest checkpoint was taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradtui.experiment import Experiment, from_dict
from gradtui.experiment.overrides import diff
from gradtui.runs.control import LIVE
from gradtui.runs.events import Event, step_of
from gradtui.runs.reader import open_run
from gradtui.training.checkpoints.files import listed, remove_after
from gradtui.training.checkpoints.header import CheckpointError, about
from gradtui.training.checkpoints.state import restore
from gradtui.training.checkpoints.tensors import read
from gradtui.training.session import Session

FREE = (
    "name",
    "description",
    "run.steps",
    "run.device",
    "run.threads",
    "run.eval_every",
    "run.checkpoint_every",
)
"""What experiment.toml may say otherwise than the checkpoint. Of what can be changed in mid-run, the checkpoint
knows better; the rest makes another training, which should be a run of its own."""

Changes = list[tuple[int, dict[str, Any]]]
"""Changes in mid-run, each with the step after which it was made."""


@dataclass(frozen=True)
class Resumed:
    """From where a run goes on."""

    step: int
    path: Path | None
    """None where no checkpoint was left: the run begins anew."""
    unreadable: tuple[str, ...]
    """Why newer ones could not be used."""
    later: Changes
    """What was changed in the steps that are now taken once more, to be changed again at those steps."""


def resume(folder: Path, session: Session) -> Resumed:
    """Put a session that was just built where the run in `folder` stood at its newest readable checkpoint.

    One whose steps are all recorded goes before a newer one: after a power cut a checkpoint may be on disk, and
    the rows that came before it not. Raises CheckpointError where there are checkpoints and none can be used.
    """
    recorded = _recorded(folder)
    problems: list[CheckpointError] = []
    for step, path in sorted(listed(folder), key=lambda one: (one[0] > recorded, -one[0])):
        try:
            tensors, texts = read(path)
            told = about(path, texts)
        except CheckpointError as error:
            problems.append(error)
            continue
        _take_over(session, path, from_dict(told["experiment"]))
        restore(session, path, tensors, told)
        remove_after(folder, step)
        return Resumed(step, path, tuple(map(str, problems)), later_changes(open_run(folder).events(), step))
    if problems:
        raise problems[0]
    return Resumed(0, None, (), later_changes(open_run(folder).events(), 0))


def _take_over(session: Session, path: Path, then: Experiment) -> None:
    """The changes that were made in mid-run, from the checkpoint. Raises CheckpointError at any other."""
    changed = diff(session.exp, then)
    other = [field for field in changed if field not in (*LIVE, *FREE)]
    if other:
        raise CheckpointError(f"{path}: was trained with another {other[0]} than experiment.toml says now")
    live = {field: value for field, value in changed.items() if field in LIVE}
    if live:
        session.change(live)


def later_changes(events: Iterable[Event], step: int) -> Changes:
    """The changes after `step` that the run has seen, also in a life before it was last taken back.

    A person's change takes the place of those that an earlier life made at later steps; what a life only
    repeated was said before.
    """
    changes: Changes = []
    for event in events:
        if event["event"] == "control" and event.get("wish") == "set" and not event.get("repeated"):
            at = step_of(event) or 0
            changes = [*(change for change in changes if change[0] <= at), (at, dict(event["set"]))]
    return [change for change in changes if change[0] >= step]


def _recorded(folder: Path) -> int:
    """The last step that stands in both tables that have a row at every step."""
    last = []
    for name in ("scalars", "grad_norm"):
        table = open_run(folder).table_or_empty(name)
        rows = table.read(max(0, table.rows - 1))
        last.append(int(rows["step"][-1]) if len(rows) else 0)
    return min(last)
