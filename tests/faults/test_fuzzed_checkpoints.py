"""Damaged files of a run are passed over or refused in one line: by a resumed run, a fork, and a start from weights."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from gradtui.experiment import dumps, load, set_fields
from gradtui.runs.reader import open_run
from gradtui.runs.status import read_status
from tests.support.bounded_command import run_bounded, run_command
from tests.support.damage import REPLACED, changed, cut, damage_at_random, flip
from tests.support.fuzzing import faults_of_case, fuzz, warm
from tests.support.trainings import small

RUN = "20260101-000000-run"
PLAIN = ("ExperimentError", "DataError", "CheckpointError", "TrainingFailed", "RunError")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an ended run of six steps and three checkpoints, whose process is gone."""
    warm("gradtui.training.run", "gradtui.training.forks", "gradtui.diagnosis.monitor")
    home = tmp_path_factory.mktemp("template")
    folder = home / "runs" / RUN
    folder.mkdir(parents=True)
    exp = small(run__steps=6, run__checkpoint_every=2, optimizer__kind="adam")
    (folder / "experiment.toml").write_text(dumps(exp))
    assert trained_faults(folder) == []
    assert read_status(folder).state == "finished"
    return home


def damage(path: Path, rng: random.Random) -> str:
    """Damage a checkpoint as a whole, or what its header says."""
    way = rng.choice(("cut", "flip", "replaced", "header", "header", "text", "text"))
    if way == "cut":
        cut(path, rng)
    elif way == "flip":
        flip(path, rng)
    elif way == "replaced":
        way = rng.choice(list(REPLACED))
        REPLACED[way](path)
    else:
        content = path.read_bytes()
        length = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + length])
        if way == "text":
            about = header["__metadata__"]
            about["gradtui"] = json.dumps(changed(json.loads(about["gradtui"]), rng))
        else:
            header = changed(header, rng)
        text = json.dumps(header).encode(errors="replace")
        claimed = rng.choice((len(text), len(text), len(text), 0, 2**40, 2**63))
        # A checkpoint may be a second name of the parent's file.
        path.unlink()
        path.write_bytes(struct.pack("<Q", claimed) + text + content[8 + length :])
    return way


def attack(rng: random.Random, template: Path, place: Path) -> list[str]:
    """Damage some checkpoints of a run, and go on with it in each of three ways."""
    home = place / "home"
    shutil.copytree(template, home)
    folder = home / "runs" / RUN
    files = sorted((folder / "checkpoints").iterdir())
    chosen = rng.sample(files, rng.choice((1, 1, 2, len(files))))
    done = "; ".join(f"{path.name}: {damage(path, rng)}" for path in chosen)
    given = chosen[0]
    faults = []
    for at in ("", "@2", "@6"):
        outcome = run_command(["run", "--from", RUN + at, "--steps", "9"], home, before=_start_nothing)
        if outcome.fault or outcome.code != 2:
            faults.append(f"--from: {outcome.fault or outcome.stderr}")
    start = small(run__steps=2, cures__pretrain__kind="checkpoint", cures__pretrain__path=str(given))
    for name, experiment in (
        ("weights", start),
        (RUN, set_fields(load(folder / "experiment.toml"), {"run.steps": 9})),
    ):
        here = home / "runs" / name
        here.mkdir(exist_ok=True)
        (here / "experiment.toml").write_text(dumps(experiment))
        faults += trained_faults(here)
    return [f"{done}: {fault}" for fault in faults]


def attack_on_resume(rng: random.Random, template: Path, place: Path) -> list[str]:
    """Damage any files of a run but its experiment, and resume it by its command and by a trainer of its own."""
    home = place / "home"
    shutil.copytree(template, home)
    folder = home / "runs" / RUN
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "experiment.toml")
    chosen = rng.sample(files, rng.choice((1, 1, 2, 4)))
    done = "; ".join(f"{path.name}: {damage_at_random(path, rng)}" for path in chosen)
    resumed = run_command(["run", "--resume", RUN, "--steps", "9"], home, before=_start_nothing)
    faults = (
        [] if not resumed.fault and resumed.code == 2 else [f"--resume: {resumed.fault or resumed.stderr}"]
    )
    (folder / "experiment.toml").write_text(
        dumps(set_fields(load(template / "runs" / RUN / "experiment.toml"), {"run.steps": 9}))
    )
    return [f"{done}: {fault}" for fault in faults + trained_faults(folder)]


def trained_faults(folder: Path) -> list[str]:
    """Train the run of a folder, and return what was wrong beyond a plain reason for a failure."""

    def work() -> int:
        from gradtui.training.process import train_folder

        return train_folder(folder)

    outcome = run_bounded(work)
    log = folder / "trainer.log"
    said = log.read_text(errors="replace") if log.is_file() else ""
    kinds = re.findall(r"^(?:\w+\.)*(\w+): .*", said, re.MULTILINE)
    if outcome.fault:
        return [f"{folder.name}: {outcome.fault}"]
    return [f"{folder.name}: {said[-500:]}"] if kinds and kinds[-1] not in PLAIN else []


def _start_nothing() -> None:
    import subprocess

    def refuse(*given: object, **options: object) -> None:
        raise OSError(11, "no process is started here")

    subprocess.Popen = refuse  # type: ignore[misc,assignment]


@pytest.mark.parametrize("name", ["events.jsonl", "scalars.f32", "grad_norm.f32"])
@pytest.mark.parametrize("way", ["hole behind", "nulls behind"])
def test_run_with_zeros_behind_a_file_is_resumed(name: str, way: str, template: Path, tmp_path: Path) -> None:
    """A power cut leaves zeros at the end of a file; an attacker leaves gigabytes of them."""
    home = tmp_path / "home"
    shutil.copytree(template, home)
    folder = home / "runs" / RUN
    size = (folder / name).stat().st_size
    os.truncate(folder / name, size + 5_000 if way == "nulls behind" else 4_000_000_000)
    longer = set_fields(load(folder / "experiment.toml"), {"run.steps": 9})
    (folder / "experiment.toml").write_text(dumps(longer))
    assert trained_faults(folder) == []
    status = read_status(folder)
    assert (status.state, status.reason) == ("finished", "")
    steps, values = open_run(folder).scalars("loss")
    assert list(steps) == list(range(1, 10))
    assert np.isfinite(values).all()
    assert len(open_run(folder).layers("grad_norm")[0]) == 9


@pytest.mark.parametrize("way", ["fifo", "socket", "link to nothing", "folder"])
def test_trainer_without_a_log_starts_nothing_and_says_so(way: str, template: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(template, home)
    folder = home / "runs" / RUN
    REPLACED[way](folder / "trainer.log")
    before = (folder / "scalars.f32").read_bytes()

    def work() -> int:
        from gradtui.training.process import train_folder

        return train_folder(folder)

    outcome = run_bounded(work)
    assert (outcome.code, outcome.fault) == (2, "")
    assert outcome.stderr.startswith(f"{folder / 'trainer.log'}: ")
    assert (folder / "scalars.f32").read_bytes() == before


@pytest.mark.parametrize("seed", range(4))
def test_damaged_run_is_resumed_or_refused(seed: int, template: Path, tmp_path: Path) -> None:
    assert faults_of_case(lambda rng, place: attack_on_resume(rng, template, place), seed, tmp_path) == []


@pytest.mark.long
def test_fuzz_resumes(template: Path, tmp_path: Path) -> None:
    fuzz(lambda rng, place: attack_on_resume(rng, template, place), tmp_path)


@pytest.mark.parametrize("seed", range(2))
def test_damaged_checkpoint_causes_no_fault(seed: int, template: Path, tmp_path: Path) -> None:
    assert faults_of_case(lambda rng, place: attack(rng, template, place), seed, tmp_path) == []


@pytest.mark.long
def test_fuzz_checkpoints(template: Path, tmp_path: Path) -> None:
    fuzz(lambda rng, place: attack(rng, template, place), tmp_path)
