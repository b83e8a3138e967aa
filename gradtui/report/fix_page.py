"""Describe a repair for `gradtui fix` and the lab: each round, the trials before it, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gradtui.experiment.overrides import as_options, diff
from gradtui.report.run_json import run_object
from gradtui.runs.reader import open_run
from gradtui.words import figure, percent, ratio, several, value_in_words

if TYPE_CHECKING:
    from gradtui.diagnosis.findings import CureOffer
    from gradtui.experiment import Experiment
    from gradtui.study.fixing import Attempt
    from gradtui.study.repair import Round
    from gradtui.study.trials import CureTrial


def round_json(made: Round) -> dict[str, Any]:
    """Return a round as an entry of `rounds` of `gradtui fix --json`."""
    attempt = made.attempt
    summary = summary_of(made)
    return {
        "round": made.number,
        "cure": attempt.cure.to_json() if attempt.cure else None,
        "tried": [_trial_json(trial) for trial in made.trials],
        "run": summary["run"],
        "status": summary["status"],
        "loss": summary["loss"],
        "accuracy": summary["accuracy"],
        "findings": [finding.code for finding in attempt.findings],
        "learns": attempt.begun,
    }


def _trial_json(trial: CureTrial) -> dict[str, Any]:
    return {
        "cure": trial.cure.name,
        "steps": trial.steps,
        "loss": {"first": trial.first_loss, "last": trial.last_loss},
        "uneven": trial.uneven,
    }


def summary_of(made: Round) -> dict[str, Any]:
    """Return what `gradtui run --json` prints of the run of a round."""
    return run_object(open_run(made.folder), made.attempt.findings)


# -- lines for people


def head_line(number: int, experiment: Experiment, cure: CureOffer | None) -> str:
    """Return the first line of a round: its number and its change."""
    return f"Round {number}: {experiment.name + ', unchanged' if cure is None else cure.name}"


def cure_lines(before: Experiment | None, after: Experiment, cure: CureOffer) -> list[str]:
    """Return what a cure changes, why it should help, and what it costs."""
    lines = [f"change: {text}" for text in changes_text(before, after)] if before else []
    lines.append(f"why: {cure.why}")
    # Most cures cost something; for the others the line is left out.
    if cure.price.rstrip(".") not in ("", "none"):
        lines.append(f"cost: {cure.price}")
    return lines


def changes_text(before: Experiment, after: Experiment) -> list[str]:
    """Return each changed field with its value before and after."""
    was, becomes = diff(after, before), diff(before, after)
    return [
        f"{path} {value_in_words(was[path])} → {value_in_words(value)}" for path, value in becomes.items()
    ]


def result_lines(made: Round, best: int) -> list[str]:
    """Return the result of a round and its findings.

    Args:
        made: the round.
        best: the number of the best round so far.
    """
    attempt = made.attempt
    lines = [_reached(summary_of(made), attempt.outcome.loss)]
    lines += [f"found: {finding.code}. {finding.evidence}" for finding in attempt.findings]
    if not attempt.findings:
        lines.append(_without_finding(attempt))
    if best != made.number:
        lines.append(f"This is not better than round {best}.")
    return lines


def _reached(summary: dict[str, Any], usual_loss: float) -> str:
    """Return the end of a training: its steps, its loss (the mean of the last steps) and its accuracy."""
    steps = summary["steps"]
    text = f"{summary['status']} after {several(steps, 'step')}"
    loss, accuracy = summary["loss"], summary["accuracy"]["train"]
    if loss["first"] is not None and loss["last"] is not None:
        last = usual_loss if math.isfinite(usual_loss) and math.isfinite(loss["last"]) else loss["last"]
        text += f": loss {figure(loss['first'])} → {figure(last)}"
    if accuracy is not None:
        text += f", training accuracy {percent(accuracy)}"
    return text


def _without_finding(attempt: Attempt) -> str:
    if attempt.learned:
        return "No problem was found, and the net has learned."
    if attempt.begun:
        return "No problem was found, and the net has begun to learn."
    return "No problem was found, but the net has not begun to learn."


def trials_lines(trials: Sequence[CureTrial], seconds: float) -> list[str]:
    """Return the cures that were tried for a few steps, the best first, and how long that took."""
    return [
        f"{several(len(trials), 'cure')} {'was' if len(trials) == 1 else 'were'} tried for a few steps "
        f"each, in {seconds:.0f} s. The next round takes the first of them: the first advice, "
        "unless the loss of another cure is a fifth lower.",
        *(f"  {trial.cure.name}: {trial_text(trial)}" for trial in trials),
    ]


def trial_text(trial: CureTrial) -> str:
    """Return the result of a trial, in a few words."""
    if not trial.steps:
        return "not tried, for lack of time"
    taken = several(trial.steps, "step")
    text = f"tried {taken}: loss {figure(trial.first_loss)} → {figure(trial.last_loss)}"
    if not math.isfinite(trial.last_loss):
        return text
    return text + (
        f", and at the start the first layer still has {ratio(trial.start)} times the gradient of the last"
        if trial.uneven
        else ""
    )


def conclusion(best: Round, rounds: int, changes: dict[str, object], *, stopped: bool = False) -> str:
    """Return how a repair ended.

    Args:
        best: the best round.
        rounds: the number of rounds after round 0.
        changes: the changes from the user's experiment to the best one.
        stopped: whether the person ended it.
    """
    attempt = best.attempt
    times = several(rounds, "round")
    by = "" if best.number == rounds else f" (the best was round {best.number})"
    fields = as_options(changes)
    if attempt.clean and best.number == 0:
        return "Nothing to fix: the net learns without a change."
    if attempt.clean and attempt.learned:
        return f"Fixed after {times}{by}: {fields}"
    if attempt.clean:
        return f"Fixed after {times}{by}, although the net learns slowly: {fields}"
    codes = ", ".join(finding.code for finding in attempt.findings)
    left = (
        f"still found: {codes}"
        if codes
        else "no problem is found any more, but the net has not begun to learn"
    )
    if not rounds:
        return f"{'Stopped' if stopped else 'Not fixed'} before any cure; {left.removeprefix('still ')}."
    return f"{'Stopped' if stopped else 'Not fixed'} after {times}{by}; {left}."


def next_lines(rounds: Sequence[Round], best: Round, *, most: int, run: str, output: str | None) -> list[str]:
    """Return what a person can do after a repair.

    Args:
        rounds: all rounds.
        best: the best of them.
        most: the most rounds that were allowed after round 0.
        run: the best round's run, as `gradtui attach` takes it.
        output: the file to which the fixed experiment was written, as a command line takes it; None for none.
    """
    lines = []
    if not best.attempt.clean:
        tried_all = rounds[-1].number < most
        lines.append(
            "No other cure is advised for it." if tried_all else f"More rounds may help: --rounds {2 * most}"
        )
    elif output is not None:
        lines.append(f"Open the fixed experiment: gradtui {output}")
    elif best.number:
        lines.append("To write the fixed experiment to a file, add -o FILE to the command")
    return [
        *lines,
        f"See the run{f' of round {best.number}' if len(rounds) > 1 else ''}: gradtui attach {run}",
    ]
