"""Turn the measurements of a script's steps into rows of its run, as often as the budget allows."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from gradtui.monitor.activations import ActivationSampler
from gradtui.monitor.backward_losses import BackwardLosses
from gradtui.monitor.batches import BatchMemory
from gradtui.monitor.clearing import ClearingCount
from gradtui.monitor.costs import CostMeter
from gradtui.monitor.distributed.reducers import RankPart, RankReducer
from gradtui.monitor.guard import Guard
from gradtui.monitor.layer_samples import LayerSampler
from gradtui.monitor.layers import device_of
from gradtui.monitor.run_writer import ScriptRunWriter
from gradtui.monitor.scalar_log import ScalarLog
from gradtui.monitor.step_record import OptimizerStep, ParameterLayout, flatten, unflatten, unflatten_plain
from gradtui.monitor.step_tables import StepTables
from gradtui.monitor.stopwatch import Stopwatch
from gradtui.monitor.trained_parameters import TrainedParameters
from gradtui.monitor.training_names import modules_of
from gradtui.monitor.update_ratios import UpdateRatioSampler
from gradtui.monitor.watched import WatchedModels, WatchedOptimizer
from gradtui.probe.host_copy import HostCopyQueue
from gradtui.probe.sampling_budget import SamplingBudget
from gradtui.runs import costs, script_facts
from gradtui.runs.meta import TableMeta

RECORDING_SHARE = 2 / 3
"""The share of the budget for the norms of gradients; sampled metrics have the rest."""
SAMPLING_SHARE = 0.01
"""The share of the time for sampled metrics if the gradient of every step is recorded, at any cost."""
FREE_SECONDS = 0.02
"""The seconds that recording may take beyond its budget, so that the beginning of a training is recorded whole."""
CLOSE_STEPS = 8
"""The number of steps in a row that are recorded from the first one on whose gradient has broken or grown."""
MOST_CLOSE_LOOKS = 20
"""If gradients break or grow more often than this, such steps are no longer recorded beyond the budget."""
HOLD_SECONDS = 0.04
"""Rows of quick steps are written together once they have waited so long: each alone costs several times as much."""
LAP_SECONDS = 0.02
"""Steps that are not recorded are timed together until they have taken this many seconds."""
FIRST_FACTS_STEP = 3
"""The step at which the facts of the script are first written; later, whenever the number of steps has doubled."""


class ScriptRecorder:
    """A ScriptRecorder receives the steps of all optimizers of a script, and writes the rows of its run."""

    def __init__(
        self,
        models: WatchedModels,
        optimizers: Sequence[WatchedOptimizer],
        writer: ScriptRunWriter,
        guard: Guard,
        reducer: RankReducer | None,
        *,
        budget: float | None,
        activations: bool,
    ) -> None:
        """`reducer` adds up the norms of several processes; it is None where one process holds the whole model.

        `budget` is the share of the training's time that recording may take; None records every step.
        """
        self.models = models
        self.guard = guard
        self._device = device_of(models.registered)
        self.stopwatch = Stopwatch(self._device)
        self.step = 0
        """The number of the newest step, or round of several optimizers, that has begun."""
        self.due = True
        """Whether to record the gradients of the present or next step."""
        self.sampling = True
        """Whether to take the sampled metrics of that step."""
        self.clearings: list[ClearingCount] = []
        """For each optimizer, what is known of how the script clears its gradients."""
        self._optimizers = optimizers
        self._writer = writer
        self._reducer = reducer
        self.batches = BatchMemory(writer)
        self.log = ScalarLog(writer, self._device, self.stopwatch)
        self.losses = BackwardLosses(writer, self.log, self._device, len(optimizers))
        self._every_step = budget is None
        self._close_steps_left = 0
        self._close_looks = 0
        sampling_share = SAMPLING_SHARE if budget is None else budget * (1 - RECORDING_SHARE)
        self._recording_budget = SamplingBudget(
            (budget or 0.0) * RECORDING_SHARE, free=FREE_SECONDS * RECORDING_SHARE
        )
        self._sampling_budget = SamplingBudget(sampling_share, free=FREE_SECONDS * (1 - RECORDING_SHARE))
        self._updates = UpdateRatioSampler(writer, self._device, reducer, len(models.parameters))
        self.layer_samples = LayerSampler(writer, self._device, sharded=reducer is not None)
        self._activations = ActivationSampler(guard, self.stopwatch) if activations else None
        self._copies: HostCopyQueue[tuple[int, float, list[OptimizerStep]]] = HostCopyQueue(
            self._device, hold=HOLD_SECONDS
        )
        self._layout: ParameterLayout | None = None
        self._tables: StepTables | None = None
        self._reach: TrainedParameters | None = None
        self._next_facts_step = FIRST_FACTS_STEP
        self._round: dict[int, OptimizerStep | None] = {}
        self._open = False
        self._setup_seconds = 0.0
        self._costs, self._moment = CostMeter(self._device), 0.0

    @property
    def clips(self) -> bool:
        """Return whether the gradient of the newest row was clipped."""
        return self._tables is not None and self._tables.clips

    @property
    def overhead(self) -> float:
        """Return the time of recording over that of the training itself since its first step. It includes what is done
        only once, and short hooks at every step, which the budgets do not."""
        training = self._recording_budget.training
        beside = (self._setup_seconds + self.stopwatch.hooks.seconds) / training if training else 0.0
        return self._recording_budget.overhead + self._sampling_budget.overhead + beside

    def wants_root(self) -> bool:
        """Return whether the loss of the next step is to be read from its backward pass.

        On the host that costs almost nothing, so it is read at every step; elsewhere only at recorded steps. With
        several optimizers the clearing of gradients shows whose loss it is, which is also seen at recorded steps only.
        """
        losses = self.losses
        every = losses.on_host and len(self._optimizers) == 1
        read = self.due or (every and (losses.written or losses.reads_graph(self.step)))
        return read and losses.wanted and self.guard.open

    def wants_kind(self) -> bool:
        """Return whether the graph behind the loss is to be read: until its kind is known, and then now and then."""
        losses = self.losses
        return not losses.kind_known or (losses.knows_targets and (self.due or losses.reads_graph(self.step)))

    @property
    def can_look_closely(self) -> bool:
        """Return whether steps may be recorded beyond the budget: not with several processes, which must all record the
        same steps."""
        return self._reducer is None and self._close_looks < MOST_CLOSE_LOOKS

    @property
    def step_seconds(self) -> float:
        """Return the mean time of a step so far, without the time of recording; 0 where it is not known."""
        return self._recording_budget.training / self.step if self.step else 0.0

    def record_next_steps(self) -> None:
        """Record the next steps even beyond the budget, since the gradient of this one has broken or grown."""
        self._close_looks += 1
        self._close_steps_left = CLOSE_STEPS

    def add_last(self, step: OptimizerStep) -> None:
        """Record the gradients that the script's only optimizer has left behind as those of the last step."""
        if len(self._optimizers) == 1 and self._reducer is None and self._layout is not None:
            self._copies.send((self.step, time.time(), [step]), *flatten([step]))

    def begin_step(self, watched: WatchedOptimizer) -> None:
        """Prepare for the step that an optimizer is about to take."""
        self._open_round(watched)
        if self.sampling:
            with self.stopwatch.on("sampling"):
                self._updates.before_step(watched)

    def end_step(self, watched: WatchedOptimizer, step: OptimizerStep | None) -> None:
        """Receive the step that an optimizer has taken; None if it was not measured."""
        self._open_round(watched)
        if self.sampling:
            with self.stopwatch.on("sampling"):
                self._updates.after_step(watched)
                self.layer_samples.after_step(watched)
        self._add(watched, step)

    def leave_out_step(self, watched: WatchedOptimizer, step: OptimizerStep | None) -> None:
        """Receive gradients that were cleared without a step: if they had overflowed, a scaler has skipped the step."""
        # An overflow on another rank is not seen here, but all ranks must count the same steps.
        if self._reducer is not None or not self._overflowed(watched, step):
            return
        self._open_round(watched)
        self._writer.event(
            "skipped", self.step, reason="the gradient overflowed, so the scaler skipped the step"
        )
        self._add(watched, step)

    def _open_round(self, watched: WatchedOptimizer) -> None:
        """Begin a round if none is open, or if this optimizer has already taken its step of the open one."""
        if self._open and watched.number in self._round:
            self._close_round()
        if not self._open:
            if self.step == 0:
                known = (optimizer.get() for optimizer in self._optimizers)
                self._writer.begin_steps([optimizer for optimizer in known if optimizer is not None])
            self._open = True
            self.step += 1

    def _add(self, watched: WatchedOptimizer, step: OptimizerStep | None) -> None:
        self._round[watched.number] = step
        if len(self._round) == len(self._optimizers):
            self._close_round()

    def _close_round(self) -> None:
        """Send the measurements of the round to be written, and decide what to measure in the next."""
        moment = self._moment = time.time()
        steps = [step for step in self._round.values() if step is not None]
        self._round, self._open = {}, False
        if self._layout is None and (self.models.order.known or self.step > 1):
            # If the first backward pass came before the model was watched, this takes one more step.
            with self.stopwatch.on("setup"):
                self._describe_layers()
        if self._reach is not None:
            self._reach.search()
        if steps:
            self._copies.send((self.step, moment, steps), *flatten(steps))
        sampled = self.sampling
        if sampled:
            with self.stopwatch.on("sampling"):
                self._write_activations(moment)
                self._updates.send(self.step, moment)
                self.layer_samples.send(self.step, moment)
        self.losses.end_step(self.step, moment)
        self.log.end_step(self.step, moment)
        self.stopwatch.hooks.end_step()
        if self.stopwatch.lap_seconds > LAP_SECONDS:
            self.publish()
            self._count_time(bool(steps), sampled)
        elif steps or sampled:
            self.catch_up()
            self._count_time(bool(steps), sampled)
        elif self._reducer is not None:
            self._plan_next_step()

    def _write_activations(self, moment: float) -> None:
        if self._activations is not None and self._activations.armed:
            scales = (optimizer.scaler.scale() for optimizer in self._optimizers)
            scale = next((scale for scale in scales if scale is not None), 1.0)
            for name, values in self._activations.collect(float(scale)).items():
                self._writer.append(name, self.step, values, moment)

    def _count_time(self, recorded: bool, sampled: bool) -> None:
        lap = self.stopwatch.lap()
        self._setup_seconds += lap["setup"]
        if self.step > 1:
            # The time before the first step does not count as training.
            for budget, cost, measured in (
                (self._recording_budget, lap["recording"], recorded),
                (self._sampling_budget, lap["sampling"], sampled),
            ):
                budget.add(lap["training"], 0.0 if measured else cost, cost if measured else None)
        self._plan_next_step()

    def _plan_next_step(self) -> None:
        if self._reducer is None:
            close = self._close_steps_left > 0
            self._close_steps_left -= close
            self.due = self._every_step or close or self._recording_budget.due()
            self.sampling = self._sampling_budget.due()
        else:
            step = self.step + 1
            self.due = self._every_step or self._reducer.due("steps", step, self._recording_budget)
            self.sampling = self._reducer.due("samples", step, self._sampling_budget)
        if self.sampling and self._activations is not None and self._layout is not None:
            self._activations.arm()

    def publish(self) -> None:
        """Write everything that has arrived, including rows on the host that wait for later ones."""
        self.catch_up(wait=self._device.type == "cpu")

    def catch_up(self, *, wait: bool = False) -> None:
        """Write what has arrived from the device; with `wait`, wait for everything that was recorded."""
        if self._layout is None or self._tables is None:
            return
        self._write_arrived(self._layout, self._tables, wait=wait)
        if self._updates.waiting or self.layer_samples.waiting or self._reducer is not None:
            with self.stopwatch.on("sampling"):
                self._updates.catch_up(wait=wait)
                self.layer_samples.catch_up(wait=wait)
        self.log.catch_up(wait=wait)
        if self._writer.error is not None:
            raise self._writer.error
        if self.step >= self._next_facts_step:
            self._next_facts_step = 2 * self.step
            self.models.check_not_replaced()
            self._write_facts()
        if self._costs.due():
            self._write_costs()

    def _write_arrived(self, layout: ParameterLayout, tables: StepTables, *, wait: bool) -> None:
        arrived = self._copies.receive(wait=wait)
        for (_, _, round_), _ in arrived if self._reach is not None else ():
            self._reach.note(round_)  # type: ignore[union-attr]
        entries = [(round_, values, numbers) for (_, _, round_), (values, numbers) in arrived]
        steps, moments = [step for (step, _, _), _ in arrived], [moment for (_, moment, _), _ in arrived]
        if self._reducer is None and len(entries) > 1 and all(map(layout.plain, entries)):
            tables.write_plain(steps, moments, unflatten_plain(entries, layout))
            return
        for step, moment, entry in zip(steps, moments, entries, strict=True):
            record = unflatten(*entry, layout)
            if self._reducer is None:
                tables.write(step, moment, record)
            else:
                self._reducer.add("steps", RankPart(step, moment, record))
        if self._reducer is not None:
            for step, moment, record in self._reducer.take_reduced("steps"):
                tables.write(step, moment, record)

    def finish(self) -> None:
        """Write everything that was recorded, and the cost of the recording."""
        if self._round:
            # With optimizers that take turns, the last round is still open.
            self._close_round()
        self.losses.finish()
        self.settle()
        if self._reducer is not None:
            self._reducer.settle()
            self.settle()
        self._write_facts()
        self._write_costs()

    def _write_costs(self) -> None:
        known = self._costs.read(self.step, self._moment)
        self._writer.event(costs.EVENT, self.step, overhead=self.overhead, **known)

    def settle(self) -> None:
        """Write all steps that were recorded."""
        if self._layout is None and self.step:
            self._describe_layers()
        self.catch_up(wait=True)
        if self._tables is not None:
            self._tables.finish()

    def explain_end(self, reason: str) -> None:
        """Write why a run that has ended without a reason recorded no more, which was not known at its end."""
        self._writer.explain_end(self.step, reason)

    def stop_sampling(self) -> None:
        """Remove the hook for activations: it is one of torch's global hooks, and would outlive the model."""
        if self._activations is not None:
            self._activations.end()

    def _write_facts(self) -> None:
        """Write the facts of the script that are not numbers of its steps (`runs.script_facts`)."""
        known = None if self._reach is None else self._reach.facts()
        if known is not None:
            worst = max(self.clearings, key=lambda one: one.kept, default=ClearingCount())
            counts = {"kept": worst.kept, "cleared": worst.cleared}
            counts["first_kept"] = worst.first_kept and worst.first_kept + self._writer.offset
            counts["clips_between"] = sum(one.clips_between for one in self.clearings)
            counts["clips_elsewhere"] = sum(one.clips_elsewhere for one in self.clearings)
            counts["emptied"] = max((one.emptied for one in self.clearings), default=0)
            self._writer.event(script_facts.EVENT, self.step, **known, **counts)

    def _describe_layers(self) -> None:
        """Describe the layers in the run, and begin its tables: now it is known which parameters are whose."""
        shown, others, order_known = self.models.layers()
        shown = self._writer.ordered(shown)
        parameters = [reference() for layer in (*shown, *others) for reference in layer.parameters]
        positions = {id(parameter): position for position, parameter in enumerate(parameters)}
        for optimizer in self._optimizers:
            optimizer.set_positions(positions)
        plain = TableMeta(columns=tuple(layer.name for layer in shown))
        sampled = dict.fromkeys(("grad_norm", *self._updates.metrics), plain)
        sampled |= self.layer_samples.configure(shown, self._optimizers)
        if self._activations is not None:
            self._activations.configure(shown)
            sampled |= dict.fromkeys(self._activations.metrics, plain)
        tables = self._tables = StepTables(self._writer, self._optimizers, self.batches, self.clearings)
        sizes = [len(layer.parameters) for layer in shown]
        elsewhere = None if self._reducer is None else self._reducer.counted_elsewhere(parameters)
        layout = ParameterLayout(sizes, len(positions) - sum(sizes), elsewhere)
        if self._reducer is None:
            self._reach = TrainedParameters((*shown, *others), self.models.alive(), self._optimizers)
        self._updates.configure(layout)
        self._writer.describe(
            shown,
            device_of(shown),
            self.models.paths(),
            self.models.uses(),
            modules_of(self.models.alive(), self._optimizers, post_norm=self.models.post_norm()),
            order="as first used" if order_known else "as registered",
            **({"computed_in": "float16"} if self.models.in_half() else {}),
            gradient="accumulated and unscaled, before clipping; grad_norm_clipped is what the optimizer received",
        )
        self._writer.begin_tables({"scalars": TableMeta(columns=tables.columns, kind="scalars"), **sampled})
        self._writer.event("phase", 0, phase="training", text="training")
        self._costs.begin(self.step, self._moment)
        self._layout = layout

    def _overflowed(self, watched: WatchedOptimizer, step: OptimizerStep | None) -> bool:
        """Return whether the gradient of a step was infinite or NaN.

        If it was not measured, or is still on a device, return whether a scaler is in use and only one optimizer can
        have had these gradients.
        """
        if step is None or isinstance(step.after.norms, torch.Tensor):
            return watched.scaler.found and len(self._optimizers) == 1
        return not bool(np.isfinite(step.after.norms).all())
