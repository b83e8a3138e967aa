"""Test the JSON object of runs that no trainer wrote."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from gradtui import open_run
from gradtui.report.output import to_json
from gradtui.report.run_json import run_object
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.writer import RunWriter
from tests.support.command_line import strictly

LAYERS = ("dense1", "output")
TABLES = {"scalars": ("loss",), "grad_norm": LAYERS, "dead_fraction": LAYERS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that is described, but has recorded nothing."""
    meta = RunMeta.of_this_process(
        id="one",
        name="by hand",
        layers=tuple(LayerMeta(name, "dense", 10) for name in LAYERS),
        tables={name: TableMeta(columns) for name, columns in TABLES.items()},
    )
    write_meta(tmp_path, meta)
    return tmp_path


def write(folder: Path, losses: list[float], **events: Any) -> None:
    """A row of each table for every loss, a second apart; events by kind."""
    writer = RunWriter(folder, TABLES)
    for step, loss in enumerate(losses, start=1):
        writer.append("scalars", step, [loss], time=1000.0 + step)
        writer.append(
            "grad_norm", step, [1e-9 * step, math.inf if math.isnan(loss) else 0.1], time=1000.0 + step
        )
        writer.append("dead_fraction", step, [0.25, math.nan], time=1000.0 + step)
    for kind, fields in events.items():
        writer.event(kind, len(losses), **fields)
    writer.close()


def summary(folder: Path) -> Any:
    """As a program reads it."""
    return strictly(to_json(run_object(open_run(folder), [])))


def test_before_the_first_step_values_are_missing_not_zero(folder: Path) -> None:
    told = summary(folder)
    assert told["loss"] == {"first": None, "last": None, "best": None}
    assert told["accuracy"] == {"train": None, "test": None}
    assert told["layers"][0]["grad_norm"] == {"first": None, "last": None}
    assert (told["steps"], told["seconds"], told["overhead"]) == (0, 0.0, None)


def test_loss_has_first_last_and_best(folder: Path) -> None:
    write(folder, [3.0, 0.5, 1.0])
    told = summary(folder)
    assert told["loss"] == {"first": 3.0, "last": 1.0, "best": 0.5}
    # The shortest number that is the float32, not the double that is nearest to it.
    assert told["layers"][0]["grad_norm"] == {"first": 1e-9, "last": 3e-9}
    assert told["seconds"] == 2.0


@pytest.mark.parametrize(
    ("lives", "seconds"),
    [
        # Each life: the step it was taken back to, when it began to train. Rows are at 1001 … 1006.
        ([(None, 1000.0)], 6.0),
        ([(None, 900.0), (3, 1003.5)], 103.0 + 2.5),
        ([(None, 900.0), (3, 950.0), (2, 1002.5)], 102.0 + 3.5),
        ([(None, 900.0), (2, 1002.5), (4, 1004.75)], 102.0 + 1.5 + 1.25),
        ([(None, 900.0), (0, 1000.5)], 5.5),
        ([(None, 1000.0), (6, 2000.0)], 6.0),
    ],
)
def test_time_between_two_trainings_does_not_count(
    folder: Path, lives: list[tuple[int | None, float]], seconds: float
) -> None:
    write(folder, [1.0] * 6)
    lines = []
    for step, began in lives:
        if step is not None:
            lines.append({"event": "rewound", "time": began - 1, "step": step})
        lines += [{"event": "phase", "time": began + later, "phase": "training"} for later in (0, 1)]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert summary(folder)["seconds"] == seconds


def test_json_writes_numbers_that_are_not_finite_as_strings(folder: Path) -> None:
    write(folder, [3.0, 2.0, math.nan])
    told = summary(folder)
    assert told["loss"] == {"first": 3.0, "last": "nan", "best": 2.0}
    assert told["layers"][1]["grad_norm"]["last"] == "inf"


def test_a_loss_that_was_always_nan_has_no_best(folder: Path) -> None:
    write(folder, [math.nan, math.nan])
    assert summary(folder)["loss"]["best"] == "nan"


def test_units_that_cannot_die_have_no_dead_fraction(folder: Path) -> None:
    write(folder, [1.0])
    assert [layer["dead_fraction"] for layer in summary(folder)["layers"]] == [0.25, None]


def test_the_newest_evaluation_counts(folder: Path) -> None:
    writer = RunWriter(folder, TABLES)
    writer.event("evaluation", 1, train_accuracy=0.1, test_accuracy=0.2)
    writer.event("evaluation", 2, train_accuracy=0.9, test_accuracy=math.nan)
    writer.event("cost", 2, overhead=0.012)
    writer.close()
    told = summary(folder)
    assert told["accuracy"] == {"train": 0.9, "test": None}
    assert told["overhead"] == 0.012


def test_the_status_is_that_of_the_end_event(folder: Path) -> None:
    assert summary(folder)["status"] == "starting"
    write(folder, [1.0], end={"status": "diverged", "reason": "no number"})
    assert summary(folder)["status"] == "diverged"


def test_json_of_any_measured_number_is_strict() -> None:
    value = {"a": [math.nan, -math.inf, 1e-45, (1, True, None)], "ü": math.inf}
    assert strictly(to_json(value)) == {"a": ["nan", "-inf", 1e-45, [1, True, None]], "ü": "inf"}
