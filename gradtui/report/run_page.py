"""Print a run on one page of text: the findings, the gradient over depth, the curves, the figures, the cures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from msgspec import convert
from rich.text import Text

from gradtui.experiment.overrides import as_options
from gradtui.report.divergences import divergences
from gradtui.report.output import Paper, print_sections, prose, stdout_paper
from gradtui.report.page import SEVERITY_MARKS
from gradtui.report.run_charts import curve_charts, gradient_charts
from gradtui.runs.costs import RunCosts
from gradtui.runs.events import rollback_step
from gradtui.runs.folder import runs_root
from gradtui.runs.meta import config_of
from gradtui.words import figure, percent, seconds, several, which_layers

if TYPE_CHECKING:
    from gradtui.diagnosis.findings import Finding
    from gradtui.diagnosis.monitor import RunDiagnosis
    from gradtui.runs.events import Event
    from gradtui.runs.meta import Parent
    from gradtui.runs.reader import Run

MOST_CHANGES = 3
"""The most changes that the page suggests to try."""
SEVERITY_STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def print_run(
    run: Run, summary: dict[str, Any], diagnosis: RunDiagnosis, *, most_cures: int | None = None
) -> None:
    """Print the page of a run to stdout.

    Args:
        run: the run.
        summary: its `run_object`.
        diagnosis: its findings and remarks.
        most_cures: the number of cures to print at most; None prints all.
    """
    paper, events = stdout_paper(), run.events()
    evaluations = [event for event in events if event["event"] == "evaluation"]
    print_sections(
        paper,
        _headline(run, summary),
        _verdict(summary, diagnosis, paper),
        gradient_charts(summary["layers"], paper),
        curve_charts(run, evaluations, paper),
        [
            *_figures(summary, run.parent),
            *_meaning(run),
            *_labelled("note", run.note.splitlines(), paper),
            *_config(run, paper),
            *_untrained(run, summary),
            *divergence_lines(events),
        ],
        _cures(diagnosis.findings, paper, most_cures),
        _where(run),
    )


def _headline(run: Run, summary: dict[str, Any]) -> Iterator[Text]:
    layers = summary["layers"]
    parts = [summary["name"]]
    if layers:
        parts.append(several(len(layers), "layer"))
        parts.append(f"{sum(layer['parameters'] for layer in layers):,} parameters")
    how = f"{summary['status']} after {summary['steps']:,} steps in {seconds(summary['seconds'])}"
    yield Text(" · ".join(parts), "bold")
    yield Text(how, "dim")
    if reason := run.status.reason:
        yield Text(reason, "dim")
    if parent := run.parent:
        whose = f"step {parent.step:,} of {parent.run}" if parent.step else f"the beginning of {parent.run}"
        verb = "changed" if summary.get("change") else "cured"
        yield Text(f"from {whose}{parent.cure and f', {verb} by {parent.cure}'}", "dim")


def _verdict(summary: dict[str, Any], diagnosis: RunDiagnosis, paper: Paper) -> Iterator[Text]:
    if not summary["layers"] or not summary["steps"]:
        yield Text("Nothing was recorded.", "yellow")
        return
    if not diagnosis.findings:
        judgement = diagnosis.judgement
        yield Text(judgement.without_finding, "green" if judgement.state == "clean" else "yellow")
    yield from prose(diagnosis.judged.why, paper, "dim", indent="  ")
    for finding in (*diagnosis.findings, *diagnosis.remarks):
        mark, style = SEVERITY_MARKS[finding.severity], SEVERITY_STYLES[finding.severity]
        where = which_layers(finding.layers)
        yield Text(f"{mark} {finding.code}, {finding.severity}, {finding.when}{where}", style)
        yield from prose(finding.evidence, paper, indent="  ")


def _figures(summary: dict[str, Any], parent: Parent | None) -> Iterator[Text]:
    loss, accuracy, steps = summary["loss"], summary["accuracy"], summary["steps"]
    if not steps:
        return
    # A fork continues the count of its parent's steps, which it has not taken itself.
    taken = steps - parent.step if parent else steps
    # Findings and verdicts say means; these are single batches.
    yield _row("loss", *_course(loss), "of one batch each")
    if metric := summary.get("metric"):
        yield _row(metric["name"][:9], *_course(metric))
    if accuracy["train"] is not None:
        yield _row("accuracy", f"train {percent(accuracy['train'])}", f"test {percent(accuracy['test'])}")
    rate = [f"{taken / summary['seconds']:,.0f} steps/s on average"] if summary["seconds"] > 0 else []
    yield _row("time", seconds(summary["seconds"]), *rate)
    if summary["overhead"] is not None:
        yield _row("recording", f"{percent(summary['overhead'])} of the step time")
    if costs := convert(summary.get("costs", {}), RunCosts).words():
        yield Text(f"{'costs':<10}{costs}, as measured last")


def _course(numbers: dict[str, Any]) -> list[str]:
    return [f"{name} {figure(numbers[name])}" for name in ("first", "last", "best")]


def divergence_lines(events: Sequence[Event]) -> Iterator[Text]:
    """Yield two lines for each step at which the run diverged."""
    for step, kind, what, batch in divergences(events):
        yield Text(f"{kind:<10}step {step:,}: {what}", "yellow")
        yield Text(f"{'':<10}{batch}", "dim")


def _meaning(run: Run) -> Iterator[Text]:
    """Say which gradient the numbers of a script measure, because scripts clip, scale and accumulate differently."""
    meaning = run.meta.data.get("gradient") if run.meta else None
    if isinstance(meaning, str):
        yield Text(f"{'gradient':<10}{meaning}")


def _config(run: Run, paper: Paper) -> Iterator[Text]:
    """Show the configuration that a script was started with."""
    fields = [f"{name}={value}" for name, value in config_of(run.meta).items()]
    yield from _labelled("config", [", ".join(fields[:40])], paper)


def _labelled(name: str, texts: Sequence[str], paper: Paper) -> Iterator[Text]:
    """Show texts under one name, each beginning on a line of its own."""
    lines = [line for text in texts for line in wrap(text, max(20, paper.width - 10))]
    for number, line in enumerate(lines):
        yield Text(f"{'' if number else name:<10}{line}")


def _untrained(run: Run, summary: dict[str, Any]) -> Iterator[Text]:
    """Say which layers have no gradient: the frozen ones, and those that a script's steps did not use."""
    layers = run.meta.layers if run.meta else ()
    frozen = [layer.name for layer in layers if layer.frozen]
    if frozen:
        verb = "is" if len(frozen) == 1 else "are"
        yield Text(
            f"{'frozen':<10}{len(frozen):,} of {len(layers):,} layers {verb} frozen{which_layers(frozen)}"
        )
    norms = [(layer["name"], layer["grad_norm"]) for layer in summary["layers"]]
    unused = [
        name for name, norm in norms if norm["first"] is None and norm["last"] is None and name not in frozen
    ]
    if unused and len(unused) < len(norms):
        verb = "has" if len(unused) == 1 else "have"
        text = f"{len(unused):,} of {len(norms):,} layers {verb} no recorded gradient{which_layers(unused)}"
        yield Text(f"{'untrained':<10}{text}")


def _row(name: str, *figures: str) -> Text:
    return Text(f"{name:<10}" + "".join(f"{text:<18}" for text in figures).rstrip())


def _cures(findings: Sequence[Finding], paper: Paper, most: int | None) -> Iterator[Text]:
    # An explosion and the NaN that follows it have the same cures, which are shown once.
    cures = list({cure.name: cure for finding in findings for cure in finding.cures}.values())
    if cures:
        yield Text("Possible cures, best first", "bold")
    for cure in cures[:most]:
        options = as_options(cure.set)
        yield Text(f"  {cure.name}{options and '   '}{options}", "green")
        yield from prose(cure.why, paper, "dim", indent="    ")
        for line in cure.code.splitlines():
            yield Text(f"      {line}")
    if most is not None and len(cures) > most:
        yield Text(f"  … and {len(cures) - most} more: gradtui diagnose", "dim")
    if changes := [cure.change for cure in cures if cure.change][:MOST_CHANGES]:
        tried = " ".join(f"--try {change}" for change in changes)
        yield Text(f"  To see which of them help: gradtui watch {tried} -- COMMAND", "dim")


def _where(run: Run) -> Iterator[Text]:
    yield Text(f"run       {run.folder}")
    # gradtui looks for an id only in the default folder of runs.
    known = run.folder.parent == runs_root().absolute()
    name = run.folder.name if known else str(run.folder)
    yield Text(f"open      gradtui attach {name}")
    if (step := rollback_step(run.events())) is not None:
        yield Text(
            f"restart   gradtui run --from {name} --set K=V   (goes back to step {step:,}, before it diverged)"
        )
