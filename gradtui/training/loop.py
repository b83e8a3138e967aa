"""The training loop: steps, recorded; controls, obeyed; evaluations on schedule; an end with its reason."""

from __future__ import annotations

from dataclasses import asdict

from gradtui.training.aftermath import Aftermath
from gradtui.training.checkpoints.keeper import Checkpoints
from gradtui.training.checkpoints.rewinding import Rewind
from gradtui.training.controls import Controls
from gradtui.training.distributed.stepper import stepper_of
from gradtui.training.evaluation import evaluate
from gradtui.training.failures import reason_of
from gradtui.training.findings import FindingsWriter
from gradtui.training.recorder import PATIENCE, Recorder
from gradtui.training.sampling import StepSampler
from gradtui.training.session import Session
from gradtui.training.step import take_step
from gradtui.training.stopping import Ending, StopRequest, wished_end

SAVING_SECONDS = 0.3
"""A last checkpoint that takes longer to be written than the rest of the end is worth a word."""

FINISHED: Ending = ("finished", "")
DIVERGED: Ending = ("diverged", f"the loss was not finite for {PATIENCE} steps")


class Loop:
    """Trains a session to the end of its experiment."""

    def __init__(self, session: Session, recorder: Recorder, controls: Controls, stop: StopRequest) -> None:
        self.session = session
        self.recorder = recorder
        self.controls = controls
        self.stop = stop
        self.stepper = stepper_of(session)
        self.sampler = StepSampler(session, recorder.writer)
        self.findings = FindingsWriter(recorder.writer.folder, recorder.writer)
        self.checkpoints = Checkpoints(session, recorder)
        self.rewind = Rewind(session, recorder)
        self.aftermath = Aftermath(
            session, recorder, self.rewind, self.sampler.budget, lambda: self.stop.wanted
        )

    def run(self) -> Ending:
        """Train; returns how it ended."""
        try:
            return self._run()
        finally:
            self.checkpoints.wait()

    def _run(self) -> Ending:
        self._phase("training", "training")
        ending = self._steps()
        self.checkpoints.finish()
        self.recorder.catch_up()
        self.aftermath.look()
        if ending == FINISHED and self.recorder.diverged:
            ending = DIVERGED
        if not self.stop.wanted and self.recorder.writer.error is None:
            self._evaluate(whole=ending[0] == "finished")
        self._cost()
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
            controls.look()
            if controls.checkpoint_wished():
                self.checkpoints.ask()
            self.checkpoints.look()
            ending = wished_end(self.stop, controls)
            if ending is not None:
                return ending
            if not controls.may_step():
                self.recorder.catch_up()
                continue
            self.step()
            if session.step == first:
                # Who pressed the key shall not wait for the writer's next turn.
                self._publish()
            if self.aftermath.look():
                self._phase("training", "training")
            if self.recorder.diverged:
                return DIVERGED
            if self.recorder.writer.error is not None:
                return "failed", f"the run cannot be recorded: {reason_of(self.recorder.writer.error)}"
            if every and session.step % every == 0 and session.step < steps:
                self._evaluate(whole=False)
                self.findings.diagnose()
                self._phase("training", "training")
        return FINISHED

    def step(self) -> None:
        """Take one step and record it."""
        begin = self.sampler.clock()
        self.rewind.look()
        spent = self.sampler.clock() - begin
        last = self.session.step + 1 == self.session.exp.run.steps
        take_step(self.stepper, self.sampler, self.recorder.record, sample=last, spent=spent)

    def _evaluate(self, *, whole: bool) -> None:
        self.recorder.catch_up()
        self._phase("evaluating", "evaluating on the training and the test set")
        result = evaluate(self.session, whole=whole, cancelled=lambda: self.stop.wanted)
        if result is not None:
            self.recorder.writer.event("evaluation", self.session.step, **asdict(result))

    def _publish(self) -> None:
        self.recorder.catch_up()
        self.recorder.writer.flush()

    def _phase(self, phase: str, text: str) -> None:
        """Say what begins, on disk: should it kill us, the run tells where."""
        self.recorder.writer.event("phase", self.session.step, phase=phase, text=text)
        self.recorder.writer.flush()

    def _cost(self) -> None:
        self.recorder.writer.event("cost", self.session.step, overhead=self.sampler.budget.overhead)
