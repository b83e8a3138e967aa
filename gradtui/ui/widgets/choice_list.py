"""A ChoiceList is a list of options that takes every key, however little room it has."""

from __future__ import annotations

from textual.widgets import OptionList


class ChoiceList(OptionList):
    """A ChoiceList ignores keys for a page while it has no line on the screen, on which Textual's own list fails."""

    def action_page_up(self) -> None:
        """Go up by as many options as are seen."""
        if self.size.height:
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """Go down by as many options as are seen."""
        if self.size.height:
            super().action_page_down()  # type: ignore[no-untyped-call]
