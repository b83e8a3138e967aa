"""Save the experiment as a TOML file."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from gradtui.experiment import Experiment, dumps


class SaveScreen(ModalScreen[Path | None]):
    """Asks for a file's name and writes the experiment there; answers with the file."""

    DEFAULT_CSS = """
    SaveScreen {
        align: center middle;
        & > Vertical {
            width: 70; max-width: 94%; height: auto; border: round $accent; border-title-color: $accent;
            background: $surface; padding: 0 1;
        }
        & Input { border: tall $border; background: $panel; }
        & Static { color: $text-muted; }
        & Static.-bad { color: $error; }
    }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "back")]

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self.experiment = experiment

    def compose(self) -> ComposeResult:
        """The name."""
        with Vertical() as frame:
            frame.border_title = "Save the experiment"
            yield Input("-".join(self.experiment.name.split()).replace("/", "-") + ".toml")
            yield Static("⏎ save   esc back", id="save-verdict")

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        there = bool(event.value) and Path(event.value).expanduser().exists()
        self._say("there is such a file: ⏎ replaces it" if there else "⏎ save   esc back", bad=there)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        path = Path(event.value).expanduser()
        try:
            path.write_text(dumps(self.experiment), encoding="utf-8")
        except OSError as error:
            self._say(f"{path}: {error.strerror}", bad=True)
        else:
            self.dismiss(path)

    def _say(self, text: str, bad: bool) -> None:
        verdict = self.query_one("#save-verdict", Static)
        verdict.update(Content(text))
        verdict.set_class(bad, "-bad")
