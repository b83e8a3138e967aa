"""The dialog for one value: choose it, or type it and see at once whether it will do."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from gradtui.experiment import Experiment, ExperimentError
from gradtui.ui.edit.values import info_at, show, typed, value_at


class ValueScreen(ModalScreen[Experiment | None]):
    """Asks for the value of one field; answers with the changed experiment, or None.

    Args:
        experiment: what is edited.
        path: the field's dotted path.
        keys: what was typed already; emptied when the dialog is there to be typed into.
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
        & OptionList { height: auto; max-height: 14; border: none; background: $surface; margin: 1 0 0 0; }
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

    def compose(self) -> ComposeResult:
        """The field's text, and an input or the list of choices."""
        value = value_at(self.experiment, self.path)
        with Vertical() as box:
            box.border_title = self.path
            yield Static(Content(self.field.doc), id="explain")
            if self.field.kind == "choice":
                yield OptionList(*(Option(choice, id=choice) for choice in self.field.choices))
            else:
                yield Input(show(self.path, value), select_on_focus=not self.keys)
            yield Static("", id="verdict")

    def on_mount(self) -> None:
        """Start where the value is."""
        value = value_at(self.experiment, self.path)
        if self.field.kind == "choice":
            choices = self.query_one(OptionList)
            choices.highlighted = list(self.field.choices).index(str(value))
        else:
            typed_into = self.query_one(Input)
            if self.keys:
                typed_into.value = "".join(self.keys)
                typed_into.cursor_position = len(self.keys)
            self.judge(typed_into.value)
        self.keys.clear()

    def judge(self, text: str) -> Experiment | None:
        """Say in one line whether the text will do; the experiment it makes, or None."""
        verdict = self.query_one("#verdict", Static)
        try:
            experiment = typed(self.experiment, self.path, text)
        except ExperimentError as error:
            verdict.update(Content(str(error)))
            experiment = None
        else:
            verdict.update(Content("⏎ take   esc back"))
        verdict.set_class(experiment is None, "-bad")
        for field in self.query(Input):
            field.set_class(experiment is None, "-bad")
        return experiment

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        self.judge(event.value)

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
