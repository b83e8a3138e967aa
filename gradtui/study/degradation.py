"""Find network degradation across runs: a deeper net is worse on the training data although its gradients are healthy.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (2015), figure 1: a plain net of 56 layers has a
higher training error than one of 20, so it is not overfitting; and with batch normalisation its gradients are healthy,
so they do not vanish. This module finds the runs that differ only in depth; the rule itself is
gradtui.diagnosis.rules.learning.degradation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gradtui.diagnosis import diagnose, evidence_of
from gradtui.diagnosis.ended_runs import note_findings
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.shallower import DEGRADATION, family_of
from gradtui.runs.errors import RunError
from gradtui.runs.reader import open_run
from gradtui.runs.shallower_run import write_shallower_run
from gradtui.study.chart_data import number_in, range_of
from gradtui.study.plan import Member, axes_of
from gradtui.study.spec import DEPTH, Quantity, StudySpec
from gradtui.study.state import StudyFinding, StudyRow


class Degradation:
    """A Degradation compares each completed run of a study with the best shallower run that differs only in depth."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._families = {member.key: family_of(member.experiment) for member in members}
        self._known: dict[tuple[str, str], tuple[Finding, ...] | None] = {}

    def mark(self, rows: Sequence[StudyRow]) -> tuple[StudyRow, ...]:
        """Return the rows, with a finding for each that has a better shallower run. Never raises."""
        families: dict[str, list[StudyRow]] = {}
        for row in rows:
            if row.completed and row.result is not None:
                families.setdefault(self._families[row.key], []).append(row)
        return tuple(self._marked(row, families.get(self._families[row.key], ())) for row in rows)

    def _marked(self, row: StudyRow, family: Sequence[StudyRow]) -> StudyRow:
        if not row.completed or row.result is None:
            return row
        shallower = [other for other in family if other.member.depth < row.member.depth]
        if not shallower:
            return row
        findings = self._compared_with(row, max(shallower, key=_learned))
        if findings is None or not any(found.code == DEGRADATION for found in findings):
            return row
        return replace(
            row,
            codes=tuple(found.code for found in findings),
            evidence=tuple(found.evidence for found in findings),
        )

    def _compared_with(self, row: StudyRow, partner: StudyRow) -> tuple[Finding, ...] | None:
        pair = row.key, partner.key
        if pair not in self._known:
            assert row.folder is not None
            assert partner.folder is not None
            try:
                mine, theirs = (evidence_of(open_run(folder)) for folder in (row.folder, partner.folder))
                self._known[pair] = found = tuple(diagnose(mine, theirs))
                if any(finding.code == DEGRADATION for finding in found) and write_shallower_run(
                    row.folder, partner.folder
                ):
                    # From now on the lab, the list of runs and the reports find it too.
                    note_findings(open_run(row.folder), found)
            except (RunError, OSError):
                # It was deleted meanwhile.
                self._known[pair] = None
        return self._known[pair]


def _learned(row: StudyRow) -> tuple[float, float]:
    assert row.result is not None
    accuracy, loss = row.result.train_accuracy, row.result.loss
    return (-1.0 if math.isnan(accuracy) else accuracy, -loss if math.isfinite(loss) else -math.inf)


def findings_of(spec: StudySpec, rows: Sequence[StudyRow]) -> tuple[StudyFinding, ...]:
    """Return the findings of a study as a whole: one for each of its series that degrades with depth."""
    beside = axes_of(DEPTH, spec)
    series: dict[str, list[StudyRow]] = {}
    for row in rows:
        if row.completed and row.result is not None:
            series.setdefault(row.member.label(*beside), []).append(row)
    return tuple(
        _finding(name, rows) for name, rows in series.items() if any(DEGRADATION in row.codes for row in rows)
    )


def _finding(series: str, rows: Sequence[StudyRow]) -> StudyFinding:
    degraded = [row for row in rows if DEGRADATION in row.codes]
    deep = max(row.member.depth for row in degraded)
    at_depth = {
        row.member.depth: [other for other in rows if other.member.depth == row.member.depth] for row in rows
    }
    shallower = [depth for depth in at_depth if depth < deep]
    seeds = len({row.member.seed for row in at_depth[deep]})
    shown = len({row.member.seed for row in degraded if row.member.depth == deep})
    with_accuracy = math.isfinite(_mean(at_depth[deep], "train_accuracy"))
    if with_accuracy:
        best = max(shallower, key=lambda depth: _mean(at_depth[depth], "train_accuracy"))
    else:
        best = min(shallower, key=lambda depth: _mean(at_depth[depth], "loss"))

    def both(name: Quantity) -> str:
        span = range_of(name)
        return " to ".join(number_in(span, _mean(at_depth[depth], name)) for depth in (best, deep))

    what = (
        f"The training accuracy falls from {both('train_accuracy')}"
        if with_accuracy
        else f"The loss rises from {both('loss')}"
    )
    where = f"in {shown} of {seeds} seeds" if seeds > 1 else "with one seed"
    words = [f"{what} as {best} weight layers become {deep}, {where}"]
    if with_accuracy:
        words.append(
            f"this is not overfitting: even the training set is fitted worse (test: {both('test_accuracy')})"
        )
    drop = max(abs(row.result.drop) for row in degraded if row.result is not None)
    words.append(
        "nothing vanishes: the gradients of the first and the last hidden layer differ by a factor of "
        f"at most {10**drop:.2g}"
    )
    return StudyFinding(DEGRADATION, series, "; ".join(words) + ".", tuple(row.key for row in degraded))


def _mean(rows: Sequence[StudyRow], name: str) -> float:
    known = [float(getattr(row.result, name)) for row in rows]
    return sum(known) / len(known)
