"""An app that sends its terminal only the cells that changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderResult
from textual.app import App
from textual.screen import Screen
from textual.strip import Strip

from gradtui.ui.terminal.ink import Ink
from gradtui.ui.terminal.shadow import Shadow

try:
    # Textual's own, and not promised to stay: without them everything is sent as Textual would send it.
    from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
except ImportError:  # pragma: no cover
    CompositorUpdate = object  # type: ignore[assignment, misc]
    ChopsUpdate = LayoutUpdate = None  # type: ignore[assignment, misc]


class FrugalUpdate(CompositorUpdate):
    """An update of the screen, less what stands on the terminal already."""

    def __init__(self, update: Any, shadow: Shadow, system: ColorSystem) -> None:
        self.update = update
        self.shadow = shadow
        self.system = system

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As the update itself."""
        yield from self.update.__rich_console__(console, options)

    def render_segments(self, console: Console) -> str:
        """What to send; called at the moment of sending."""
        update, shadow = self.update, self.shadow
        if isinstance(update, LayoutUpdate):
            width, height = update.region.size
            lines = [list(line) for line in update.strips]
            if (shadow.width, shadow.height) != (width, height):
                shadow.keep(lines, width)
                return str(update.render_segments(console))
            pieces: Iterable[tuple[int, int, list[Strip]]] = ((y, 0, line) for y, line in enumerate(lines))
        elif not shadow.height:
            return str(update.render_segments(console))
        else:
            pieces = _pieces(update)
        ink = Ink(self.system)
        sent = "".join(
            shadow.changes(y, x, Strip.join(strips) if len(strips) != 1 else strips[0], ink)
            for y, x, strips in pieces
        )
        return sent + ink.reset()


def _pieces(update: Any) -> Iterable[tuple[int, int, list[Strip]]]:
    """Line, first column and strips of what a partial update would send."""
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x <= right and end > left:
                yield y, x, [strip.crop(0, min(end, right) - x) if end > right else strip]


class FrugalApp(App[None]):
    """Remembers what it has sent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.shadow = Shadow()

    def on_mount(self) -> None:
        """After a suspension nobody knows what stands on the terminal."""
        self.app_resume_signal.subscribe(self, lambda _: self.shadow.forget())

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if (
            ChopsUpdate is not None
            and isinstance(renderable, ChopsUpdate | LayoutUpdate)
            and not self.is_inline
        ):
            system = self.console._color_system or ColorSystem.TRUECOLOR
            renderable = FrugalUpdate(renderable, self.shadow, system)
        super()._display(screen, renderable)
