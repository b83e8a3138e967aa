"""All fields of some parts of the experiment (a group of blocks; or data, optimizer, cures …) in one dialog."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from gradtui.experiment import Experiment, ExperimentError, Group, net_shape
from gradtui.experiment.fields import fields_of
from gradtui.ui.draft import Draft
from gradtui.ui.edit.field_list import FieldList, Row
from gradtui.ui.edit.stepping import step
from gradtui.ui.edit.value_screen import ValueScreen
from gradtui.ui.edit.values import info_at, put, show, value_at
from gradtui.ui.panes.key_line import KeyLine

_RECURRENT = ("rnn", "lstm", "gru")

# Fields that only some groups read; elsewhere they are hidden, so that no one turns a knob that does nothing.
_READ_BY: dict[str, Callable[[Group], bool]] = {
    "kernel": lambda group: group.block == "conv",
    "stride": lambda group: group.block == "conv",
    "heads": lambda group: group.block == "attention",
    "activation": lambda group: group.block not in ("lstm", "gru"),
    "slope": lambda group: group.activation in ("leaky_relu", "prelu"),
    "branch_gain": lambda group: group.shortcut != "none",
    "recurrent_init": lambda group: group.block in _RECURRENT,
    "recurrent_gain": lambda group: group.block in _RECURRENT,
    "forget_bias": lambda group: group.block == "lstm",
}


class SettingsScreen(ModalScreen[Experiment]):
    """Edits parts of an experiment; answers with the experiment as it stands when it closes.

    Args:
        experiment: what is edited.
        parts: dotted paths of the parts (``net.0``, ``data``, ``cures.pretrain``); "" is the experiment itself.
        title: what the frame says.
    """

    DEFAULT_CSS = """
    SettingsScreen {
        align: center middle;
        & > Vertical {
            width: 72; max-width: 96%; height: auto; max-height: 90%;
            border: round $accent; border-title-color: $accent; border-subtitle-color: $text-muted;
            background: $surface;
        }
        & VerticalScroll { height: auto; max-height: 24; scrollbar-size-vertical: 1; }
        & FieldList { background: $surface; }
        & #doc {
            padding: 0 1; height: auto; min-height: 4; max-height: 6;
            color: $text-muted; border-top: solid $border;
        }
    }
    """
    BINDINGS = [
        Binding("escape", "close", "done", tooltip="Close and keep the changes.", id="settings.done"),
        Binding("u", "undo", "undo", id="settings.undo"),
        Binding("U", "redo", "redo", show=False, id="settings.redo"),
    ]

    def __init__(self, experiment: Experiment, parts: tuple[str, ...], title: str) -> None:
        super().__init__()
        self.draft = Draft(experiment)
        self.parts = parts
        self.frame_title = title

    def compose(self) -> ComposeResult:
        """The list of fields, what the chosen one means, and the keys."""
        with Vertical() as frame:
            frame.border_title = self.frame_title
            with VerticalScroll(can_focus=False):
                yield FieldList(label_width=18 if len(self.parts) == 1 else 24)
            yield Static(id="doc")
        yield KeyLine()

    def on_mount(self) -> None:
        """Fill the list."""
        self.show()
        self.query_one(FieldList).focus()

    def paths(self) -> Iterable[str]:
        """The dotted paths of the parts' own fields, less those that this group does not read."""
        for path in self.parts:
            part = value_at(self.draft.experiment, path)
            for info in fields_of(type(part)):  # type: ignore[arg-type]
                reads = _READ_BY.get(info.name)
                if reads is None or not isinstance(part, Group) or reads(part):
                    yield f"{path}.{info.name}" if path else info.name

    def show(self) -> None:
        """Everything as the draft has it now."""
        experiment = self.draft.experiment
        before = self.draft.past[0] if self.draft.past else experiment
        rows = []
        for path in self.paths():
            value = value_at(experiment, path)
            try:
                changed = value_at(before, path) != value
            except (IndexError, AttributeError):
                changed = True
            label = path if len(self.parts) > 1 else path.rsplit(".", 1)[-1]
            rows.append(Row(path, label, show(path, value), changed))
        fields = self.query_one(FieldList)
        fields.show(rows)
        self.query_one(Vertical).border_subtitle = Content(_size(experiment))
        self.explain(rows[fields.cursor].path)

    def explain(self, path: str, problem: str = "") -> None:
        """What a field means, or why it would not change."""
        if problem:
            self.query_one("#doc", Static).update(Content.styled(problem, "$error"))
            return
        info = info_at(path)
        text = Content(info.doc)
        if info.kind == "choice":
            now = value_at(self.draft.experiment, path)
            marked = (Content.styled(c, "bold $foreground" if c == now else "") for c in info.choices)
            text += Content("\n") + Content("  ").join(marked)
        self.query_one("#doc", Static).update(text)

    @on(FieldList.Moved)
    def _moved(self, event: FieldList.Moved) -> None:
        self.explain(event.path)

    @on(FieldList.Stepped)
    def _stepped(self, event: FieldList.Stepped) -> None:
        value = step(info_at(event.path), value_at(self.draft.experiment, event.path), event.up)
        try:
            self.draft = self.draft.change(put(self.draft.experiment, event.path, value))
        except ExperimentError as error:
            self.explain(event.path, str(error))
        else:
            self.show()

    @on(FieldList.Typing)
    def _typing(self, event: FieldList.Typing) -> None:
        def take(experiment: Experiment | None) -> None:
            if experiment is not None:
                self.draft = self.draft.change(experiment)
                self.show()

        self.app.push_screen(ValueScreen(self.draft.experiment, event.path, event.keys), take)

    def action_undo(self) -> None:
        """One change back."""
        self.draft = self.draft.undo()
        self.show()

    def action_redo(self) -> None:
        """One change forth."""
        self.draft = self.draft.redo()
        self.show()

    def action_close(self) -> None:
        """Keep the changes."""
        self.dismiss(self.draft.experiment)


def _size(experiment: Experiment) -> str:
    """How large the net is, or why nobody can tell: the data's file may have gone."""
    try:
        shape = net_shape(experiment)
    except ExperimentError as error:
        return str(error)
    return f"{shape.parameters:,} parameters · {shape.depth:,} layers deep"
