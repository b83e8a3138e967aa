"""Train one script in a forked process, diagnose its run, and compare the findings with the known verdict."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from gradtui.diagnosis.monitor import diagnose_run
from gradtui.runs.reader import open_run
from tests.diagnosis.scripts.registry import Recorder, Training

SECONDS = 120
"""A training that takes longer is ended."""


@dataclass(frozen=True)
class Judged:
    """A Judged is what the diagnosis said of one training."""

    training: Training
    healthy: bool
    codes: tuple[str, ...]
    """The findings that are problems, not information."""
    evidence: tuple[str, ...]
    learned: bool
    """Whether the net learned, by its own numbers: healthy ones have to, and failing ones must not do so well."""
    error: str

    @property
    def right(self) -> bool:
        """Return whether the diagnosis is silent of a healthy training, and names the fault of a failing one."""
        said = not self.codes if self.healthy else bool(self.training.codes & set(self.codes))
        return said and not self.error

    @property
    def as_expected(self) -> bool:
        """Return whether a healthy training learned: otherwise its verdict would be wrong."""
        return self.learned or not self.healthy

    @property
    def line(self) -> str:
        """Return the result in a line or more."""
        expected = "healthy" if self.healthy else " or ".join(sorted(self.training.codes))
        said = ", ".join(self.codes) or "nothing"
        more = "".join(f"\n    {one}" for one in (*self.evidence, self.error) if one)
        learned = "" if self.as_expected else "\n    it did not learn"
        return f"{self.training.name}: is {expected}, said {said}{learned}{more}"


def judge(training: Training, *, logs: bool, fixed: bool = False, seed: int = 0) -> Judged:
    """Train in a process of its own, with a fresh home of gradtui, and diagnose what was recorded."""
    home = Path(tempfile.mkdtemp(prefix="gradtui-scripts-"))
    answer = home / "answer.json"
    try:
        child = os.fork()
        if not child:
            _train(training, Recorder(logs=logs, fixed=fixed), home, answer, seed)
        _, status = os.waitpid(child, 0)
        said = (
            json.loads(answer.read_text())
            if answer.exists()
            else {"error": f"the process ended with {status}", "learned": False}
        )
        findings, error = [], said["error"]
        for folder in sorted((home / "runs").iterdir()) if (home / "runs").is_dir() else []:
            findings += [f for f in diagnose_run(open_run(folder)).findings if f.severity != "info"]
        if not (home / "runs").is_dir():
            error += " no run was recorded"
        return Judged(
            training,
            fixed or not training.codes,
            tuple(sorted({finding.code for finding in findings})),
            tuple(f"{finding.code}, step {finding.step}: {finding.evidence}" for finding in findings),
            said["learned"],
            error,
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _train(training: Training, recorder: Recorder, home: Path, answer: Path, seed: int) -> None:
    """Train in the forked process, which ends here."""
    error, learned = "", False
    try:
        os.environ["GRADTUI_HOME"] = str(home)
        signal.alarm(SECONDS)
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        warnings.simplefilter("ignore")
        learned = bool(training.train(recorder))
    except Exception:
        error = traceback.format_exc().strip().splitlines()[-1]
    try:
        recorder.close()
    except Exception:
        error += traceback.format_exc().strip().splitlines()[-1]
    answer.write_text(json.dumps({"learned": learned, "error": error}))
    os._exit(0)
