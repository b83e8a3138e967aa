"""Let a screen be left only once, so that a second key does not leave the screen beneath it as well."""

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import Screen

Answer = TypeVar("Answer")


class OneAnswer(Screen[Answer]):
    """A OneAnswer is a screen that takes its first answer only, and only while it is the current screen.

    Textual's `dismiss` removes whatever screen is on top. The second of two return keys, or of two clicks, can arrive
    after the first one has removed its screen; it would then close the screen beneath, or end the app with a
    ScreenStackError where nothing is beneath.

    A dialog names ModalScreen before it, because Textual takes the styles of the first base only: behind this one, a
    dialog would cover the whole screen beneath.
    """

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Leave the screen with this answer, unless it was left before or another screen covers it."""
        if not self.is_active:
            return AwaitComplete()
        return super().dismiss(result)
