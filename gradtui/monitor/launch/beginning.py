"""Choose what handles the steps of a process: it is only recorded, or it is part of a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradtui.monitor.launch.first_step import FirstSteps
from gradtui.monitor.trial import this_trial

if TYPE_CHECKING:
    from gradtui.monitor.launch.early_passes import EarlyPasses
    from gradtui.monitor.launch.trial_steps import TrialSteps


def steps_of(options: str, early: EarlyPasses | None) -> FirstSteps | TrialSteps:
    """Return the object that is called before each step of an optimizer; `options` is a LaunchOptions as text."""
    recorded = FirstSteps(options, early)
    trial = this_trial()
    if trial is None:
        return recorded
    from gradtui.monitor.launch.trial_steps import TrialSteps

    return TrialSteps(trial, recorded)
