"""The list of studies: those that ship, and those that were begun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from gradtui.experiment.errors import ExperimentError
from gradtui.study.presets import resolve
from gradtui.study.spec import StudySpec
from gradtui.ui.screens.dialogs import AskScreen
from gradtui.ui.screens.study import StudyScreen
from gradtui.ui.studies.columns import offer_columns
from gradtui.ui.studies.desk import Desk, Offer
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.row_table import RowTable


class StudiesScreen(Screen["Path | None"]):
    """Choose a study and open it; answers with the folder of a run of it that the person wishes to see, or None.

    Args:
        desk: where studies are kept, and which are under way here.
    """

    HELP = (
        "## Studies\n\nMany trainings that answer one question. Opening one shows what was trained of it; nothing is "
        "begun before you say so. `o` opens a study of your own, a TOML file."
    )
    BINDINGS = [
        Binding("enter", "open", "open", key_display="⏎", tooltip="See this study.", id="studies.open"),
        Binding("o", "file", "open file", tooltip="A study of your own, from TOML.", id="studies.file"),
        Binding("up,k", "move(-1)", "choose", key_display="↑↓", tooltip="The study before.", id="studies.up"),
        Binding("down,j", "move(1)", "next study", show=False, id="studies.down"),
        Binding("home,g", "move(-1000)", "first study", show=False, id="studies.first"),
        Binding("end,G", "move(1000)", "last study", show=False, id="studies.last"),
        Binding("escape,S", "dismiss(None)", "back", key_display="esc", id="studies.back"),
    ]
    CSS = """
    StudiesScreen {
        layout: vertical;
        & > #title { height: 1; padding: 0 1; background: $panel; }
        & > #about { height: 3; padding: 0 1; border-top: solid $border; color: $secondary; }
    }
    """

    @dataclass
    class Read(Message):
        """The studies were looked up."""

        offers: Sequence[Offer]

        def can_replace(self, message: Message) -> bool:
            """A newer list is whole."""
            return isinstance(message, StudiesScreen.Read)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.offers: Sequence[Offer] = ()
        self.chosen = 0

    def compose(self) -> ComposeResult:
        """The list."""
        yield Static(Content.assemble(("gradtui", "bold $accent"), "  ", ("studies", "bold")), id="title")
        yield RowTable(offer_columns())
        yield Static(id="about")
        yield KeyLine()

    def on_mount(self) -> None:
        """The keys are the screen's."""
        self.query_one(RowTable).focus()

    def on_screen_resume(self) -> None:
        """Also when one comes back from a study: more of it was trained meanwhile."""
        self.read()

    @work(thread=True, exclusive=True, group="studies")
    def read(self) -> None:
        """Look them up; to plan those that ship takes a moment."""
        self.post_message(self.Read(self.desk.offers()))

    @on(Read)
    def _read(self, event: Read) -> None:
        event.stop()
        self.offers = event.offers
        self.choose(self.chosen)

    def choose(self, at: int) -> None:
        """The cursor on another one."""
        self.chosen = max(0, min(at, len(self.offers) - 1))
        self.query_one(RowTable).show(self.offers, self.chosen)
        if self.offers:
            self.query_one("#about", Static).update(Content(self.offers[self.chosen].spec.description))

    def action_move(self, by: int) -> None:
        """So many down (up)."""
        self.choose(self.chosen + by)

    @on(RowTable.Chosen)
    def _clicked(self, event: RowTable.Chosen) -> None:
        self.choose(event.index)
        if event.again:
            self.action_open()

    def action_open(self) -> None:
        """See the study under the cursor."""
        if self.offers:
            self.open_study(self.offers[self.chosen].spec)

    def open_study(self, spec: StudySpec) -> None:
        """See a study; a run that is opened there is the answer of this screen too."""

        def take(folder: Path | None) -> None:
            if folder is not None:
                self.dismiss(folder)

        self.app.push_screen(StudyScreen(self.desk.view(spec)), take)

    def action_file(self) -> None:
        """Ask for a TOML file."""

        def take(path: str | None) -> None:
            if path is not None:
                self.open_study(resolve(str(Path(path).expanduser())))

        self.app.push_screen(
            AskScreen("Study", "study.toml", "a TOML file   ⏎ open   esc back", _checked(resolve)), take
        )


def _checked(resolve: Callable[[str], StudySpec]) -> Callable[[str], object]:
    """Says what is wrong with the file in one line."""

    def check(text: str) -> None:
        try:
            resolve(str(Path(text).expanduser()))
        except ExperimentError as error:
            raise ValueError(str(error)) from None

    return check
