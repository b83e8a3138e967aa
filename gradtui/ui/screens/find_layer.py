"""Finding a layer by a part of its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App

    from gradtui.ui.watching import Watching


def find_layer(app: App[Any], watching: Watching, take: Callable[[int], None]) -> None:
    """Let the person choose one of a run's layers; `take` gets its index."""
    from gradtui.ui.screens.choose import Choice, ChooseScreen

    meta = watching.snapshot.meta if watching.snapshot is not None else None
    if meta is None or not meta.layers:
        return
    choices = [
        Choice(
            str(index),
            layer.name,
            f"layer {index + 1:,} of {len(meta.layers):,} · {layer.kind} · {layer.parameters:,} parameters",
        )
        for index, layer in enumerate(meta.layers)
    ]

    def chosen(key: str | None) -> None:
        if key is not None:
            take(int(key))

    app.push_screen(ChooseScreen("Layers", choices), chosen)
