"""Rank the changes of a study without a grid by what was measured, compared with the first change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gradtui.diagnosis.outcome import Outcome, rank, verdict
from gradtui.study.plan import name_of
from gradtui.study.spec import StudySpec
from gradtui.study.state import Ranked, StudyRow, StudyState


def ranked(spec: StudySpec, rows: Sequence[StudyRow], before: Outcome | None = None) -> tuple[Ranked, ...]:
    """Return all changes but the first, the best first: by what is cured, then by what was learned, then by step time.

    Returns an empty ranking if the study has a grid, and before runs of the first change and of another one have ended.
    `before` is the outcome to compare with until the first change has one.
    """
    if spec.grid or len(spec.change) < 2:
        return ()
    outcomes = _completed(rows)
    first = outcomes.pop(name_of(spec.change[0]), [])
    baseline = mean_outcome(first) if first else before
    if baseline is None:
        return ()
    order = rank([(change, mean_outcome(each)) for change, each in outcomes.items()], baseline)
    return tuple(Ranked(change, compared, len(outcomes[change])) for change, compared in order)


def with_verdicts(state: StudyState, rows: Sequence[StudyRow]) -> StudyState:
    """Return the state of a study of cures with these rows ranked, each with its verdict and its price.

    The first row trains the cured run's experiment again, under the same load as the cures and as long as they do. Once
    it has ended, it is the baseline. Until then, or if it fails, the cured run itself is the baseline, without its time
    of a step, which was measured under another load.
    """
    assert state.cured is not None
    first = rows[0]
    before = first.outcome if first.completed else state.cured.outcome
    if before is not None and not first.completed:
        before = replace(before, seconds=first.outcome.seconds if first.outcome is not None else math.nan)
    order = ranked(state.spec, rows, before)
    verdicts = {one.change: one.verdict for one in order}
    told = tuple(
        replace(row, verdict=verdicts.get(row.member.change), price=_price(before, row)) for row in rows
    )
    return replace(state, rows=told, ranked=order)


def _price(before: Outcome | None, row: StudyRow) -> float:
    return math.nan if before is None or row.outcome is None else verdict(before, row.outcome).price


def _completed(rows: Sequence[StudyRow]) -> dict[str, list[Outcome]]:
    outcomes: dict[str, list[Outcome]] = {}
    for row in rows:
        if row.completed and row.outcome is not None:
            outcomes.setdefault(row.member.change, []).append(row.outcome)
    return outcomes


def mean_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """Return one outcome for one or more seeds: the means, and the findings of all of them."""

    def mean(name: str) -> float:
        values = [float(getattr(outcome, name)) for outcome in outcomes]
        known = [value for value in values if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    return Outcome(
        codes=tuple(dict.fromkeys(code for outcome in outcomes for code in outcome.codes)),
        step=max(outcome.step for outcome in outcomes),
        loss=mean("loss"),
        accuracy=mean("accuracy"),
        test_accuracy=mean("test_accuracy"),
        drop=mean("drop"),
        seconds=mean("seconds"),
        first_loss=mean("first_loss"),
    )
