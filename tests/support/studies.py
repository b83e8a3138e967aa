"""Write runs without a trainer for tests, and define fake trainers that only write folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gradtui.experiment import Experiment, from_dict, net_shape, set_fields, to_dict
from gradtui.experiment.toml import load
from gradtui.runs.control import send
from gradtui.runs.folder import EXPERIMENT_FILE, new_folder, runs_root
from gradtui.runs.label import Label, write_label
from gradtui.runs.meta import (
    LayerMeta,
    Parent,
    RunMeta,
    RunOrigin,
    TableMeta,
    read_origin,
    write_meta,
    write_origin,
)
from gradtui.runs.writer import RunWriter
from gradtui.study.engines import MakeEngine, StartTrainer
from gradtui.study.engines.local import LocalEngine
from gradtui.study.spec import loads
from gradtui.study.state import StudyState
from gradtui.study.study import Study, open_study

SCALARS = ("loss", "accuracy", "lr", "grad_norm", "grad_norm_clipped")
CHANCE = 2.3026


def sigmoids(**changes: object) -> Experiment:
    """Return twelve sigmoid layers whose gradient vanishes; `changes` are dotted paths with __ for the dot."""
    exp = from_dict(
        {
            "name": "sigmoids",
            "net": [{"width": 16, "repeat": 12, "activation": "sigmoid", "init": "xavier"}],
            "run": {"steps": 60, "eval_every": 0, "device": "cpu"},
        }
    )
    return set_fields(exp, {path.replace("__", "."): value for path, value in changes.items()})


def write_run(
    folder: Path,
    experiment: Experiment,
    *,
    parent: Parent | None = None,
    steps: int = 60,
    decades: float = 9.0,
    learns: bool = False,
    accuracy: float | None = None,
    seconds: float = 0.01,
    end: str | None = "finished",
    reason: str = "",
) -> Path:
    """Write a run whose gradients fall by this many decades from output to input."""
    shapes = net_shape(experiment).layers
    names = tuple(shape.name for shape in shapes)
    layers = tuple(LayerMeta(shape.name, shape.kind, shape.parameters) for shape in shapes)
    tables = {"scalars": TableMeta(SCALARS, "scalars"), "grad_norm": TableMeta(names)}
    meta = RunMeta.of_this_process(
        id=folder.name,
        name=experiment.name,
        experiment=to_dict(experiment),
        layers=layers,
        tables=tables,
        steps=experiment.run.steps,
        chance_loss=CHANCE,
        parent=parent,
    )
    write_meta(folder, meta)
    writer = RunWriter(folder, {"scalars": SCALARS, "grad_norm": names})
    writer.event("phase", phase="training")
    profile = 10.0 ** np.linspace(-decades, 0, len(names))
    for step in range(1, steps + 1):
        share = step / 60 if learns else 0.0
        scalars = np.array([CHANCE * (1 - 0.9 * share), 0.1 + 0.8 * share, 0.1, 1.0, 1.0])
        writer.append("scalars", step, scalars, time=1e9 + step * seconds)
        writer.append("grad_norm", step, profile, time=1e9 + step * seconds)
    if end is not None:
        reached = 0.95 if accuracy is None else accuracy
        if learns or accuracy is not None:
            writer.event("evaluation", steps, train_accuracy=reached, test_accuracy=reached - 0.05)
        writer.event("end", step=steps, status=end, reason=reason)
    writer.close()
    return folder


EVENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("paused", {}),
    ("resumed", {}),
    ("control", {"wish": "set", "set": {"optimizer.lr": 0.5}}),
    ("evaluation", {"train_loss": 1.0, "train_accuracy": 0.5, "test_loss": "nan", "test_accuracy": 0.4}),
    (
        "finding",
        {"code": "vanishing", "severity": "critical", "layers": ["dense1"], "evidence": "x", "cures": []},
    ),
    ("cost", {"overhead": 0.01}),
    (
        "broke",
        {
            "reason": "nonfinite",
            "measure": "loss",
            "loss": "nan",
            "before": 1.0,
            "part": "output",
            "layer": "dense1",
            "batch": [1, 2],
            "rewind": 5,
        },
    ),
    ("rewound", {}),
    ("phase", {"phase": "pretraining", "layer": 1, "layers": 3, "epoch": 1, "epochs": 2}),
    ("pretrain", {"reconstruction_error": 0.5, "layer": 1}),
)
"""One event of each kind that a trainer may write."""


def full_run(folder: Path, parent: str) -> Path:
    """Write a run that has every kind of file."""
    folder.mkdir()
    write_run(folder, sigmoids(), steps=600, learns=True, parent=Parent(parent, 0))
    writer = RunWriter(folder, {})
    for number, (kind, fields) in enumerate(EVENTS):
        writer.event(kind, 10 + number, **fields)
    writer.event("end", 600, status="finished")
    writer.close()
    (folder / EXPERIMENT_FILE).write_text('name = "x"\n[data]\nsource = "digits"\n[[net]]\nblock = "dense"\n')
    write_origin(folder, RunOrigin(Parent(parent, 0), "checkpoints/parent-5.safetensors"))
    write_label(folder, Label("a name", ("tag",)))
    send(folder, "pause")
    (folder / "trainer.log").write_text("printed\n" * 50)
    (folder / "heartbeat").touch()
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "step-600.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0" + b" " * 64)
    return folder


def failing_run(experiment: Experiment | None = None, **about: Any) -> Path:
    """Write a run with a finding, on which cures are tried."""
    experiment = experiment or sigmoids()
    return write_run(new_folder(runs_root(), experiment.name), experiment, **about)


class Trainer:
    """A Trainer is a fake that trains when the test calls `train`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code: int | None = None
        self.experiment = load(folder / EXPERIMENT_FILE)
        self.parent = read_origin(folder).parent

    @property
    def cure(self) -> str:
        """Return the key of the cure that it tries."""
        return self.parent.cure if self.parent else ""

    def poll(self) -> int | None:
        """Return its exit code, as subprocess.Popen does."""
        return self.code

    def train(self, **about: Any) -> None:
        """Write the whole run at once, and exit."""
        write_run(self.folder, self.experiment, parent=self.parent, **about)
        self.code = 0


class Launcher:
    """A Launcher starts fake trainers; `at_once` is called with each of them as it starts."""

    def __init__(self, at_once: Callable[[Trainer], None] | None = None) -> None:
        self.started: list[Trainer] = []
        self._at_once = at_once

    def __call__(self, folder: Path) -> Trainer:
        trainer = Trainer(folder)
        self.started.append(trainer)
        if self._at_once is not None:
            self._at_once(trainer)
        return trainer

    @property
    def running(self) -> list[Trainer]:
        """Return the trainers that have not exited."""
        return [trainer for trainer in self.started if trainer.code is None]


def fixes(trainer: Trainer) -> None:
    """Train the baseline without success and every other experiment with success."""
    if trainer.experiment.net == sigmoids().net:
        trainer.train()
    else:
        trainer.train(decades=0.3, learns=True)


TWO_SEEDS = """
name = "two seeds"
seeds = [0, 1]
base = { net = [{ width = 16, repeat = 12 }], run = { steps = 60, eval_every = 0 } }
[[change]]
name = "no cure"
[[change]]
cure = "relu"
[compare]
kind = "bars"
x = "change"
"""


DEPTHS = """
name = "depths"
base = { net = [{ width = 16, repeat = 2 }], run = { steps = 60, eval_every = 0 } }
grid = { net.0.repeat = [2, 10, 20] }
compare = { x = "depth", y = ["train_accuracy", "test_accuracy"] }
"""


def study(text: str, start: StartTrainer, *, jobs: int = 2, fresh: bool = False) -> Study:
    """Return the study of a TOML text whose trainers are fakes."""
    return open_study(loads(text), jobs=jobs, engine=engine(start), fresh=fresh)


def settled(study: Study) -> StudyState:
    """Poll until nothing changes any more, and return the state."""
    state = study.poll()
    while (following := study.poll()) is not state:
        state = following
    return state


def relu_fixes(trainer: Trainer) -> None:
    """Train with success only where the activation is ReLU."""
    relu = trainer.experiment.net[0].activation == "relu"
    trainer.train(decades=0.3, learns=True) if relu else trainer.train(accuracy=0.1)


def degrades(trainer: Trainer) -> None:
    """Train with even gradients so that deeper nets learn less, on the training set too."""
    repeat = trainer.experiment.net[0].repeat
    trainer.train(decades=0.3, learns=repeat < 20, accuracy={2: 0.95, 10: 0.93, 20: 0.3}[repeat])


def engine(start: StartTrainer) -> MakeEngine:
    """Return a local engine that starts trainers with `start`."""
    return lambda jobs, threads: LocalEngine(jobs, threads, start)
