"""Test that an ended run is compared with a shallower one, and that a run without one says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradtui.cli import main
from gradtui.diagnosis import diagnose, monitor
from gradtui.diagnosis.judged import NEEDS_SHALLOWER, judged_of
from gradtui.experiment import resolve, set_fields
from gradtui.experiment.presets.curriculum import CHAPTERS, PresetEntry
from gradtui.runs.reader import open_run
from gradtui.runs.shallower_run import SHALLOWER_FILE, read_shallower_run
from tests.support.evidence import curve, evidence
from tests.support.studies import failing_run

pytestmark = pytest.mark.usefixtures("home")
DEEP, SHALLOW = resolve("plain-57"), resolve("plain-5")


def ended(folder: Path) -> list[str]:
    """Diagnose a run as its trainer does at the end, and return the codes."""
    return [finding.code for finding in monitor.RunMonitor(folder).diagnose(finished=True)]


def deep_run() -> Path:
    """Write a deep run that has learned a little."""
    return failing_run(DEEP, decades=0.3, accuracy=0.32, learns=True, steps=25)


def test_a_deep_run_is_compared_with_the_best_shallower_one_of_the_same_net() -> None:
    assert ended(deep_run()) == [], "there is nothing to compare it with"
    failing_run(SHALLOW, decades=0.3, accuracy=0.5, learns=True, steps=60)
    best = failing_run(
        set_fields(DEEP, {"net.1.repeat": 6}), decades=0.3, accuracy=0.95, learns=True, steps=60
    )
    for other in (
        set_fields(SHALLOW, {"seed": 9}),
        set_fields(SHALLOW, {"optimizer.lr": 0.01}),
        set_fields(DEEP, {"net.1.repeat": 40}),
    ):
        failing_run(other, decades=0.3, accuracy=0.99, learns=True, steps=60)
    failing_run(SHALLOW, decades=0.3, accuracy=0.98, learns=True, steps=60, end="stopped")
    deep = deep_run()
    assert ended(deep) == ["degradation"]
    assert read_shallower_run(deep) == best
    assert [finding.code for finding in monitor.diagnose_run(open_run(deep)).findings] == ["degradation"]


def test_a_run_that_has_learned_or_has_another_finding_is_compared_with_none() -> None:
    failing_run(SHALLOW, decades=0.3, accuracy=0.95, learns=True, steps=60)
    learned = failing_run(DEEP, decades=0.3, accuracy=0.9, learns=True, steps=60)
    vanishes = failing_run(DEEP, decades=9.0, accuracy=0.1)
    assert (ended(learned), ended(vanishes)) == ([], ["vanishing"])
    for folder in (learned, vanishes):
        assert not (folder / SHALLOWER_FILE).exists()


def test_a_deep_run_that_learned_little_says_that_it_needs_a_shallower_one() -> None:
    made = evidence(layers=57, drop=-0.5, loss=curve(2.4, 1.9), accuracy=0.26)
    assert diagnose(made) == []
    assert judged_of(made).why == NEEDS_SHALLOWER
    assert judged_of(made, compared=True).why == judged_of(made, found=True).why == ""
    shallow = evidence(layers=5, loss=curve(2.4, 1.9), accuracy=0.26)
    learned = evidence(layers=57, loss=curve(2.4, 0.5), accuracy=0.9)
    assert judged_of(shallow).why == judged_of(learned).why == ""


@pytest.mark.long
@pytest.mark.parametrize("entry", [one for part in CHAPTERS for one in part.entries if one.degrades_after])
def test_a_preset_degrades_after_the_shallower_one_that_its_list_names(
    entry: PresetEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for name in (entry.name, entry.degrades_after, entry.name):
        main(["run", name, "--json"])
        found.append([finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]])
    assert found == [[], [], ["degradation"]]
