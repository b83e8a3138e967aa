"""The training controls: the few numbers that people change most, each by left and right."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.reactive import reactive

from gradtui.experiment import Experiment
from gradtui.ui.edit.field_list import FieldList, Row
from gradtui.ui.edit.values import show, value_at

# The fields on the pane; `o` opens all the others.
_FIELDS = (
    ("optimizer.kind", "optimizer"),
    ("optimizer.lr", "lr"),
    ("data.batch_size", "batch"),
    ("cures.clip_norm", "clip norm"),
    ("cures.clip_value", "clip value"),
    ("cures.l2", "L2"),
    ("cures.pretrain.kind", "pretrain"),
    ("run.steps", "steps"),
    ("seed", "seed"),
)
_WISHES = (("optimizer.lr", "lr"), ("cures.clip_norm", "clip norm"))
"""Of a script, what it may be asked for."""


class TrainingPane(Vertical):
    """Shows the training numbers of an experiment; its list posts what the person wishes."""

    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = """
    TrainingPane { height: auto; }
    """

    experiment: reactive[Experiment | None] = reactive(None)
    running: reactive[Experiment | None] = reactive(None)
    """What is being trained, with the live changes that were wished; None when nothing is."""

    script: reactive[bool] = reactive(False)
    """Whether somebody's own training is on the screen, which can only be asked for something."""

    def compose(self) -> ComposeResult:
        """The list."""
        yield FieldList(label_width=12, id="training-fields")

    def on_mount(self) -> None:
        """The frame's title."""
        self.border_title = "Training"

    def watch_experiment(self) -> None:
        """Write the values down again."""
        self._fill()

    def watch_running(self) -> None:
        """Mark anew what differs from the run."""
        self._fill()

    def watch_script(self) -> None:
        """Other fields."""
        self.border_title = "Wishes of the script" if self.script else "Training"
        self._fill()

    def _fill(self) -> None:
        if self.experiment is None or not self.is_mounted:
            return
        rows = []
        for path, label in _WISHES if self.script else _FIELDS:
            value = value_at(self.experiment, path)
            changed = self.running is not None and value_at(self.running, path) != value
            rows.append(Row(path, label, show(path, value), changed))
        fields = self.query_one(FieldList)
        fields.show(rows)
        self.border_subtitle = "○ with the next start" if any(row.changed for row in rows) else ""
