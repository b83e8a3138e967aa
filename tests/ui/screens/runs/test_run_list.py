"""Test the list of runs without a widget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gradtui.runs.filter import parse_filter
from gradtui.runs.label import Label
from gradtui.runs.meta import Parent
from gradtui.runs.run_groups import RunGroup, StudyRow, grouped
from gradtui.runs.run_info import RunInfo, RunSummary
from gradtui.runs.status import RunStatus
from gradtui.ui.screens.runs.run_lines import RunDetail, _group_detail
from gradtui.ui.screens.runs.run_list import RunList, numbered


def info(name: str, started: float) -> RunInfo:
    return RunInfo(Path(f"/runs/{started}"), name, RunStatus("finished", step=30), started)


def test_runs_of_one_name_are_numbered_by_their_age() -> None:
    runs = [info("net", 3.0), info("other", 2.5), info("net", 2.0), info("net", 1.0)]
    assert [numbered(runs)[run.run] for run in runs] == ["net #3", "other", "net #2", "net"]
    listing = RunList()
    listing.take(runs)
    assert [str(listing.columns["name"].text(run)) for run in runs] == ["net #3", "other", "net #2", "net"]
    detail = RunDetail(listing.names)
    detail.set_reactive(RunDetail.info, runs[0])
    assert detail.render().plain.startswith("net #3  "), "as in the list above it"
    detail.set_reactive(RunDetail.info, replace(runs[0], parent=Parent("20261130-053827-wide", 0, "relu")))
    assert detail.render().plain.endswith(f"compared with wide · {runs[0].id}"), "where there is little room"
    listing.take(runs[:1])
    assert str(listing.columns["name"].text(runs[0])) == "net"


def test_a_group_s_line_has_whole_numbers_only() -> None:
    runs = [
        replace(
            info("net", at),
            label=Label(group="net"),
            summary=RunSummary(loss=1.25 + at, train=0.5, test=0.25 * at, seconds=7.0 + at),
        )
        for at in (1.0, 2.0, 3.0)
    ]
    (group,) = grouped(runs, runs)
    assert isinstance(group, RunGroup)
    whole = _group_detail(group, 200).plain.splitlines()[1].split(" · ")
    assert len(whole) == 6
    assert whole[:3] == ["loss 3.25 ± 0.82", "train 50.0% ± 0.0%", "test 50.0% ± 20.4%"]
    for width in range(20, 140):
        line = _group_detail(group, width).plain.splitlines()[1]
        assert 0 < len(line) <= width
        assert [part for part in whole if part in line.split(" · ")] == line.split(" · ")


def test_the_runs_of_a_study_are_one_row_until_it_is_opened_or_searched() -> None:
    runs = [
        info("depth: 5 layers", 4.0),
        info("net", 3.0),
        info("depth: 20 layers", 2.0),
        info("other: net", 1.0),
    ]
    listing = RunList()
    listing.studies = {runs[0].run: "depth", runs[2].run: "depth", runs[3].run: "other"}

    def names() -> list[str]:
        return [str(listing.columns["name"].text(row)) for row in listing.rows]

    listing.take(runs)
    assert names() == ["▸ depth: 2 runs", "net", "other: net"]
    assert listing.fitting == 4
    row = listing.here
    assert isinstance(row, StudyRow)
    assert listing.chosen == [runs[0], runs[2]]
    listing.open_study(row)
    assert names() == ["▾ depth: 2 runs", "  5 layers", "  20 layers", "net", "other: net"]
    listing.sort("name")
    assert names() == ["▾ depth: 2 runs", "  20 layers", "  5 layers", "net", "other: net"]
    assert isinstance(listing.here, StudyRow), "the cursor stays on the study"
    listing.mark()
    assert listing.marked_rows == {0, 1, 2}
    listing.sift(parse_filter("layers"))
    assert names() == ["depth: 20 layers", "depth: 5 layers"]


def test_a_run_that_is_deleted_and_restored_keeps_its_mark() -> None:
    runs = [info("b", 2.0), info("a", 1.0)]
    listing = RunList()
    listing.take(runs)
    listing.mark()
    listing.take(runs[1:])
    assert (listing.marked_count, listing.marked_rows, listing.chosen) == (0, set(), [runs[1]])
    listing.take(runs)
    assert (listing.marked_count, listing.chosen) == (1, [runs[0]])
