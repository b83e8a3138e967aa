"""Show the smallest app with a header and a footer; the first frame of the lab is compared with its first frame."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Footer, Header


class EmptyApp(App[None]):
    """A header and a footer."""

    def compose(self) -> ComposeResult:
        """Yield a header and a footer."""
        yield Header()
        yield Footer()


if __name__ == "__main__":
    EmptyApp().run()
