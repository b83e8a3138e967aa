"""Find and read lessons, those that ship in the person's language and others, and remember which were finished."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from gradtui.experiment.errors import ExperimentError, nearest
from gradtui.experiment.toml import read_text
from gradtui.lessons.lesson import Lesson, LessonError, check_experiments, parse
from gradtui.ordinary_files import read_whole
from gradtui.runs.bounded_reads import NO_ANSWER, answers
from gradtui.runs.folder import settings_path
from gradtui.runs.json_text import decode
from gradtui.runs.safe_files import make_parents, replacing
from gradtui.toml_text import parse as parse_toml

FALLBACK = "en"
KEY_SECONDS = 0.25
"""The time that a key waits for the file server of the progress."""


class LessonEntry(NamedTuple):
    """A LessonEntry is one lesson of the list, with its language."""

    lesson: Lesson
    language: str


def languages() -> list[str]:
    """Return the languages that have lessons, by the names of their folders."""
    return sorted(
        folder.name
        for folder in resources.files(__package__ or "gradtui.lessons").iterdir()
        if folder.is_dir() and any(file.name.endswith(".toml") for file in folder.iterdir())
    )


def wanted_language(setting: str, environ: Mapping[str, str]) -> str:
    """Return the language that the setting names, or else the locale ("zh" from zh_CN.UTF-8)."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    found = setting or locale.partition(".")[0].partition("@")[0].partition("_")[0].lower()
    return FALLBACK if found in ("", "c", "posix") else found


WORDS_FILE = "words.toml"
"""The name of the file that translates the texts around the lessons into a language."""


def words_of(language: str) -> Callable[[str], str]:
    """Return a function that translates an English text of the lessons' screens, if a translation exists.

    In the file, {} in a text stands for any words; the translation has a {} for each of them.
    """
    return partial(_translated, language)


def _translated(language: str, text: str) -> str:
    for pattern, said in _words(language):
        if (found := pattern.fullmatch(text)) is not None:
            return said.format(*found.groups())
    return text


@cache
def _words(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    file = resources.files(__package__ or "gradtui.lessons").joinpath(language or FALLBACK, WORDS_FILE)
    if not file.is_file():
        return ()
    words = parse_toml(file.read_text(encoding="utf-8"))
    return tuple((re.compile(re.escape(key).replace(r"\{\}", "(.+?)")), said) for key, said in words.items())


def lessons(language: str = FALLBACK) -> list[LessonEntry]:
    """Return all lessons in their order; those that are missing in a language are in English.

    Raises:
        LessonError: a file of gradtui is wrong.
    """
    found = _of_language(FALLBACK)
    if language != FALLBACK and language in languages():
        found |= {name: entry for name, entry in _of_language(language).items() if name in found}
    return [found[name] for name in sorted(found)]


def _of_language(language: str) -> dict[str, LessonEntry]:
    folder = resources.files(__package__ or "gradtui.lessons").joinpath(language)
    return {
        file.name: LessonEntry(
            parse(file.read_text(encoding="utf-8"), f"lessons/{language}/{file.name}"), language
        )
        for file in folder.iterdir()
        if file.name.endswith(".toml") and file.name != WORDS_FILE
    }


def open_lesson(word: str, language: str = FALLBACK) -> LessonEntry:
    """Return a lesson by its name, its number or its file.

    Raises:
        LessonError: there is no such lesson, or its file is wrong.
    """
    if word.endswith(".toml") or os.sep in word:
        return LessonEntry(load(Path(word)), "")
    known = lessons(language)
    if word.isascii() and word.isdigit() and len(word) < 9 and 1 <= int(word) <= len(known):
        return known[int(word) - 1]
    names = [entry.lesson.lesson for entry in known]
    if word not in names:
        hint = nearest(word, names) or " (gradtui learn lists them)"
        raise LessonError(f"{word}: no such lesson or file{hint}")
    return known[names.index(word)]


def load(path: Path) -> Lesson:
    """Return the lesson of a file. Raises LessonError."""
    try:
        text = read_text(path)
    except ExperimentError as error:
        raise LessonError(str(error)) from None
    lesson = parse(text, str(path))
    check_experiments(lesson, str(path))
    return lesson


def progress_path() -> Path:
    """Return the path of the file with the progress."""
    return settings_path().with_name("lessons.json")


def read_progress(path: Path | None = None) -> dict[str, list[int]]:
    """Return the numbers of the finished steps, from 1, by lesson; nothing where the file is missing or damaged.

    Nothing either where its file server does not answer, because the keys of the app wait for this.
    """
    path = path or progress_path()
    if not answers(path, KEY_SECONDS):
        return {}
    try:
        found = decode(read_whole(path), dict)
    except (OSError, ValueError):
        return {}
    return {
        name: sorted({step for step in steps if isinstance(step, int) and step > 0})
        for name, steps in found.items()
        if isinstance(steps, list)
    }


def note_step(lesson: str, step: int, path: Path | None = None) -> None:
    """Note a finished step, from 1. Raises OSError where the file cannot be written."""
    path = path or progress_path()
    if not answers(path, KEY_SECONDS):
        raise OSError(NO_ANSWER)
    progress = read_progress(path)
    progress[lesson] = sorted({*progress.get(lesson, []), step})
    make_parents(path.parent)
    with replacing(path, private=True) as file:
        file.write(json.dumps(progress, indent=1).encode())
