"""Define the data that a list shows of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradtui.judgement import Judgement
from gradtui.runs.label import Label
from gradtui.runs.meta import Parent
from gradtui.runs.status import RunStatus

UNKNOWN = Judgement("checking")


@dataclass(frozen=True)
class RunSummary:
    """A RunSummary holds the numbers that a list shows of a run.

    They come from the ends of its files, without numpy. A number is None if it is not known yet; NaN and infinity are
    values."""

    findings: tuple[str, ...] = ()
    """Codes, in the order in which they came up."""
    judgement: Judgement = UNKNOWN
    """Whether it has a problem, as the lab says it too."""
    diagnosed: bool = False
    """Whether its trainer or a viewer has diagnosed the whole of it."""
    depth: int = 0
    """Layers without projections and gates, the output layer counted; 0 until the net is built."""
    loss: float | None = None
    """The loss of the last batch."""
    train: float | None = None
    """The accuracy on the training set, by the last evaluation."""
    test: float | None = None
    """The accuracy on the test set, by the last evaluation."""
    seconds: float | None = None
    """The wall time of the training, without the time between its processes."""
    profile: tuple[float, ...] = ()
    """log10 of the gradient's norm at the last step, from input to output: the median of each of at most BINS
    stretches of layers; NaN and infinity where one layer of it is, -inf where it is exactly 0."""


@dataclass(frozen=True)
class RunInfo:
    """A RunInfo is a run in a list. A run whose run.json is corrupt is listed as failed, with the reason."""

    run: Path
    name: str
    """The name that a person gave it, else that of its experiment or script, else of its folder."""
    status: RunStatus
    started: float
    """Seconds since the epoch."""
    parent: Parent | None = None
    """The run from which it was forked, or whose cure it tries."""
    label: Label = field(default_factory=Label)
    """The name, the tags and the note that people gave it."""
    summary: RunSummary = field(default_factory=RunSummary)
    """The numbers that the list shows."""
    experiment: Mapping[str, Any] | None = field(default=None, repr=False)
    """The experiment that is trained, as plain data; None for a script's own net."""
    change: str | None = None
    """What a trial of a script has changed, empty for nothing; None where the run is not a trial."""
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What a script was started with, by the paths of its fields; empty where it is not known."""
    note: str = ""
    """The note that people wrote, else the one that the script gave it; it may have several lines."""
    readable: bool = True
    """This is false if its files are damaged, or their server does not answer; nothing is known of what it trains."""

    @property
    def id(self) -> str:
        """Return the folder's name, which is the run's id."""
        return self.run.name

    @property
    def steps(self) -> int:
        """Return the last step recorded."""
        return self.status.step
