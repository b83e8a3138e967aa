"""Find the checkpoint from which a fork of a run continues, and check the fork's changes. It imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gradtui.experiment import Experiment, from_dict, net_shape, set_fields
from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.overrides import diff
from gradtui.runs.bounded_reads import NO_ANSWER, answers
from gradtui.runs.errors import RunError
from gradtui.runs.events import EventLog, rollback_step
from gradtui.runs.folder import CHECKPOINT_FOLDER, RUN_FILE
from gradtui.runs.meta import Parent, read_meta, read_origin
from gradtui.training.checkpoints.files import list_checkpoints, list_rollbacks, read_header
from gradtui.training.launch import create_run

INITIAL_WEIGHTS = frozenset(
    {"init", "gain", "bias_mean", "bias_std", "recurrent_init", "recurrent_gain", "forget_bias"}
)
"""The fields of a group for initialisation, which do not matter to a fork, because its weights are trained."""
PRETRAINING = frozenset(f"cures.pretrain.{field}" for field in ("kind", "epochs", "lr", "path"))
"""Fields of what comes before the first step. Which layers are frozen after it may be changed."""


@dataclass(frozen=True)
class Fork:
    """A Fork is a checkpoint of a run from which another run can continue."""

    run: Path
    step: int
    path: Path
    experiment: Experiment
    """The experiment at that step, with the changes during the run."""

    def parent(self, cure: str = "") -> Parent:
        """Return the description of the parent for run.json of the fork."""
        return Parent(self.run.name, self.step, cure)


def fork_of(run: Path, step: int | None = None) -> Fork:
    """Return the checkpoint of a run after a step; without `step`, the newest.

    For a run that diverged and has not recovered, the default is the rollback point before the divergence.

    Raises RunError and CheckpointError, each in one line.
    """
    if (run / RUN_FILE).exists() and read_meta(run).kind == "script":
        raise RunError(f"{run.name}: was trained by a script; only runs of an experiment can be forked")
    require_checkpoints(run)
    there = _checkpoints(run)
    if not there:
        raise RunError(
            f"{run.name}: no checkpoint to continue from; checkpoints are saved at the end, every "
            "run.checkpoint_every steps, and before a divergence"
        )
    if step is None:
        log = EventLog(run)
        log.poll()
        back = rollback_step(log.entries)
        step = back if back in there else max(list_checkpoints(run) or there.items())[0]
    if step not in there:
        steps = ", ".join(map(str, sorted(there)))
        raise RunError(f"{run.name}@{step}: no checkpoint at this step; there are checkpoints at {steps}")
    path = there[step]
    return Fork(run, step, path, from_dict(read_header(path)["experiment"]))


def require_checkpoints(run: Path) -> None:
    """Raise RunError where the file server of a run's checkpoints does not answer."""
    if not answers(run / CHECKPOINT_FOLDER):
        raise RunError(f"{run / CHECKPOINT_FOLDER}: {NO_ANSWER}")


def _checkpoints(run: Path) -> dict[int, Path]:
    """Return the files by step: the parent's checkpoint of a fork, the rollback points and the checkpoints."""
    start = read_origin(run)
    own = [(start.parent.step, run / start.checkpoint)] if start.parent and start.checkpoint else []
    return {
        step: path for step, path in (*own, *list_rollbacks(run), *list_checkpoints(run)) if path.exists()
    }


def check(fork: Fork, exp: Experiment) -> None:
    """Raise ExperimentError, which names the field, where an experiment cannot continue from the checkpoint."""
    changes = diff(fork.experiment, exp)
    for field, value in changes.items():
        problem = _problem(fork, exp, field)
        if problem:
            raise ExperimentError(field, value, problem=f"{problem}; start from scratch instead")
    _check_shape(fork, exp, changes)
    if exp.run.steps <= fork.step:
        allowed = f"more than {fork.step}, the step at which the fork starts"
        raise ExperimentError("run.steps", exp.run.steps, allowed)


def _problem(fork: Fork, exp: Experiment, field: str) -> str:
    part, _, rest = field.partition(".")
    if field == "seed" or (part == "data" and field != "data.batch_size"):
        return f"a fork continues with the examples of step {fork.step}"
    if field in PRETRAINING:
        return f"acts before the first step, but a fork continues from step {fork.step}"
    if part == "net" and rest:
        index, _, name = rest.partition(".")
        learned = name == "slope" and ACTIVATIONS[exp.net[int(index)].activation].parameters > 0
        if name in INITIAL_WEIGHTS or learned:
            return f"sets the initial weights, but a fork continues with those of step {fork.step}"
    return ""


def _check_shape(fork: Fork, exp: Experiment, changes: dict[str, object]) -> None:
    fields = [field for field in changes if field.partition(".")[0] == "net"]
    if not fields or _shape(exp) == (before := _shape(fork.experiment)):
        return
    culprit = next(
        (field for field in fields if _differs(fork.experiment, field, changes, before)), fields[0]
    )
    problem = f"gives the net another shape than the weights of step {fork.step}"
    raise ExperimentError(culprit, changes[culprit], problem=f"{problem}; start from scratch instead")


def _differs(exp: Experiment, field: str, changes: dict[str, object], before: object) -> bool:
    try:
        return _shape(set_fields(exp, {field: changes[field]})) != before
    except ExperimentError:
        # The field can only be changed together with another one.
        return True


def _shape(exp: Experiment) -> object:
    """Return a value that determines the names and shapes of the tensors in a checkpoint."""
    layers = [(layer.name, layer.kind, layer.parameters, layer.output) for layer in net_shape(exp).layers]
    # The buffers of batch norms do not count as parameters.
    return layers, [group.norm == "batch" for group in exp.net]


def create(
    fork: Fork, exp: Experiment, root: Path | None = None, cure: str = "", *, share: bool = False
) -> Path:
    """Make the folder of a run that continues from a checkpoint with an experiment. Returns the folder.

    `cure` is the key of the cure that the run tries. With `share` the group may read the run.

    Raises ExperimentError as `check` does, and OSError where the folder cannot be made.
    """
    check(fork, exp)
    return create_run(exp, root, parent=fork.parent(cure), checkpoint=fork.path, share=share)
