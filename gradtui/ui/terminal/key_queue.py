"""Handle the keys that arrive together one after the other, in the order in which they were typed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message

LONGEST_SECONDS = 0.2
"""The time after which the next key no longer waits for the last one, whose widget may be gone."""
SCREEN_SECONDS, LOOK_SECONDS = 5.0, 0.005
"""The time that a key waits at most until the panes of a new screen exist, and how often it looks."""


class KeyHandled(Message):
    """A KeyHandled follows a key from the widget with the focus up to the app."""

    def __init__(self, arrived: asyncio.Event) -> None:
        super().__init__()
        self.arrived = arrived


class KeyQueue:
    """A KeyQueue passes on a key when the one before it has done its work.

    Textual gives each key to the widget that has the focus at that moment. A field inserts a letter at once, but return
    and backspace rise through its parents first. So the letters of `ab`, backspace, `c` that arrive in one piece, as
    over a slow line, came out as `ab`; and letters that were typed behind the key of a dialog did not reach the dialog.
    A key that came before the panes of a new screen existed ended the app, because the screen did not find them.

    Args:
        app: the app whose keys these are.
        handle: handles a key or a paste as Textual does.
    """

    def __init__(self, app: App[Any], handle: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._waiting: deque[events.Event] = deque()
        self._following: asyncio.Task[None] | None = None

    async def take(self, event: events.Event) -> None:
        """Handle a key now, or after those that came before it and after the screen has its panes."""
        if self._following is not None:
            self._waiting.append(event)
            return
        at_once = self._app.screen.is_mounted
        if at_once:
            await self._handle(event)
        else:
            self._waiting.append(event)
        self._following = asyncio.create_task(self._follow(at_once))

    async def _follow(self, began: bool) -> None:
        """Handle the keys that wait, each after the one before. began: whether one was handled just now."""
        try:
            if began:
                await self._handled()
            while self._waiting and self._app.is_running:
                await self._screen_made()
                await self._handle(self._waiting.popleft())
                await self._handled()
        except Exception as error:
            self._app._handle_exception(error)
        finally:
            self._following = None

    async def _screen_made(self) -> None:
        """Wait until the panes of the screen exist."""
        end = time.monotonic() + SCREEN_SECONDS
        while not self._app.screen.is_mounted and time.monotonic() < end:
            await asyncio.sleep(LOOK_SECONDS)

    async def _handled(self) -> None:
        """Wait until the last key, and what it caused, have passed through the widgets."""
        for turn in range(4):
            target = self._app.focused or self._app.screen
            arrived = asyncio.Event()
            if target.post_message(KeyHandled(arrived)):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(arrived.wait(), LONGEST_SECONDS)
            # The first message follows the key, the second one what the key caused, such as the answer of a dialog.
            if turn and target is (self._app.focused or self._app.screen):
                return
