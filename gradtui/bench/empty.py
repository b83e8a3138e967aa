"""The emptiest app that still looks like one: what the first frame of the lab is held against."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Footer, Header


class EmptyApp(App[None]):
    """A header and a footer."""

    def compose(self) -> ComposeResult:
        """Nothing between them."""
        yield Header()
        yield Footer()


if __name__ == "__main__":
    EmptyApp().run()
