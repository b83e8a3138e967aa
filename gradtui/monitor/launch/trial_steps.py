"""Change the steps of each optimizer in a process of a trial, and end the trial after some of them."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from typing import Any, NoReturn

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from gradtui.monitor.guard import reason_of
from gradtui.monitor.launch.changed_optimizer import ChangedOptimizer
from gradtui.monitor.launch.changes import TrialChange, parse_change
from gradtui.monitor.launch.first_step import FirstSteps, is_no_training_of_its_own
from gradtui.monitor.launch.refusals import refusals
from gradtui.monitor.trial import Trial

MOST_ATTEMPTS = 3
"""A script that catches SystemExit and continues is killed after this many of them."""


class TrialSteps:
    """TrialSteps changes the steps of a process's optimizers as a trial asks, and records them.

    Unlike mere recording, this ends the process if the change cannot be made, since a trial without its change would be
    misleading.
    """

    def __init__(self, trial: Trial, first_steps: FirstSteps) -> None:
        """Take the trial, and the recorder of the steps."""
        self._trial = trial
        self._change = parse_change(trial.change)
        self._first_steps = first_steps
        self._met: dict[int, ChangedOptimizer | None] = {}
        """The changed optimizers by id; None for an optimizer whose steps are neither changed nor counted."""
        self._checked = False
        self._over = False
        self._attempts = 0
        register_optimizer_step_post_hook(self.after_step)
        os.register_at_fork(after_in_child=self._met.clear)

    def before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Change the step that an optimizer is about to take, and record it."""
        if id(optimizer) not in self._met:
            self._or_fail(self._meet, optimizer, args, kwargs)
        changed = self._met[id(optimizer)]
        if changed is None:
            self._first_steps.before_step(optimizer, args, kwargs)
            return
        if self._over or changed.steps >= self._trial.steps:
            self._end(ended=changed.steps)
        if changed.starts_anew:
            self._or_fail(changed.start_anew)
            return
        self._first_steps.before_step(optimizer, args, kwargs)
        self._or_fail(changed.before_step)

    def after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Restore the script's settings of the optimizer, and end the trial after its last step."""
        changed = self._met.get(id(optimizer))
        if changed is None:
            return
        self._or_fail(changed.after_step)
        alone = sum(one is not None for one in self._met.values()) == 1
        # The optimizers of a GAN take turns; each must take the full number of steps.
        if changed.steps >= self._trial.steps and alone:
            self._end(ended=changed.steps)

    def _meet(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        number, met = id(optimizer), self._met
        if is_no_training_of_its_own(optimizer):
            met[number] = None
            return
        closure = (args[1] if len(args) > 1 else kwargs.get("closure")) is not None
        if not self._checked:
            self._check(optimizer, closure=closure)
        usable = refusals(self._change.parts, [optimizer], closure=closure)
        parts = tuple(part for part, problem in zip(self._change.parts, usable, strict=True) if not problem)
        reference = weakref.ref(optimizer, lambda _: met.pop(number, None))
        met[number] = ChangedOptimizer(reference, TrialChange(self._change.text, parts))

    def _check(self, optimizer: Optimizer, *, closure: bool) -> None:
        """Find out which changes cannot be made, before any step is taken."""
        self._checked = True
        problems: dict[str, str] = {}
        for text in dict.fromkeys((self._trial.change, *self._trial.checks)):
            found = refusals(parse_change(text).parts, (), first=optimizer, closure=closure)
            if problem := next(filter(None, found), ""):
                problems[text] = problem
        self._trial.note(begun=True, refused=problems)
        if problems:
            self._end(refused=True)

    def _or_fail(self, act: Any, *args: Any) -> None:
        try:
            act(*args)
        except Exception as error:
            self._end(failed=reason_of(error))

    def _end(self, **why: Any) -> NoReturn:
        """End this process as at the normal end of a script."""
        if not self._over:
            self._over = True
            self._trial.note(**why)
            self._first_steps.close()
        self._attempts += 1
        if self._attempts > MOST_ATTEMPTS or threading.current_thread() is not threading.main_thread():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        raise SystemExit(0)
