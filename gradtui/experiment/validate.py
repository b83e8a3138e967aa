"""Rules between fields: what single ranges and choices cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradtui.experiment.spec import Experiment


def check(exp: Experiment) -> None:
    """Raises ExperimentError at the first rule that the experiment breaks."""
