"""Edit an experiment in dialogs: one for all fields of some parts, one for a single value."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from gradtui.experiment import Experiment, ExperimentError, Group, net_shape
from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.fields import fields_of
from gradtui.experiment.net_plan import RECURRENT
from gradtui.ui.edit.field_list import FieldList, FieldRow
from gradtui.ui.field_values import Draft, info_at, next_value, put, show, typed, value_at
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.widgets.choice_list import ChoiceList
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.words import several

# These fields are used by some groups only; for others they are hidden, since changing them has no effect.
_USED_BY: dict[str, Callable[[Group], bool]] = {
    "kernel": lambda group: group.block == "conv",
    "stride": lambda group: group.block == "conv",
    "heads": lambda group: group.block == "attention",
    "activation": lambda group: group.block not in ("lstm", "gru"),
    "slope": lambda group: ACTIVATIONS[group.activation].takes_slope,
    "branch_gain": lambda group: group.shortcut != "none",
    "recurrent_init": lambda group: group.block in RECURRENT,
    "recurrent_gain": lambda group: group.block in RECURRENT,
    "forget_bias": lambda group: group.block == "lstm",
}


class SettingsScreen(ModalScreen[Experiment], OneAnswer[Experiment]):
    """The SettingsScreen edits all fields of some parts; it returns the edited experiment when it closes.

    Args:
        experiment: the experiment to edit.
        parts: dotted paths of the parts (``net.0``, ``data``, ``cures.pretrain``); "" is the experiment itself.
        title: the title of the frame.
    """

    DEFAULT_CSS = """
    SettingsScreen {
        align: center middle;
        & > Vertical {
            width: 72; max-width: 96%; height: auto; max-height: 90%;
            border: round $accent; border-title-color: $accent; border-subtitle-color: $text-muted;
            background: $surface;
        }
        & VerticalScroll { height: auto; max-height: 60vh; scrollbar-size-vertical: 1; }
        & FieldList { background: $surface; }
        & Input, & Input:focus { display: none; border: none; height: 1; padding: 0 1; background: $panel; }
        & Input.-typing { display: block; }
        & #doc {
            padding: 0 1; height: auto; min-height: 4; max-height: 6;
            color: $text-muted; border-top: solid $border;
        }
    }
    """
    BINDINGS = [
        Binding("escape", "close", "done", tooltip="Close and keep the changes.", id="settings.done"),
        Binding("slash", "find", "find", key_display="/", tooltip="Find a setting.", id="settings.find"),
        Binding("u", "undo", "undo", tooltip="Undo the last edit.", id="settings.undo"),
        Binding(
            "U", "redo", "redo", show=False, tooltip="Redo the edit that was undone last.", id="settings.redo"
        ),
    ]

    def __init__(self, experiment: Experiment, parts: tuple[str, ...], title: str) -> None:
        super().__init__()
        self.draft = Draft(experiment)
        self.parts = parts
        self.frame_title = title

    def compose(self) -> ComposeResult:
        """Yield the list of fields, the meaning of the chosen one, and the keys."""
        with Vertical() as frame:
            frame.border_title = Content(self.frame_title)
            yield Input(placeholder="words of a setting, such as clip or data")
            with VerticalScroll(can_focus=False):
                yield FieldList(label_width=18 if len(self.parts) == 1 else 24, alone=True)
            yield Static(id="doc")
        yield KeyLine()

    def on_mount(self) -> None:
        """Fill the list."""
        self.show()
        self.query_one(FieldList).focus()

    def paths(self) -> Iterable[str]:
        """Yield the dotted paths of the fields that fit what is typed into the search."""
        words = self.query_one(Input).value.lower().split()
        for path in self._every_path():
            text = f"{path} {info_at(path).doc}".lower()
            if all(word in text for word in words):
                yield path

    def _every_path(self) -> Iterable[str]:
        """Yield the dotted paths of the fields of the parts, without those that a group does not use."""
        for path in self.parts:
            part = value_at(self.draft.experiment, path)
            for info in fields_of(type(part)):  # type: ignore[arg-type]
                used = _USED_BY.get(info.name)
                if used is None or not isinstance(part, Group) or used(part):
                    yield f"{path}.{info.name}" if path else info.name

    def show(self) -> None:
        """Show the values of the draft."""
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
            steps = info_at(path).kind != "text"
            rows.append(FieldRow(path, label, show(path, value), changed, steps))
        fields = self.query_one(FieldList)
        fields.show(rows)
        self.query_one(Vertical).border_subtitle = Content(_size(experiment))
        if rows:
            self.explain(rows[fields.cursor].path)
        else:
            self.query_one("#doc", Static).update(Content("No setting matches. esc shows all of them."))

    def explain(self, path: str, problem: str = "") -> None:
        """Explain a field, or why the change is not allowed."""
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
        value = next_value(info_at(event.path), value_at(self.draft.experiment, event.path), event.up)
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
        """Undo the last change."""
        self.draft = self.draft.undo()
        self.show()

    def action_redo(self) -> None:
        """Redo the last undone change."""
        self.draft = self.draft.redo()
        self.show()

    def action_find(self) -> None:
        """Show the search, and type into it."""
        search = self.query_one(Input)
        search.add_class("-typing")
        search.focus()

    @on(Input.Changed)
    def _searching(self) -> None:
        self.show()

    @on(Input.Submitted)
    def _searched(self) -> None:
        self.query_one(FieldList).focus()

    def action_close(self) -> None:
        """Show all settings again; else close the dialog and keep the changes."""
        search = self.query_one(Input)
        if search.has_class("-typing"):
            search.value = ""
            search.remove_class("-typing")
            self.query_one(FieldList).focus()
        else:
            self.dismiss(self.draft.experiment)


def _size(experiment: Experiment) -> str:
    """Return the size of the net, or why it is unknown: a file of data may have been deleted."""
    try:
        shape = net_shape(experiment)
    except ExperimentError as error:
        return str(error)
    return f"{several(shape.parameters, 'parameter')} · {several(shape.depth, 'layer')} deep"


class ValueScreen(ModalScreen[Experiment | None], OneAnswer[Experiment | None]):
    """The ValueScreen asks for the value of one field; it returns the changed experiment, or None.

    Args:
        experiment: the experiment to edit.
        path: the field's dotted path.
        keys: the characters that were already typed; the dialog empties the list when it uses them.
    """

    DEFAULT_CSS = """
    ValueScreen {
        align: center middle;
        & > Vertical {
            width: 64; max-width: 94%; height: auto; max-height: 90%;
            border: round $accent; border-title-color: $accent; padding: 0 1;
            background: $surface;
        }
        & Input { border: tall $border; background: $panel; margin: 1 0 0 0; }
        & Input.-bad { border: tall $error; }
        & OptionList, & OptionList:focus {
            height: auto; max-height: 14; border: none; background: $surface; margin: 1 0 0 0;
        }
        & #explain { color: $text-muted; }
        & #verdict { height: 2; color: $text-muted; }
        & #verdict.-bad { color: $error; }
    }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "back")]

    def __init__(self, experiment: Experiment, path: str, keys: list[str] | None = None) -> None:
        super().__init__()
        self.experiment = experiment
        self.path = path
        self.keys = [] if keys is None else keys
        self.field = info_at(path)
        self._refused = False

    def compose(self) -> ComposeResult:
        """Yield the meaning of the field, and a field to type in or the list of choices."""
        value = value_at(self.experiment, self.path)
        with Vertical() as box:
            box.border_title = Content(self.path)
            yield Static(Content(self.field.doc), id="explain")
            if self.field.kind == "choice":
                yield ChoiceList(*(Option(choice, id=choice) for choice in self.field.choices))
            else:
                yield Input(show(self.path, value), select_on_focus=not self.keys)
            yield Static("", id="verdict")

    def on_mount(self) -> None:
        """Start with the current value."""
        value = value_at(self.experiment, self.path)
        if self.field.kind == "choice":
            choices = self.query_one(OptionList)
            choices.highlighted = list(self.field.choices).index(str(value))
        else:
            typed_into = self.query_one(Input)
            if self.keys:
                typed_into.value = "".join(self.keys)
                typed_into.cursor_position = len(self.keys)
            self.judge(typed_into.value, typing=True)
        self.keys.clear()

    def judge(self, text: str, *, typing: bool = False) -> Experiment | None:
        """Show in one line whether a text is allowed; return the changed experiment, or None.

        typing: the text may be incomplete, so nothing is said against it, unless it was refused before.
        """
        verdict = self.query_one("#verdict", Static)
        try:
            experiment = typed(self.experiment, self.path, text)
        except ExperimentError as error:
            verdict.update(Content(str(error)))
            experiment = None
        self._refused = experiment is None and (self._refused or not typing)
        if not self._refused:
            verdict.update(Content("enter set · esc back"))
        verdict.set_class(self._refused, "-bad")
        for field in self.query(Input):
            field.set_class(self._refused, "-bad")
        return experiment

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        self.judge(event.value, typing=True)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        experiment = self.judge(event.value)
        if experiment is not None:
            self.dismiss(experiment)

    @on(OptionList.OptionHighlighted)
    def _considered(self, event: OptionList.OptionHighlighted) -> None:
        self.judge(str(event.option.id))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        experiment = self.judge(str(event.option.id))
        if experiment is not None:
            self.dismiss(experiment)
