"""Define the dialogs of several screens: choose from a list, type a text, save an experiment, read a log."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widgets import Input, Static
from textual.widgets.option_list import Option

from gradtui.experiment import Experiment, dumps
from gradtui.ordinary_files import given_path, problem_of
from gradtui.runs.safe_files import write_for_person
from gradtui.ui.disk_work import DiskWork
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.terminal.terminal_app import named_keys
from gradtui.ui.widgets.choice_list import Found, SearchableList

if TYPE_CHECKING:
    from textual.app import App

    from gradtui.ui.followed_run import FollowedRun


@dataclass(frozen=True)
class Choice:
    """A Choice is one entry: the key that the dialog returns, a title, and a line that explains it."""

    key: str
    title: str
    line: str
    marked: bool = False
    """Whether it is advised, and so highlighted."""
    mark: str = "advised"
    """The word behind the title of a highlighted choice."""


class ChooseScreen(ModalScreen[str | None], OneAnswer[str | None]):
    """The ChooseScreen lets the person choose by arrows or by typing; it answers with the key of a choice, or None.

    Args:
        title: the title of the frame.
        choices: in the order in which they are shown.
        title_width: columns of the titles; 0 puts each line beneath its title.
    """

    DEFAULT_CSS = """
    ChooseScreen {
        align: center middle;
        & > Vertical {
            width: 96%; max-width: 110; height: 84%; border: round $accent;
            border-title-color: $accent; border-subtitle-color: $text-muted; background: $surface;
        }
    }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "back")]

    def __init__(self, title: str, choices: Sequence[Choice], title_width: int = 24) -> None:
        super().__init__()
        self.frame_title = title
        self.choices = choices
        self.title_width = title_width

    def compose(self) -> ComposeResult:
        """Yield the field to search in, and the list."""
        with Vertical() as frame:
            frame.border_title = Content(self.frame_title)
            frame.border_subtitle = named_keys(
                self.app, "type to search · ↑↓ choose · enter select · esc back"
            )
            yield SearchableList(self._found, classes="-compact" if self.title_width else "-compact -wrapped")

    def _found(self, text: str) -> Found:
        """Return the choices that contain all words of a text."""
        wanted = text.lower().split()
        found = [
            choice
            for choice in self.choices
            if all(word in f"{choice.title} {choice.line}".lower() for word in wanted)
        ]
        marked = next((at for at, choice in enumerate(found) if choice.marked), 0)
        # A title that is typed whole is that choice, also where others contain it.
        named = next(
            (at for at, choice in enumerate(found) if choice.title.lower() == text.lower().strip()), marked
        )
        return Found([self._option(choice) for choice in found], named if found else None)

    def _option(self, choice: Choice) -> Option:
        between = " " * max(2, self.title_width - len(choice.title)) if self.title_width else "\n"
        title = Content.styled(choice.title, "bold $accent" if choice.marked else "bold")
        if choice.marked:
            title += Content.styled(f" · {choice.mark}", "$accent")
        line = choice.line if self.title_width else self._beneath(choice.line)
        return Option(Content.assemble(title, between, (line, "$secondary")), id=choice.key)

    def _beneath(self, text: str) -> str:
        """Return the lines beneath a title, indented and broken to the width of the list."""
        # Inside the frame (its width is that of the style above), an option's padding and the scroll bar.
        width = min(110, self.app.size.width * 96 // 100) - 5
        lines = []
        for line in text.splitlines():
            words = line.lstrip()
            indent = "  " + " " * (len(line) - len(words))
            broken = Text(words).wrap(self.app.console, max(20, width - len(indent)))
            lines += [indent + part.plain.rstrip() for part in broken]
        return "\n".join(lines)

    def on_resize(self) -> None:
        """Break the lines beneath the titles anew."""
        if not self.title_width:
            self.query_one(SearchableList).search_again()
        self._set_height()

    def _set_height(self) -> None:
        """Let the frame be no higher than all choices need; a search, which leaves some out, does not change it."""
        lines = sum(
            1 if self.title_width else 2 + self._beneath(one.line).count("\n") for one in self.choices
        )
        self.query_one(Vertical).styles.max_height = lines + FIELD_AND_EDGES

    @on(SearchableList.Chosen)
    def _chosen(self, event: SearchableList.Chosen) -> None:
        if event.key is not None:
            self.dismiss(event.key)

    def show_again(self, choices: Sequence[Choice]) -> None:
        """Show these choices instead of the ones before; one that the person has moved to stays highlighted."""
        self.choices = choices
        self.query_one(SearchableList).search_again()
        self._set_height()


FIELD_AND_EDGES = 3
"""The lines of a dialog of choices besides its list: the field to search in, and the two edges of the frame."""


def find_layer(app: App[Any], followed: FollowedRun | None, take: Callable[[int], None]) -> None:
    """Let the person choose one of a run's layers by its name; `take` gets its index."""
    snapshot = followed.snapshot if followed is not None else None
    meta = snapshot.meta if snapshot is not None else None
    if meta is None or not meta.layers:
        return
    choices = [
        Choice(
            str(index),
            layer.name,
            f"layer {index + 1:,} of {len(meta.layers):,} · {layer.kind} · {layer.parameters:,} parameters",
        )
        for index, layer in enumerate(meta.layers)
    ]

    def chosen(key: str | None) -> None:
        if key is not None:
            take(int(key))

    app.push_screen(ChooseScreen("Layers", choices), chosen)


class Hint(Static):
    """A Hint is the line beneath a field: what the keys do, or why the text is refused."""

    DEFAULT_CSS = """
    Hint { color: $text-muted; }
    Hint.-bad { color: $error; }
    """

    def say(self, text: str, *, bad: bool = False) -> None:
        """Show a text, in the colour of errors if it is `bad`; the text is not markup."""
        self.update(Content(text))
        self.set_class(bad, "-bad")


class AskScreen(ModalScreen["str | None"], OneAnswer["str | None"]):
    """The AskScreen asks for one line of text, and checks it on return; it answers with the text, or None.

    Args:
        title: the title of the frame.
        value: the text that stands there at first, selected, so that typing replaces it.
        hint: the line beneath it.
        check: raises ValueError with one line where the text is not allowed.
        adds: typing adds to the text that stands there, as to a list of tags.
    """

    DEFAULT_CSS = """
    AskScreen {
        align: center middle;
        & > Vertical {
            width: 72; max-width: 94%; height: auto; border: round $accent; border-title-color: $accent;
            background: $surface; padding: 0 1;
        }
        & Input { border: tall $border; background: $panel; }
    }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "back")]

    def __init__(
        self, title: str, value: str, hint: str, check: Callable[[str], object], *, adds: bool = False
    ) -> None:
        super().__init__()
        self.adds = adds
        self._refused = False
        self.frame_title = title
        self.value = value
        self.hint = hint
        self.check = check
        self._disk = DiskWork(self, self._say)

    def compose(self) -> ComposeResult:
        """Yield the line to type, and the hint."""
        with Vertical() as frame:
            frame.border_title = Content(self.frame_title)
            yield Input(self.value, select_on_focus=not self.adds)
            yield Hint(Content(self.hint))

    def _problem(self, text: str) -> str:
        try:
            self.check(text)
        except ValueError as error:
            return str(error)
        return ""

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        # An incomplete path is not an error. But after a text was refused, the error stays until the text is right.
        if self._refused:
            self._disk.look(lambda: self._problem(event.value), self._say)
        else:
            self._say("")

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        def judged(problem: str) -> None:
            self._refused = bool(problem)
            if problem:
                self._say(problem)
            else:
                self.dismiss(event.value)

        self._disk.do(lambda: self._problem(event.value), judged)

    def _say(self, problem: str) -> None:
        self.query_one(Hint).say(problem or self.hint, bad=bool(problem))


class SaveScreen(ModalScreen[Path | None], OneAnswer[Path | None]):
    """The SaveScreen asks for the name of a file and writes an experiment there; it answers with the file, or
    None."""

    DEFAULT_CSS = """
    SaveScreen {
        align: center middle;
        & > Vertical {
            width: 70; max-width: 94%; height: auto; border: round $accent; border-title-color: $accent;
            background: $surface; padding: 0 1;
        }
        & Input { border: tall $border; background: $panel; }
    }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "back")]

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self.experiment = experiment
        self._disk = DiskWork(self, lambda text: self.query_one(Hint).say(text))

    def compose(self) -> ComposeResult:
        """Yield the name to type, and a hint."""
        with Vertical() as frame:
            frame.border_title = "Save the experiment"
            yield Input("-".join(self.experiment.name.split()).replace("/", "-") + ".toml")
            yield Hint("enter save · esc back")

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        def found(there: bool) -> None:
            self.query_one(Hint).say(
                "The file exists; enter overwrites it." if there else "enter save · esc back", bad=there
            )

        self._disk.look(lambda: bool(event.value) and os.path.isfile(given_path(event.value)), found)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        path = given_path(event.value)

        def write() -> str:
            try:
                write_for_person(path, dumps(self.experiment).encode())
            except (OSError, ValueError) as error:
                return f"{path}: {problem_of(error)}"
            return ""

        def written(problem: str) -> None:
            if problem:
                self.query_one(Hint).say(problem, bad=True)
            else:
                self.notify(f"Saved {path}", markup=False)
                self.dismiss(path)

        self._disk.do(write, written)


class TextFrame(VerticalScroll):
    """A TextFrame is the bordered box of a dialog that shows text, which the arrows scroll if it is longer.

    Args:
        title: the title of the frame.
        keys: the keys that its lower edge names behind those that scroll.
    """

    DEFAULT_CSS = """
    TextFrame {
        width: 96%; height: auto; max-height: 90%; border: round $accent; border-title-color: $accent;
        border-subtitle-color: $text-muted; background: $surface; padding: 0 1; scrollbar-size-vertical: 1;
    }
    """

    keys: reactive[str] = reactive("esc back")

    def __init__(self, title: str | Content, keys: str = "esc back") -> None:
        super().__init__()
        self.border_title = title
        self.set_reactive(TextFrame.keys, keys)

    def on_mount(self) -> None:
        """Let the arrows scroll the text."""
        self.focus()
        self.watch_keys()

    def watch_keys(self) -> None:
        """Write the keys into the lower edge; those that scroll only where there is more text."""
        more = named_keys(self.app, "↑↓ more · ") if self.max_scroll_y > 0 else ""
        self.border_subtitle = f"{more}{self.keys}"

    def watch_virtual_size(self) -> None:
        """Write the keys again, since another amount of text may fit."""
        self.watch_keys()

    def on_resize(self) -> None:
        """Write the keys again, since another amount of text may fit."""
        self.watch_keys()


class LogScreen(ModalScreen[None], OneAnswer[None]):
    """The LogScreen shows the last lines of a log, never as markup, since they may contain any characters."""

    DEFAULT_CSS = "LogScreen { align: center middle; }"
    BINDINGS = [Binding("escape,L,q", "dismiss(None)", "back")]

    def __init__(self, title: str, lines: list[str]) -> None:
        super().__init__()
        self.log_title = title
        self.lines = lines

    def compose(self) -> ComposeResult:
        """Yield the lines."""
        with TextFrame(Content(self.log_title)):
            yield Static(Content("\n".join(self.lines) or "The trainer printed nothing."))

    def on_mount(self) -> None:
        """Show the end, which has the newest lines, at any size until the person scrolls."""
        self.query_one(TextFrame).anchor()
