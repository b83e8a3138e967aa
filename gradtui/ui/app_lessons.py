"""Open, guide and end a lesson in the lab, and show the list of lessons."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App

from gradtui.ui.settings_store import settings_of

if TYPE_CHECKING:
    from gradtui.lessons.library import LessonEntry
    from gradtui.ui.screens.lab.lab_screen import LabScreen
    from gradtui.ui.screens.lab.lesson_guide import LessonGuide

LEAVE_KEY = "/leave"
"""The key of the choice that ends the lesson; no lesson can have this name."""


class Lessons:
    """Lessons opens, guides and ends a lesson; the lessons are only imported when a person asks for one.

    Args:
        app: the app.
        lab: returns the lab, or None before it is open.
        first: the lesson to begin with; "" is the list, None means no lesson.
    """

    def __init__(self, app: App[Any], lab: Callable[[], LabScreen | None], first: str | None) -> None:
        self._app = app
        self._lab = lab
        self._first = first
        self.guide: LessonGuide | None = None
        """The present lesson; None if there is none."""

    async def begin_with_lab(self) -> None:
        """Open the lesson or list that the app was started with, once the lab is there."""
        if self._first == "":
            self.choose()
        elif self._first is not None:
            from gradtui.lessons.library import open_lesson

            await self.open(open_lesson(self._first, self.language))

    @property
    def language(self) -> str:
        """Return the language of the lessons, by the settings or the locale; English where its script has no ASCII."""
        from gradtui.ascii_text import in_ascii
        from gradtui.lessons.library import FALLBACK, lessons, wanted_language

        language = wanted_language(settings_of(self._app).language, os.environ)
        ascii = bool(getattr(self._app, "ascii", False))
        return FALLBACK if ascii and "??" in in_ascii(lessons(language)[0].lesson.title) else language

    def allows(self, what: str) -> bool:
        """Return whether a key of a lesson has an effect now."""
        return self.guide is not None and (what in ("next", "back") or self.guide.question is not None)

    def do(self, what: str) -> None:
        """Do what a key of the lesson says: next, back, hint or answer."""
        if self.guide is not None:
            getattr(self.guide, what)()

    def choose(self) -> None:
        """Let the person choose a lesson; the next one that is not finished is marked."""
        from gradtui.lessons.library import languages, lessons, read_progress, words_of
        from gradtui.ui.screens.dialogs import Choice, ChooseScreen

        entries, progress, say = lessons(self.language), read_progress(), words_of(self.language)
        names = [entry.lesson.lesson for entry in entries]
        played = self.guide.lesson.lesson if self.guide is not None else ""
        here = names.index(played) if played in names else -1
        left = [
            name
            for name, entry in zip(names, entries, strict=True)
            if not set(range(1, len(entry.lesson.step) + 1)) <= set(progress.get(name, ()))
        ]
        following = next((name for name in names[here + 1 :] if name in left), left[0] if left else "")
        choices = (
            [Choice(LEAVE_KEY, say("Leave this lesson"), say("the lab stays as it is"))] if self.guide else []
        )
        for number, (name, entry) in enumerate(zip(names, entries, strict=True), 1):
            lesson = entry.lesson
            done = len([step for step in progress.get(name, ()) if step <= len(lesson.step)])
            state = "✓ " if name not in left else say(f"{done} of {len(lesson.step)} · ") if done else ""
            choices.append(
                Choice(name, f"{number} {lesson.title}", state + lesson.about, name == following, say("next"))
            )
        missing = (
            ""
            if self.language in languages()
            else f" · in English, since there are none in {self.language!r}"
        )
        known = dict(zip(names, entries, strict=True))

        async def take(name: str | None) -> None:
            if name == LEAVE_KEY:
                await self.leave()
            elif name is not None:
                await self.open(known[name])

        self._app.push_screen(ChooseScreen(f"{say('Lessons')}{missing}", choices, title_width=0), take)

    async def open(self, entry: LessonEntry) -> None:
        """Begin a lesson in the lab, and end the present one."""
        from gradtui.ui.screens.lab.lesson_guide import LessonGuide

        lab = self._lab()
        if lab is None:
            return
        await self.leave()
        self.guide = LessonGuide(lab, entry, self._finished)
        await self.guide.begin()

    async def leave(self) -> None:
        """End the lesson, if there is one."""
        guide, self.guide = self.guide, None
        if guide is not None:
            await guide.end()
            guide.lab.refresh_bindings()

    def _finished(self) -> None:
        from gradtui.lessons.library import words_of

        title = self.guide.lesson.title if self.guide is not None else ""
        self._app.notify(words_of(self.language)(f"{title}: finished"), timeout=3, markup=False)
        self.choose()
