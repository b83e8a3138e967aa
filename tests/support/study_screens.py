"""Open the screens of studies for tests, with trainers that only write folders."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from gradtui.experiment import to_dict
from gradtui.runs.folder import runs_root
from gradtui.study.engines import MakeEngine
from gradtui.study.engines.local import LocalEngine
from gradtui.study.spec import Change, Compare, StudySpec
from gradtui.ui.screens.study.small_profiles import SmallProfile
from gradtui.ui.screens.study.study_screen import StudyScreen
from gradtui.ui.screens.study.study_store import OpenStudy
from tests.support.lab import lab_of, screen_text, until
from tests.support.studies import Launcher, Trainer, sigmoids

CURES = ("relu", "elu", "batch-norm", "tanh-xavier")
BARS = StudySpec(
    name="cured",
    base=to_dict(sigmoids()),
    seeds=[0, 1],
    change=(Change(name="no cure"), *(Change(cure=key) for key in CURES)),
    compare=Compare(kind="bars", x="change"),
)


def engine(launcher: Launcher) -> MakeEngine:
    """Return what makes a local engine that starts trainers by `launcher`."""
    return lambda jobs, threads: LocalEngine(jobs or 2, threads, launcher)


async def opened(pilot: Pilot[None], study: OpenStudy) -> tuple[StudyScreen, list[Path | None]]:
    """Open the study's screen; return it with the list of answers that it gives when it is left."""
    await lab_of(pilot)
    answers: list[Path | None] = []
    screen = StudyScreen(study)
    pilot.app.push_screen(screen, answers.append)
    await until(pilot, lambda: bool(screen.rows))
    await pilot.pause(0.1)
    return screen, answers


def cures(trainer: Trainer) -> None:
    """Train so that batch normalisation learns most, then ReLU, and ELU not; seeds differ in their gradients."""
    group = trainer.experiment.net[0]
    accuracy = 0.99 if group.norm == "batch" else {"relu": 0.95, "tanh": 0.9}.get(group.activation)
    decades = 0.3 if accuracy else 9.0
    trainer.train(decades=decades + trainer.experiment.seed, learns=accuracy is not None, accuracy=accuracy)


def drawn(screen: StudyScreen) -> list[SmallProfile]:
    """Return the profiles that are shown now."""
    return [profile for profile in screen.query(SmallProfile) if profile.display]


async def profiled(pilot: Pilot[None]) -> StudyScreen:
    """Train the study of bars, open its gradient profiles, and return its screen."""
    screen, _ = await opened(pilot, OpenStudy(BARS, runs_root(), engine(Launcher(cures))))
    await pilot.press("space")
    await until(pilot, lambda: "all 10 trained" in screen_text(pilot.app))
    await pilot.press("m")
    await until(pilot, lambda: bool(drawn(screen)))
    await pilot.pause(0.1)
    return screen
