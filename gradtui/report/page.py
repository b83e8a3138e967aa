"""A run on one page of text: the verdict, the gradient over depth, the curves, the figures, the findings."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.text import Text

from gradtui.report.bars import axis_line, bar_chart, scale_of
from gradtui.report.words import compare_gradients, figure, seconds, share
from gradtui.runs.folder import runs_root

if TYPE_CHECKING:
    from gradtui.diagnosis.findings import Finding
    from gradtui.runs.reader import Run

WIDEST = 100
BARS_HEIGHT = 8
MARKS = {"critical": ("✖", "bold red"), "warning": ("▲", "yellow"), "info": ("·", "cyan")}

Line = tuple[str, str]
"""Text and its style."""


def page_width() -> int:
    """The terminal's columns, at most 100; COLUMNS overrides them."""
    return min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)


def page_console() -> Console:
    """Where pages are printed: stdout, in colour only where that is a terminal and NO_COLOR is not set."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return Console(
        width=page_width(),
        color_system="auto" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def print_report(run: Run, summary: dict[str, Any], findings: Sequence[Finding]) -> None:
    """Print the page of a run to stdout."""
    console = page_console()
    sections = [
        list(_headline(run, summary)),
        list(_verdict(summary, findings)),
        list(_gradient(summary, console.width)),
        list(_figures(summary)),
        list(_findings(findings)),
        list(_where(run)),
    ]
    for number, section in enumerate(filter(None, sections)):
        if number:
            console.print()
        for text, style in section:
            # Charts must not be wrapped: a line that is too long is one that the person made narrow.
            console.print(Text(text, style=style), soft_wrap=True)


def _headline(run: Run, summary: dict[str, Any]) -> Iterator[Line]:
    layers = summary["layers"]
    parts = [summary["name"]]
    if layers:
        parts.append(f"{len(layers)} layers")
        parts.append(f"{sum(layer['parameters'] for layer in layers):,} parameters")
    how = f"{summary['status']} after {summary['steps']:,} steps in {seconds(summary['seconds'])}"
    yield " · ".join(parts), "bold"
    yield how, "dim"
    if reason := run.status.reason:
        yield reason, "dim"


def _verdict(summary: dict[str, Any], findings: Sequence[Finding]) -> Iterator[Line]:
    if not summary["layers"] or not summary["steps"]:
        yield "Nothing was recorded.", "yellow"
        return
    if not findings:
        yield "✔ healthy: nothing found that keeps this net from learning", "green"
        return
    worst = findings[0]
    mark, style = MARKS[worst.severity]
    yield f"{mark} {worst.code} since step {worst.step}: {worst.evidence}", style


def _gradient(summary: dict[str, Any], width: int) -> Iterator[Line]:
    layers = summary["layers"]
    first, last = (
        np.array([layer["grad_norm"][end] for layer in layers], float) for end in ("first", "last")
    )
    if not layers or layers[0]["grad_norm"]["first"] is None:
        return
    scale = scale_of(first, last)
    yield "Gradient of each layer (norm, log scale)", "bold"
    for title, norms in (("at the first step", first), ("at the last step", last)):
        yield f"  {title}: {compare_gradients(norms[0], norms[-1])}", ""
        yield from ((line, "cyan") for line in bar_chart(norms, width=width, height=BARS_HEIGHT, scale=scale))
    yield axis_line(layers[0]["name"], layers[-1]["name"], layers=len(layers), width=width), "dim"


def _figures(summary: dict[str, Any]) -> Iterator[Line]:
    loss, accuracy, steps = summary["loss"], summary["accuracy"], summary["steps"]
    if not steps:
        return
    yield _row(
        "loss",
        f"first {figure(loss['first'])}",
        f"last {figure(loss['last'])}",
        f"best {figure(loss['best'])}",
    )
    if accuracy["train"] is not None:
        yield _row("accuracy", f"train {share(accuracy['train'])}", f"test {share(accuracy['test'])}")
    rate = [f"{steps / summary['seconds']:,.0f} steps/s"] if summary["seconds"] > 0 else []
    yield _row("time", seconds(summary["seconds"]), *rate)
    if summary["overhead"] is not None:
        yield _row("measuring", f"{share(summary['overhead'])} of the step time")


def _row(name: str, *figures: str) -> Line:
    return f"{name:<10}" + "".join(f"{text:<18}" for text in figures).rstrip(), ""


def _findings(findings: Sequence[Finding]) -> Iterator[Line]:
    for finding in findings:
        mark, style = MARKS[finding.severity]
        yield (
            f"{mark} {finding.code}, {finding.severity}, since step {finding.step}{_span(finding.layers)}",
            style,
        )
        yield f"  {finding.evidence}", ""
        for cure in finding.cures:
            words = " ".join(f"--set {key}={_toml(value)}" for key, value in cure.set.items())
            yield f"  cure: {cure.name}" + (f"   {words}" if words else ""), "green"
            yield f"    {cure.why}", "dim"


def _span(layers: Sequence[str]) -> str:
    if not layers:
        return ""
    return f", {layers[0]}" if len(layers) == 1 else f", {layers[0]} … {layers[-1]} ({len(layers)} layers)"


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _where(run: Run) -> Iterator[Line]:
    yield f"run       {run.folder}", ""
    # An id is looked for only where runs are kept by default.
    known = run.folder.parent == runs_root().absolute()
    yield f"look      gradtui attach {run.folder.name if known else run.folder}", ""
