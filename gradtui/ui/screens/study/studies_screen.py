"""The StudiesScreen lists the studies that ship with gradtui and those that were begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from gradtui.runs.bounded_reads import NO_ANSWER
from gradtui.study.spec import StudySpec, load
from gradtui.ui.disk_work import DiskWork
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.open_dialog import OpenScreen
from gradtui.ui.screens.study.study_screen import StudyScreen
from gradtui.ui.screens.study.study_store import StudyEntry, StudyStore
from gradtui.ui.screens.study.study_tables import entry_columns
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.row_table import RowTable


class StudiesScreen(OneAnswer["Path | None"]):
    """A StudiesScreen lets the person open a study; it returns the folder of a run of it to be shown, or None.

    Args:
        store: the studies, and which of them this app trains.
    """

    HELP = (
        "## Studies\n\n"
        "Many trainings that answer one question. Opening one shows which of its runs exist. Nothing starts until "
        "you press space. `ctrl+o` opens a study of your own, a TOML file."
    )
    BINDINGS = [
        Binding("enter", "open", "open", key_display="⏎", tooltip="Open this study.", id="studies.open"),
        Binding(
            "ctrl+o",
            "file",
            "open file",
            tooltip="Open a study from a TOML file.",
            id="studies.file",
        ),
        Binding(
            "up,k",
            "move(-1)",
            "choose",
            key_display="↑↓",
            tooltip="Choose a study.",
            id="studies.up",
        ),
        Binding("down,j", "move(1)", "next study", show=False, id="studies.down"),
        Binding("home,g", "move(-1000)", "first study", show=False, id="studies.first"),
        Binding("end,G", "move(1000)", "last study", show=False, id="studies.last"),
        Binding("escape,S,q", "dismiss(None)", "back", key_display="esc", id="studies.back"),
    ]
    CSS_PATH = "study.tcss"

    @dataclass
    class Read(Message):
        """The list was read."""

        entries: Sequence[StudyEntry]
        silent: Sequence[Path] = ()
        """The folders whose file servers do not answer."""

        def can_replace(self, message: Message) -> bool:
            """Return whether this newer list replaces an older one that was not yet handled."""
            return isinstance(message, StudiesScreen.Read)

    def __init__(self, store: StudyStore, opens: StudySpec | None = None) -> None:
        super().__init__()
        self.opened = opens
        """The study that was opened last, or is opened at once."""
        self.store = store
        self.entries: Sequence[StudyEntry] = ()
        self.chosen = 0
        self._disk = DiskWork(self)

    def compose(self) -> ComposeResult:
        """Yield the list, and a line on the chosen study."""
        yield Static(Content.assemble(("gradtui", "bold $accent"), "  ", ("studies", "bold")), id="title")
        yield RowTable(entry_columns())
        yield Static(id="about")
        yield KeyLine()

    def on_mount(self) -> None:
        """Focus the table, whose keys belong to the screen; open the study that was asked for."""
        self.query_one(RowTable).focus()
        if self.opened is not None:
            self.open_study(self.opened)

    def on_screen_resume(self) -> None:
        """Read the list, also on return from a study, of which more was trained meanwhile."""
        self.read()

    @work(thread=True, exclusive=True, group="studies")
    def read(self) -> None:
        """Read the list in a thread, because planning the studies takes a moment."""
        silent: list[Path] = []
        self.post_message(self.Read(self.store.entries(silent.append), silent))

    @on(Read)
    def _read(self, event: Read) -> None:
        event.stop()
        self.entries = event.entries
        self.choose(self.chosen)
        for folder in event.silent:
            self.notify(f"{folder}: {NO_ANSWER}", severity="warning", markup=False)

    def choose(self, at: int) -> None:
        """Move the cursor to another study."""
        self.chosen = max(0, min(at, len(self.entries) - 1))
        self.query_one(RowTable).show(self.entries, self.chosen)
        if self.entries:
            self.query_one("#about", Static).update(Content(self.entries[self.chosen].spec.description))

    def action_move(self, by: int) -> None:
        """Move the cursor down by some studies, or up if negative."""
        self.choose(self.chosen + by)

    @on(RowTable.Chosen)
    def _clicked(self, event: RowTable.Chosen) -> None:
        self.choose(event.index)
        if event.again:
            self.action_open()

    def action_open(self) -> None:
        """Open the study under the cursor."""
        if self.entries:
            self.open_study(self.entries[self.chosen].spec)

    def open_study(self, spec: StudySpec) -> None:
        """Open a study; a run that is chosen there is what this screen returns too."""

        def take(folder: Path | None) -> None:
            if folder is not None:
                self.dismiss(folder)

        self.opened = spec
        self._disk.do(
            lambda: self.store.open(spec), lambda study: self.app.push_screen(StudyScreen(study), take)
        )

    def action_file(self) -> None:
        """Ask for a TOML file and open it as a study."""

        def take(spec: StudySpec | None) -> None:
            if spec is not None:
                self.open_study(spec)

        self.app.push_screen(OpenScreen("Open a study", load), take)
