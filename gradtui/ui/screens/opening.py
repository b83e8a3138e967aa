"""Show the first frame, the name and the keys, without anything that takes time to import.

Textual alone needs a third of a second to its first frame; the lab with its panes would double that. So this screen
is painted first, and the lab covers it a moment later, looking the same where both show something.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from gradtui.ui.key_reasons import NEED_A_RUN
from gradtui.ui.keys import LAB_KEYS, rank_of
from gradtui.ui.widgets.key_line import KeyLine


class OpeningScreen(Screen[None]):
    """The OpeningScreen remembers the keys that are pressed before the lab is there; the app passes them on.

    Args:
        title: the name of what will open.
    """

    DEFAULT_CSS = """
    OpeningScreen #opening-title { height: 1; padding: 0 1; background: $panel; text-style: bold; }
    """
    BINDINGS = LAB_KEYS

    def __init__(self, title: str) -> None:
        super().__init__()
        self.opening_title = title
        self.keys: list[str] = []

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """Return the keys in the lab's order, so that few of them move when it opens."""
        bindings = super().active_bindings
        return dict(sorted(bindings.items(), key=lambda item: rank_of(item[1], self, found=False)))

    def compose(self) -> ComposeResult:
        """Yield the first line and the last one."""
        # The title is never markup, since an experiment may have any name.
        yield Static(Content.assemble(("gradtui", "$accent"), "  ", self.opening_title), id="opening-title")
        yield KeyLine()

    def on_mount(self) -> None:
        """Open the lab as soon as this is painted."""
        self.call_after_refresh(self.call_after_refresh, self.app.run_action, "open_lab")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether the lab will show a key."""
        return action not in NEED_A_RUN

    def on_key(self, event: events.Key) -> None:
        """Remember a key for the lab, whose actions do not exist here."""
        self.keys.append(event.key)
