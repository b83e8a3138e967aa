"""Train a session to its end: steps, commands of viewers, checkpoints and evaluations on schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from gradtui.data import loss_and_accuracy
from gradtui.training.checkpoints.keeping import CheckpointWriter, RollbackBuffer
from gradtui.training.controls import Controls, Ending, StopRequest
from gradtui.training.divergence_report import DivergenceReport
from gradtui.training.failures import recording_problem
from gradtui.training.findings_writer import FindingsWriter
from gradtui.training.recorder import NONFINITE_STEPS, Recorder
from gradtui.training.sampling import StepSampler
from gradtui.training.session import Session
from gradtui.training.shared_step import stepper_of
from gradtui.training.step import take_step

SAVING_SECONDS = 0.3
"""If the last checkpoint takes this much longer than the rest of the end, it is reported as a phase."""

EVALUATION_CHUNK = 512
"""The examples that are evaluated at a time."""
MIDWAY_EXAMPLES = 2048
"""The examples of each set in an evaluation during the training, which must not take longer than the training."""

FINISHED: Ending = ("finished", "")
DIVERGED: Ending = ("diverged", f"the loss was NaN or infinite for {NONFINITE_STEPS} steps")


class Loop:
    """A Loop trains a session to the end of its experiment."""

    def __init__(self, session: Session, recorder: Recorder, controls: Controls, stop: StopRequest) -> None:
        self.session = session
        self.recorder = recorder
        self.controls = controls
        self.stop = stop
        self.stepper = stepper_of(session)
        self.sampler = StepSampler(session, recorder.writer)
        self.findings = FindingsWriter(recorder.writer.folder, recorder.writer)
        self.checkpoints = CheckpointWriter(session, recorder)
        self.rollback = RollbackBuffer(session, recorder)
        self.divergences = DivergenceReport(
            session, recorder, self.rollback, self.sampler.budget, lambda: self.stop.wanted
        )

    def run(self) -> Ending:
        """Train to the end. Returns how it ended."""
        try:
            return self._run()
        finally:
            self.checkpoints.wait()

    def _run(self) -> Ending:
        self._phase("training", "training")
        ending = self._steps()
        self.checkpoints.finish()
        self.recorder.catch_up()
        self.divergences.write_new()
        if ending == FINISHED and self.recorder.diverged:
            ending = DIVERGED
        if not self.stop.wanted and self.recorder.writer.error is None:
            self._evaluate(whole=ending[0] == "finished")
        self.recorder.writer.event("cost", self.session.step, overhead=self.sampler.budget.overhead)
        if self.recorder.writer.error is None:
            self.findings.diagnose(finished=True)
        self.checkpoints.wait(SAVING_SECONDS)
        if self.checkpoints.busy:
            self._phase("saving", "saving the last checkpoint")
        return ending

    def _steps(self) -> Ending:
        session, controls = self.session, self.controls
        steps, every = session.exp.run.steps, session.exp.run.eval_every
        first = session.step + 1
        while session.step < steps:
            controls.poll()
            if controls.take_checkpoint_request():
                self.checkpoints.request()
            self.checkpoints.between_steps()
            ending = controls.end(self.stop)
            if ending is not None:
                return ending
            if not controls.may_step():
                self.recorder.catch_up()
                continue
            self.step()
            if session.step == first:
                # The first rows are written at once, so that a viewer that has just started the run shows them.
                self.recorder.catch_up()
                self.recorder.writer.flush()
            if self.divergences.write_new():
                self._phase("training", "training")
            if self.recorder.diverged:
                return DIVERGED
            if self.recorder.writer.error is not None:
                writer = self.recorder.writer
                return "failed", recording_problem(writer.folder, self.recorder.writer.error)
            if every and session.step % every == 0 and session.step < steps:
                self._evaluate(whole=False)
                self.findings.diagnose()
                self._phase("training", "training")
        return FINISHED

    def step(self) -> None:
        """Take one step and record it."""
        begin = self.sampler.clock()
        self.rollback.before_step()
        spent = self.sampler.clock() - begin
        last = self.session.step + 1 == self.session.exp.run.steps
        take_step(self.stepper, self.sampler, self.recorder.record, sample=last, spent=spent)

    def _evaluate(self, *, whole: bool) -> None:
        self.recorder.catch_up()
        self._phase("evaluating", "evaluating on the training and the test set")
        result = evaluate(self.session, whole=whole, cancelled=lambda: self.stop.wanted)
        if result is not None:
            self.recorder.writer.event("evaluation", self.session.step, **asdict(result))

    def _phase(self, phase: str, text: str) -> None:
        """Write to disk which phase begins, so that the run shows in which phase a process was killed."""
        self.recorder.writer.event("phase", self.session.step, phase=phase, text=text)
        self.recorder.writer.flush()


@dataclass(frozen=True)
class EvaluationResult:
    """An EvaluationResult holds mean loss and accuracy of the net in evaluation mode. Losses are without penalties."""

    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    examples: int
    """The number of evaluated examples of both sets together."""


def evaluate(session: Session, *, whole: bool, cancelled: Callable[[], bool]) -> EvaluationResult | None:
    """Evaluate on both sets, or on the first MIDWAY_EXAMPLES examples of each; None if cancelled between two chunks.

    Nothing random happens in evaluation mode, and batch norm's running statistics are read, not written.
    """
    net, d = session.net, session.dataset
    net.eval()
    try:
        results = []
        for x, y in ((d.train_x, d.train_y), (d.test_x, d.test_y)):
            count = len(x) if whole else min(len(x), MIDWAY_EXAMPLES)
            result = _evaluate_set(session, x[:count], y[:count], cancelled)
            if result is None:
                return None
            results.append((*result, count))
    finally:
        net.train()
    (train_loss, train_accuracy, n), (test_loss, test_accuracy, m) = results
    return EvaluationResult(train_loss, train_accuracy, test_loss, test_accuracy, n + m)


def _evaluate_set(
    session: Session, x: Tensor, y: Tensor, cancelled: Callable[[], bool]
) -> tuple[float, float] | None:
    measure = loss_and_accuracy(session.dataset.shape.task)
    sums = torch.zeros(2, device=x.device)
    with torch.inference_mode():
        for start in range(0, len(x), EVALUATION_CHUNK):
            if cancelled():
                return None
            chunk = slice(start, start + EVALUATION_CHUNK)
            with session.autocast():
                outputs = session.net(x[chunk])
            loss, accuracy = measure(outputs.float(), y[chunk])
            sums += torch.stack([loss, accuracy]) * len(x[chunk])
    loss_mean, accuracy_mean = (sums / max(1, len(x))).tolist()
    return loss_mean, accuracy_mean
