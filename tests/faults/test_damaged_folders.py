"""A damaged run folder harms no command and no other run: whatever the damage is, each command ends in good order."""

from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path

import pytest

import gradtui
import gradtui.report.run_json
import gradtui.report.run_page
import gradtui.runs.export.export
from gradtui.diagnosis import RunMonitor
from gradtui.report.divergences import divergences
from gradtui.runs.errors import RunError
from gradtui.ui.run_stats import run_stats
from gradtui.ui.view import ViewRequest
from gradtui.ui.view_data import read_view
from tests.support.bounded_command import Outcome, run_bounded, run_command
from tests.support.damage import REPLACED, damage_at_random, hole
from tests.support.fuzzing import fuzz
from tests.support.studies import full_run

DAMAGED, WHOLE = "20260101-000000-damaged", "20260101-000001-whole"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every kind of file."""
    return full_run(tmp_path_factory.mktemp("template") / DAMAGED, WHOLE)


def runs_with(template: Path, home: Path) -> Path:
    """Copy the run into a folder of runs beside a whole one, and return it."""
    shutil.rmtree(home, ignore_errors=True)
    root = home / "runs"
    root.mkdir(parents=True)
    shutil.copytree(template, root / DAMAGED)
    shutil.copytree(template, root / WHOLE)
    return root / DAMAGED


def python_interface(folder: Path) -> Outcome:
    """Read everything that the Python interface gives."""

    def work() -> int:
        try:
            run = gradtui.open_run(folder)
            _ = run.name, run.label, run.experiment, run.parent, run.status, run.findings, run.log_tail()
            for name in run.scalar_names:
                run.scalars(name)
            for metric in run.metrics:
                run.layers(metric)
            for layer in run.layer_names[:2]:
                run.histogram(layer)
        except RunError as error:
            print(error, file=sys.stderr)
            return 2
        return 0

    return run_bounded(work)


def follow(folder: Path) -> Outcome:
    """Read everything that a screen reads."""

    def work() -> int:
        try:
            monitor = RunMonitor(folder)
            monitor.poll()
            snapshot = monitor.snapshot
            if snapshot is None:
                return 0
            monitor.diagnose()
            for at in (None, 5, 10**6):
                read_view(
                    snapshot, monitor.run.scalar_tables(), ViewRequest(at=at), monitor.run.experiment, None
                )
            _ = monitor.outcome, monitor.gradients(), divergences(snapshot.events), monitor.objection()
            run_stats(snapshot, {}, tuple(monitor.run.layer_names))
            if monitor.evidence is not None:
                monitor.findings_at(30)
        except RunError as error:
            print(error, file=sys.stderr)
            return 2
        return 0

    return run_bounded(work)


def faults_of(folder: Path, home: Path, out: Path, *, quick: bool = False) -> list[str]:
    """Return what the commands did wrong on a damaged run."""
    faults = []
    listed = run_command(["runs"], home)
    if listed.fault or listed.code != 0:
        faults.append(f"runs: {listed.fault or listed.stderr}")
    elif WHOLE not in listed.stdout:
        faults.append("runs: the other run is not listed")
    elif (folder / "run.json").exists() and len(listed.stdout.splitlines()) != 2:
        faults.append(f"runs: {listed.stdout}")
    commands = [
        ["diagnose", DAMAGED],
        ["export", DAMAGED, "--to", "csv", str(out / "one.csv")],
        ["export", DAMAGED, "--to", "tensorboard", str(out / "board")],
    ]
    if not quick:
        commands += [
            ["runs", "--json", "--filter", "findings:vanishing or depth>2 tag:x loss<3"],
            ["diagnose", "--json", DAMAGED],
            ["diagnose", WHOLE],
            ["export", DAMAGED, "--to", "csv", str(out / "folder")],
            ["import", str(folder)],
            ["report", DAMAGED, str(out / "page.html")],
            ["report", DAMAGED, str(out / "page.md")],
        ]
    for words in commands:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        outcome = run_command(words, home)
        if outcome.fault:
            faults.append(f"{' '.join(words)}: {outcome.fault}")
        if words[-1] == WHOLE and outcome.code != 0:
            faults.append(f"the other run: {outcome.stderr}")
    for name, read in (("python", python_interface), ("follow", follow)):
        if fault := read(folder).fault:
            faults.append(f"{name}: {fault}")
    return faults


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", REPLACED)
def test_run_json_replaced_by(name: str, template: Path, tmp_path: Path) -> None:
    folder = runs_with(template, tmp_path / "home")
    REPLACED[name](folder / "run.json")
    assert faults_of(folder, tmp_path / "home", tmp_path / "out", quick=True) == []


@pytest.mark.long
@pytest.mark.parametrize("name", REPLACED)
def test_replaced_file_causes_no_fault(name: str, template: Path, tmp_path: Path) -> None:
    for file in files_of(template):
        folder = runs_with(template, tmp_path / "home")
        REPLACED[name](folder / file)
        assert (file, faults_of(folder, tmp_path / "home", tmp_path / "out", quick=True)) == (file, [])


def attack(rng: random.Random, template: Path, place: Path) -> list[str]:
    """Damage one or several files, and return the faults."""
    folder = runs_with(template, place / "home")
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        file = rng.choice([name for name in files_of(folder) if not (folder / name).is_symlink()])
        if rng.randrange(4):
            file = rng.choice(("run.json", "events.jsonl", file))
        done.append(f"{file}: {damage_at_random(folder / file, rng)}")
    return [f"({'; '.join(done)}): {fault}" for fault in faults_of(folder, place / "home", place / "out")]


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(n, marks=pytest.mark.long) for n in range(4, 12))]
)
def test_random_damage_causes_no_fault(seed: int, template: Path, tmp_path: Path) -> None:
    assert attack(random.Random(seed), template, tmp_path) == []


@pytest.mark.parametrize("layers", [[], [{"name": "only"}]])
def test_run_that_names_other_layers_than_its_tables(
    layers: list[object], template: Path, tmp_path: Path
) -> None:
    folder = runs_with(template, tmp_path / "home")
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(about | {"layers": layers}))
    assert faults_of(folder, tmp_path / "home", tmp_path / "out") == []


@pytest.mark.long
def test_fuzz_damaged_folders(template: Path, tmp_path: Path) -> None:
    fuzz(lambda rng, place: attack(rng, template, place), tmp_path)


def test_hole_in_every_table_causes_no_fault(template: Path, tmp_path: Path) -> None:
    folder = runs_with(template, tmp_path / "home")
    for table in folder.glob("*.f32"):
        hole(table)
    assert faults_of(folder, tmp_path / "home", tmp_path / "out", quick=True) == []
