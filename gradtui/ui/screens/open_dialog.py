"""Ask for a TOML file, such as an experiment or a study, and complete its path."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input
from textual.widgets.option_list import Option

from gradtui.experiment import ExperimentError
from gradtui.ordinary_files import given_path, problem_of
from gradtui.ui.disk_work import DiskWork
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.dialogs import Hint
from gradtui.ui.widgets.choice_list import Found, SearchableList
from gradtui.words import common_beginning

MOST_ENTRIES = 2000
"""The most entries of a folder that are read."""
MOST_SHOWN = 200
"""The most entries that are listed."""
HINT = "tab completes · enter open · esc back"


class OpenScreen(ModalScreen[Any], OneAnswer[Any]):
    """The OpenScreen returns what was read from a TOML file, or None; errors are shown when enter is pressed.

    Args:
        title: the title of the frame.
        load: reads a file; raises ExperimentError with one line if it cannot be used.
    """

    DEFAULT_CSS = """
    OpenScreen {
        align: center middle;
        & > Vertical {
            width: 76; max-width: 94%; height: 16; max-height: 90%; border: round $accent;
            border-title-color: $accent; background: $surface; padding: 0 1;
        }
        & Input { border: tall $border; background: $panel; }
    }
    """
    BINDINGS = [
        Binding("escape", "dismiss(None)", "back"),
        Binding("tab", "complete", "complete", priority=True),
    ]

    def __init__(self, title: str, load: Callable[[Path], object]) -> None:
        super().__init__()
        self.frame_title = title
        self.load = load
        self._disk = DiskWork(self, lambda text: self.query_one(Hint).say(text))

    def compose(self) -> ComposeResult:
        """Yield the path to type, what it may become, and a hint."""
        with Vertical() as frame:
            frame.border_title = self.frame_title
            yield SearchableList(
                self._listed,
                placeholder="a TOML file",
                nothing="No folder and no TOML file begins like this.",
                classes="",
            )
            yield Hint(HINT)

    @on(Input.Changed)
    def _typing(self) -> None:
        self.query_one(Hint).say(HINT)

    def _listed(self, text: str) -> Found:
        paths: list[str] = []
        self._disk.look(lambda: list(islice(completions(text), MOST_SHOWN)), paths.extend)
        return Found([Option(Content(path), id=path) for path in paths], None)

    def action_complete(self) -> None:
        """Complete the path to the chosen file, or to the common beginning of all that fit."""
        found = self.query_one(SearchableList)
        if complete := found.chosen or common_beginning(found.keys):
            found.type(complete)

    @on(SearchableList.Chosen)
    def _choose(self, event: SearchableList.Chosen) -> None:
        self._open(event.key or event.text)

    def _open(self, text: str) -> None:
        """Answer with what a file holds; go into a folder."""

        def read() -> tuple[object, str]:
            """Return what the file holds and what is wrong with it; neither for a folder."""
            try:
                path = given_path(text)
                return (None if path.is_dir() else self.load(path)), ""
            except ExperimentError as error:
                return None, str(error)
            except (OSError, ValueError) as error:
                return None, f"{text}: {problem_of(error)}"

        def take(answer: tuple[object, str]) -> None:
            found, problem = answer
            if problem:
                self.query_one(Hint).say(problem, bad=True)
            elif found is not None:
                self.dismiss(found)
            else:
                self.query_one(SearchableList).type(text if text.endswith("/") else f"{text}/")

        self._disk.do(read, take)


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
