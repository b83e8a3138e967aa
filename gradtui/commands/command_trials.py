"""Run a training command several times, unchanged and with each change, as `gradtui watch --try` asks."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gradtui.commands.child import unusable
from gradtui.commands.command import BadInput
from gradtui.commands.interruptions import Interruptions
from gradtui.monitor.launch.changes import parse_change, problem_with_steps
from gradtui.monitor.launch.options import LaunchOptions, read_notes
from gradtui.monitor.trial import Trial
from gradtui.runs.folder import LOG_FILE, slug_of
from gradtui.runs.safe_files import replacing
from gradtui.study.script_trials import ScriptTrial, advised_changes, read_run
from gradtui.words import several

POLL_SECONDS = 0.05
PLACEHOLDER = "{run}"
"""This text in the command is replaced by a word for the trial, so that the trials can write to different files."""
TAIL_BYTES = 4096


@dataclass
class _Process:
    """A _Process is a trial whose command is running or has ended."""

    trial: Trial
    log: Path
    process: subprocess.Popen[bytes]
    stopped: bool = False

    def notes(self) -> list[dict[str, Any]]:
        """Return what its processes have noted so far."""
        return read_notes(Path(self.trial.notes))


@dataclass
class CommandTrials:
    """CommandTrials run the command unchanged first, and then once for each change, up to `jobs` at a time."""

    command: Sequence[str]
    options: LaunchOptions
    steps: int
    jobs: int
    advised: bool
    """Whether to try also what the findings of the unchanged run advise."""
    folder: Path
    """A folder for notes and outputs, which the caller deletes."""
    say: Callable[[str], None]
    done: list[ScriptTrial] = field(default_factory=list)
    """The results of the trials so far; the unchanged command is first."""

    def run(self, changes: Sequence[str], interruptions: Interruptions) -> None:
        """Run all trials; an interruption ends those that are running, and no further trial starts.

        Raises BadInput where the command cannot be run, or a change cannot be made in its training.
        """
        waiting = list(changes)
        first = self._start(Trial(steps=self.steps, checks=tuple(changes)))
        running = [first]
        begun = handled = 0
        while running:
            time.sleep(POLL_SECONDS)
            if interruptions.count > handled:
                handled += 1
                waiting.clear()
                for one in running:
                    one.stopped = True
                    _signal(one.process, signal.SIGINT if handled == 1 else signal.SIGKILL)
            if not begun and any("begun" in note for note in first.notes()):
                begun = 1
                self._refuse(first)
            for one in [each for each in running if each.process.poll() is not None]:
                running.remove(one)
                self._finish(one)
                if one is first:
                    self._refuse(first)
                    if not self.done[0].runs:
                        return
                    if self.advised and not one.stopped:
                        waiting += self._advised([*changes])
            # Trials train beside the unchanged run only once it has shown that all changes can be made.
            while waiting and len(running) < self.jobs and (begun or first not in running):
                parent = next((Path(note["run"]).name for note in first.notes() if "run" in note), "")
                if not parent:
                    break
                running.append(self._start(Trial(waiting.pop(0), self.steps, parent=parent)))

    def _start(self, trial: Trial) -> _Process:
        place = f"{len(list(self.folder.iterdir())):04}"
        trial = replace(trial, notes=str(self.folder / f"{place}.notes"))
        Path(trial.notes).touch()
        log = self.folder / f"{place}.log"
        word = word_for(trial.name)
        command = [part.replace(PLACEHOLDER, word) for part in self.command]
        environment = trial.environment(self.options.environment(os.environ))
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # The terminal's signals reach it through this process, so that all its processes end in order.
                    start_new_session=True,
                )
        except OSError as error:
            raise unusable(command, error) from None
        return _Process(trial, log, process)

    def _refuse(self, first: _Process) -> None:
        """Raise BadInput where the first run has found that a change cannot be made."""
        refused: Mapping[str, str] = next(
            (note["refused"] for note in first.notes() if note.get("refused")), {}
        )
        for change, problem in refused.items():
            with contextlib.suppress(subprocess.TimeoutExpired):
                first.process.wait(10)
            if first.process.poll() is None:
                _signal(first.process, signal.SIGKILL)
            for note in first.notes():
                if "run" in note:
                    shutil.rmtree(note["run"], ignore_errors=True)
            raise BadInput(f"--try {change}: {problem}")

    def _finish(self, one: _Process) -> None:
        notes = one.notes()
        folders = [Path(note["run"]) for note in notes if "run" in note]
        runs = [read_run(folder, one.trial.name) for folder in folders]
        if folders:
            with (
                contextlib.suppress(OSError),
                one.log.open("rb") as output,
                replacing(folders[0] / LOG_FILE) as log,
            ):
                shutil.copyfileobj(output, log)
        code = one.process.returncode
        status, reason = self._ending(one, notes, code)
        trial = ScriptTrial(
            one.trial.change,
            one.trial.name,
            status,
            reason,
            code if code >= 0 else 128 - code,
            tuple(run for run in runs if run is not None),
        )
        self.done.append(trial)
        self.done.sort(key=lambda each: bool(each.change))
        self.say(trial_line(trial))

    def _ending(self, one: _Process, notes: Sequence[Mapping[str, Any]], code: int) -> tuple[str, str]:
        for note in notes:
            if note.get("refused"):
                return "refused", next(iter(note["refused"].values()))
            if "failed" in note:
                return "failed", str(note["failed"])
        if one.stopped:
            return "stopped", "interrupted"
        if any("ended" in note for note in notes) or code == 0:
            return "finished", ""
        how = f"exit code {code}" if code > 0 else f"ended by signal {-code}"
        last = last_line(one.log)
        return "failed", f"{how}: {last}" if last else how

    def _advised(self, known: Sequence[str]) -> list[str]:
        found = [change for change in advised_changes(self.done[0]) if change not in known]
        return [change for change in found if not problem_with_steps(parse_change(change), self.steps)]


def word_for(name: str) -> str:
    """Return a word for a trial that may be part of a file's name, such as lr-x0.1."""
    parts = [slug_of(part) for part in name.split(".")]
    return ".".join(part for part in parts if part) or "trial"


def trial_line(trial: ScriptTrial) -> str:
    """Return one line that says how a trial has ended."""
    from gradtui.words import figure

    text = f"{trial.name}: {trial.status}{f', {trial.reason}' if trial.reason else ''}"
    for run in trial.runs[:1]:
        outcome = run.outcome
        text += (
            f"; {several(outcome.step, 'step')}, loss {figure(outcome.first_loss)} → {figure(outcome.loss)}"
        )
    return text


def last_line(log: Path) -> str:
    """Return the last line of what a command has printed; empty where it printed nothing."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
