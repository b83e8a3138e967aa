"""Test the first frame for any name of the experiment."""

from __future__ import annotations

import msgspec

from gradtui.experiment import resolve
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.opening import OpeningScreen
from tests.support.lab import lab_of, no_standby, screen_text, until

__all__ = ["no_standby"]


async def test_a_name_is_never_read_as_markup() -> None:
    app = GradtuiApp(msgspec.structs.replace(resolve("plain-5"), name="[red]deep[/net] [oops"))
    seen: list[str] = []

    def look() -> None:
        if isinstance(app.screen, OpeningScreen):
            seen.append(screen_text(app))

    app.post_display_hook = look  # type: ignore[method-assign]
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: "[red]deep[/net] [oops" in screen_text(app))
    assert any("[red]deep[/net] [oops" in text for text in seen)
    # The first keys stand where they stay.
    assert any("space train  ? keys" in text for text in seen)
