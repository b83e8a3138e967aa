"""Show the numbers of the training that people change most; left and right change them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.reactive import reactive

from gradtui.experiment import Experiment
from gradtui.ui.edit.field_list import FieldList, FieldRow
from gradtui.ui.field_values import show, value_at

# These are the fields on the pane; `o` opens all others.
_EXPERIMENT_FIELDS = (
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
_SCRIPT_FIELDS = (("optimizer.lr", "lr"), ("cures.clip_norm", "clip norm"))
"""The fields that a watched script can be asked to change."""


class TrainingPane(Vertical):
    """The TrainingPane shows the training fields of an experiment; its list posts changes."""

    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = """
    TrainingPane { height: auto; }
    """

    experiment: reactive[Experiment | None] = reactive(None)
    running: reactive[Experiment | None] = reactive(None)
    """The experiment that is being trained, with the live changes so far; None if there is none."""

    script: reactive[bool] = reactive(False)
    """Whether the run on the screen is a watched script, which accepts few changes."""

    ended: reactive[bool] = reactive(False)
    """Whether the watched script has ended, so that it accepts no change any more."""

    clipping: reactive[str] = reactive("")
    """The words for the clipping that a watched script does by itself."""

    def compose(self) -> ComposeResult:
        """Yield the list of fields."""
        yield FieldList(label_width=12, id="training-fields")

    def on_mount(self) -> None:
        """Write the title of the frame."""
        self.border_title = "Training"

    def watch_experiment(self) -> None:
        """List the values again."""
        self._fill()

    def watch_running(self) -> None:
        """Mark the fields that differ from the run."""
        self._fill()

    def watch_clipping(self) -> None:
        """List the values again."""
        self._fill()

    def watch_ended(self) -> None:
        """Say that nothing can be changed any more, or list the fields as before."""
        self.query_one(FieldList).fixed = self.ended
        self._fill()

    def watch_script(self) -> None:
        """List the fields that a script, or an experiment, can change."""
        self.border_title = "Controls for the script" if self.script else "Training"
        self._fill()

    def _fill(self) -> None:
        if self.experiment is None or not self.is_mounted:
            return
        rows = []
        for path, label in _SCRIPT_FIELDS if self.script else _EXPERIMENT_FIELDS:
            value = value_at(self.experiment, path)
            changed = self.running is not None and value_at(self.running, path) != value
            # A limit of 0 means that no other limit was chosen for the script.
            own = self.script and path == "cures.clip_norm" and value == 0
            rows.append(FieldRow(path, label, self.clipping if own else show(path, value), changed))
        fields = self.query_one(FieldList)
        fields.show(rows)
        changes = "○ applies at the next start" if any(row.changed for row in rows) else ""
        self.border_subtitle = "the script has ended" if self.ended else changes
