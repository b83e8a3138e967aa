"""Train every cure that applies to a run's findings as one study, each from the start with the run's own seed.

It has no file and no folder: its members are made from the run, and their runs are found again by the parent that each
of them records. The run's own experiment is the first member and is trained once more. What a step costs depends on
what else the machine does, because several trainers share its caches and its clock; so the price of a cure is a ratio
of two runs that had as many neighbours. (The last ones have fewer, because nothing is left to be started beside them; a
median over steps is hardly changed by that.) The first member is the baseline of accuracy and loss too: it trains as
long as all others, where the run itself may have been stopped early.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from gradtui.diagnosis.cures import HEALTHY_DECADES, offers
from gradtui.diagnosis.findings import CureOffer, Finding, codes_with
from gradtui.diagnosis.monitor import diagnose_run, step_seconds
from gradtui.diagnosis.outcome import outcome_of
from gradtui.experiment import Experiment, set_fields, to_dict
from gradtui.experiment.cures import CURES, cure
from gradtui.ordinary_files import given_path
from gradtui.runs.errors import RunError
from gradtui.runs.folder import START_FILE
from gradtui.runs.meta import RunOrigin, read_origin
from gradtui.runs.reader import open_run
from gradtui.runs.status import State
from gradtui.study.engines import Engine, StartTrainer
from gradtui.study.engines.local import LocalEngine
from gradtui.study.estimate import side_by_side
from gradtui.study.plan import Member, with_one_thread
from gradtui.study.spec import CHANGE, Change, Compare, StudySpec
from gradtui.study.state import CuredRun, StudyState
from gradtui.study.study import Study, StudySetup

BASELINE = "no cure"
"""The name of the first member, which is the run's own experiment."""

LEAST_CURES = 8
"""At least so many cures are tried if they apply, because one that no finding advises may be the best."""

VANISHING = codes_with("vanishes")
"""The findings of a gradient that is too small."""
SHRINKING_CURES = frozenset(
    {"smaller-lr", "smaller-batch", "mean-loss", "clip-norm", "clip-value", "l2", "l1", "gain-one"}
)
"""The cures for `VANISHING` that make steps, weights or gradients smaller are tried only where a finding
advises them."""
EXPENSIVE_CURES = frozenset({"pretrain-autoencoder", "pretrain-rbm"})
"""Cures that are tried only where a finding advises them, because their trainings take long."""


def cure_study(
    folder: Path,
    cures: Sequence[str] | None = None,
    jobs: int | None = None,
    *,
    start: StartTrainer | None = None,
    only_follow: bool = False,
) -> Study:
    """Return the study of the cures of the run in `folder`; its `state.problem` says why none can be tried.

    A second study of the same run continues with the runs of the first one (see Study).

    Args:
        cures: keys of gradtui.experiment.cures.CURES; by default those that `members_of` chooses.
        jobs: most trainers at once; by default as many as there are cores for, and fewer where memory is short.
        start: starts a trainer in a folder; by default the trainers that LocalEngine keeps.
        only_follow: start nothing before `Study.begin`.
    """
    folder = given_path(folder).absolute()

    def make_engine(jobs: int | None, threads: int) -> Engine:
        return LocalEngine(jobs, threads, start)

    def prepare() -> StudySetup:
        try:
            return _setup(folder, cures)
        except (RunError, OSError):
            raise
        except Exception as error:
            # An error of any kind in reading a run must not end the screen.
            raise RunError(f"{type(error).__name__}: {error}") from error

    state = StudyState(folder, StudySpec(name=folder.name), cured=CuredRun())
    return Study(state, prepare, folder.parent, jobs, make_engine, only_follow=only_follow)


def _setup(folder: Path, cures: Sequence[str] | None) -> StudySetup:
    run = open_run(folder)
    experiment, name = run.experiment, run.name
    if experiment is None:
        raise RunError(f"{name}: was trained by a script; cures can only be tried for runs of an experiment")
    diagnosis = diagnose_run(run)
    findings = diagnosis.findings
    if not findings and cures is None:
        raise RunError(f"{name}: no problem was found, so there is nothing to cure")
    try:
        members = members_of(experiment, findings, cures)
    except KeyError as error:
        raise RunError(f"no cure is called {error}") from None
    if len(members) == 1:
        raise RunError(f"{experiment.name}: no cure would change anything in it")
    spec = StudySpec(
        name=name,
        base=to_dict(members[0].experiment),
        seeds=(experiment.seed,),
        change=tuple(Change(name=member.change, cure=member.cure) for member in members),
        compare=Compare(kind="bars", x=CHANGE),
    )
    seconds = step_seconds(run)
    cured = CuredRun(findings, outcome_of(diagnosis.evidence, findings, seconds))
    experiments = [member.experiment for member in members]
    # A step of the run itself is the best guess for a step of the same net with a cure.
    alone = seconds * sum(experiment.run.steps for experiment in experiments)
    expected = None if math.isnan(alone) else side_by_side(alone, experiments)
    return StudySetup(
        spec, members, CureRuns(folder), cured=cured, parent=folder.name, expected_seconds=expected
    )


# -- the choice of cures


def members_of(
    experiment: Experiment, findings: Sequence[Finding], keys: Sequence[str] | None = None
) -> list[Member]:
    """Return the experiment itself, then the same experiment with each cure that is worth trying.

    Changes that no finding advises are added up to LEAST_CURES. Advised remedies that are no cure of the net, such as
    another learning rate, are members too; their key is their name. Cures that change nothing, or that come to the same
    experiment as an earlier one, are left out. Raises KeyError on an unknown key.

    Args:
        keys: the keys of the cures to try; by default all that the findings advise, in their order, and others.
    """
    experiment = with_one_thread(experiment)
    members = [Member("", BASELINE, BASELINE, (), experiment.seed, _renamed(experiment, "no-cure"))]
    seen = {experiment}
    for offer in _advised(experiment, findings) if keys is None else _wanted(experiment, keys):
        cured = set_fields(experiment, offer.set)
        if cured not in seen:
            seen.add(cured)
            key = offer.key or offer.name
            members.append(
                Member(
                    key,
                    offer.name,
                    offer.name,
                    (),
                    experiment.seed,
                    _renamed(cured, "-".join(key.lower().split())),
                    offer.key,
                    offer.why,
                    offer.price,
                )
            )
    return members


def _wanted(experiment: Experiment, keys: Iterable[str]) -> Iterator[CureOffer]:
    for key in keys:
        wanted = cure(key)
        yield CureOffer(wanted.name, wanted.set_of(experiment), wanted.why, wanted.price, key)


def _advised(experiment: Experiment, findings: Sequence[Finding]) -> list[CureOffer]:
    advised = [offer for finding in findings for offer in finding.cures if offer.set]
    there = {offer.key or offer.name for offer in advised}
    codes = {finding.code for finding in findings}
    left_out = there | EXPENSIVE_CURES | (SHRINKING_CURES if codes & VANISHING else frozenset())
    others = offers(experiment, [cure.key for cure in CURES if cure.key not in left_out], HEALTHY_DECADES)
    return [*advised, *others[: max(0, LEAST_CURES - len(there))]]


def _renamed(experiment: Experiment, suffix: str) -> Experiment:
    """Return the experiment under a name that differs from the others in a list of runs and as a file."""
    return replace(experiment, name=f"{experiment.name[:150]}-{suffix}")


# -- the runs that exist already


PREFERRED_STATES: tuple[State, ...] = ("finished", "diverged", "running", "paused", "starting", "stopped")
"""The first run in this order is taken where one member has several: one that has ended says most, then one that
trains; a run that failed or died is resumed."""


class CureRuns:
    """CureRuns find the runs beside a run that were started to try a cure of it; they are not trained again."""

    def __init__(self, cured: Path) -> None:
        self._cured = cured
        self._found: list[tuple[str, Experiment, State, Path]] = []

    def refresh(self) -> None:
        """Read the list of runs again."""
        self._found = []
        for folder in _folders_with_parent(self._cured.parent):
            try:
                origin = read_origin(folder)
                parent = origin.parent
                if (
                    parent is None
                    or (parent.run, parent.step) != (self._cured.name, 0)
                    or origin != RunOrigin(parent)
                ):
                    continue
                run = open_run(folder)
                if run.experiment is not None:
                    self._found.append((parent.cure, run.experiment, run.status.state, folder))
            except (RunError, OSError):
                # It cannot be read, or was deleted meanwhile.
                continue

    def find(self, member: Member) -> tuple[Path, State] | None:
        """Return the folder and the state of the run that trains the member; None if there is none."""
        there = [
            (_worth(state), folder.name, folder, state)
            for cure, experiment, state, folder in self._found
            if cure in (member.cure, member.name) and same_training(experiment, member.experiment)
        ]
        if not there:
            return None
        _, _, folder, state = min(there)
        return folder, state

    def add(self, member: Member, folder: Path) -> None:
        """Do nothing, because a run is found by the parent that its own folder records."""


def same_training(one: Experiment, other: Experiment) -> bool:
    """Return whether two experiments are the same training, without regard to their names."""
    return replace(one, name="", description="") == replace(other, name="", description="")


def _worth(state: State) -> int:
    return PREFERRED_STATES.index(state) if state in PREFERRED_STATES else len(PREFERRED_STATES)


def _folders_with_parent(root: Path) -> list[Path]:
    """Return the folders of runs that record their parent; each costs one stat, because there may be thousands."""
    try:
        folders = sorted(Path(entry.path) for entry in os.scandir(root) if entry.is_dir())
    except OSError:
        return []
    return [folder for folder in folders if (folder / START_FILE).is_file()]
