"""Print what `gradtui fix` did: each round, the cures that were tried before it, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gradtui.plain_text import plain
from gradtui.words import figure, ratio

if TYPE_CHECKING:
    from gradtui.study.fixing import Attempt
    from gradtui.study.trials import Trial


def print_round(number: int, attempt: Attempt, summary: dict[str, Any], better: int | None) -> None:
    """Print a round: its change and reason, what it came to, and what is found.

    Args:
        number: of the round.
        attempt: its training.
        summary: what `gradtui run --json` says of it.
        better: the number of an earlier round that came to more, if there is one.
    """
    cure = attempt.cure
    if cure is None:
        print(plain(f"Round {number}: {attempt.experiment.name} as it is"))
    else:
        print(plain(f"Round {number}: {cure.name}"))
        for path, value in cure.set.items():
            print(plain(f"  {path} = {value}"))
        print(plain(f"  why: {cure.why}"))
        print(plain(f"  cost: {cure.price}"))
    print(f"  {_reached(summary)}")
    for finding in attempt.findings:
        print(plain(f"  found: {finding.code}. {finding.evidence}"))
    if not attempt.findings:
        print(f"  {_without_finding(attempt)}")
    if better is not None:
        print(f"  Round {better} came to more, so the next cure goes on from there.")
    print(flush=True)


def _reached(summary: dict[str, Any]) -> str:
    steps = summary["steps"]
    text = f"{summary['status']} after {steps} step{'' if steps == 1 else 's'}"
    loss, accuracy = summary["loss"], summary["accuracy"]["train"]
    if loss["first"] is not None and loss["last"] is not None:
        text += f": loss {figure(loss['first'])} → {figure(loss['last'])}"
    if accuracy is not None:
        text += f", training accuracy {figure(accuracy)}"
    return text


def _without_finding(attempt: Attempt) -> str:
    if attempt.learned:
        return "Nothing is found, and it has learned."
    if attempt.begun:
        return "Nothing is found, and it has begun to learn."
    return "Nothing is found, but it has learned nothing."


def print_trials(trials: Sequence[Trial], seconds: float) -> None:
    """Print the cures that were tried for a few steps, the best first, and how long that took."""
    print(f"Tried {len(trials)} cures for a few steps each, in {seconds:.0f} s:")
    for trial in trials:
        print(plain(f"  {trial.cure.name}: {trial_text(trial)}"))
    print(flush=True)


def trial_text(trial: Trial) -> str:
    """Return what came of a trial, in a few words."""
    if not trial.steps:
        return "not tried within the time"
    text = f"tried {trial.steps} steps: loss {figure(trial.first_loss)} → {figure(trial.last_loss)}"
    if not math.isfinite(trial.last_loss):
        return text
    return text + (
        f", and at its start the first layer still has {ratio(trial.start)} times the gradient of the last"
        if trial.uneven
        else ""
    )


def print_conclusion(best: Attempt, number: int, rounds: int, changes: dict[str, object]) -> None:
    """Print how the repair ended.

    Args:
        best: the best attempt.
        number: of its round.
        rounds: how many there were after round 0.
        changes: from the experiment as it was given to the best one.
    """
    times = "1 round" if rounds == 1 else f"{rounds} rounds"
    by = "" if number == rounds else f" (the best was round {number})"
    fields = " ".join(f"--set {path}={value}" for path, value in changes.items())
    if best.clean and number == 0:
        print("Nothing to fix: it learns as it is.")
    elif best.clean and best.learned:
        print(plain(f"Fixed after {times}{by}: {fields}"))
    elif best.clean:
        print(plain(f"Fixed after {times}{by}, though it learns slowly: {fields}"))
    else:
        codes = ", ".join(finding.code for finding in best.findings)
        left = f"still found: {codes}" if codes else "nothing is found any more, but it has learned nothing"
        print(f"Not fixed after {times}; {left}.")
