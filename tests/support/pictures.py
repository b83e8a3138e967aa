"""A screen as text: its characters, and of each line what its colours come to."""

from __future__ import annotations

import hashlib
from typing import Any

from textual.app import App


def picture(app: App[Any]) -> str:
    """One line a row of the screen: its text, and a number that differs where any colour or style differs."""
    lines = []
    for strip in app.screen._compositor.render_strips():
        styles = ";".join(f"{segment.cell_length}:{segment.style}" for segment in strip.simplify())
        lines.append(f"{strip.text}│{hashlib.sha256(styles.encode()).hexdigest()[:6]}")
    return "\n".join(lines)
