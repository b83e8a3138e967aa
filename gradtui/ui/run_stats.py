"""Compute the figures of a run beside its charts: the time of a step, clipped steps, dead and saturated units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradtui import metrics
from gradtui.headlines import gradient_headline
from gradtui.runs.costs import newest_costs
from gradtui.words import formatted, plain_exponents, step_time

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gradtui.diagnosis import Finding
    from gradtui.metrics import Metric
    from gradtui.report.divergences import RecordedDivergence
    from gradtui.runs.follower import Snapshot
    from gradtui.runs.reader import Run
    from gradtui.runs.summary import Floats


@dataclass(frozen=True)
class RunStat:
    """A RunStat is one line: its label, its figure, and whether that is a bad one."""

    label: str
    figure: str
    bad: bool = False


def run_stats(
    snapshot: Snapshot, layers: Mapping[str, Floats], names: Sequence[str], codes: Collection[str] = ()
) -> tuple[RunStat, ...]:
    """Return the figures of a run's state.

    Args:
        snapshot: the state.
        layers: the newest row of other metrics by name, (layers,) each.
        names: the names of the layers.
        codes: the codes of the findings, which mark their figures as bad.
    """
    found = []
    costs = newest_costs(snapshot.events).words()
    if costs:
        found.append(RunStat("costs", costs))
    elif snapshot.rate:
        found.append(RunStat("step time", step_time(1 / snapshot.rate)))
    if "clipped" in snapshot.curves and snapshot.curves["clipped"].mean.any():
        found.append(RunStat("clipped", f"{float(snapshot.curves['clipped'].mean.mean()):.0%} of steps"))
    loss = snapshot.curves.get("loss")
    broke = loss is not None and len(loss) > 0 and not math.isfinite(loss.mean[-1])
    for metric in metrics.with_figure():
        worst = _worst(metric, layers.get(metric.name), names, codes)
        # If a net's numbers are not finite, every unit seems dead or saturated.
        found += [RunStat(one.label, "–") for one in worst] if broke else worst
    cost = [event["overhead"] for event in snapshot.events if event.get("event") == "cost"]
    if cost:
        found.append(RunStat("recording", f"{cost[-1]:.1%} overhead"))
    return tuple(found)


def clipping_of(snapshot: Snapshot) -> str:
    """Return in words what is seen of the clipping that a script does by itself: the limit, where it is one number."""
    cut, norm = snapshot.curves.get("clipped"), snapshot.curves.get("grad_norm_clipped")
    if cut is None or norm is None or not (cut.max > 0).any():
        return "none seen"
    whole = norm.mean[: len(cut)][cut.min[: len(norm)] > 0]
    lowest, highest = (min(whole, default=math.nan), max(whole, default=math.nan))
    return f"{plain_exponents(f'{highest:.2g}')} (script)" if highest <= 1.01 * lowest else "by the script"


def _worst(metric: Metric, row: Floats | None, names: Sequence[str], codes: Collection[str]) -> list[RunStat]:
    """Return the value farthest from zero with its layer; nothing where no layer has a value."""
    known = (
        [] if row is None else [(abs(v), v, n) for v, n in zip(row.tolist(), names, strict=False) if v == v]
    )
    if not known:
        return []
    assert metric.figure is not None
    size, value, name = max(known)
    text, none = (formatted(metric.figure.format, number) for number in (value, 0.0))
    # A value that is written as 0 has no worst layer.
    return [
        RunStat(
            metric.label,
            text if text == none else f"{text} in {name}",
            size > 0 and metric.figure.finding in codes,
        )
    ]


def newest_row(run: Run, metric: str, step: int | None) -> Floats | None:
    """Return the newest row of a metric up to a step, (layers,); None where there is none."""
    from gradtui.runs.table import recent_rows

    rows = recent_rows(run.table_or_empty(metric), step, 1).rows
    return rows[-1] if len(rows) else None


def first_visible_step(
    run: Run, findings: Sequence[Finding], divergences: Sequence[RecordedDivergence]
) -> int | None:
    """Return the first step at which a finding shows in the charts; None where there is none.

    When the outputs' gradient begins to explode, the gradient of the weights may still be even. Then it is the step at
    which a number first jumps.
    """

    def of(finding: Finding) -> int:
        jump = next((one.step for one in divergences if one.step > finding.step), None)
        row = newest_row(run, "grad_norm", finding.step) if finding.code == "exploding" and jump else None
        if jump is None or row is None:
            return finding.step
        return jump if gradient_headline(run.layer_names, row.tolist()).tone == "even" else finding.step

    return min(map(of, findings), default=None)
