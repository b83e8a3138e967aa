"""Test which runs are found to differ only in their seed, and what their group is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradtui.experiment import resolve, set_fields, to_dict
from gradtui.runs.label import Label
from gradtui.runs.run_groups import RunGroup, common_name, grouped, siblings
from gradtui.runs.run_info import RunInfo, RunSummary
from gradtui.runs.status import RunStatus


def info(name: str, state: str = "finished", **fields: Any) -> RunInfo:
    status = RunStatus(state=state, phase="", step=10, reason="")  # type: ignore[arg-type]
    return RunInfo(Path(f"/no/{name}"), name, status, 1.0, **fields)


def trained(name: str, **changes: object) -> RunInfo:
    return info(name, experiment=to_dict(set_fields(resolve("sigmoid-20"), {"name": name, **changes})))


def test_experiments_are_alike_apart_from_seed_and_name() -> None:
    runs = [trained(f"s{n}", **{"seed": n}) for n in range(3)]
    other = trained("other", **{"seed": 1, "optimizer.lr": 0.25})
    assert siblings(runs[1], [*runs, other]) == runs
    assert siblings(other, [*runs, other]) == []


def test_the_same_seed_twice_is_no_group() -> None:
    twice = [trained("again one"), trained("again two")]
    assert siblings(twice[0], twice) == []


def test_scripts_are_alike_by_their_configuration() -> None:
    runs = [info(f"gpt {n}", config={"lr": 0.1, "trainer.seed": n}) for n in range(2)]
    faster = info("gpt fast", config={"lr": 0.5, "trainer.seed": 2})
    unknown = info("plain"), info("plain too")
    assert siblings(runs[0], [*runs, faster, *unknown]) == runs
    assert siblings(unknown[0], [*runs, *unknown]) == []


def test_a_group_is_named_by_what_its_names_share() -> None:
    assert common_name([info("wide seed=1"), info("wide seed=2")]) == "wide"
    assert common_name([info("gpt"), info("gpt")]) == "gpt"
    assert common_name([info("a"), info("b")]) == "a"
    label = Label(group="mine")
    assert common_name([info("x1", label=label), info("y1", label=label)]) == "mine"


def test_a_row_of_a_group_says_who_diverged_and_averages_the_rest() -> None:
    label = Label(group="g")
    runs = [
        info("one", label=label, summary=RunSummary(loss=1.0, test=0.5)),
        info("two", label=label, summary=RunSummary(loss=3.0)),
        info("three", label=label, summary=RunSummary(loss=float("nan"))),
        info("four", state="diverged", label=label, summary=RunSummary(loss=1e30)),
    ]
    (row,) = grouped(runs, runs)
    assert isinstance(row, RunGroup)
    assert (row.title, row.diverged) == ("g ×4", "2 of 4 diverged")
    assert (row.summary.loss, row.summary.test, row.summary.train) == (2.0, 0.5, None)
    (part,) = grouped(runs[:2], runs)
    assert isinstance(part, RunGroup)
    assert part.title == "g ×4 (2 shown)"
    assert grouped(runs[:1], runs) == runs[:1]
