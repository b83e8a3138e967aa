"""Ask for a TOML file of an experiment, and complete its path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from gradtui.experiment import Experiment, ExperimentError, load
from gradtui.ordinary_files import given_path, problem_of
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.widgets.choice_list import ChoiceList

MOST_ENTRIES = 2000
"""The most entries of a folder that are read."""
MOST_SHOWN = 200
"""The most entries that are listed."""
HINT = "tab completes   ⏎ open   esc back"


class OpenScreen(OneAnswer[Experiment | None], ModalScreen[Experiment | None]):
    """The OpenScreen returns the experiment of a TOML file, or None; errors are shown when enter is pressed."""

    DEFAULT_CSS = """
    OpenScreen {
        align: center middle;
        & > Vertical {
            width: 76; max-width: 94%; height: 16; max-height: 90%; border: round $accent;
            border-title-color: $accent; background: $surface; padding: 0 1;
        }
        & Input { border: tall $border; background: $panel; }
        & OptionList {
            height: 1fr; border: none; background: $surface; padding: 0; scrollbar-size-vertical: 1;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        &:ansi OptionList > .option-list--option-highlighted { background: ansi_default; text-style: reverse; }
        & Static { color: $text-muted; }
        & Static.-bad { color: $error; }
    }
    """
    BINDINGS = [
        Binding("escape", "dismiss(None)", "back"),
        Binding("tab", "complete", "complete", priority=True),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Yield the path to type, what it may become, and a hint."""
        with Vertical() as frame:
            frame.border_title = "Open an experiment"
            yield Input(placeholder="a TOML file")
            found = ChoiceList()
            # The input has the focus; the arrows reach the list through the screen.
            found.can_focus = False
            yield found
            yield Static(HINT, id="open-verdict")

    def on_mount(self) -> None:
        """List the files of the current folder."""
        self._list("")

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        self._say(HINT, bad=False)
        self._list(event.value)

    def _list(self, text: str) -> None:
        found = self.query_one(OptionList)
        found.clear_options()
        found.add_options(Option(Content(path), id=path) for path in islice(completions(text), MOST_SHOWN))

    def action_complete(self) -> None:
        """Complete the path to the chosen file, or to the common beginning of all that fit."""
        found, field = self.query_one(OptionList), self.query_one(Input)
        paths = [str(option.id) for option in found.options]
        if found.highlighted is not None:
            field.value = paths[found.highlighted]
        elif paths:
            field.value = _common_beginning(paths)
        field.cursor_position = len(field.value)

    def action_move(self, by: int) -> None:
        """Move to the file so many places further on."""
        found = self.query_one(OptionList)
        if found.option_count:
            at = -1 if found.highlighted is None else found.highlighted
            found.highlighted = max(0, min(at + by, found.option_count - 1))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self._open(str(event.option.id))

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        found = self.query_one(OptionList)
        chosen = None if found.highlighted is None else found.get_option_at_index(found.highlighted).id
        self._open(chosen or event.value)

    def _open(self, text: str) -> None:
        """Answer with the experiment of a file; go into a folder."""
        try:
            path = given_path(text)
            if path.is_dir():
                field = self.query_one(Input)
                field.value = text if text.endswith("/") else f"{text}/"
                field.cursor_position = len(field.value)
                return
            experiment = load(path)
        except ExperimentError as error:
            self._say(str(error), bad=True)
        except (OSError, ValueError) as error:
            self._say(f"{text}: {problem_of(error)}", bad=True)
        else:
            self.dismiss(experiment)

    def _say(self, text: str, bad: bool) -> None:
        verdict = self.query_one("#open-verdict", Static)
        verdict.update(Content(text))
        verdict.set_class(bad, "-bad")


def _common_beginning(texts: Sequence[str]) -> str:
    shortest, longest = min(texts), max(texts)
    same = next(
        (at for at, (one, other) in enumerate(zip(shortest, longest, strict=False)) if one != other), None
    )
    return shortest if same is None else shortest[:same]


def completions(text: str) -> Iterator[str]:
    """Yield the paths of folders and TOML files that begin with a text, folders with a slash at their end."""
    place, slash, begin = text.rpartition("/")
    folder = place + slash
    try:
        entries = list(islice(os.scandir(given_path(folder or ".")), MOST_ENTRIES))
    except (OSError, ValueError):
        return
    for entry in sorted(entries, key=lambda entry: entry.name.lower()):
        hidden = entry.name.startswith(".") and not begin.startswith(".")
        if hidden or not entry.name.startswith(begin) or not entry.name.isprintable():
            continue
        try:
            if entry.is_dir():
                yield f"{folder}{entry.name}/"
            elif Path(entry.name).suffix == ".toml" and entry.is_file():
                yield f"{folder}{entry.name}"
        except OSError:
            continue
