"""Print the trials of a command as one page of text, or return them as one JSON object."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from rich.text import Text

from gradtui.absent import log10_of
from gradtui.charts.scale import Scale
from gradtui.headlines import gradient_headline
from gradtui.report.output import Paper, print_sections, stdout_paper
from gradtui.report.ranking_table import ranking_lines, ranking_rows
from gradtui.report.run_charts import profile_chart
from gradtui.study.script_trials import Comparison, ScriptTrial, TrialRun, compare
from gradtui.words import figure, ratio, seconds, several


def print_trials(
    command: Sequence[str], steps: int, took: float, trials: Sequence[ScriptTrial], *, advised: bool
) -> None:
    """Print the results of the trials to stdout, the ranking first.

    Args:
        command: the command with its arguments.
        steps: the most steps of a trial.
        took: the seconds that all trials took.
        trials: the trials, the unchanged one first.
        advised: whether the cures that the findings advise were tried too.
    """
    paper = stdout_paper()
    sections: list[Sequence[Text]] = [list(_headline(command, steps, took, trials))]
    comparisons = compare(trials)
    for comparison in comparisons:
        sections.append(list(_findings(comparison, paper)))
        sections.append(list(_table(comparison, paper, named=len(comparisons) > 1)))
        sections.append(list(_profiles(comparison, paper)))
        sections.append(list(_unfixed(comparison)))
    print_sections(paper, *sections, list(_remarks(trials, advised=advised)), list(_where(trials)))


def _headline(
    command: Sequence[str], steps: int, took: float, trials: Sequence[ScriptTrial]
) -> Iterator[Text]:
    yield Text(shlex.join(command), "bold")
    times = "once" if len(trials) == 1 else f"{len(trials)} times"
    yield Text(f"run {times}, up to {several(steps, 'step')} each, in {seconds(took)}", "dim")


def _findings(comparison: Comparison, paper: Paper) -> Iterator[Text]:
    for finding in comparison.before.findings:
        if finding.severity != "info":
            yield Text(f"{'✖' if finding.severity == 'critical' else '▲'} {finding.code}", "bold red")
            for line in wrap(finding.evidence, paper.width, initial_indent="  ", subsequent_indent="  "):
                yield Text(line)


def _table(comparison: Comparison, paper: Paper, *, named: bool) -> Iterator[Text]:
    runs = comparison.runs
    if not comparison.ranked:
        return
    if named:
        yield Text(comparison.name, "bold")
    first = next(iter(runs))
    rows = ranking_rows(
        first,
        comparison.before.outcome,
        comparison.ranked,
        ("steps", "loss", "in÷out"),
        lambda change, _: (
            f"{runs[change].outcome.step:,}",
            f"{figure(runs[change].outcome.first_loss)} → {figure(runs[change].outcome.loss)}",
            ratio(runs[change].outcome.drop),
        ),
        lambda change: runs[change].gradients,
        ascii=paper.ascii,
    )
    yield from ranking_lines(first, rows, paper)


def _profiles(comparison: Comparison, paper: Paper) -> Iterator[Text]:
    """Yield the gradient of each layer at the last step, of the unchanged training and of the best trial."""
    if not comparison.ranked:
        return
    shown = [next(iter(comparison.runs)), comparison.ranked[0][0]]
    runs = [comparison.runs[name] for name in shown]
    scale = Scale("log")
    scale.include(np.concatenate([log10_of(run.gradients) for run in runs]))
    for name, run in zip(shown, runs, strict=True):
        yield Text(f"Gradient of each layer at the last step, {name}", "bold")
        yield Text(gradient_headline(list(run.layers), run.gradients.tolist()).text)
        yield from profile_chart(log10_of(run.gradients), paper, scale)


def _unfixed(comparison: Comparison) -> Iterator[Text]:
    """Say what else can be done where no change that was tried fixes the problem."""
    before = comparison.before
    if not before.outcome.failing or not comparison.ranked or any(one.fixed for _, one in comparison.ranked):
        return
    folder = before.folder.name
    if any(cure.code for finding in before.findings for cure in finding.cures):
        yield Text(
            f"None of these changes fixes it. gradtui diagnose {folder} prints cures as lines of code."
        )
    else:
        yield Text("None of these changes fixes it.")


def _remarks(trials: Sequence[ScriptTrial], *, advised: bool) -> Iterator[Text]:
    if advised and len(trials) == 1 and trials[0].status != "stopped":
        found = any(run.findings for run in trials[0].runs)
        why = (
            "no finding advises a change that can be made in a running process"
            if found
            else "no problem was found"
        )
        yield Text(f"Nothing was tried: {why}.")
    for trial in trials:
        if trial.status != "finished":
            reason = f", {trial.reason}" if trial.reason else ""
            yield Text(f"✖ {trial.name}: {trial.status}{reason}", "red")
        elif not trial.runs:
            yield Text(f"✖ {trial.name}: no step could be recorded", "red")


def _where(trials: Sequence[ScriptTrial]) -> Iterator[Text]:
    folders = {trial.name: run.folder for trial in trials for run in trial.runs[:1]}
    width = max(map(len, folders), default=0)
    for name, folder in folders.items():
        yield Text(f"{name:<{width}}  gradtui attach {folder.name}", "dim")


# -- JSON


def trials_object(
    command: Sequence[str], steps: int, took: float, trials: Sequence[ScriptTrial]
) -> dict[str, Any]:
    """Return the trials as `gradtui watch --try … --json` prints them.

    Keys: command, steps (the most of each), seconds, runs (one for each run of each trial, the unchanged first), and
    ranking (the best change first; `run` is that of the model where the command trains several).
    """
    return {
        "command": list(command),
        "steps": steps,
        "seconds": took,
        "runs": [entry for trial in trials for entry in _run_entries(trial)],
        "ranking": [
            {
                "change": change,
                "run": str(comparison.runs[change].folder),
                "healed": verdict.fixed,
                "better": verdict.better,
                "worse": verdict.worse,
                "loss": verdict.after.loss,
                "findings": list(verdict.after.codes),
            }
            for comparison in compare(trials)
            for change, verdict in comparison.ranked
        ],
    }


def _run_entries(trial: ScriptTrial) -> Iterator[dict[str, Any]]:
    runs: Sequence[TrialRun | None] = trial.runs or (None,)
    for run in runs:
        yield {
            "run": None if run is None else str(run.folder),
            "change": trial.change,
            "status": trial.status,
            "reason": trial.reason,
            "exit_code": trial.exit_code,
            "steps": 0 if run is None else run.outcome.step,
            "loss": None if run is None else {"first": run.outcome.first_loss, "last": run.outcome.loss},
            "findings": [] if run is None else [finding.to_json() for finding in run.findings],
        }
