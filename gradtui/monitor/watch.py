"""Record a script's training with one line, `gradtui.watch`, which returns the script's handle on its run."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import nn
from torch.optim import Optimizer

from gradtui.monitor.arguments import by_name, default_name, fields_of, named_by_model, note_text, step_of
from gradtui.monitor.commands import PendingCommands
from gradtui.monitor.distributed.ranks import pipeline_stage
from gradtui.monitor.distributed.reducers import RankSender, reducer_for
from gradtui.monitor.endings import end_with_process, ending_of, forget
from gradtui.monitor.finding_action import Action, FindingAction
from gradtui.monitor.freshness import weights_of
from gradtui.monitor.guard import Guard, guarded, reason_of, warn
from gradtui.monitor.layers import WatchedLayer, class_name, layers_of
from gradtui.monitor.resumed_run import taking_up
from gradtui.monitor.run_writer import NullWriter, ScriptRunWriter
from gradtui.monitor.scalar_log import METRIC
from gradtui.monitor.session import WatchSession
from gradtui.monitor.step_tables import scalar_columns
from gradtui.monitor.training_names import variables_of
from gradtui.monitor.trial import this_trial
from gradtui.runs.errors import RunError
from gradtui.runs.folder import runs_root
from gradtui.runs.run_lock import RunTaken
from gradtui.runs.script_training import KEY
from gradtui.runs.status import State


def watch(
    model: nn.Module | Mapping[str, nn.Module],
    optimizer: Optimizer | Iterable[Optimizer] | Mapping[str, Optimizer] | None = None,
    *,
    name: str | None = None,
    runs: str | os.PathLike[str] | None = None,
    budget: float | None = 0.01,
    activations: bool = False,
    layers: str = "",
    fold: bool = True,
    config: object = None,
    note: str = "",
    resume: str | os.PathLike[str] = "",
    step: int | None = None,
    steps: int | None = None,
    on_finding: Action | None = None,
) -> Probe:
    """Record a training into a run that `gradtui attach` shows, during the training or later, from any terminal.

    With an optimizer each of its steps is recorded automatically; without one call `probe.step()` after the backward
    pass. Several models, given by name with their optimizers, are parts of one run; a row of it is complete when
    every optimizer has taken a step, or one takes its second.

    The layers are the modules that own parameters, in the order in which the first forward pass calls them.
    Modules within one part of a repeated block are one layer: `h.0.attn` (`fold=False`: every module by itself).
    A parameter that several layers share belongs to the first.

    Args:
        name: The name of the run; by default made from the names of the script and of the model's class.
        runs: The folder in which the run is made; by default where gradtui keeps all runs.
        budget: The share of the training's time that recording may take, by leaving out steps; None records every
            step, whatever it costs.
        activations: Whether to record also, at some of the steps, statistics of activations: mean, deviation, dead
            and saturated units, and gradients with respect to the outputs of layers. This does not work for
            compiled models. On a GPU it waits for the GPU at those steps.
        layers: A regular expression: only layers in whose name it is found are shown.
        fold: Whether to show the modules within one part of a repeated block as one layer.
        config: The settings of the training: a dict, a dataclass, an argparse.Namespace, or an object like these.
            Its fields are shown, and runs can be filtered by them: `config.lr>=0.1`.
        note: A note on this training. It is shown beside the name, and people may change it.
        resume: The name, the id or the folder of a run that is continued, as after a preemption; a run of this name
            begins where there is none. One process at a time may record a run; another one trains unrecorded.
        step: How many steps the training has taken before. Without it, an optimizer's own count is taken where it has
            one and a checkpoint has brought it back, else the last step of the run. Later rows are cut off.
        steps: How many steps the whole training takes, from which the time left follows.
        on_finding: Called once for each finding, in a thread of its own, with the finding as a dict, as
            `gradtui diagnose --json` prints it. An error in it is a warning.

    Watching the same model and parameters again, as when a cell of a notebook is run again, ends the run before.

    With several processes (DDP, torchrun) only rank 0 writes, and the probes of the others do nothing. If they hold
    parts of the parameters (fully_shard) each has to call this, after the model was sharded.

    This never raises and never changes a number of the training. If something fails it warns once (WatchWarning) and
    then does nothing more.
    """
    guard = Guard()
    try:
        models = by_name(model, nn.Module, "model")
        measures, reducer = reducer_for(models.values())
        if not measures:
            return Probe()
        optimizers = by_name(optimizer, Optimizer, "optimizer")
        if len(optimizers) > 1 and not isinstance(optimizer, Mapping):
            optimizers = named_by_model(models, list(optimizers.values()))
        while _hooked:
            _hooked.pop().remove_hooks()
        for earlier in list(_probes):
            earlier.end_if_replaced(models.values(), optimizers.values())
        if isinstance(reducer, RankSender):
            writer: ScriptRunWriter = NullWriter()
        else:
            data = {
                "model": {label: class_name(one) for label, one in models.items()},
                "optimizer": {label: type(one).__name__ for label, one in optimizers.items()},
                "script": sys.argv[0] if sys.argv else "",
                "weights": weights_of(models.values(), optimizers.values()),
                **({} if config is None else {"config": fields_of(config)}),
                KEY: variables_of(models, optimizers),
            }
            root = runs_root() if runs is None else Path(runs).expanduser()
            wanted = os.fspath(resume)
            stage = pipeline_stage(models.values())
            part = "" if stage is None else f" · stage {stage.number + 1} of {stage.stages}"
            begin = partial(
                ScriptRunWriter,
                (Path(wanted).name or name or default_name(models)) + part,
                root,
                data,
                note_text(note),
                step=step_of(step),
                steps=step_of(steps, "steps"),
            )
            try:
                if wanted and this_trial() is None:
                    described = layers_of(models, pattern=layers, fold=fold)
                    known = [(label, len(one.param_groups)) for label, one in optimizers.items()]
                    writer = continued(wanted, root, begin, described, scalar_columns(known or [("", 1)]))
                else:
                    writer = begin()
            except Exception:
                if reducer is not None:
                    reducer.close()
                raise
        try:
            probe = Probe(
                WatchSession(
                    models,
                    optimizers,
                    writer,
                    guard,
                    reducer,
                    budget=budget,
                    pattern=layers,
                    fold=fold,
                    activations=activations,
                )
            )
            if on_finding is not None:
                probe.act_on_findings(on_finding)
            return probe
        except Exception as error:
            writer.end(0, "failed", reason_of(error))
            raise
    except Exception as error:
        warn(f"gradtui cannot watch this training: {reason_of(error)}", level=3)
        return Probe()


def continued(
    resume: str,
    root: Path,
    begin: Callable[..., ScriptRunWriter],
    layers: Sequence[WatchedLayer],
    scalars: Sequence[str],
) -> ScriptRunWriter:
    """Return the writer of the run that a script continues, or of a new one where there is none that fits.

    Raises RunTaken where another process records the run.
    """
    with contextlib.ExitStack() as stack:
        why, resumed = "", None
        try:
            resumed = stack.enter_context(taking_up(resume, root))
        except RunTaken:
            raise
        except (RunError, OSError) as error:
            why = reason_of(error)
        if resumed is not None:
            why = resumed.why_not([(layer.name, layer.parameter_count) for layer in layers], scalars)
            if not why:
                return begin(resumed=resumed)
            resumed.lock.release()
            why = f"{resumed.folder.name}: {why}"
        if why:
            warn(f"gradtui cannot continue {why}; it records a new run", level=4)
        writer = begin()
        with contextlib.suppress(RunError, OSError):
            writer.lock()
        return writer


def _named(values: object) -> dict[str, Any]:
    """Return values by their names; a value without a name is called "value"."""
    if values is None:
        return {}
    return (
        {str(name): value for name, value in values.items()}
        if isinstance(values, Mapping)
        else {"value": values}
    )


_probes: weakref.WeakSet[Probe] = weakref.WeakSet()
"""The probes of this process."""
_hooked: list[WatchSession] = []
"""Sessions that have ended in another thread than the script's, and still have hooks on models."""


class Probe:
    """A Probe is the script's handle on its run. No error in it reaches the script.

    Once it is closed, or has failed, every call does nothing. The run ends with the script, with the `with` block of
    the probe, by `close()`, or when the model is deleted.
    """

    def __init__(self, session: WatchSession | None = None) -> None:
        """Take the session of the run; without one the probe records nothing."""
        self.guard = Guard() if session is None else session.guard
        self._session = session
        self._ending = threading.Lock()
        self._finding_action: FindingAction | None = None
        if session is None:
            self.guard.close()
            return
        self.guard.on_failure = session.give_up
        _probes.add(self)
        end_with_process(self._end)
        for watched in (*session.models(), *session.optimizers()):
            weakref.finalize(watched, self._on_dropped).atexit = False

    @property
    def run(self) -> Path | None:
        """Return the folder of the run; None if it could not be created."""
        return None if self._session is None else self._session.folder

    @property
    def overhead(self) -> float:
        """Return the time of recording so far divided by the time of the training itself."""
        return 0.0 if self._session is None else self._session.recorder.overhead

    def act_on_findings(self, action: Action) -> None:
        """Call an action once for each finding of the run, in a separate thread."""
        try:
            if self.run is not None:
                self._finding_action = FindingAction(self.run, action)
        except Exception as error:
            warn(f"gradtui does not act on findings: {reason_of(error)}", level=4)

    @guarded()
    def step(self) -> None:
        """Record a step of a training that was watched without its optimizer.

        Call it after the backward pass, and before the gradients are cleared. It does nothing if the optimizer is
        known.
        """
        if self._session is not None:
            self._session.step()

    @guarded()
    def log(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        higher_is_better: bool | None = None,
        metric_name: str = METRIC,
        **named: Any,
    ) -> None:
        """Record numbers of the step: floats, or tensors of one number, which are not waited for.

        `loss` and `accuracy` are shown as such; other names become curves of their own. Call it always before
        `optimizer.step()` or always after it. Values that are logged several times before a step are averaged. A value
        that is not a number is left out, with one warning.

        `log(metric=0.93, higher_is_better=True)` logs the number that shows the training's progress: a return, an
        accuracy, an error rate (`higher_is_better=False`). Beside the loss, it decides whether the net has learned.
        `metric_name` is the name of its curve.

        `progress` is the share of the training that is done, from 0 to 1: the time left follows from it.

        `batch` takes the ids of the step's examples, a list or a tensor; they are kept if the step's gradient is far
        larger than that of its neighbours.
        """
        if self._session is not None:
            recorder = self._session.recorder
            with recorder.stopwatch.on("recording"):
                numbers = {**_named(values), **named}
                if "batch" in numbers:
                    recorder.batches.note(numbers.pop("batch"), recorder.step)
                if METRIC in numbers and higher_is_better is not None:
                    numbers[str(metric_name)] = numbers.pop(METRIC)
                    recorder.log.mark_progress(str(metric_name), higher_is_better=bool(higher_is_better))
                recorder.log.log(numbers, recorder.step, time.time())

    @guarded(default=PendingCommands())
    def control(self) -> PendingCommands:
        """Return the commands of viewers since the last call, which the script may obey or ignore."""
        return PendingCommands() if self._session is None else self._session.pending_commands()

    def close(self) -> None:
        """End the run. Later calls do nothing."""
        self._end("finished", "")

    def end_if_replaced(self, models: Iterable[nn.Module], optimizers: Iterable[Optimizer]) -> None:
        """End the run if these are about to be watched and would be recorded twice."""
        if self._session is not None and self.guard.open and self._session.is_replaced_by(models, optimizers):
            self._end("finished", "its model is watched again by a new call")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(*ending_of(error))

    def _end(self, status: State, reason: str) -> None:
        if self._session is not None:
            self._finish(status, reason)
            # This is also needed after a failure, since a hook may not remove itself while it runs.
            self._session.remove_hooks()

    @guarded(default=False)
    def _finish(self, status: State, reason: str) -> bool:
        """End the run, and return whether this call ended it; a second call waits until it has ended."""
        with self._ending:
            if self._session is None or not self.guard.open:
                return False
            try:
                self._session.end(status, reason)
            finally:
                self.guard.close()
        if self._finding_action is not None:
            self._finding_action.end()
        forget(self._end)
        return True

    def _on_dropped(self) -> None:
        # The garbage collector may call this in any thread, and while locks are held.
        if self._session is not None and self.guard.open and self._session.over:
            threading.Thread(target=self._finish_dropped, daemon=True).start()

    def _finish_dropped(self) -> None:
        # The hooks are not removed here, since one may be running now. They do nothing more.
        if self._finish("finished", "") and self._session is not None and self._session.models():
            _hooked.append(self._session)
