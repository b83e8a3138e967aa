"""Test the judgement on a run: three states, each with its mark, and no false all-clear."""

from __future__ import annotations

from itertools import product

import pytest

from gradtui.diagnosis.findings import Finding
from gradtui.judgement import TOO_SHORT, judge

CRITICAL = Finding("vanishing", "critical", 1, (), "")
WARNING = Finding("dead-units", "warning", 1, (), "")
INFORMATION = Finding("spikes", "info", 1, (), "")


@pytest.mark.parametrize(
    ("findings", "live", "state", "mark", "words"),
    [
        (None, True, "checking", "◌", "checking"),
        (None, False, "checking", "◌", "checking"),
        ((), True, "clean", "✓", "no problems"),
        ((), False, "clean", "✓", "no problems"),
        ((INFORMATION,), False, "clean", "✓", "no problems"),
        ((WARNING,), True, "problem", "▲", "dead-units"),
        ((WARNING, CRITICAL), False, "problem", "✖", "vanishing, dead-units"),
    ],
)
def test_state_mark_and_words(
    findings: tuple[Finding, ...] | None, live: bool, state: str, mark: str, words: str
) -> None:
    judgement = judge(findings, live=live)
    assert (judgement.state, judgement.mark[0], judgement.words) == (state, mark, words)


@pytest.mark.parametrize(("findings", "live"), product([None, (), (INFORMATION,)], [True, False]))
def test_nothing_is_clean_over_nan(findings: tuple[Finding, ...] | None, live: bool) -> None:
    judgement = judge(findings, live=live, objection="the loss is NaN")
    assert judgement.state == ("checking" if live else "problem")
    assert "the loss is NaN" in judgement.words


def test_a_run_of_a_few_steps_is_never_called_clean() -> None:
    assert judge((), live=False, step=2).words == TOO_SHORT
    assert judge(None, live=False, step=2).words == TOO_SHORT
    assert judge((CRITICAL,), live=False, step=2).state == "problem"
