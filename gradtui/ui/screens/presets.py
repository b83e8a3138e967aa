"""The preset list: every recipe of the subject, with the line that says what it shows."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from gradtui.experiment import Experiment
from gradtui.experiment.presets import describe, load_preset, names


class PresetsScreen(ModalScreen[Experiment | None]):
    """Choose a preset, by arrows or by typing a part of its name or line; answers with its experiment."""

    DEFAULT_CSS = """
    PresetsScreen {
        align: center middle;
        & > Vertical {
            width: 96%; max-width: 110; height: 84%; border: round $accent;
            border-title-color: $accent; border-subtitle-color: $text-muted; background: $surface;
        }
        & Input { border: none; height: 1; padding: 0 1; background: $panel; }
        & OptionList { height: 1fr; border: none; background: $surface; padding: 0; }
        & .option-list--option { padding: 0 1; }
    }
    """
    BINDINGS = [
        Binding("escape", "dismiss(None)", "back"),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
    ]

    def compose(self) -> ComposeResult:
        """What to look for, and what there is."""
        with Vertical() as frame:
            frame.border_title = "Presets"
            frame.border_subtitle = "type to search · ↑↓ choose · ⏎ open · esc back"
            yield Input(placeholder="search")
            presets = OptionList()
            presets.can_focus = False
            yield presets

    def on_mount(self) -> None:
        """All of them."""
        self.search("")

    def search(self, words: str) -> None:
        """Those that hold every word."""
        wanted = words.lower().split()
        presets = self.query_one(OptionList)
        presets.clear_options()
        for name in names():
            line = describe(name)
            if all(word in f"{name} {line}".lower() for word in wanted):
                presets.add_option(
                    Option(Content.assemble((f"{name:<24}", "bold"), (line, "$text-muted")), id=name)
                )
        presets.highlighted = 0 if presets.option_count else None

    @on(Input.Changed)
    def _searching(self, event: Input.Changed) -> None:
        self.search(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        presets = self.query_one(OptionList)
        if presets.highlighted is not None:
            self._take(str(presets.get_option_at_index(presets.highlighted).id))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self._take(str(event.option.id))

    def _take(self, name: str) -> None:
        self.dismiss(load_preset(name))

    def action_move(self, by: int) -> None:
        """Another preset."""
        presets = self.query_one(OptionList)
        if presets.option_count:
            presets.highlighted = max(0, min((presets.highlighted or 0) + by, presets.option_count - 1))
