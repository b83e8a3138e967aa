"""Write the report on how often the diagnosis is right, as a table in Markdown."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version

from gradtui import __version__
from gradtui.diagnosis import CODES
from tests.diagnosis.labelled.cases import HALVES, WELL
from tests.diagnosis.labelled.judging import NOTHING, Judged


def header() -> str:
    """Return a line with the date, the versions and the machine."""
    parts = (f"numpy {version('numpy')}", f"torch {version('torch')}", platform.system(), platform.machine())
    return f"{date.today()}, gradtui {__version__}, Python {platform.python_version()}, {', '.join(parts)}"


def report(runs: Sequence[Judged]) -> str:
    """Return the report on both halves, and every run whose diagnosis was wrong or flickered."""
    parts = [header()]
    for half in HALVES:
        part = [run for run in runs if run.case.half == half]
        if part:
            parts += [f"### {half}", confusion(part), summary(part)]
    return "\n\n".join([*parts, *_odd(runs)])


def confusion(runs: Sequence[Judged]) -> str:
    """Return the table whose rows are labels and whose columns are the codes of the first finding."""
    counts = Counter((run.case.label, run.first) for run in runs)
    labels = [label for label in (*WELL, *CODES) if any(run.case.label == label for run in runs)]
    found = [code for code in (NOTHING, *CODES) if any(run.first == code for run in runs)]
    rows = [f"| label | {' | '.join(found)} | right |", f"| --- |{' ---: |' * (len(found) + 1)}"]
    for label in labels:
        of_label = [run for run in runs if run.case.label == label]
        cells = " | ".join(str(counts[label, code] or "") for code in found)
        rows.append(f"| {label} | {cells} | {sum(run.right for run in of_label)} of {len(of_label)} |")
    return "\n".join(rows)


def summary(runs: Sequence[Judged]) -> str:
    """Return the share that is right, the false alarms, and how often findings flickered."""
    right, well = sum(run.right for run in runs), [run for run in runs if run.case.well]
    lines = (
        f"right: {right} of {len(runs)} runs ({right / len(runs):.1%})",
        f"false alarms at the end, of healthy nets: {sum(bool(run.findings) for run in well)} of {len(well)}",
        f"false alarms during the training, of healthy nets: {sum(bool(run.live) for run in well)} of {len(well)}",
        f"runs with a finding that flickered: {sum(bool(run.flickers) for run in runs)}",
        "failing runs with a finding that was gone at the end: "
        f"{sum(bool(run.taken_back) for run in runs if not run.case.well)} of {len(runs) - len(well)}",
    )
    return "\n".join(f"- {line}" for line in lines)


def _odd(runs: Sequence[Judged]) -> list[str]:
    lines = []
    for run in runs:
        said = [] if run.right else [f"says {run.first}"]
        said += [f"{code} flickers" for code in run.flickers]
        said += [f"{code} was taken back" for code in run.taken_back]
        if said:
            lines.append(
                f"- {run.case.half}, {run.case.label}: {run.case.name}, seed {run.seed}: {', '.join(said)}"
            )
    return ["\n".join(lines)] if lines else []
