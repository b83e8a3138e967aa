"""Run an unchanged script under `gradtui watch` in real processes, and read the resulting runs."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import gradtui
from gradtui.runs.library import list_runs
from gradtui.runs.reader import Run
from tests.support.command_line import GRADTUI, environment

ORACLE = """
import json, math, sys
import torch

def norms(model):
    '''Norm of the gradient of each module that owns parameters, in float64, the plain way.'''
    found = []
    for module in model.modules():
        own = [p.grad for p in module.parameters(recurse=False) if p.grad is not None]
        if list(module.parameters(recurse=False)):
            found.append(math.sqrt(sum((g.double() ** 2).sum().item() for g in own)))
    return found

NORMS = {}

def note(name, model):
    NORMS.setdefault(name, []).append(norms(model))

def tell(name="norms.json"):
    json.dump(NORMS, open(name, "w"))

def digest(*models):
    return [p.detach().double().sum().item().hex() for model in models for p in model.parameters()]
"""
"""What scripts import as `oracle`: the norms that they see themselves, for comparison."""


@dataclass(frozen=True)
class Folder:
    """A Folder has a script, and its own home for runs."""

    path: Path

    @property
    def home(self) -> Path:
        """Return the home of gradtui's runs."""
        return self.path / "home"

    def write(self, body: str, name: str = "train.py") -> Path:
        """Write a script, and the module `oracle` beside it."""
        (self.path / "oracle.py").write_text(ORACLE)
        script = self.path / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(textwrap.dedent(body))
        return script

    def environment(self) -> dict[str, str]:
        """Return this process's environment with the folder's home and one thread."""
        return {**environment(self.home), "OMP_NUM_THREADS": "1"}

    def run(
        self,
        *command: str,
        options: tuple[str, ...] = ("--every-step",),
        extra: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command under `gradtui watch` to its end."""
        words = [*GRADTUI, "watch", *options, "--", *command]
        return self.alone(*words, extra=extra)

    def alone(
        self, *command: str, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, without gradtui."""
        return subprocess.run(
            command,
            cwd=self.path,
            env={**self.environment(), **(extra or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def python(
        self, *words: str, options: tuple[str, ...] = ("--every-step",)
    ) -> subprocess.CompletedProcess[str]:
        """Run this Python under `gradtui watch`, and expect it to end well."""
        done = self.run(sys.executable, *words, options=options)
        assert done.returncode == 0, done.stderr
        return done

    def runs(self) -> list[Run]:
        """Return all runs, the oldest first."""
        found = list_runs(self.home / "runs") if (self.home / "runs").exists() else []
        opened = [gradtui.open_run(one.run) for one in found]
        # The names of folders differ only by seconds, so runs are sorted by their start.
        return sorted(opened, key=lambda run: run.meta.started if run.meta is not None else 0.0)

    def by_name(self) -> dict[str, Run]:
        """Return all runs by their names, which differ."""
        named = {run.name: run for run in self.runs()}
        assert len(named) == len(self.runs())
        return named


def assert_norms(run: Run, expected: list[list[float]], rel: float = 1e-5) -> None:
    """Compare the recorded norms of all steps and layers with those that the script saw."""
    steps, values = run.layers("grad_norm")
    assert steps.tolist() == list(range(1, len(expected) + 1))
    np.testing.assert_allclose(values, np.array(expected), rtol=rel)
