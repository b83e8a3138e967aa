"""Test the filter of the list of runs."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from gradtui.experiment import resolve, to_dict
from gradtui.runs.filter import KEYS, FilterError, parse_filter
from gradtui.runs.label import Label
from gradtui.runs.run_info import RunInfo, RunSummary
from gradtui.runs.status import RunStatus


def info(name: str, state: str = "finished", *, tags: tuple[str, ...] = (), **figures: object) -> RunInfo:
    step = figures.pop("step", 100)
    return RunInfo(
        Path(f"/runs/20260101-{name}"),
        name,
        RunStatus(state, step=step),  # type: ignore[arg-type]
        time.time() - 3 * 3600,
        label=Label(tags=tags),
        summary=RunSummary(**figures),  # type: ignore[arg-type]
        experiment=to_dict(resolve("sigmoid-20")) if name == "sigmoid-20" else None,
    )


RUNS = [
    info(
        "sigmoid-20", findings=("vanishing", "not-learning"), depth=21, test=0.09, loss=2.3, tags=("paper",)
    ),
    info("relu-20", depth=21, train=0.99, test=0.97, loss=0.1, seconds=3.0, tags=("paper", "Good")),
    info("deep one", "diverged", findings=("nonfinite",), depth=50, loss=math.nan, step=4),
    info("script", "running"),
]


@pytest.mark.parametrize(
    ("text", "fitting"),
    [
        ("", "sigmoid-20 relu-20 deep_one script"),
        ("   ", "sigmoid-20 relu-20 deep_one script"),
        ("0101-relu", "relu-20"),
        ("-sigmoid", "relu-20 deep_one script"),
        ("SIGMOID", "sigmoid-20"),
        ('"deep one"', "deep_one"),
        ("deep one", "deep_one"),
        ("paper", "sigmoid-20 relu-20"),
        ("findings:vanishing depth>20", "sigmoid-20"),
        ("finding:van*", "sigmoid-20"),
        ("findings:vanishing,nonfinite", "sigmoid-20 deep_one"),
        ("findings:none", "relu-20 script"),
        ("-findings:none", "sigmoid-20 deep_one"),
        ("status:finished", "sigmoid-20 relu-20"),
        ("state!=finished", "deep_one script"),
        ("tag:good", "relu-20"),
        ("-tag:paper", "deep_one script"),
        ("tag:none", "deep_one script"),
        ("name:sig*", "sigmoid-20"),
        ("name:sig", ""),
        ('name:"deep one"', "deep_one"),
        ("id:2026*relu*", "relu-20"),
        ("depth>21", "deep_one"),
        ("depth>=21 depth<50", "sigmoid-20 relu-20"),
        ("depth:21", "sigmoid-20 relu-20"),
        ("depth!=21", "deep_one"),
        ("accuracy<0.5", "sigmoid-20"),
        ("accuracy<50%", "sigmoid-20"),
        ("train>98%", "relu-20"),
        ("loss:nan", "deep_one"),
        ("loss>0", "sigmoid-20 relu-20"),
        ("loss<=1e-1", "relu-20"),
        ("seconds<=3s", "relu-20"),
        ("step<=4", "deep_one"),
        ("steps<0.1k", "deep_one"),
        ("age>2h", "sigmoid-20 relu-20 deep_one script"),
        ("age>0.2d", ""),
        ("net.0.activation:sig*", "sigmoid-20"),
        ("optimizer.lr>0", "sigmoid-20"),
        ("optimizer.lr<=0", ""),
        ("net.7.width>0", ""),
        ("seed:0", "sigmoid-20"),
        ("-net.0.activation:sigmoid", "relu-20 deep_one script"),
    ],
)
def test_filter_keeps_the_runs_that_match(text: str, fitting: str) -> None:
    chosen = parse_filter(text)
    found = [run.name for run in RUNS if chosen.matches(run)]
    assert found == [name.replace("_", " ") for name in fitting.split()]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("depth>", "depth>: the value of depth is missing"),
        ("name:", "is missing"),
        ("depth>deep", "depth: 'deep' is not a number"),
        ("accuracy<5x", "accuracy: '5x' is not a number"),
        ("name>3", "name is not a number"),
        ("colour:red", "colour: unknown field; the fields are name, id"),
        ("optimizer.color:red", "optimizer.color: an experiment has no such field"),
        ('name:"deep', 'a " that is not closed'),
        ("sigmoid -depth>", "depth>: the value of depth is missing"),
    ],
)
def test_invalid_filter_raises_one_line(text: str, says: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_figure_named_in_an_error_can_be_filtered_by() -> None:
    for key in KEYS:
        parse_filter(f"{key}:3")
