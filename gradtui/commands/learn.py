"""`gradtui learn` lists the lessons, or opens one in the lab."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace

from gradtui.commands.command import DONE, BadInput, Subcommand
from gradtui.commands.inputs import add_json
from gradtui.commands.lab import open_lab


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "lesson",
        nargs="?",
        metavar="LESSON",
        help="a lesson's name or number, or a TOML file; without it a list to choose from",
    )
    add_json(parser)


def _execute(args: Namespace) -> int:
    from gradtui.lessons.lesson import LessonError
    from gradtui.lessons.library import lessons, open_lesson, wanted_language
    from gradtui.ui.settings import read_settings, settings_path

    language = wanted_language(read_settings(settings_path())[0].language, os.environ)
    try:
        entries = [open_lesson(args.lesson, language)] if args.lesson else lessons(language)
    except LessonError as error:
        raise BadInput(str(error)) from None
    if args.json:
        from gradtui.report.output import to_json

        print(
            to_json(
                [
                    {"lesson": one.lesson.lesson, "title": one.lesson.title, "language": one.language}
                    for one in entries
                ]
            )
        )
        return DONE
    if args.lesson or (sys.stdin.isatty() and sys.stdout.isatty()):
        return open_lab(lesson=args.lesson or "")
    from gradtui.report.output import print_table

    print_table(
        [
            (str(number), one.lesson.lesson, one.lesson.title, one.lesson.about)
            for number, one in enumerate(entries, 1)
        ]
    )
    return DONE


COMMAND = Subcommand(
    "learn", "learn [LESSON|FILE]", "opens short lessons with live trainings", _configure, _execute
)
